"""Data parallel training, in two and three processes that mpiexec starts: it ends where one process with the whole batch ends."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import DistributedError, MissingPackageError
from tinygrad_act.utils.data.distributed import DistributedSampler

RANKS = Path(__file__).with_name("ranks.py")


def mpiexec() -> str:
    pytest.importorskip("mpi4py.MPI", reason="mpi4py, or the MPI that it needs, is not installed", exc_type=ImportError)
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        pytest.skip("no mpiexec: pip install mpich")
    return found


@pytest.mark.parametrize(("name", "count"), [
    ("same_as_whole", 2), ("same_as_whole", 3), ("fitted", 2), ("gathered", 2), ("halves", 2), ("unused", 3), ("messages", 2), ("compiled", 2), ("misuse", 1)])
def test_processes_together(name: str, count: int) -> None:
    done = subprocess.run([mpiexec(), "-n", str(count), sys.executable, "-m", "mpi4py", str(RANKS), name], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_a_group_there_is_one_process() -> None:
    dist = ta.distributed
    assert (dist.get_rank(), dist.get_world_size(), dist.is_initialized()) == (0, 1, False)
    with pytest.raises(DistributedError, match="init_process_group"):
        dist.get_backend()


@pytest.mark.parametrize("n", [1, 5, 6, 7])
@pytest.mark.parametrize("drop_last", [False, True])
def test_parts_are_equally_long_and_together_all(n: int, drop_last: bool) -> None:
    parts = [DistributedSampler(range(n), 3, r, shuffle=True, seed=1, drop_last=drop_last) for r in range(3)]
    drawn = [list(p) for p in parts]
    assert len({len(d) for d in drawn}) == 1 and len(drawn[0]) == len(parts[0]) == (n // 3 if drop_last else -(-n // 3))
    seen = sorted(i for d in drawn for i in d)
    assert set(seen) == set(range(n)) if not drop_last else len(set(seen)) == len(seen)


class Wire:
    """Stands in for CuPy's NCCL among two processes, of which the other always gives ones."""

    def all_reduce(self, given: Any, out: Any, op: str) -> None:
        out[...] = given + 1 if op == "sum" else given

    def broadcast(self, array: Any, root: int) -> None:
        assert str(array.dtype) == "uint8"                                       # CuPy's takes no bools
        array[...] = root

    def barrier(self) -> None:
        pass

    def stop(self) -> None:
        pass


def test_nccl_is_asked_as_cupy_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinygrad_act.distributed import links

    asked: dict[str, Any] = {}
    library = SimpleNamespace(init_process_group=lambda size, rank, **more: asked.update(size=size, rank=rank, **more) or Wire())
    monkeypatch.setitem(sys.modules, "cupyx", SimpleNamespace(distributed=library))
    monkeypatch.setitem(sys.modules, "cupyx.distributed", library)
    with pytest.raises(DistributedError, match="no rank and no world_size"):
        links.NCCL(-1, -1)
    monkeypatch.setenv("MASTER_PORT", "4000")
    link = links.NCCL(1, 2)
    assert asked == {"size": 2, "rank": 1, "backend": "nccl", "host": "127.0.0.1", "port": 4000}
    array = ta.tensor([[1.0, 2.0]]).array
    assert link.reduce(array, "sum").tolist() == [[2.0, 3.0]] and link.send(ta.tensor([[False, False]]).array, 1).tolist() == [[True, True]]
    assert array.tolist() == [[1.0, 2.0]]


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mpi4py", "mpi4py.MPI"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError, match=r"tinygrad-act\[mpi\]"):
        ta.distributed.init_process_group("mpi")
