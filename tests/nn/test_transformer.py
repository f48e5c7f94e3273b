"""Multi-head attention, transformers and positions: against PyTorch, from the same weights, and misuse."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.autograd import gradcheck, gradgradcheck
from tinygrad_act.errors import ArgumentError, DTypeError, ShapeError, TinygradActError
from tinygrad_act.graph import reachable
from tinygrad_act.nn.transformer import BEHIND

BATCH, LENGTH, KEYS, WIDTH, HEADS = 2, 3, 4, 6, 2


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).uniform(-1, 1, shape)


def tensor(*shape: int, seed: int = 0) -> ta.Tensor:
    return ta.tensor(numbers(*shape, seed=seed))


# ------------------------------------------------------------------------------------- against PyTorch
def held(ours: Any, theirs: Any, inputs: list[np.ndarray], call: Callable[..., Any] = lambda m, *x: m(*x)) -> None:
    """The same weights in both: the results, and the gradients of inputs and parameters."""
    torch = pytest.importorskip("torch")
    from ..ops.against_torch import read
    theirs = theirs.double()
    ours = ours.double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: ta.tensor(read(v)) for k, v in theirs.state_dict().items()})
    mine = [ta.tensor(x.copy()).requires_grad_(x.dtype == float) for x in inputs]
    other = [torch.tensor(x).requires_grad_(x.dtype == float) for x in inputs]
    results = []
    for module, given, lib in ((ours, mine, ta), (theirs, other, torch)):
        out = call(module, *given)
        parts = [part for part in (out if isinstance(out, tuple) else (out,)) if part is not None]
        total = sum((part * lib.tensor(numbers(*part.shape, seed=i))).sum() for i, part in enumerate(parts))
        total.backward()
        results.append([*parts, *[x.grad for x in given if x.requires_grad], *[p.grad for p in module.parameters()]])
    assert len(results[0]) == len(results[1])
    for a, b in zip(*results, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(read(a), read(b), 1e-9, 1e-10)


MODULES: dict[str, dict[str, Any]] = {
    "plain": {}, "without bias": {"bias": False}, "batch first": {"batch_first": True}, "kdim": {"kdim": 5},
    "vdim": {"vdim": 7, "bias": False}, "both, batch first": {"kdim": 5, "vdim": 7, "batch_first": True},
    "added bias": {"add_bias_kv": True}, "added zeros": {"add_zero_attn": True},
    "all that is added": {"add_bias_kv": True, "add_zero_attn": True, "batch_first": True},
}
CALLS: dict[str, dict[str, Any]] = {
    "weights": {}, "weights of heads": {"average_attn_weights": False}, "no weights": {"need_weights": False},
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("batched", [True, False])
def test_multihead_attention_is_pytorchs(name: str, how: str, batched: bool) -> None:
    torch = pytest.importorskip("torch")
    settings, call = MODULES[name], CALLS[how]
    shapes = [(LENGTH, WIDTH), (KEYS, settings.get("kdim", WIDTH)), (KEYS, settings.get("vdim", WIDTH))]
    if batched:
        shapes = [(BATCH, *s) if settings.get("batch_first") else (s[0], BATCH, s[1]) for s in shapes]
    held(nn.MultiheadAttention(WIDTH, HEADS, **settings), torch.nn.MultiheadAttention(WIDTH, HEADS, **settings),
         [numbers(*s, seed=i) for i, s in enumerate(shapes)], lambda m, q, k, v: m(q, k, v, **call))


@pytest.mark.parametrize("shared", ["all", "key and value"])
@pytest.mark.parametrize("bias", [True, False])
def test_inputs_that_are_one_are_projected_at_once(shared: str, bias: bool) -> None:
    torch = pytest.importorskip("torch")
    both = [lib.MultiheadAttention(WIDTH, HEADS, bias=bias) for lib in (nn, torch.nn)]
    if shared == "all":
        held(*both, [numbers(LENGTH, BATCH, WIDTH)], lambda m, x: m(x, x, x, need_weights=False))
    else:
        held(*both, [numbers(LENGTH, BATCH, WIDTH), numbers(KEYS, BATCH, WIDTH)], lambda m, q, k: m(q, k, k, need_weights=False))


def masks() -> Iterator[tuple[str, np.ndarray | None, np.ndarray | None]]:
    """What there may be: one or both, of either kind, for all or each; each query may attend to something."""
    some = np.zeros((LENGTH, KEYS), bool)
    some[0, 1:] = some[1, 0] = True
    padded = np.zeros((BATCH, KEYS), bool)
    padded[1, 3] = True
    each = np.stack([np.roll(some, i, 1) for i in range(BATCH * HEADS)])
    for name, mask, padding in (("mask", some, None), ("padding", None, padded), ("both", some, padded),
                                ("a mask each", each, None), ("a mask each, and padding", each, padded)):
        for kind in ("bools", "floats"):
            yield f"{name} of {kind}", *[m if m is None or kind == "bools" else np.where(m, -math.inf, 0.5)
                                         for m in (mask, padding)]


@pytest.mark.parametrize(("mask", "padding"), [m[1:] for m in masks()], ids=[m[0] for m in masks()])
@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("more", [{}, {"add_bias_kv": True, "add_zero_attn": True}], ids=["", "added"])
def test_masks_are_pytorchs(mask: Any, padding: Any, weights: bool, more: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")

    def call(m: Any, q: Any, k: Any, v: Any) -> Any:
        lib = torch if isinstance(q, torch.Tensor) else ta
        given = {n: None if x is None else lib.tensor(x) for n, x in (("attn_mask", mask), ("key_padding_mask", padding))}
        return m(q, k, v, need_weights=weights, **given)

    held(nn.MultiheadAttention(WIDTH, HEADS, **more), torch.nn.MultiheadAttention(WIDTH, HEADS, **more),
         [numbers(LENGTH, BATCH, WIDTH), numbers(KEYS, BATCH, WIDTH), numbers(KEYS, BATCH, WIDTH, seed=1)], call)


@pytest.mark.parametrize("weights", [True, False])
def test_the_hint_that_a_mask_is_causal_changes_nothing(weights: bool) -> None:
    torch = pytest.importorskip("torch")

    def call(m: Any, x: Any, hint: bool = True) -> Any:
        lib = torch if isinstance(x, torch.Tensor) else ta
        mask = lib.nn.Transformer.generate_square_subsequent_mask(LENGTH, dtype=lib.float64)
        return m(x, x, x, attn_mask=mask, need_weights=weights, is_causal=hint)

    both = [lib.MultiheadAttention(WIDTH, HEADS) for lib in (nn, torch.nn)]
    held(*both, [numbers(LENGTH, BATCH, WIDTH)], call)
    with_hint, without = [call(both[0], tensor(LENGTH, BATCH, WIDTH), hint)[0] for hint in (True, False)]
    assert (with_hint - without).abs().max().item() < 1e-12


def test_bool_and_float_masks_go_together() -> None:
    x = tensor(LENGTH, BATCH, WIDTH)
    m = nn.MultiheadAttention(WIDTH, HEADS).double()
    hidden = ta.tensor([[False, False, True]] * BATCH)
    added = ta.zeros(LENGTH, LENGTH, dtype=ta.float64)
    a, b = [m(x, x, x, hidden, need_weights=False, attn_mask=mask)[0] for mask in (None, added)]
    assert (a - b).abs().max().item() < 1e-12


def test_the_function_takes_static_keys_and_values() -> None:
    torch = pytest.importorskip("torch")
    from ..ops.against_torch import check
    size = WIDTH // HEADS

    def call(x: Any, w: Any, b: Any, out: Any, k: Any, v: Any) -> Any:
        F = torch.nn.functional if isinstance(x, torch.Tensor) else nn.functional
        return F.multi_head_attention_forward(x, x, x, WIDTH, HEADS, w, b, None, None, False, 0.0, out, None, static_k=k, static_v=v)

    check(call, call, numbers(LENGTH, BATCH, WIDTH), numbers(3 * WIDTH, WIDTH), numbers(3 * WIDTH), numbers(WIDTH, WIDTH),
          numbers(BATCH * HEADS, LENGTH, size), numbers(BATCH * HEADS, LENGTH, size, seed=1))


def test_second_derivatives_are_the_numerical_ones() -> None:
    m = nn.MultiheadAttention(4, 2, batch_first=True).double()
    x = tensor(1, 2, 4).requires_grad_()
    for weights in (True, False):
        assert gradcheck(lambda x, w=weights: m(x, x, x, need_weights=w)[0], x)
        assert gradgradcheck(lambda x, w=weights: m(x, x, x, need_weights=w)[0], x)


LAYERS = [dict(zip(("activation", "norm_first", "batch_first", "bias"), values, strict=True))
          for values in itertools.product(("relu", "gelu"), (False, True), (False, True), (False, True))]


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("settings", LAYERS, ids=lambda s: " ".join(map(str, s.values())))
def test_transformers_are_pytorchs(settings: dict[str, Any]) -> None:
    """Encoder and decoder of two layers, with a causal mask and padding."""
    torch = pytest.importorskip("torch")
    both = [lib.Transformer(WIDTH, HEADS, 2, 2, 8, dropout=0.0, **settings) for lib in (nn, torch.nn)]
    inputs = [numbers(BATCH, n, WIDTH, seed=n) if settings["batch_first"] else numbers(n, BATCH, WIDTH, seed=n)
              for n in (KEYS, LENGTH)]

    def call(m: Any, src: Any, tgt: Any) -> Any:
        lib = torch if isinstance(src, torch.Tensor) else ta
        causal = m.generate_square_subsequent_mask(LENGTH, dtype=lib.float64)
        padding = lib.tensor([[0.0] * KEYS, [0.0] * (KEYS - 1) + [-math.inf]], dtype=lib.float64)
        return m(src, tgt, tgt_mask=causal, src_key_padding_mask=padding, memory_key_padding_mask=padding)

    held(*both, inputs, call)


def test_activations_may_be_functions_or_modules() -> None:
    torch = pytest.importorskip("torch")
    x = numbers(LENGTH, BATCH, WIDTH)
    for mine, other in ((nn.functional.silu, torch.nn.functional.silu), (nn.Mish(), torch.nn.Mish())):
        held(nn.TransformerEncoderLayer(WIDTH, HEADS, 8, 0.0, mine), torch.nn.TransformerEncoderLayer(WIDTH, HEADS, 8, 0.0, other), [x])


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_initial_weights_are_distributed_as_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    for lib in (ta, torch):
        lib.manual_seed(0)
    pairs = [[lib.MultiheadAttention(256, 4, add_bias_kv=True, **more) for lib in (nn, torch.nn)] for more in ({}, {"kdim": 100})]
    pairs.append([lib.Transformer(32, 4, 1, 1, 64) for lib in (nn, torch.nn)])
    for ours, theirs in pairs:
        for (name, a), (_, b) in zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True):
            near = 0.1 if a.numel() > 1000 else 0.6
            assert a.std(correction=0).item() == pytest.approx(b.std(correction=0).item(), rel=near, abs=1e-9), name
            assert a.abs().max().item() == pytest.approx(b.abs().max().item(), rel=near, abs=1e-9), name


# ------------------------------------------------------------------------------------- without PyTorch
def test_copied_layers_have_weights_of_their_own() -> None:
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 8)
    stack = nn.TransformerEncoder(layer, 3)
    assert len(set(map(id, stack.parameters()))) == 3 * len(list(layer.parameters()))
    first, second = stack.layers[0], stack.layers[1]
    assert (first.linear1.weight == second.linear1.weight).all()
    assert list(copy.deepcopy(stack).state_dict()) == list(stack.state_dict())


def test_a_causal_mask_is_recognised_of_either_kind() -> None:
    """With it, what comes later does not matter."""
    stack = nn.TransformerEncoder(nn.TransformerEncoderLayer(WIDTH, HEADS, 8, dropout=0.0, batch_first=True), 2).double()
    x = tensor(1, LENGTH, WIDTH)
    later = x.clone()
    later[0, -1] = 5.0
    added = nn.Transformer.generate_square_subsequent_mask(LENGTH, dtype=ta.float64)
    for mask in (added, added != 0):
        for hint in (None, True, False):
            a, b = [stack(v, mask=mask, is_causal=hint) for v in (x, later)]
            assert (a[0, :-1] - b[0, :-1]).abs().max().item() < 1e-12 and (a[0, -1] - b[0, -1]).abs().max().item() > 1e-3


def test_dropout_is_for_training_only() -> None:
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 8, dropout=0.5)
    x = ta.ones(LENGTH, BATCH, WIDTH)
    assert not (layer(x) == layer(x)).all()
    assert (layer.eval()(x) == layer(x)).all()


@pytest.mark.parametrize("dropout", [0.0, 0.25])
@pytest.mark.parametrize("dtype", [ta.float16, ta.float32, ta.float64])
@pytest.mark.parametrize("width", [WIDTH, 48])
def test_a_gelu_is_made_again_and_nothing_changes(dropout: float, dtype: Any, width: int) -> None:
    """Beside the same layer with a hook, which has all its parts called one by one: to the bit, for large arrays too (but that
    the halves are rounded once, not after the dropout as well).
    """
    layer = nn.TransformerEncoderLayer(width, HEADS, 4 * width, dropout, "gelu", batch_first=True, dtype=dtype)
    found = []
    for hooked in (False, True):
        if hooked:
            layer.linear2.register_forward_hook(lambda *_: None)
        layer.zero_grad()
        x = ta.tensor(numbers(8, 6, width)).to(dtype).requires_grad_()
        ta.manual_seed(1)
        y = layer(x)
        kept = sum(n.op.name == "gelu" for n in reachable([y.node]))
        y.backward(ta.tensor(numbers(8, 6, width, seed=1)).to(dtype))
        found.append([y, x.grad, *[p.grad for p in layer.parameters()]])
        assert kept == hooked
    within = 1e-2 if dtype == ta.float16 and dropout else 0
    assert all(ta.allclose(a, b, rtol=within, atol=within) for a, b in zip(*found, strict=True))


def test_a_gelu_made_again_has_second_derivatives() -> None:
    row = BEHIND[nn.functional.gelu]
    x, w, b = [tensor(*shape).requires_grad_() for shape in ((2, 3, 4), (2, 4), (2,))]
    keep = ta.tensor(numbers(2, 3, 4, seed=2) > -0.5)
    for given, gain in ((0.0, 1.0), (keep, 2.0)):
        call = lambda x, w, b, given=given, gain=gain: row(x, w, b, given, gain=gain)
        assert gradcheck(call, (x, w, b)) and gradgradcheck(call, (x, w, b))
    with pytest.raises(ShapeError, match="last size must be in_features, 4"):
        row(tensor(2, 3), w, b, 0.0)
    frozen = w.detach()
    row(x, frozen, b, 0.0).sum().backward()
    assert frozen.grad is None and x.grad is not None


@pytest.mark.parametrize("dtype", [ta.float16, ta.float32])
def test_layers_keep_the_dtype(dtype: Any) -> None:
    layer = nn.TransformerDecoderLayer(WIDTH, HEADS, 8, dtype=dtype)
    y = layer(ta.ones(LENGTH, BATCH, WIDTH, dtype=dtype), ta.ones(KEYS, BATCH, WIDTH, dtype=dtype))
    y.sum().backward()
    assert y.dtype == dtype and all(p.grad is not None and p.grad.dtype == dtype for p in layer.parameters())


# ------------------------------------------------------------------------------------------- positions
@pytest.mark.parametrize("width", [6, 5])
def test_waves_are_those_of_the_paper(width: int) -> None:
    p = nn.SinusoidalPositionalEncoding(width, max_len=50)
    y = ta.backend.to_host(p(ta.zeros(50, width)).array)
    for position, i in itertools.product((0, 7, 49), range(width)):
        angle = position / 10000 ** (2 * (i // 2) / (width + width % 2))
        assert y[position, i] == pytest.approx((math.cos if i % 2 else math.sin)(angle), abs=1e-5)
    assert not list(p.state_dict())


@pytest.mark.parametrize("kind", [nn.SinusoidalPositionalEncoding, nn.LearnedPositionalEncoding])
def test_positions_are_added_along_the_sequence(kind: Any) -> None:
    first, last = kind(WIDTH, 9, batch_first=True), kind(WIDTH, 9)
    last.weight.data[...] = first.weight.data
    x = ta.ones(BATCH, LENGTH, WIDTH)
    assert (first(x) == last(x.transpose(0, 1)).transpose(0, 1)).all()
    assert (first(x)[0] == first(x[0])).all()
    assert (first(x)[:, 2:] == first(x[:, 2:], offset=2)).all()


def test_learned_positions_learn() -> None:
    p = nn.LearnedPositionalEncoding(WIDTH, 5, batch_first=True)
    p(ta.zeros(BATCH, LENGTH, WIDTH)).sum().backward()
    assert p.weight.grad is not None and p.weight.grad.sum(1).tolist() == [BATCH * WIDTH] * LENGTH + [0.0] * (5 - LENGTH)


@pytest.mark.parametrize("interleaved", [True, False])
def test_rotated_products_depend_on_the_distance_alone(interleaved: bool) -> None:
    rotate = nn.RotaryPositionalEncoding(8, interleaved=interleaved).double()
    q, k = tensor(8), tensor(8, seed=1)
    rows = [rotate(v.expand(20, 8)) for v in (q, k)]
    products = ta.backend.to_host((rows[0] @ rows[1].mT).array)
    for distance in (-3, 0, 5):
        np.testing.assert_allclose(np.diagonal(products, distance), np.diagonal(products, distance)[0], rtol=1e-5)
    assert products[0, 0] == pytest.approx((q @ k).item()) and abs(products[0, 5] - products[0, 0]) > 1e-3
    np.testing.assert_allclose(ta.backend.to_host((rows[0] * rows[0]).sum(-1).array), (q @ q).item(), 1e-5)


@pytest.mark.parametrize("interleaved", [True, False])
def test_gradients_of_rotations_are_the_numerical_ones(interleaved: bool) -> None:
    rotate = nn.RotaryPositionalEncoding(4, interleaved=interleaved)
    x = tensor(2, 3, 4).requires_grad_()
    assert gradcheck(rotate, x) and gradgradcheck(rotate, x)


# ---------------------------------------------------------------------------------------------- misuse
def _call(q: Any, k: Any = None, v: Any = None, more: Any = None, **keywords: Any) -> Any:
    k = q if k is None else k
    return nn.MultiheadAttention(WIDTH, HEADS, **(more or {}))(q, k, k if v is None else v, **keywords)


X = (LENGTH, BATCH, WIDTH)
WRONG: list[tuple[Callable[[], Any], type[TinygradActError], str]] = [
    (lambda: nn.MultiheadAttention(10, 3), ShapeError, r"divisible by num_heads.*\[1, 2, 5, 10\]"),
    (lambda: nn.MultiheadAttention(0, 3), ArgumentError, "greater than 0"),
    (lambda: nn.MultiheadAttention(4, 2, dropout=2), ArgumentError, "probability"),
    (lambda: _call(ta.ones(LENGTH, BATCH, 4)), ShapeError, "embed_dim, 6"),
    (lambda: _call(ta.ones(*X), ta.ones(KEYS, WIDTH)), ShapeError, "3-d"),
    (lambda: _call(ta.ones(*X), ta.ones(KEYS, 5, WIDTH)), ShapeError, "batches of 2 and 5"),
    (lambda: _call(ta.ones(*X), ta.ones(KEYS, BATCH, WIDTH), ta.ones(5, BATCH, WIDTH)), ShapeError, "one value for each key"),
    (lambda: _call(ta.ones(*X), attn_mask=ta.ones(3, 4, dtype=ta.bool)), ShapeError,
     r"\(3, 4\).*must be \(3, 3\) or \(4, 3, 3\)"),
    (lambda: _call(ta.ones(*X), attn_mask=ta.ones(3, 3, dtype=ta.int64)), DTypeError, "bools"),
    (lambda: _call(ta.ones(*X), key_padding_mask=ta.ones(3, 2, dtype=ta.bool)), ShapeError, r"key_padding_mask.*\(2, 3\)"),
    (lambda: _call(ta.ones(*X), is_causal=True), ArgumentError, "generate_square_subsequent_mask"),
    (lambda: nn.TransformerEncoderLayer(WIDTH, HEADS, activation="tanhh"), ArgumentError, "tanhh"),
    (lambda: nn.Transformer(WIDTH, HEADS, 1, 1, 8)(ta.ones(*X), ta.ones(3, 5, WIDTH)), ShapeError, "batches must be equal"),
    (lambda: nn.Transformer(WIDTH, HEADS, 1, 1, 8)(ta.ones(*X), ta.ones(3, BATCH, 4)), ShapeError, "d_model, 6"),
    (lambda: nn.SinusoidalPositionalEncoding(WIDTH, 2)(ta.ones(*X)), ShapeError, "max_len"),
    (lambda: nn.SinusoidalPositionalEncoding(4)(ta.ones(*X)), ShapeError, "d_model=4"),
    (lambda: nn.LearnedPositionalEncoding(0, 5), ArgumentError, "greater than 0"),
    (lambda: nn.RotaryPositionalEncoding(3), ArgumentError, "even"),
    (lambda: nn.RotaryPositionalEncoding(4)(ta.ones(*X)), ShapeError, "L, 4"),
]


@pytest.mark.parametrize(("call", "kind", "says"), WRONG, ids=[w[2] for w in WRONG])
def test_misuse_is_explained(call: Callable[[], Any], kind: type[TinygradActError], says: str) -> None:
    with pytest.raises(kind, match=says):
        call()
