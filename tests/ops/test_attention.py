"""Scaled dot-product attention: against PyTorch, part by part, at its edges, and what it keeps."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.autograd import gradcheck, gradgradcheck
from tinygrad_act.errors import ArgumentError, DTypeError, ShapeError, TinygradActError
from tinygrad_act.numerics.attention import tiles

attention = ta.nn.functional.scaled_dot_product_attention

SHAPES = {                                         # of query, key, value
    "heads": ((2, 3, 4, 5),) * 3,
    "no batch": ((3, 5), (4, 5), (4, 2)),
    "more queries": ((2, 7, 4), (2, 3, 4), (2, 3, 6)),
    "broadcast": ((2, 1, 4, 5), (1, 3, 4, 5), (3, 4, 5)),
    "one of each": ((1, 1, 1), (1, 1, 1), (1, 1, 1)),
    "no queries": ((2, 0, 3), (2, 4, 3), (2, 4, 3)),
    "no batch elements": ((0, 2, 3), (0, 4, 3), (0, 4, 3)),
}
SETTINGS: list[dict[str, Any]] = [{}, {"is_causal": True}, {"scale": 0.3}, {"scale": -1.0}]
DEAD = np.array([[True, False, True, True], [False] * 4, [True] * 4, [False, True, False, False]])
MASKS = {
    "bools": DEAD, "minus infinity": np.where(DEAD, 0.0, -math.inf), "numbers": np.linspace(-2, 2, 16).reshape(4, 4),
    "a mask a head": np.linspace(-2, 2, 48).reshape(3, 4, 4), "padding": DEAD.reshape(2, 1, 2, 4)[:, :, :1],
    "all": np.broadcast_to(DEAD, (2, 3, 4, 4)), "one number": np.array([[0.5]]), "huge": np.where(DEAD, 1e4, -1e4),
}


def made(*shapes: tuple[int, ...], dtype: Any = "float64", leaf: bool = False) -> list[ta.Tensor]:
    rng = np.random.default_rng(0)
    return [ta.tensor(rng.uniform(-2, 2, s)).to(ta.dtypes.as_dtype(dtype)).requires_grad_(leaf) for s in shapes]


def plain(q: ta.Tensor, k: ta.Tensor, v: ta.Tensor, mask: ta.Tensor | None = None) -> ta.Tensor:
    """The formula."""
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(-1) @ v


# --------------------------------------------------------------------------------------- without PyTorch
def test_a_figure_worked_by_hand() -> None:
    """Scores log 3 and 0: shares of three quarters and one."""
    y = attention(ta.tensor([[math.log(3.0)]]), ta.tensor([[1.0], [0.0]]), ta.tensor([[4.0], [8.0]]))
    assert y.item() == pytest.approx(5.0)


SMALL = (2, 1, 3, 2), (1, 2, 2, 2), (2, 2, 2, 1)


@pytest.mark.parametrize("causal", [False, True])
def test_gradients_are_the_numerical_ones(causal: bool) -> None:
    inputs = made(*SMALL, leaf=True)
    assert gradcheck(lambda q, k, v: attention(q, k, v, is_causal=causal), inputs)
    assert gradgradcheck(lambda q, k, v: attention(q, k, v, is_causal=causal), inputs)


@pytest.mark.parametrize("given", [DEAD[:3, :2], MASKS["numbers"][:3, :2], MASKS["a mask a head"][:2, :1, :2]])
def test_gradients_with_a_mask_are_the_numerical_ones(given: np.ndarray) -> None:
    inputs = made(*SMALL, leaf=True)
    mask = ta.tensor(given.copy())
    if mask.dtype != ta.bool:
        inputs.append(mask.requires_grad_())
    call = (lambda q, k, v, m=mask: attention(q, k, v, m)) if mask.dtype == ta.bool else attention
    assert gradcheck(call, inputs)
    assert gradgradcheck(call, inputs)


@pytest.mark.parametrize("low", [-1e9, float(np.finfo(np.float32).min)])
def test_a_query_whose_keys_are_all_masked_by_a_large_number_has_the_formulas_gradients(low: float) -> None:
    """Beside such a score the logarithm of the row's sum is rounded away."""
    given = made(*SHAPES["heads"], dtype="float32")
    mask = ta.tensor([[0.0] * 4, [low] * 4, [0.0, low, low, 0.0], [low, 0.0, 0.0, low]])
    found = []
    for formula in (attention, lambda q, k, v, m: (q @ k.mT / math.sqrt(5) + m).softmax(-1) @ v):
        leaves = [x.detach().clone().requires_grad_() for x in given]
        formula(*leaves, mask).square().sum().backward()
        found.append([x.grad.cpu().numpy() for x in leaves])
    for ours, expected in zip(*found, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_a_query_that_sees_nothing_gets_zeros_and_gives_none() -> None:
    q, k, v = made(*SHAPES["heads"], leaf=True)
    y = attention(q, k, v, ta.tensor(DEAD))
    y.sum().backward()
    assert (y[:, :, 1] == 0).all() and (q.grad[:, :, 1] == 0).all()                  # type: ignore[index]
    assert all(t.grad is not None and t.grad.isfinite().all() for t in (q, k, v))


@pytest.mark.parametrize("size", [30.0, 300.0, 1e4])
def test_large_scores_do_not_overflow(size: float) -> None:
    q, k, v = made(*SHAPES["heads"], dtype="float32", leaf=True)
    y, expected = attention(q * size, k, v), plain((q * size).double(), k.double(), v.double())
    np.testing.assert_allclose(ta.backend.to_host(y.array), ta.backend.to_host(expected.array), 2e-3, 2e-3)
    (g,) = ta.autograd.grad(y.sum(), q)
    assert g is not None and g.isfinite().all()


def test_nan_and_infinity_stay_in_their_rows() -> None:
    q, k, v = made(*SHAPES["no batch"])
    q[1, 0] = math.nan
    y = attention(q, k, v)
    assert y[1].isnan().all() and y[0].isfinite().all() and y[2].isfinite().all()


# ------------------------------------------------------------------------------------------ part by part
@pytest.mark.parametrize("limit", [1, 500, 5000])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_parts_make_the_whole(limit: int, causal: bool, masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With parts of any size, in either order of the cut: queries (of which there are more than a part's least) or heads."""
    inputs = made((2, 3, 300, 4), (2, 3, 50, 4), (2, 3, 50, 4), leaf=True)
    mask = made((3, 1, 50), leaf=True)[0] if masked else None
    if causal and masked:
        return
    leaves = [*inputs, mask] if mask is not None else inputs
    seed = made((2, 3, 300, 4))[0]

    def results() -> list[Any]:
        y = attention(*inputs, mask, is_causal=causal)
        return [y, *ta.autograd.grad(y, leaves, seed)]

    whole = results()
    monkeypatch.setattr(type(ta.backend.namespace(inputs[0].array)), "scores_at_once", limit)
    for a, b in zip(results(), whole, strict=True):
        np.testing.assert_allclose(ta.backend.to_host(a.array), ta.backend.to_host(b.array), 1e-12, 1e-12)


@pytest.mark.parametrize("rows", [(5,), (2, 3, 5), (4, 300), (2, 2, 2, 260)])
@pytest.mark.parametrize("limit", [1, 100, 2000, 1 << 20])
def test_tiles_cover_each_weight_once(rows: tuple[int, ...], limit: int) -> None:
    for causal in (False, True):
        seen = np.zeros((*rows, 7), int)
        for at in itertools.chain(*tiles(rows, 7, causal, limit)):
            seen[at.pairs] += 1
        needed = np.tril(np.ones((rows[-1], 7), bool)) if causal else True
        assert (seen <= 1).all() and (seen[np.broadcast_to(needed, seen.shape)] == 1).all()


def test_no_weights_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 16 heads of 256 x 256: 4 MB of weights, of which each thread has a part at a time, and none is left."""
    if ta.backend.current() != "numpy":
        pytest.skip("memory is measured on NumPy")
    q, k, v = made(*((16, 256, 8),) * 3, dtype="float32", leaf=True)
    monkeypatch.setattr(type(ta.backend.namespace(q.array)), "scores_at_once", 1 << 15)
    tracemalloc.start()
    y = attention(q, k, v)
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 2 * (y.array.nbytes + 16 * 256 * 4) and most < 2 << 20, (kept, most)


# ------------------------------------------------------------------------------------------------ dropout
def test_dropout_keeps_the_mean_and_drops_whole_weights() -> None:
    ta.manual_seed(0)
    q, k = made((4000, 1, 2), (4000, 3, 2), dtype="float32")
    y = attention(q, k, ta.ones(4000, 3, 1), dropout_p=0.25)
    assert y.mean().item() == pytest.approx(1.0, abs=0.03) and len(np.unique(y.tolist())) > 3
    assert (attention(q, k, k, dropout_p=1.0) == 0).all()


def test_the_gradient_of_dropout_is_that_of_what_was_computed() -> None:
    inputs = made(*SMALL, leaf=True)

    def call(q: Any, k: Any, v: Any) -> Any:
        ta.manual_seed(3)
        return attention(q, k, v, dropout_p=0.4)

    assert gradcheck(call, inputs)
    assert gradgradcheck(call, inputs)


# ------------------------------------------------------------------------------------------------- misuse
WRONG: list[tuple[Any, type[TinygradActError], str]] = [
    (lambda q: attention(q, q[..., :3], q), ShapeError, "5 and 3 features"),
    (lambda q: attention(q, q[..., :2, :], q), ShapeError, "2 keys and 4 values"),
    (lambda q: attention(q[0, 0, 0], q, q), ShapeError, "at least 2 dims"),
    (lambda q: attention(q, q[:, :2], q[:, :2]), ShapeError, "enable_gqa"),
    (lambda q: attention(q, q[:, :2], q[:, :2], enable_gqa=True), ShapeError, "3 heads of queries and 2"),
    (lambda q: attention(q[0, 0], q[0, 0], q[0, 0], enable_gqa=True), ShapeError, "axis of heads"),
    (lambda q: attention(q, q.float(), q), DTypeError, "float64, float32, float64"),
    (lambda q: attention(q.long(), q.long(), q.long()), DTypeError, "floating"),
    (lambda q: attention(q, q, q, ta.ones(4, 4, dtype=ta.int64)), DTypeError, "int64"),
    (lambda q: attention(q, q, q, ta.ones(4, 4, dtype=ta.float32)), DTypeError, "float32"),
    (lambda q: attention(q, q, q, ta.ones(4, 5, dtype=ta.bool)), ShapeError, r"\(4, 5\).*\(2, 3, 4, 4\).*make it \(4, 4\)"),
    (lambda q: attention(q, q, q, ta.ones(4, 4, dtype=ta.bool), is_causal=True), ArgumentError, "give one"),
    (lambda q: attention(q, q, q, dropout_p=1.5), ArgumentError, "probability"),
    (lambda q: attention(q, q, 3.0), TinygradActError, "float"),
]


@pytest.mark.parametrize(("call", "kind", "says"), WRONG, ids=[w[2] for w in WRONG])
def test_misuse_is_explained(call: Any, kind: type[TinygradActError], says: str) -> None:
    with pytest.raises(kind, match=says):
        call(made((2, 3, 4, 5))[0])


# --------------------------------------------------------------------------------------- against PyTorch
def held(*inputs: Any, order: int = 2, rtol: float | None = None, **settings: Any) -> None:
    """Held to PyTorch's: value, gradients, and theirs."""
    pytest.importorskip("torch")
    from .against_torch import check, torch
    theirs = torch.nn.functional.scaled_dot_product_attention
    check(lambda *x: attention(*x, **settings), lambda *x: theirs(*x, **settings), *inputs, order=order, rtol=rtol, atol=rtol)


def arrays(*shapes: tuple[int, ...], dtype: str = "float64") -> list[np.ndarray]:
    return [ta.backend.to_host(t.array) for t in made(*shapes, dtype=dtype)]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("name", SHAPES)
def test_equals_pytorchs(name: str, settings: dict[str, Any]) -> None:
    held(*arrays(*SHAPES[name]), None, **settings)


@pytest.mark.parametrize("name", MASKS)
def test_masks_are_pytorchs(name: str) -> None:
    held(*arrays(*SHAPES["heads"]), np.array(MASKS[name]))


def test_no_keys_make_zeros() -> None:
    held(*arrays((2, 3, 5), (2, 0, 5), (2, 0, 4)))


def test_no_features_make_the_mean() -> None:
    held(*arrays((2, 3, 0), (2, 4, 0), (2, 4, 3)), order=1)


@pytest.mark.parametrize("shapes", [((2, 6, 4, 5), (2, 3, 4, 5), (2, 3, 4, 5)), ((6, 4, 5), (3, 4, 5), (2, 4, 5)),
                                    ((2, 3, 4, 5),) * 3], ids=str)
def test_heads_shared_by_queries_are_pytorchs(shapes: tuple[tuple[int, ...], ...]) -> None:
    held(*arrays(*shapes), None, enable_gqa=True)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("causal", [False, True])
def test_dtypes_come_out_as_they_go_in(dtype: str, causal: bool) -> None:
    half = dtype != "float32"
    held(*arrays(*SHAPES["heads"], dtype=dtype), order=1 + (not half), is_causal=causal, rtol=6e-2 if half else None)
