"""What the backends are, for `python -m tinygrad_act doctor`: (what, what was found, a remark)."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import metadata
from typing import Any

import numpy as np

from ..errors import TinygradActError
from . import current, load, threads
from .subnormal import flushing

Row = tuple[str, str, str]


def numpy_rows() -> Iterable[Row]:
    """NumPy, what computes its matrix products, and how."""
    built: Any = np.show_config(mode="dicts")
    blas = built.get("Build Dependencies", {}).get("blas", {})
    n = threads.available()
    yield "backend", current(), "where new arrays are made"
    yield "NumPy", np.__version__, f"vector instructions: {', '.join(built.get('SIMD Extensions', {}).get('found', [])) or 'not told'}"
    yield "BLAS", f"{blas.get('name', 'not told')} {blas.get('version', '')}".strip(), f"{n} thread{'s' * (n > 1)}"
    yield "subnormals", "can be flushed" if _flushes() else "stay", "numbers below the smallest normal one, which slow training down"


def _flushes() -> bool:
    with flushing():
        return float(np.float64(5e-324) * np.float64(1)) == 0


def cupy_rows() -> Iterable[Row]:
    """CuPy and the GPUs that it sees, or why there are none."""
    try:
        module: Any = load("cupy")
    except TinygradActError as error:
        yield "CuPy", _installed() or "not installed", f"{error.cause}; {error.remedy}"
        return
    yield "CuPy", _installed(), f"CUDA {module.cupy.cuda.runtime.runtimeGetVersion()}"
    for i in range(module.DEVICES):
        found = module.properties(i)
        yield f"cuda:{i}", found["name"].decode(), f"{found['totalGlobalMem'] / 1e9:.1f} GB"


def _installed() -> str:
    found = [d for d in ("cupy-cuda12x", "cupy-cuda13x", "cupy") if _version(d)]
    return ", ".join(f"{d} {_version(d)}" for d in found)


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
