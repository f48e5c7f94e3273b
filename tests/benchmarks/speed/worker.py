"""One candidate in a process of its own: it is told a workload, makes it, and times as many steps of it as it is told.

    python worker.py LIBRARY THREADS [--compiled]

A line in, a line out, as JSON: {"make": name, "sizes": {...}} -> {"seconds": of the first step}; {"steps": n} -> {"seconds": for
each step}; {"peak": n} -> {"step": the bytes by which n more steps raised the process's memory at its highest, "process": all of them}.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[2])]


def make(library: str, threads: int, compiled: bool, name: str, sizes: dict[str, int]) -> Any:
    """The workload's step, in this library."""
    if library not in ("tinygrad_act", "torch"):
        from rivals import RIVALS
        return RIVALS[library][name]()
    from networks import NETWORKS
    from workloads import WORKLOADS

    lib = importlib.import_module(library)
    if library == "torch":
        lib.set_num_threads(threads)
    lib.manual_seed(0)
    step = (WORKLOADS | NETWORKS)[name].make(lib, **sizes)
    return lib.compile(step) if compiled else step


def resident() -> int:
    """Bytes of memory that the process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak(step: Any, steps: int) -> dict[str, int]:
    """The process's memory at its highest, and by how much the steps raised it."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")                        # the highest so far is forgotten
    before = resident()
    for _ in range(steps):
        step()
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    highest = int(line.split()[1]) * 1024
    return {"step": highest - before, "process": highest}


def answer(asked: dict[str, Any], held: dict[str, Any], settings: argparse.Namespace) -> dict[str, Any]:
    began = time.perf_counter()
    if "make" in asked:
        held.clear()
        gc.collect()
        held["step"] = make(settings.library, settings.threads, settings.compiled, asked["make"], asked.get("sizes", {}))
        if asked.get("run", True):
            began = time.perf_counter()
            held["step"]()
        return {"seconds": time.perf_counter() - began}
    if "peak" in asked:
        return peak(held["step"], asked["peak"])
    for _ in range(asked["steps"]):
        held["step"]()
    return {"seconds": (time.perf_counter() - began) / asked["steps"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("threads", type=int)
    parser.add_argument("--compiled", action="store_true")
    settings, held = parser.parse_args(), {}
    out, sys.stdout = sys.stdout, sys.stderr                             # what libraries print must not be taken for an answer
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line), held, settings)
        except Exception as error:                                       # a candidate that cannot is a row that says so
            reply = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:120]}
        out.write(json.dumps(reply) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
