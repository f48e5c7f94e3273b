"""A step of tuning MiniLM beside PyTorch's on equal code: time and peak memory. `python tests/benchmarks/minilm_step.py`

Batch 16, length 64, AdamW, dropout on, a dense layer for two classes on top; random weights of MiniLM's sizes. Each in a
process of its own, in turns; the time is the fastest step's, the memory what the process had at most in the steps (weights,
gradients, the optimizer's means and all), beyond what it had after the imports.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
BATCH, LENGTH = 16, 64


SIZES = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}


def ours(steps: int) -> dict[str, Any]:
    import tinygrad_act as ta

    config = ta.pretrained.BertConfig(**SIZES)           # type: ignore[arg-type]
    return measured(ta, lambda: ta.pretrained.SentenceEncoder(config), steps)


def theirs(steps: int) -> dict[str, Any]:
    import torch

    import tinygrad_act as ta
    from tests.pretrained.torch_bert import TorchBert, pooled

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

    class Encoder(TorchBert):
        def forward(self, ids: Any, mask: Any) -> Any:
            return pooled(super().forward(ids, mask), mask)

    config = ta.pretrained.BertConfig(**SIZES)           # type: ignore[arg-type]
    return measured(torch, lambda: Encoder(config), steps)


def memory(what: str) -> float:
    """MB of this process: VmRSS now, VmHWM at most since it was last cleared."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    return 0.0


def measured(lib: Any, make: Callable[[], Any], steps: int) -> dict[str, Any]:
    """The same text for both libraries."""
    base = memory("VmRSS")
    encoder, head = make().train(), lib.nn.Linear(384, 2)
    optimizer = lib.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=2e-5)
    lib.manual_seed(0)
    ids = lib.randint(1000, 30000, (BATCH, LENGTH))
    mask = lib.ones((BATCH, LENGTH), dtype=lib.int64)
    mask[::2, LENGTH // 2:] = 0
    target = lib.randint(0, 2, (BATCH,))
    times = []
    Path("/proc/self/clear_refs").write_text("5")        # the most so far is forgotten
    for _ in range(steps):
        start = time.perf_counter()
        loss = lib.nn.functional.cross_entropy(head(encoder(ids, mask)), target)
        middle = time.perf_counter()
        loss.backward()
        back = time.perf_counter()
        optimizer.step()
        optimizer.zero_grad()
        end = time.perf_counter()
        times.append((end - start, middle - start, back - middle, end - back))
    best = min(times)
    return {"ms": [round(1e3 * t, 1) for t in best], "MB": round(memory("VmHWM") - base)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["ours", "theirs"])
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    if args.only:
        print(json.dumps({"ours": ours, "theirs": theirs}[args.only](args.steps)))
        return
    for threads in (1, 2):
        environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))}
        found: dict[str, list[Any]] = {"ours": [], "theirs": []}
        for _ in range(args.rounds):
            for who, results in found.items():
                said = subprocess.run([sys.executable, __file__, "--only", who, "--steps", str(args.steps)], env=environment, check=True,
                                      capture_output=True, text=True).stdout
                results.append(json.loads(said.splitlines()[-1]))
        a, b = [min(results, key=lambda r: r["ms"][0]) for results in found.values()]
        print(f"{threads} threads: ours {a}, PyTorch {b}: time {a['ms'][0] / b['ms'][0]:.2f}, memory {a['MB'] / b['MB']:.2f}  (ms: step, forward, backward, optimizer)")


if __name__ == "__main__":
    main()
