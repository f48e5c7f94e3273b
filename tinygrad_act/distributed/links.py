"""What carries arrays between processes: MPI between CPUs, NCCL between GPUs. Each is an existing library."""

from __future__ import annotations

import importlib
import os
from typing import Any

from .. import dtypes
from ..backend import namespaces
from ..errors import DistributedError, MissingPackageError


class MPI:
    """Messages by mpi4py. The processes are those that `mpiexec` started."""

    name, package, device = "mpi", "mpi4py", "cpu"

    def __init__(self, rank: int, size: int) -> None:
        try:
            library = importlib.import_module("mpi4py.MPI")
        except ImportError as error:
            raise MissingPackageError("init_process_group", "backend='mpi'", f"mpi4py is not there, or finds no MPI ({error})",
                                      "pip install 'tinygrad-act[mpi]'") from error
        self.library, self.world = library, library.COMM_WORLD
        self.rank, self.size = self.world.Get_rank(), self.world.Get_size()
        if (rank, size) not in ((-1, -1), (self.rank, self.size)):
            raise DistributedError("init_process_group", f"rank={rank}, world_size={size}",
                                   f"MPI started this process as {self.rank} of {self.size}", "leave them out")

    def reduce(self, array: Any, op: str) -> Any:
        """The reduced array, a new one."""
        F = namespaces[type(array)]
        half = array.dtype.itemsize == 2 and dtypes.is_floating(array.dtype)      # MPI has no such element type
        total = _flat(F.cast(array, dtypes.float32) if half else array)
        self.world.Allreduce(self.library.IN_PLACE, total, getattr(self.library, op.upper()))
        return F.cast(total, array.dtype).reshape(array.shape)

    def send(self, array: Any, src: int) -> Any:
        """What process `src` gave, a new array."""
        sent = _flat(array)
        self.world.Bcast(sent.view("uint8"), root=src)                            # bytes: of whatever element type
        return sent.reshape(array.shape)

    def wait(self) -> None:
        """Until all are here."""
        self.world.Barrier()

    def close(self) -> None:
        """MPI ends with the process."""


class NCCL:
    """Messages by NCCL through CuPy, one process a GPU; the processes find each other as PyTorch's do, by variables."""

    name, package, device = "nccl", "cupy", "cuda"

    def __init__(self, rank: int, size: int) -> None:
        try:
            import cupyx.distributed as library
        except ImportError as error:
            raise MissingPackageError("init_process_group", "backend='nccl'", f"CuPy is not there ({error})",
                                      "pip install 'tinygrad-act[cuda12]'") from error
        found = {"rank": rank if rank >= 0 else os.environ.get("RANK"),
                 "world_size": size if size > 0 else os.environ.get("WORLD_SIZE")}
        if unknown := [k for k, v in found.items() if v is None]:
            raise DistributedError("init_process_group", f"no {' and no '.join(unknown)}", "NCCL does not know who takes part",
                                   "pass them, or set RANK and WORLD_SIZE for each process")
        self.rank, self.size = int(found["rank"] or 0), int(found["world_size"] or 0)
        self.link = library.init_process_group(
            self.size, self.rank, backend="nccl", host=os.environ.get("MASTER_ADDR", "127.0.0.1"),
            port=int(os.environ.get("MASTER_PORT", 13333)))

    def reduce(self, array: Any, op: str) -> Any:
        """The reduced array, a new one."""
        total = _flat(array)
        self.link.all_reduce(total, total, op)
        return total.reshape(array.shape)

    def send(self, array: Any, src: int) -> Any:
        """What process `src` gave, a new array."""
        sent = _flat(array)
        self.link.broadcast(sent.view("uint8"), root=src)                         # bytes, as by MPI: CuPy's NCCL takes no bools
        return sent.reshape(array.shape)

    def wait(self) -> None:
        """Until all are here."""
        self.link.barrier()

    def close(self) -> None:
        """Give the communicator back."""
        self.link.stop()


def _flat(array: Any) -> Any:
    """A copy along one axis, in the order of the indices on every process, whatever the memory's."""
    flat = array.reshape(-1)
    return namespaces[type(array)].copy(flat)


LINKS: dict[str, Any] = {"mpi": MPI, "nccl": NCCL}
