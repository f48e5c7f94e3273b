"""Convolutions and their transposes: against PyTorch, against worked figures, in any order of differentiation."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.autograd import gradcheck, gradgradcheck
from tinygrad_act.errors import ArgumentError, DTypeError, ShapeError, TinygradActError
from tinygrad_act.numerics import convolve

F = ta.nn.functional
SIZES = {1: (9,), 2: (7, 6), 3: (5, 6, 5)}


def numbers(*shape: int, seed: int = 0, dtype: Any = ta.float64, grad: bool = True) -> ta.Tensor:
    values = np.random.default_rng((seed, *shape)).uniform(-1, 1, shape)
    return ta.tensor(values, dtype=dtype, requires_grad=grad, device=ta.backend.current_device())


def host(t: ta.Tensor) -> Any:
    return ta.backend.to_host(t.array)


def slowly(x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """The definition: a sum over taps of products, an element of the result at a time."""
    x = np.pad(x, [(0, 0), (0, 0), *[(p, p) for p in padding]])
    size = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[2:], w.shape[2:], stride, dilation, strict=True)]
    y = np.zeros((x.shape[0], w.shape[0], *size))
    each = w.shape[0] // groups
    for o, *at in itertools.product(range(w.shape[0]), *map(range, size)):
        seen = x[(slice(None), slice(o // each * w.shape[1], (o // each + 1) * w.shape[1]),
                  *[slice(i * s, i * s + d * (k - 1) + 1, d) for i, s, d, k in zip(at, stride, dilation, w.shape[2:], strict=True)])]
        y[(slice(None), o, *at)] = (seen * w[o]).sum(axis=tuple(range(1, w.ndim)))
    return y


# (what it is, arguments); an int goes for every axis
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {}, "stride": {"stride": 2}, "padding": {"padding": 1}, "dilation": {"dilation": 2},
    "all": {"stride": 3, "padding": 2, "dilation": 2}, "groups": {"groups": 2}, "depthwise": {"groups": 4, "padding": 1},
    "wide padding": {"padding": 4, "stride": 2},
}


# -------------------------------------------------------------------------------------------- without PyTorch
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_a_convolution_is_what_its_definition_says(dims: int, name: str) -> None:
    given = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1} | SETTINGS[name]
    x, w = numbers(2, 4, *SIZES[dims], grad=False), numbers(4, 4 // given["groups"], *(2, 3, 2)[:dims], grad=False)
    y = getattr(F, f"conv{dims}d")(x, w, **given)
    expected = slowly(host(x), host(w), *[(given[k],) * dims for k in ("stride", "padding", "dilation")], given["groups"])
    np.testing.assert_allclose(host(y), expected, atol=1e-12)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_the_transpose_is_the_adjoint(dims: int, name: str) -> None:
    """<conv(x, w), g> = <x, conv_transpose(g, w)>, for an x of the size that conv_transpose makes."""
    given = SETTINGS[name]
    g, w = numbers(2, 4, *SIZES[dims], grad=False), numbers(4, 3, *(2, 3, 2)[:dims], grad=False)
    try:
        back = getattr(F, f"conv_transpose{dims}d")(g, w, **given)
    except ShapeError:
        assert name == "wide padding"                       # nothing would be left
        return
    x = numbers(*back.shape, seed=1, grad=False)
    assert (getattr(F, f"conv{dims}d")(x, w, **given) * g).sum().item() == pytest.approx((x * back).sum().item())


@pytest.mark.parametrize("name", ["plain", "all", "groups", "depthwise"])
@pytest.mark.parametrize("f", [F.conv1d, F.conv2d, F.conv_transpose1d, F.conv_transpose2d])
def test_gradients_and_theirs(f: Any, name: str) -> None:
    given = SETTINGS[name]
    dims = int(f.__name__[-2])
    transposed, groups = "transpose" in f.__name__, given.get("groups", 1)
    x = numbers(2, 4, *(6, 5)[:dims])
    w = numbers(4, 1 if transposed else 4 // groups, *(2, 3)[:dims], seed=1)
    bias = numbers(groups if transposed else 4, seed=2)

    def call(x: ta.Tensor, w: ta.Tensor, bias: ta.Tensor) -> ta.Tensor:
        return f(x, w, bias, **given)

    assert gradcheck(call, (x, w, bias))
    assert gradgradcheck(call, (x, w, bias))


def test_third_derivatives() -> None:
    x, w = numbers(1, 2, 5), numbers(2, 2, 3, seed=1)
    y = (F.conv1d(x, w) ** 3).sum()
    for _ in range(2):
        gx, gw = ta.autograd.grad(y, (x, w), create_graph=True)
        y = (gx**2).sum() + (gw**2).sum()

    def value(w: ta.Tensor) -> ta.Tensor:
        return ta.autograd.grad((F.conv1d(x.detach(), w) ** 3).sum(), w, create_graph=True)[0].pow(2).sum()

    assert gradgradcheck(value, w) and gradcheck(lambda w: ta.autograd.grad(value(w), w, create_graph=True)[0], w)
    assert y.isfinite().item()


def test_one_node_that_keeps_what_its_rules_read() -> None:
    x, w, bias = numbers(2, 3, 6, 6), numbers(4, 3, 3, 3), numbers(4)
    node = F.conv2d(x, w, bias).grad_fn
    assert node.op.name == "conv2d" and node.edges == (x, w, bias)
    assert sum(ta.backend.is_array(a) for a in node.saved) == 2
    first = F.conv2d(x.detach(), w, bias).grad_fn           # a first layer: the kernel is not kept
    assert [a is x.array for a in first.saved if ta.backend.is_array(a)] == [True]
    assert F.conv_transpose2d(x, numbers(3, 4, 3, 3)).grad_fn.op.name == "conv_transpose2d"


@pytest.mark.parametrize("columns", [1, 15, 40, 300])
@pytest.mark.parametrize("span", [1, 5000, 20000])
@pytest.mark.parametrize("stride", [1, 2])
def test_blocks_of_images_and_rows_make_no_difference(stride: int, span: int, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, bias = numbers(5, 4, 14, 9), numbers(6, 2, 3, 3, seed=1), numbers(6, seed=2)

    def run() -> list[Any]:
        for t in (x, w, bias):
            t.grad = None
        y = F.conv2d(x, w, bias, stride=stride, padding=(2, 1), dilation=(2, 1), groups=2)
        (y * y).sum().backward()
        return [host(t) for t in (y, x.grad, w.grad, bias.grad)]

    whole = run()
    monkeypatch.setattr(convolve.Convolutions, "span", span)
    monkeypatch.setattr(convolve.Convolutions, "breadth", columns)
    for a, b in zip(run(), whole, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("given", [{}, {"padding": 1}, {"stride": (1, 2)}, {"groups": 2}])
def test_few_channels_of_larger_images(given: dict[str, Any]) -> None:
    """Where what a kernel sees is small, products are written straight into the result."""
    x, w, bias = numbers(3, 2, 26, 60), numbers(24, 2 // given.get("groups", 1), 3, 3, seed=1), numbers(24, seed=2)
    y = F.conv2d(x, w, bias, **given)
    settings = [(2 * (v,))[:2] if isinstance(v, int) else v for v in (given.get("stride", 1), given.get("padding", 0), 1)]
    expected = slowly(host(x), host(w), *settings, given.get("groups", 1)) + host(bias)[:, None, None]
    np.testing.assert_allclose(host(y), expected, atol=1e-12)
    g = numbers(*y.shape, seed=3, grad=False)
    y.backward(g)
    product = ((y - bias[:, None, None]) * g).sum().item()
    for t in (x, w):                                         # which is linear in each of them
        assert (t.grad * t).sum().item() == pytest.approx(product)
    np.testing.assert_allclose(host(bias.grad), host(g).sum((0, 2, 3)), atol=1e-10)


def test_no_channels_leave_the_bias() -> None:
    bias = numbers(3)
    y = F.conv2d(numbers(2, 0, 4, 4), numbers(3, 0, 2, 2), bias)
    assert y.shape == (2, 3, 3, 3) and (y == bias[:, None, None]).all().item()


def test_a_result_is_in_one_piece() -> None:
    y = F.conv2d(numbers(2, 3, 6, 6), numbers(4, 3, 3, 3))
    assert y.is_contiguous() and y.view(-1, 4 * 4 * 4).shape == (2, 64)


def test_infinity_and_nan_stay_where_they_are_seen() -> None:
    values = np.zeros((1, 1, 6, 6))
    values[0, 0, 1, 5] = np.inf
    x = ta.tensor(values, device=ta.backend.current_device())
    y = host(F.conv2d(x, ta.ones(1, 1, 3, 3, dtype=ta.float64, device=x.device)))
    assert np.isinf(y[0, 0, :2, 3]).all() and np.isfinite(y).sum() == 14


@pytest.mark.parametrize(("f", "shapes", "says"), [
    (F.conv2d, [(1, 3, 8, 8), (4, 1, 3, 3)], "takes 1 channels, and the input has 3.*in_channels=3"),
    (F.conv2d, [(1, 3, 8, 8), (4, 3, 9, 9)], "8×8.*kernel of 9×9 is larger"),
    (F.conv2d, [(64, 784), (4, 1, 3, 3)], "batch, channels, height, width"),
    (F.conv2d, [(1, 3, 8, 8), (4, 3, 3)], "the weight must be"),
    (F.conv2d, [(1, 3, 8, 8), (4, 3, 3, 3), (3,)], "bias must be of shape"),
    (F.conv_transpose2d, [(1, 3, 8, 8), (4, 3, 3, 3)], "takes 4 channels, and the input has 3"),
    (F.conv1d, [(2, 3, 4, 5), (4, 3, 3)], "batch, channels, length"),
])
def test_what_does_not_fit_is_said_with_the_sizes(f: Any, shapes: Any, says: str) -> None:
    with pytest.raises(ShapeError, match=says):
        f(*[ta.ones(s) for s in shapes])


@pytest.mark.parametrize("wrong", [{"stride": 0}, {"padding": -1}, {"dilation": 0}, {"groups": 0}, {"groups": 3}, {"stride": (1, 1, 1)},
                                   {"padding": "same", "stride": 2}, {"padding": "full"}, {"padding": 1.5}, {"dilation": 9}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(TinygradActError):
        F.conv2d(ta.ones(1, 4, 6, 6), ta.ones(4, 4 // wrong.get("groups", 1) if wrong.get("groups") != 0 else 4, 3, 3), **wrong)


@pytest.mark.parametrize("dtype", [ta.float16, ta.float32, ta.float64])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_a_transposed_convolution_may_have_nothing_left_inside_its_padding(dims: int, dtype: Any) -> None:
    """As PyTorch's in float32: gradients are 0."""
    for size, kernel, groups in ((1, 2, 1), (2, 1, 1), (1, 2, 2)):
        shapes = (2, 4, *(size, 3, 2)[:dims]), (4, 2, *(kernel, 2, 2)[:dims]), (2 * groups,)
        x, w, bias = (ta.ones(*shape, dtype=dtype, requires_grad=True) for shape in shapes)
        padding = (1,) + (0,) * (dims - 1)
        for image in (x, x[0]):
            y = getattr(ta, f"conv_transpose{dims}d")(image, w, bias, padding=padding, groups=groups)
            assert y.shape == (*image.shape[:-dims - 1], 2 * groups, *(0, 4, 3)[:dims])
            gradients = ta.autograd.grad(y.sum(), (x, w, bias), create_graph=True)
            again = ta.autograd.grad(sum((g * g).sum() for g in gradients), (x, w, bias), allow_unused=True)
            assert not any(g.any() for g in (*gradients, *again) if g is not None)


def test_other_misuse() -> None:
    with pytest.raises(DTypeError, match="dtypes differ"):
        F.conv2d(ta.ones(1, 1, 3, 3), ta.ones(1, 1, 2, 2, dtype=ta.float64))
    with pytest.raises(ArgumentError, match="must be a Tensor"):
        F.conv2d([[1.0]], ta.ones(1, 1, 2, 2))              # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="smaller than stride"):
        F.conv_transpose2d(ta.ones(1, 1, 3, 3), ta.ones(1, 1, 2, 2), output_padding=1)
    with pytest.raises(ShapeError, match="use less padding"):
        F.conv_transpose2d(ta.ones(1, 1, 1, 1), ta.ones(1, 1, 1, 1), padding=1)
    with pytest.raises(ShapeError, match="only the batch and the channels"):
        F.conv1d(ta.ones(1, 1, 0), ta.ones(1, 1, 1), padding=2)


# ------------------------------------------------------------------------------------------- against PyTorch's
def pytorch() -> Any:
    return pytest.importorskip("tests.ops.against_torch", exc_type=ImportError)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_convolution_as_pytorchs(dims: int, name: str) -> None:
    t = pytorch()
    given = SETTINGS[name]
    arrays = t.array(2, 4, *SIZES[dims]), t.array(4, 4 // given.get("groups", 1), *(2, 3, 2)[:dims]), t.array(4)
    t.check(f"conv{dims}d", None, *arrays, **given)
    t.check(f"conv{dims}d", None, arrays[0][0], *arrays[1:2], **given)               # no batch, no bias


@pytest.mark.parametrize("given", [{}, {"stride": 2}, {"stride": 3, "padding": 1, "output_padding": 2}, {"dilation": 2, "output_padding": 1},
                                   {"groups": 2, "stride": 2, "padding": 2}, {"groups": 4}])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_transposed_convolution_as_pytorchs(dims: int, given: dict[str, Any]) -> None:
    t = pytorch()
    arrays = t.array(2, 4, *SIZES[dims]), t.array(4, 3, *(3, 2, 3)[:dims]), t.array(3 * given.get("groups", 1))
    t.check(f"conv_transpose{dims}d", None, *arrays, **given)
    t.check(f"conv_transpose{dims}d", None, arrays[0][0], arrays[1], **given)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("kernel", [(1, 1), (2, 3), (4, 4), (3, 1)])
@pytest.mark.parametrize("more", [{"padding": "same"}, {"padding": "same", "dilation": (1, 2)}, {"padding": "valid"},
                                  {"padding": (2, 0), "stride": (1, 3)}, {"padding": [1], "stride": [2]}])
def test_kinds_of_padding_as_pytorchs(kernel: tuple[int, int], more: dict[str, Any]) -> None:
    t = pytorch()
    t.check("conv2d", None, t.array(2, 3, 8, 9), t.array(4, 3, *kernel), t.array(4), **more)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("groups", [1, 3])
def test_other_dtypes_as_pytorchs(dtype: str, groups: int) -> None:
    t = pytorch()
    x, w, bias = t.array(2, 3, 8, 7, dtype=dtype), t.array(6, 3 // groups, 3, 3, dtype=dtype), t.array(6, dtype=dtype)
    near = {} if dtype == "float32" else {"atol": 0.05, "rtol": 0.01 if dtype == "float16" else 0.05}
    t.check("conv2d", None, x, w, bias, padding=1, groups=groups, order=1, **near)
    t.check("conv_transpose2d", None, x, t.array(3, 2, 3, 3, dtype=dtype), stride=2, groups=groups, order=1, **near)


def test_whole_numbers_and_empty_batches_as_pytorchs() -> None:
    t = pytorch()
    x, w = (t.array(*s, low=-5, high=5, dtype="int64") for s in ((2, 3, 5, 5), (4, 3, 3, 3)))
    t.check("conv2d", None, x, w, padding=1)
    t.check("conv2d", None, t.array(0, 3, 5, 5), t.array(4, 3, 3, 3), t.array(4))
    t.check("conv_transpose2d", None, t.array(0, 3, 5, 5), t.array(3, 4, 3, 3), t.array(4))


def test_tensors_that_are_not_in_one_piece() -> None:
    t = pytorch()
    t.check(lambda x, w: t.torch.conv2d(x.permute(0, 3, 1, 2), w.transpose(2, 3)) if isinstance(x, t.torch.Tensor)
            else ta.conv2d(x.permute(0, 3, 1, 2), w.transpose(2, 3)), None, t.array(2, 6, 5, 3), t.array(4, 3, 2, 3))


def test_by_position_and_by_keyword_as_pytorchs() -> None:
    t = pytorch()
    x, w, bias = t.array(2, 4, 7, 7), t.array(4, 2, 3, 3), t.array(4)
    t.check("conv2d", None, x, w, bias, 2, 1, 2, 2)
    t.check("conv_transpose2d", None, x, w, bias, 2, 1, 1, 2, 1)
    t.check("conv2d", None, input=x, weight=w, bias=bias, stride=(2, 1), padding=1, dilation=1, groups=2)


def test_pytorch_refuses_it_too() -> None:
    t = pytorch()
    x, w = t.array(1, 4, 6, 6), t.array(4, 4, 3, 3)
    for wrong in ({"stride": 0}, {"padding": -1}, {"dilation": 0}, {"groups": 0}, {"groups": 3}, {"stride": (1, 1, 1)}, {"dilation": 9},
                  {"padding": "same", "stride": 2}, {"padding": "full"}, {"bias": t.array(3)}, {"bias": t.array(4, 1)}):
        t.refuses("conv2d", None, x, w, **wrong)
    for wrong in ({"output_padding": 1}, {"output_padding": -1}, {"padding": 9}, {"groups": 3}, {"bias": t.array(3)}):
        t.refuses("conv_transpose2d", None, x, w, **wrong)
    t.refuses("conv2d", None, x, t.array(0, 4, 3, 3))
    t.refuses("conv2d", None, x, t.array(4, 4, 0, 3))
    t.refuses("conv2d", None, t.array(6, 6), w)


def test_a_setting_is_looked_at_again_though_one_equal_to_it_was_right() -> None:
    x, w = ta.ones(1, 1, 4, 4), ta.ones(1, 1, 2, 2)
    for right, wrong in ((2, 2.0), ((2, 1), (2.0, 1))):
        ta.conv2d(x, w, stride=right)
        with pytest.raises(ArgumentError, match="stride"):
            ta.conv2d(x, w, stride=wrong)
    assert ta.conv2d(x, w, stride=[2, 1]).shape == ta.conv2d(x, w, stride=(2, 1)).shape
