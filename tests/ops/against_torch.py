"""Hold an op to PyTorch: the same result, dtype and shape, gradient, and gradient of the gradient.

    check("hypot", None, a, b)                         # ta.hypot against torch.hypot
    check(lambda x: x[1:] @ x[:-1].T, None, a)         # one function for both libraries
    check(ta.nn.functional.gelu, torch.nn.functional.gelu, a, approximate="tanh")
    refuses("add", None, a, "text")                    # both raise, ours one of our errors

Inputs are NumPy arrays (float ones get a gradient, the others are constants), tensors and dtypes of PyTorch's (those get a
gradient that require it), lists, tuples and dicts of them, or anything else, which is passed on as it is. Importing this module skips the tests that do where there is no PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import TinygradActError
from tinygrad_act.graph import grad

torch = pytest.importorskip("torch")
torch.backends.cuda.enable_flash_sdp(False)        # its quick attention (on the CPU too) has no second derivative; the plain one does

# By the dtype compared: how far apart two correct roundings of a short computation may be.
TOLERANCE = {"float64": 1e-9, "float32": 2e-5, "float16": 4e-3, "bfloat16": 3e-2}


def check(ours: str | Callable[..., Any], theirs: Callable[..., Any] | None, *inputs: Any, order: int = 2,
          rtol: float | None = None, atol: float | None = None, dtype: bool = True, **keywords: Any) -> Any:
    """Compare `ours(*inputs, **keywords)` with `theirs`; returns our result.

    `ours` is a name, for `ta.NAME` against `torch.NAME`, or a function, which serves both if `theirs` is None.
    `order` is how many times to differentiate (0 for the value alone); `dtype=False` leaves dtypes out of it.
    """
    mine, other = _functions(ours, theirs)
    results, leaves = Ours.call(mine, inputs, keywords)
    expected, torch_leaves = Theirs.call(other, inputs, keywords)
    _compare(_flat(results), _flat(expected), "the result", rtol, atol, dtype)
    pairs = zip(_levels(Ours, _flat(results), leaves, order), _levels(Theirs, _flat(expected), torch_leaves, order), strict=True)
    for level, (got, wanted) in enumerate(pairs, start=1):
        _compare(got, wanted, "the gradient" if level == 1 else f"derivative {level}", rtol, atol, dtype)
    return results


def refuses(ours: str | Callable[..., Any], theirs: Callable[..., Any] | None, *inputs: Any, says: str | None = None,
            **keywords: Any) -> None:
    """PyTorch raises, and so do we, by an error of our own whose text contains `says`."""
    mine, other = _functions(ours, theirs)
    with pytest.raises((RuntimeError, TypeError, ValueError, IndexError, NotImplementedError)):
        Theirs.call(other, inputs, keywords)
    with pytest.raises(TinygradActError, match=says):
        Ours.call(mine, inputs, keywords)


def array(*shape: int, low: float = -2.0, high: float = 2.0, dtype: Any = "float64", seed: int = 0) -> np.ndarray:
    """Uniform numbers in [low, high), of `shape`; the same ones each time."""
    values = np.random.default_rng((seed, *shape)).uniform(low, high, shape)
    return np.asarray(values).astype(ta.dtypes.as_dtype(dtype))


def read(t: Any) -> Any:
    """A result as NumPy sees it: arrays for Tensors of either library, everything else as it is."""
    if isinstance(t, ta.Tensor):
        return ta.backend.to_host(t.array)
    if isinstance(t, torch.Tensor):
        half = t.dtype == torch.bfloat16                        # NumPy's knows no bfloat16 of PyTorch's
        return t.float().numpy(force=True).astype(ta.dtypes.bfloat16()) if half else t.numpy(force=True)
    return t


# ------------------------------------------------------------------------------------- the two libraries, alike
class Ours:
    Tensor: Any = ta.Tensor

    @staticmethod
    def tensor(values: np.ndarray, leaf: bool) -> Any:
        return ta.asarray(values.copy(), requires_grad=leaf)

    @staticmethod
    def dtype(theirs: Any) -> Any:
        return ta.dtypes.as_dtype(str(theirs))

    @staticmethod
    def grad(outputs: Sequence[Any], inputs: Sequence[Any], seeds: Sequence[Any], more: bool) -> Sequence[Any]:
        return grad(outputs, inputs, seeds, create_graph=more, retain_graph=True, allow_unused=True)

    @classmethod
    def call(cls, f: Callable[..., Any], inputs: Sequence[Any], keywords: dict[str, Any]) -> tuple[Any, list[Any]]:
        leaves: list[Any] = []

        def convert(x: Any) -> Any:
            if isinstance(x, (np.ndarray, torch.Tensor)):
                leaf = x.requires_grad if isinstance(x, torch.Tensor) else ta.dtypes.is_floating(x.dtype)
                t = cls.tensor(read(x), leaf)
                if leaf:
                    leaves.append(t)
                return t
            if isinstance(x, torch.dtype):
                return cls.dtype(x)
            if type(x) in (list, tuple):
                return type(x)([convert(part) for part in x])
            return {k: convert(v) for k, v in x.items()} if type(x) is dict else x

        return f(*[convert(x) for x in inputs], **{k: convert(v) for k, v in keywords.items()}), leaves


class Theirs(Ours):
    Tensor: Any = torch.Tensor

    @staticmethod
    def tensor(values: np.ndarray, leaf: bool) -> Any:
        if values.dtype.name == "bfloat16":
            return torch.from_numpy(values.astype("float32")).to(torch.bfloat16).requires_grad_(leaf)
        return torch.from_numpy(np.array(values, order="C")).requires_grad_(leaf)

    @staticmethod
    def dtype(theirs: Any) -> Any:
        return theirs

    @staticmethod
    def grad(outputs: Sequence[Any], inputs: Sequence[Any], seeds: Sequence[Any], more: bool) -> Sequence[Any]:
        return torch.autograd.grad(outputs, inputs, seeds, create_graph=more, retain_graph=True, allow_unused=True)


def _levels(lib: type[Ours], outputs: list[Any], leaves: list[Any], order: int) -> list[list[Any]]:
    """The gradients of the outputs weighted with noise, those of these gradients, ...; an unused input's is zero."""
    levels = []
    outputs = [t for t in outputs if isinstance(t, lib.Tensor) and ta.dtypes.is_floating(read(t).dtype)]
    for level in range(order if leaves else 0):
        seeds = [lib.tensor(array(*t.shape, seed=100 * level + i).astype(read(t).dtype), True) for i, t in enumerate(outputs)]
        used = [i for i, t in enumerate(outputs) if t.requires_grad]
        found = lib.grad([outputs[i] for i in used], leaves, [seeds[i] for i in used], level + 1 < order) if used else ()
        found = list(found) or [None] * len(leaves)
        outputs = [lib.tensor(np.zeros_like(read(x)), False) if g is None else g for x, g in zip(leaves, found, strict=True)]
        levels.append(outputs)
        leaves = [*leaves, *seeds]
    return levels


# ------------------------------------------------------------------------------------------------- comparing
def _functions(ours: Any, theirs: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    if isinstance(ours, str):
        return getattr(ta, ours), theirs or getattr(torch, ours)
    return ours, theirs or ours


def _flat(x: Any) -> list[Any]:
    return [y for part in x for y in _flat(part)] if isinstance(x, (list, tuple)) else [x]


def _compare(ours: list[Any], theirs: list[Any], what: str, rtol: float | None, atol: float | None, dtype: bool) -> None:
    assert len(ours) == len(theirs), f"{what}: {len(ours)} results, PyTorch has {len(theirs)}"
    for i, (a, b) in enumerate(zip(map(read, ours), map(read, theirs), strict=True)):
        where = what if len(ours) == 1 else f"{what} [{i}]"
        if not isinstance(b, np.ndarray):
            assert a == b or (a != a and b != b), f"{where}: {a!r}, PyTorch has {b!r}"
            continue
        assert a.shape == b.shape, f"{where}: shape {a.shape}, PyTorch's is {b.shape}"
        assert not dtype or a.dtype == b.dtype, f"{where}: dtype {a.dtype}, PyTorch's is {b.dtype}"
        if b.dtype.kind in "iub":
            np.testing.assert_array_equal(a, b, where)
        else:
            near = max(TOLERANCE.get(x.dtype.name, 0.0) for x in (a, b))
            np.testing.assert_allclose(a.astype("float64"), b.astype("float64"), near if rtol is None else rtol,
                                       near if atol is None else atol, err_msg=where)
