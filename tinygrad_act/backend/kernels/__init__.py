"""Kernels written by hand, beside the rules that say what they compute: rows, groups and lists of arrays, on CuPy.

Rules are run there operation by operation, which for a reduction are many passes. Where that costs too much, a rule has a
kernel beside it (`rule.beside`), or a function of the vocabulary is one (`rows.py`). The rule stays the definition: the tests
run both on the same numbers. No GPU is needed for that: they compile the same text for the CPU. (The files in C are for NumPy's
arrays: see backend/beside.py.)
"""

from __future__ import annotations

import functools

TYPES = {"float16": ("float16", "float"), "float32": ("float", "float"), "float64": ("double", "double")}      # T, W of common.cu
HALF = """struct float16 {
    unsigned short bits;
    __device__ float16() {}
    __device__ float16(float x) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x)); }
    __device__ operator float() const { float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(bits)); return y; }
};
"""
FILES = {"softmax": ("softmax", "softmax_backward", "log_softmax", "log_softmax_backward", "exponentials", "attention_backward"),
         "cross_entropy": ("cross_entropy", "cross_entropy_total", "cross_entropy_count", "cross_entropy_backward"),
         "normalise": ("normalise", "normalise_backward", "channel_sums")}


def text(file: str) -> str:
    """What is in a file of this folder."""
    from pathlib import Path  # here, as it takes long to import
    return Path(__file__).with_name(file).read_text(encoding="utf-8")


@functools.cache
def source(file: str, dtype: str) -> str:
    """The whole text of a file's kernels, for arrays of that dtype."""
    element, arithmetic = TYPES[dtype]
    head = (HALF if dtype == "float16" else "") + f"typedef {element} T;\ntypedef {arithmetic} W;\n"
    return head + text("common.cu") + text(f"{file}.cu")


@functools.cache
def list_source(count: int, size: int) -> str:
    """Kernels that put `count` arrays end to end (gather), and back (scatter); `size` is that of an element in bytes."""
    kind = {1: "unsigned char", 2: "unsigned short", 4: "unsigned int", 8: "unsigned long long"}[size]
    texts = []
    for name, const, move in (("gather", "const ", "whole[i] = a{k}[i - start]"), ("scatter", "", "a{k}[i - start] = whole[i]")):
        whole = f"{'const ' * (name == 'scatter')}{kind}* whole"
        arrays = ", ".join(f"{const}{kind}* a{k}, long long end{k}" for k in range(count))
        chain = " else ".join(f"if (i < end{k}) {{ const long long start = {f'end{k - 1}' if k else 0}; {move.format(k=k)}; }}" for k in range(count))
        texts.append(f'extern "C" __global__ void {name}({whole}, {arrays}) {{\n'
                     f"    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;\n    {chain}\n}}\n")
    return "".join(texts)
