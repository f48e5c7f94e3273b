"""Arrays in a few hundred bytes each: exact figures, all numbers of a small one, a heat map of a large one."""

from __future__ import annotations

import base64
import math
from typing import Any

from ... import backend
from ...tensor import Tensor
from ..values import norm

FEW = 64                                         # numbers that are given in full
GRIDS = ((24, 32), (12, 16), (4, 6))             # rows and columns of a heat map at the most; the coarser if the page is too large
TOP = 120                                        # levels on each side of 0
MINUS, PLUS, NAN = 253, 254, 255                 # the levels of what is no number
FLAT = 4                                         # rows of a matrix that is so wide that it may have twice the columns


class Store:
    """The arrays on a page, each once: `add` gives the number by which the page calls it."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []
        self.at: dict[int, int] = {}
        self.known: dict[int, dict[str, Any]] = {}

    def add(self, x: Any) -> int | None:
        """The array's number; None for None."""
        array = x.array if isinstance(x, Tensor) else x
        if array is None:
            return None
        if id(array) not in self.at:
            self.at[id(array)] = len(self.arrays)
            self.arrays.append(array)            # kept, so that no id is used twice
        return self.at[id(array)]

    def record(self, number: int) -> dict[str, Any]:
        """What the page is given of it, in the finest heat map."""
        if number not in self.known:
            self.known[number] = record(self.arrays[number])
        return self.known[number]

    def records(self, grid: tuple[int, int]) -> list[dict[str, Any]]:
        """What the page is given of each."""
        return [self.record(k) if grid == GRIDS[0] else record(array, grid) for k, array in enumerate(self.arrays)]


def record(array: Any, grid: tuple[int, int] = GRIDS[0]) -> dict[str, Any]:
    """Shape, element type and figures of an array; its numbers where they are few, else a heat map.

    A cell of a heat map stands for a block, by the number in it that is farthest from 0; a NaN or an infinity in the
    block comes first. Matrices of an array of three dimensions or more stand side by side.
    """
    host = backend.to_host(array)
    a = host.astype("float64")
    flat = a.reshape(-1)
    whole = not a.size or math.isfinite(float(flat.min()) - float(flat.max()))
    good = flat if whole else flat[abs(flat) < math.inf]
    low, high = (float(good.min()), float(good.max())) if good.size else (0.0, 0.0)
    top = max(-low, high)
    found = {"shape": list(a.shape), "dtype": str(array.dtype), "size": int(a.size), "norm": f"{length(flat, top) if whole else norm(flat):.6g}",
             "top": top, "zeros": int((flat == 0).sum()), "nan": 0 if whole else int((flat != flat).sum()),
             "plus": 0 if whole else int((flat == math.inf).sum()), "minus": 0 if whole else int((flat == -math.inf).sum())}
    if good.size:
        middle = float((good / top).mean()) * top if top else 0.0                    # their sum may overflow
        found |= {"min": exact(low, host.dtype), "max": exact(high, host.dtype), "mean": f"{middle:.6g}"}
    if a.size <= FEW:
        found["numbers"] = [exact(v, host.dtype) for v in flat.tolist()]
    if a.size > 1:
        found |= heat_map(side_by_side(a), top, grid, whole)
    return found


def length(flat: Any, top: float) -> float:
    """The Euclidean length of finite numbers, the largest of size `top`, without overflow."""
    return top * math.sqrt(float(((flat / top) ** 2).sum())) if top else 0.0


def exact(x: float, dtype: Any) -> str:
    """The shortest text that is the number, read as this element type."""
    found = (f"{x:.{digits}g}" for digits in (*range(4, 10), 12, 15, 16, 17))
    return next((text for text in found if float(dtype.type(float(text))) == x), f"{x:.17g}")


def side_by_side(a: Any) -> Any:
    """The array as one matrix: its matrices in a row; a vector is a row."""
    if a.ndim < 3:
        return a.reshape(1, -1) if a.ndim < 2 else a
    rows, columns = a.shape[-2:]
    return a.reshape(-1, rows, columns).swapaxes(0, 1).reshape(rows, -1)


def heat_map(a: Any, top: float, grid: tuple[int, int], whole: bool) -> dict[str, Any]:
    """Levels of a matrix's cells in base64, and how many rows and columns of the matrix a cell stands for.

    `whole` says that all numbers are finite.
    """
    most = grid[0], grid[1] * (2 if a.shape[0] <= FLAT else 1)
    steps = [max(1, -(-n // m)) for n, m in zip(a.shape, most, strict=True)]
    rows, columns = (-(-n // step) for n, step in zip(a.shape, steps, strict=True))
    for axis, (count, step) in enumerate(zip((rows, columns), steps, strict=True)):
        last = a[-1:] if axis == 0 else a[:, -1:]         # again and again, it fills the last block
        a = backend.namespaces[type(a)].cat((a, *[last] * (count * step - a.shape[axis])), dim=axis)
    blocks = a.reshape(rows, steps[0], columns, steps[1])
    good = blocks if whole else blocks.copy()
    if not whole:
        good[blocks * 0 != 0] = 0
    low, high = good.min(axis=(1, 3)), good.max(axis=(1, 3))
    far = high * (high >= -low) + low * (high < -low)
    levels = (far / (top or 1.0) * TOP).round() + TOP
    for level, is_it in () if whole else ((MINUS, blocks == -math.inf), (PLUS, blocks == math.inf), (NAN, blocks != blocks)):
        levels[is_it.any(axis=(1, 3))] = level
    return {"rows": rows, "columns": columns, "step": steps, "levels": base64.b64encode(levels.astype("uint8").tobytes()).decode()}


def figures(found: dict[str, Any], brief: bool = False) -> str:
    """A record in half a sentence: `5×4 from -0.9 to 0.8`; in brief `norm 2.1`."""
    if found["size"] == 1:
        return short(found["numbers"][0], 4)
    shape = "×".join(map(str, found["shape"])) + " numbers" * (len(found["shape"]) == 1)
    if not found["size"]:
        return f"{shape}, empty"
    if brief:
        return f"norm {short(found['norm'])}"
    infinite = found["plus"] + found["minus"]
    bad = [f"{n:,} {what}" for n, what in ((found["nan"], "NaN"), (infinite, "infinite")) if n]
    low, high = (short(found[k]) if k in found else "" for k in ("min", "max"))
    span = f" from {low} to {high}" if low != high else f", all {low}" if low and not bad else ""
    return ", ".join([shape + span, *bad])


def short(text: str, digits: int = 3) -> str:
    """A number's text in few digits."""
    return f"{float(text):.{digits}g}".replace("nan", "NaN")
