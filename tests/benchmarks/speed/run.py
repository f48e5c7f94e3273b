"""All workloads beside PyTorch's eager mode and the other libraries: one table, losses shown as plainly as wins.

    python tests/benchmarks/speed/run.py                    # everything that is installed, one and two threads (about 5 minutes)
    python tests/benchmarks/speed/run.py mlp_tiny cnn       # some workloads
    python tests/benchmarks/speed/run.py --write            # and docs/speed.md with its table, plots and JSON
    python tests/benchmarks/speed/run.py --networks         # small networks of all kinds instead, beside PyTorch (2 minutes)
    python tests/benchmarks/speed/run.py --short            # a first look, and to see that it runs (15 seconds)

Each candidate runs in a process of its own. They take turns, a block of steps each, in an order that moves on with each round, so a change
of the machine's speed meets all. A ratio is the median over the rounds of (its time / PyTorch's eager time in the same round); the
spread is the middle half of the rounds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from networks import NETWORKS
from report import network_page, print_table, speed_page
from rivals import RIVALS
from workloads import SWEEPS, WORKLOADS

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2]))

BLOCK, SHORT_BLOCK = 0.08, 0.02         # seconds that a candidate computes before it is the next one's turn
SHORT_SIZES = {"cnn": {"batch": 16}, "lstm": {"length": 25}, "encoder": {"batch": 2}}
BASE = "torch"


class Candidate(NamedTuple):
    """A library, and whether its steps are compiled."""

    library: str
    compiled: bool = False

    @property
    def name(self) -> str:
        return self.library + (" compiled" if self.compiled else "")


CANDIDATES = [Candidate("torch"), Candidate("tinygrad_act"), Candidate("tinygrad_act", True), Candidate("torch", True),
              *(Candidate(library) for library in RIVALS)]


class Process:
    """A worker that has been started."""

    steps = 1                          # how many fill its turn

    def __init__(self, candidate: Candidate, threads: int) -> None:
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        limits |= {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"} if threads == 1 else {}
        command = [sys.executable, str(HERE / "worker.py"), candidate.library, str(threads), *["--compiled"] * candidate.compiled]
        self.candidate = candidate
        self.process = subprocess.Popen(command, env={**os.environ, **limits}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)

    def ask(self, **question: Any) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "the process died"}          # type: ignore[no-any-return]

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def takes_part(candidate: Candidate, name: str) -> bool:
    """Is this workload one that the candidate has?"""
    if importlib.util.find_spec(candidate.library) is None:
        return False
    if candidate.library in RIVALS:
        return name in RIVALS[candidate.library]
    if name in NETWORKS:
        return candidate in CANDIDATES[:3]
    return not candidate.compiled or WORKLOADS[name].replayed is not None


class Runner:
    """The candidates' processes for one number of threads: started when first needed, kept for the next workload."""

    def __init__(self, threads: int, rounds: int, candidates: list[Candidate] = CANDIDATES, block: float = BLOCK) -> None:
        self.threads, self.rounds, self.candidates, self.block = threads, rounds, candidates, block
        self.processes: dict[Candidate, Process] = {}

    def prepare(self, candidate: Candidate, name: str, sizes: dict[str, int]) -> dict[str, Any]:
        """Have it make the workload and warm up; the error, if it cannot."""
        p = self.processes.get(candidate) or self.processes.setdefault(candidate, Process(candidate, self.threads))
        reply = p.ask(make=name, sizes=sizes)
        steps, took, asked = 1, 0.0, 0
        while "error" not in reply and (asked < 3 or took < self.block / 2) and asked < 12:
            # Compile, record, warm up. What the first steps take may be mostly that, so their number grows until a block is full.
            reply, asked = p.ask(steps=steps), asked + 1
            took = steps * reply.get("seconds", 0.0)
            steps = max(1, min(round(self.block * steps / max(took, 1e-6)), 4 * steps))
        p.steps = steps
        if "error" in reply:
            self.processes.pop(candidate).end()
        return reply

    def measure(self, name: str, sizes: dict[str, int] | None = None) -> dict[str, Any]:
        """A row: for each candidate the median seconds of a step, its ratio to PyTorch, the spread of that, or the error."""
        chosen = [c for c in self.candidates if takes_part(c, name)]
        found: dict[str, Any] = {c.name: reply for c in chosen if "error" in (reply := self.prepare(c, name, sizes or {}))}
        running = [c for c in chosen if c.name not in found]
        times: dict[str, list[float]] = {c.name: [] for c in running}
        for i in range(self.rounds if running else 0):
            k = i % len(running)
            for c in running[k:] + running[:k]:
                p = self.processes[c]
                times[c.name].append(p.ask(steps=p.steps)["seconds"])
        for candidate, kept in times.items():
            found[candidate] = {"seconds": statistics.median(kept)}
            if BASE in times:
                ratios = sorted(a / b for a, b in zip(kept, times[BASE], strict=True))
                found[candidate] |= {"ratio": statistics.median(ratios), "spread": [ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]]}
        return {"workload": name, "what": (WORKLOADS | NETWORKS)[name].what, "threads": self.threads, "candidates": found, "sizes": sizes or {}}

    def end(self) -> None:
        """Stop them all."""
        for p in self.processes.values():
            p.end()


def memory(name: str, steps: int = 3) -> dict[str, dict[str, Any]]:
    """By each of the two libraries, the bytes that a step needs beyond the network and its data, the first step included, and those
    of the whole process.
    """
    found = {}
    for candidate in CANDIDATES[:2]:
        if takes_part(candidate, name):
            p = Process(candidate, 1)
            try:
                reply = p.ask(make=name, run=False)
                found[candidate.name] = reply if "error" in reply else p.ask(peak=steps)
            finally:
                p.end()
    return found


def sweep(title: str, rounds: int) -> dict[str, Any]:
    """The same workload at several sizes."""
    name, size, values = SWEEPS[title]
    runner = Runner(1, rounds, CANDIDATES[:2])
    rows = [runner.measure(name, {size: v}) for v in values]
    runner.end()
    return {"title": title, "size": size, "values": values,
            "seconds": {c.name: [row["candidates"][c.name].get("seconds") for row in rows] for c in CANDIDATES[:2]}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*WORKLOADS, *NETWORKS, []], default=[])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--networks", action="store_true", help="those of networks.py; with --write their table in docs/speed.md")
    parser.add_argument("--short", action="store_true", help="two rounds of the small workloads, in smaller batches and one thread; neither memory "
                        "nor torch.compile, which takes long to compile")
    parser.add_argument("--sweeps", action=argparse.BooleanOptionalAction, default=None, help="cost against size; by default with --write")
    parser.add_argument("--write", action="store_true", help="write docs/speed.md, docs/images/speed*.png and docs/speed.json")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    given = parser.parse_args()
    if given.short and given.write:
        parser.error("--short is a first look: the page is written from what was measured in full")
    if importlib.util.find_spec(BASE) is None:
        if given.write:
            parser.error("the page has ratios to PyTorch, which is not installed here")
        print("PyTorch is not installed here: times, and no ratios to its own", flush=True)
    names = given.names or list(NETWORKS if given.networks else ()) or ([n for n in WORKLOADS if not n.endswith(("⁶", "⁷"))] if given.short else list(WORKLOADS))
    rounds, threads = (2, [1]) if given.short else (given.rounds, given.threads)
    results: dict[str, Any] = {"rows": [], "memory": {}, "sweeps": []}
    short = {"candidates": [c for c in CANDIDATES if c != Candidate(BASE, True)], "block": SHORT_BLOCK}
    runners = [Runner(t, rounds, **(short if given.short else {})) for t in threads]
    for name in names:
        results["rows"] += [runner.measure(name, SHORT_SIZES.get(name) if given.short else None) for runner in runners]
        print_table(results["rows"][-len(threads):])
        if name in WORKLOADS and WORKLOADS[name].memory and not given.short:
            results["memory"][name] = memory(name)
            print("    peak memory, MB:", {k: m.get("error") or [round(v / 1e6, 1) for v in m.values()] for k, m in results["memory"][name].items()}, flush=True)
    for runner in runners:
        runner.end()
    if given.sweeps or (given.write and given.sweeps is None and not given.networks):
        for title in SWEEPS:
            results["sweeps"].append(sweep(title, max(3, rounds // 3)))
            print(title, results["sweeps"][-1]["seconds"], flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1))
    if given.write:
        (network_page if given.networks else speed_page)(results)
    failed = [(r["workload"], c, v["error"]) for r in results["rows"] for c, v in r["candidates"].items() if "error" in v]
    if ours := [f for f in failed if f[1].startswith("tinygrad_act")]:
        raise SystemExit(f"failed: {ours}")


if __name__ == "__main__":
    main()
