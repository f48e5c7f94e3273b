"""A GPU beside its own copy bandwidth, and beside PyTorch's eager mode on the same card where that is installed with CUDA.

    python tests/benchmarks/gpu.py                    # a table
    python tests/benchmarks/gpu.py --write            # and docs/gpu.md gets it
    python tests/benchmarks/gpu.py --dry              # without a GPU, on CuPy's double: that the command works, and how many launches a step is
    python tests/benchmarks/gpu.py --dry --write      # and docs/gpu.md gets these numbers

Times are wall clock over as many steps as fill a quarter of a second, the GPU waited for before and after; the best of five. The workloads
are those of speed/workloads.py.
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from page import put

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE / "speed")]
STEPS = ("mlp_tiny", "mlp_digits", "cnn", "lstm", "encoder")
SMALL: dict[str, dict[str, int]] = {"mlp_tiny": {"batch": 4}, "mlp_digits": {"batch": 4, "width": 8}, "cnn": {"batch": 1},
                                    "lstm": {"length": 10, "batch": 2}, "encoder": {"batch": 1, "length": 4}}
TRAFFIC = 5                              # of arrays: x, y; g, x (or y), the gradient
Row = tuple[str, ...]


def timed(step: Callable[[], Any], wait: Callable[[], Any], seconds: float = 0.25) -> float:
    """Seconds for a step."""
    for _ in range(3 if seconds else 1):
        step()
    count, best = 1, float("inf")
    for _ in range(8 if seconds else 1):
        wait()
        began = time.perf_counter()
        for _ in range(count):
            step()
        wait()
        took = time.perf_counter() - began
        if took >= seconds / 2:
            best = min(best, took / count)
        count = max(count, int(count * seconds / max(took, 1e-9))) if seconds else 1
    return best if best < float("inf") else took / count


def about(ta: Any) -> list[Row]:
    """The machine and the versions."""
    import cupy
    facts: dict[str, Any] = {"device": ta.cuda.get_device_name(), "memory": f"{ta.cuda.mem_get_info()[1] / 2**30:.0f} GiB",
                             "CUDA (driver, runtime)": " ".join(str(getattr(cupy.cuda.runtime, f"{n}GetVersion", lambda: "-")()) for n in ("driver", "runtime")),
                             "CuPy": getattr(cupy, "__version__", "double"), "tinygrad_act": ta.__version__, "Python": platform.python_version()}
    torch = torch_on_gpu()
    facts["PyTorch"] = f"{torch.__version__} (CUDA {torch.version.cuda})" if torch else "not here with CUDA"
    return [(k, str(v)) for k, v in facts.items()]


def torch_on_gpu() -> Any:
    if importlib.util.find_spec("torch") is None or "tests.backend.fake_cupy" in sys.modules:
        return None
    import torch
    return torch if torch.cuda.is_available() else None


def measure(ta: Any, dry: bool) -> list[Row]:
    """Rows of (what, ours, replayed, PyTorch, ratio, ratio replayed, share of the copy bandwidth)."""
    from workloads import ACTIVATIONS, WORKLOADS, activation
    size, seconds, torch = (1000 if dry else 10_000_000), (0 if dry else 0.25), torch_on_gpu()
    if torch:
        torch.set_default_device("cuda")
    x, y = ta.randn(size), ta.randn(size)
    copy = timed(lambda: y.copy_(x), ta.cuda.synchronize, seconds)
    rows: list[Row] = [(f"copy of {size:.0e} numbers", f"{copy * 1e6:.1f} µs", "", "", "", "", f"{2 * 4 * size / copy / 1e9:.0f} GB/s")]

    def compare(what: str, make: Callable[[Any], Any], share: bool = False, replay: bool = False) -> None:
        step = make(ta)
        ours = timed(step, ta.cuda.synchronize, seconds)
        again = timed(ta.compile(step), ta.cuda.synchronize, seconds) if replay else None
        theirs = timed(make(torch), torch.cuda.synchronize, seconds) if torch else None
        rows.append((what, f"{ours * 1e6:.1f} µs", f"{again * 1e6:.1f} µs" if again else "", f"{theirs * 1e6:.1f} µs" if theirs else "",
                     f"{ours / theirs:.2f}" if theirs else "", f"{again / theirs:.2f}" if theirs and again else "",
                     f"{TRAFFIC / 2 * copy / ours:.0%}" if share else ""))

    for name in ACTIVATIONS:
        compare(f"{name}, forward and backward", lambda lib, name=name: activation(lib, name, size), share=True)
    compare("50 ops on 8 numbers, forward and backward", WORKLOADS["small_op"].make)
    for name in STEPS[:3] if dry else STEPS:
        compare(WORKLOADS[name].what, lambda lib, name=name: WORKLOADS[name].make(lib, **SMALL[name] if dry else {}),
                replay=not dry or name == "mlp_tiny")
    return rows


def launches(ta: Any) -> list[Row]:
    """How many launches a step is, on the double: with the kernels beside rules, without them, and with each op of a rule by itself."""
    from workloads import WORKLOADS

    from tests.backend import fake_cupy
    from tinygrad_act.backend.kernels.rows import Beside
    from tinygrad_act.backend.namespace import Namespace
    F, own = ta.backend.load("cupy").F, [n for n in vars(Beside) if n in dir(Namespace) and not n.startswith("__")] + ["change", "run"]
    found: dict[str, list[str]] = {}
    for way in ("ours", "rules as kernels", "calls"):
        for name in own if way == "rules as kernels" else ():
            if name != "run":
                setattr(F, name, getattr(Namespace, name).__get__(F) if callable(getattr(Namespace, name)) else getattr(Namespace, name))
        if way == "calls":
            F.run = Namespace.run.__get__(F)
        for name in STEPS:
            ta.manual_seed(0)
            step = WORKLOADS[name].make(ta, **SMALL[name])
            step()
            found.setdefault(WORKLOADS[name].what, []).append(str(fake_cupy.launched(step)))
    for name in own:
        F.__dict__.pop(name, None)
    return [(what, *reversed(counts)) for what, counts in found.items()]


def table(head: Row, rows: list[Row]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ("---", *["--:"] * (len(head) - 1)), *rows]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into docs/gpu.md")
    parser.add_argument("--dry", action="store_true", help="on CuPy's double, at tiny sizes: no times are meant")
    settings = parser.parse_args()
    if settings.dry:
        from tests.backend import fake_cupy
        fake_cupy.install()
    import tinygrad_act as ta
    ta.backend.use("cupy")
    facts, rows = about(ta), measure(ta, settings.dry)
    text = table(("", ""), facts) + "\n" + table(("step", "ours", "replayed", "PyTorch", "ratio", "ratio, replayed", "of the copy's bandwidth"), rows)
    print(text)
    if settings.dry:
        text = table(("a step of training", "each op by itself", "elementwise rules as kernels", "and kernels beside rules"), launches(ta))
        print(text)
    if settings.write:
        put("gpu.md", "launches" if settings.dry else "figures", text.rstrip("\n"))


if __name__ == "__main__":
    main()
