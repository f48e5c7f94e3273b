"""Convolutions and transposed convolutions over one, two or three axes, one node each.

A convolution is linear in its images x, in its kernel w, and, paired with a gradient g of its result, in that: <conv(x, w), g>
is a number linear in all three. Its derivatives are therefore three maps, each of two of them, and no others: `convolution`
of x and w, `convolution_input` of g and w, `convolution_weight` of g and x. The transposed convolution is the second of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import ArgumentError, ShapeError
from ..op import Single
from ..tensor import Tensor
from .arguments import Ints, whole
from .registry import enter, public

Rule = Callable[..., Any]
Shape = tuple[int, ...]


# ------------------------------------------------------------------------------------------------ the three maps
def _convolution(F: Any, x: Any, w: Any, *, size: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    return F.convolution(x, w, size=size, stride=stride, padding=padding, dilation=dilation, groups=groups)


def _input(F: Any, g: Any, w: Any, *, size: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    return F.convolution_input(g, w, size=size, stride=stride, padding=padding, dilation=dilation, groups=groups)


def _weight(F: Any, g: Any, x: Any, *, size: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    return F.convolution_weight(g, x, size=size, stride=stride, padding=padding, dilation=dilation, groups=groups)


# Of each map, the derivative by each of its inputs: what comes in (`h`) is of the kind that the map made.
def _x_of_convolution(F: Any, h: Any, w: Any, x_shape: Any, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    return _input(F, h, w, size=x_shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups)


def _w_of_convolution(F: Any, h: Any, x: Any, w_shape: Any, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    return _weight(F, h, x, size=w_shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups)


def _g_of_input(F: Any, h: Any, w: Any, g_shape: Any, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    return _convolution(F, h, w, size=g_shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups)


def _w_of_input(F: Any, h: Any, g: Any, w_shape: Any, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    return _weight(F, g, h, size=w_shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups)


def _g_of_weight(F: Any, h: Any, x: Any, g_shape: Any, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    return _convolution(F, x, h, size=g_shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups)


def _x_of_weight(F: Any, h: Any, g: Any, x_shape: Any, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    return _input(F, g, h, size=x_shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups)


def _for_bias(F: Any, h: Any) -> Any:
    return F.sum(h, (0, *range(2, h.ndim)))


def _biased(F: Any, x: Any, w: Any, bias: Any, *, size: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    return F.convolution(x, w, bias, size=size, stride=stride, padding=padding, dilation=dilation, groups=groups)


def _biased_input(F: Any, g: Any, w: Any, bias: Any, *, size: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    return F.convolution_input(g, w, bias, size=size, stride=stride, padding=padding, dilation=dilation, groups=groups)


enter(Single("convolution", _convolution, _x_of_convolution, _w_of_convolution, same_dtype=True))
enter(Single("convolution_input", _input, _g_of_input, _w_of_input, same_dtype=True))
enter(Single("convolution_weight", _weight, _g_of_weight, _x_of_weight, same_dtype=True))


def _nodes(name: str, plain: Rule, biased: Rule, *rules: Rule) -> list[tuple[Single, Single]]:
    """For one, two and three axes: the op without a bias and the one with it, under the name that a user gave."""
    return [(Single(f"{name}{n}d", plain, *rules, same_dtype=True),
             Single(f"{name}{n}d", biased, *rules, _for_bias, same_dtype=True)) for n in (1, 2, 3)]


_forward = _nodes("conv", _convolution, _biased, _x_of_convolution, _w_of_convolution)
_transposed = _nodes("conv_transpose", _input, _biased_input, _g_of_input, _w_of_input)


# ---------------------------------------------------------------------------------------------------- arguments
def each_axis(given: Any, dims: int, op: str, what: str, least: int) -> tuple[int, ...]:
    """A setting as an int an axis, from one int for all of them or a sequence; none may be below `least`."""
    if isinstance(given, (tuple, list)):
        found = tuple([whole(n, op, what) for n in given])
        found = found * dims if len(found) == 1 else found
    else:
        found = (whole(given, op, what),) * dims
    if len(found) != dims:
        raise ArgumentError(op, f"{what}={tuple(given)}", f"{what} is one int, or {dims}: one an axis")
    if min(found) < least:
        raise ArgumentError(op, f"{what}={given}", f"{what} must be {'positive' if least else '0 or more'}")
    return found


def _by(sizes: Sequence[int]) -> str:
    return "×".join(map(str, sizes))


def _check(op: str, dims: int, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, transposed: bool) -> None:
    """Input, weight and bias fit one another."""
    for what, t in (("input", x), ("weight", weight), *([("bias", bias)] if bias is not None else [])):
        if not isinstance(t, Tensor):
            raise ArgumentError(op, f"{what}={type(t).__name__}", f"the {what} must be a Tensor", "make one with ta.tensor(...)")
    axes = ["length", "height, width", "depth, height, width"][dims - 1]
    layout = f"({'in' if transposed else 'out'}_channels, {'out' if transposed else 'in'}_channels/groups, {axes.replace('length', 'width')})"
    got = f"an input of shape {x.shape} with a weight of shape {weight.shape}"
    if x.ndim not in (dims + 1, dims + 2):
        raise ShapeError(op, f"an input of shape {x.shape}", f"it takes (batch, channels, {axes}), or (channels, {axes}) without a batch",
                         "for a network of Linear layers flatten the input; for images without channels, unsqueeze(1)")
    if weight.ndim != dims + 2:
        raise ShapeError(op, f"a weight of shape {weight.shape}", f"the weight must be {layout}")
    if groups < 1:
        raise ArgumentError(op, f"groups={groups}", "groups must be positive")
    if weight.array.size == 0 and (0 in weight.shape[2:] or weight.shape[0] == 0 or transposed):
        raise ShapeError(op, f"a weight of shape {weight.shape}", "only in_channels may be 0 in it")
    if weight.shape[0] % groups:
        raise ShapeError(op, f"a weight of shape {weight.shape} in {groups} groups",
                         f"its first size, {weight.shape[0]}, must be a multiple of groups")
    channels, fits = x.shape[-dims - 1], weight.shape[0] if transposed else weight.shape[1] * groups
    if channels != fits:
        among = f"{weight.shape[1]} in each of {groups} groups, {fits}" if groups > 1 and not transposed else f"{fits}"
        raise ShapeError(op, got, f"the weight takes {among} channels, and the input has {channels} (its dim {x.ndim - dims - 1})",
                         f"give it an input with {fits} channels, or make the layer with in_channels={channels}")
    out = weight.shape[1] * groups if transposed else weight.shape[0]
    if bias is not None and bias.shape != (out,):
        raise ShapeError(op, f"a bias of shape {bias.shape} with a weight of shape {weight.shape}",
                         f"the bias must be of shape ({out},), a number for each channel of the result")
    if 0 in x.shape[-dims:]:
        raise ShapeError(op, f"an input of shape {x.shape}", "only the batch and the channels may be empty")


def _paddings(op: str, padding: Any, dims: int, stride: Sequence[int], reach: Sequence[int]) -> list[tuple[int, int]]:
    """(before, after) for each axis; `reach` is what the kernel spans beyond one element."""
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ArgumentError(op, f"padding={padding!r}", "padding is a number, one an axis, 'same' or 'valid'")
        if padding == "same" and max(stride) > 1:
            raise ArgumentError(op, f"padding='same' with stride={tuple(stride)}", "a result of the input's size needs stride 1")
        return [(n // 2, n - n // 2) if padding == "same" else (0, 0) for n in reach]
    return [(n, n) for n in each_axis(padding, dims, op, "padding", 0)]


# ------------------------------------------------------------------------------------------------------ public
def _conv(dims: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any,
          groups: Any) -> Tensor:
    op = f"conv{dims}d"
    groups = whole(groups, op, "groups")
    _check(op, dims, input, weight, bias, groups, False)
    if input.ndim == dims + 1:
        return _conv(dims, input.unsqueeze(0), weight, bias, stride, padding, dilation, groups).squeeze(0)
    work_out = _settings if all(map(_plain, (stride, padding, dilation))) else _settings.__wrapped__
    settings = work_out(op, input.shape, weight.shape, stride, padding, dilation)
    row = _forward[dims - 1]
    return row[0](input, weight, groups=groups, **settings) if bias is None else row[1](input, weight, bias, groups=groups, **settings)


def _plain(setting: Any) -> bool:
    """May what is worked out with it be remembered? (1.0 equals 1, and is no setting; a list cannot be looked up.)"""
    return type(setting) in (int, str) or (type(setting) is tuple and {*map(type, setting)} == {int})


@functools.lru_cache(maxsize=1024)
def _settings(op: str, shape: Shape, kernel: Shape, stride: Any, padding: Any, dilation: Any) -> dict[str, Shape]:
    """The result's size, and the settings, for each axis."""
    dims, image, kernel = len(shape) - 2, shape[2:], kernel[2:]
    stride, dilation = each_axis(stride, dims, op, "stride", 1), each_axis(dilation, dims, op, "dilation", 1)
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    pads = _paddings(op, padding, dims, stride, reach)
    padded = [n + low + high for n, (low, high) in zip(image, pads, strict=True)]
    if any(n <= r for n, r in zip(padded, reach, strict=True)):
        spans = f", which spans {_by([r + 1 for r in reach])} with dilation {dilation}," if max(dilation) > 1 else ""
        bordered = f", {_by(padded)} with its padding" if tuple(padded) != image else ""
        raise ShapeError(op, f"an input of {_by(image)} (shape {shape}){bordered}",
                         f"a kernel of {_by(kernel)}{spans} is larger than that",
                         "use a smaller kernel, more padding, or fewer strides and poolings before it")
    size = tuple([(n - r - 1) // s + 1 for n, r, s in zip(padded, reach, stride, strict=True)])
    return {"size": size, "stride": stride, "padding": tuple([low for low, _ in pads]), "dilation": dilation}


def _conv_transpose(dims: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any,
                    output_padding: Any, groups: Any, dilation: Any) -> Tensor:
    op = f"conv_transpose{dims}d"
    groups = whole(groups, op, "groups")
    _check(op, dims, input, weight, bias, groups, True)
    if input.ndim == dims + 1:
        return _conv_transpose(dims, input.unsqueeze(0), weight, bias, stride, padding, output_padding, groups, dilation).squeeze(0)
    stride, dilation = each_axis(stride, dims, op, "stride", 1), each_axis(dilation, dims, op, "dilation", 1)
    if isinstance(padding, str):
        raise ArgumentError(op, f"padding={padding!r}", "a transposed convolution takes numbers only")
    padding, more = each_axis(padding, dims, op, "padding", 0), each_axis(output_padding, dims, op, "output_padding", 0)
    if any(m >= max(s, d) for m, s, d in zip(more, stride, dilation, strict=True)):
        raise ArgumentError(op, f"output_padding={output_padding}", f"it must be smaller than stride, {stride}, or dilation, {dilation}",
                            "it chooses among the sizes that a convolution of that stride makes alike; use padding for borders")
    size = tuple([(n - 1) * s - 2 * p + d * (k - 1) + m + 1 for n, s, p, d, k, m in zip(
        input.shape[2:], stride, padding, dilation, weight.shape[2:], more, strict=True)])
    if min(size) < 0:                                       # 0: nothing, as PyTorch
        raise ShapeError(op, f"an input of {_by(input.shape[2:])} (shape {input.shape})",
                         f"with padding {padding} the result would be {_by(size)}", "use less padding")
    settings = {"size": size, "stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    plain, biased = _transposed[dims - 1]
    return plain(input, weight, **settings) if bias is None else biased(input, weight, bias, **settings)


@public(method=False)
def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1, padding: Ints | str = 0,
           dilation: Ints = 1, groups: int = 1) -> Tensor:
    """The convolution (as in all networks: the kernel is not turned round) over the last axis; one node. See conv2d.

    Args:
        input: (N, C, L), or (C, L).
        weight: (out_channels, C / groups, k).

    >>> ta.conv1d(ta.tensor([[1.0, 2.0, 4.0]]), ta.tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2.]])
    """
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


@public(method=False)
def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1, padding: Ints | str = 0,
           dilation: Ints = 1, groups: int = 1) -> Tensor:
    """The convolution (as in all networks: the kernel is not turned round) over the last two axes; one node.

    Args:
        input: (N, C, H, W), or (C, H, W).
        weight: (out_channels, C / groups, kh, kw).
        bias: (out_channels,).
        stride: how far the kernel moves, an int or one an axis.
        padding: how many zeros are put before and after each axis; "same" keeps the size, "valid" is 0.
        dilation: how far apart the kernel's elements lie.
        groups: into how many parts the channels fall that have nothing to do with one another; C is depthwise.

    Returns: (N, out_channels, H', W') with H' = (H + 2 padding - dilation (kh - 1) - 1) // stride + 1.

    Raises:
        ShapeError: channels do not fit the weight, or the kernel is larger than the padded input.
        ArgumentError: a setting is out of its range.
        DTypeError: dtypes differ.

    >>> ta.conv2d(ta.ones(1, 1, 3, 3), ta.ones(1, 1, 2, 2), padding="same")
    tensor([[[[4., 4., 2.],
              [4., 4., 2.],
              [2., 2., 1.]]]])
    """
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


@public(method=False)
def conv3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1, padding: Ints | str = 0,
           dilation: Ints = 1, groups: int = 1) -> Tensor:
    """The convolution (as in all networks: the kernel is not turned round) over the last three axes; one node. See conv2d.

    Args:
        input: (N, C, D, H, W), or (C, D, H, W).
        weight: (out_channels, C / groups, kd, kh, kw).

    >>> ta.conv3d(ta.ones(1, 1, 3, 3, 3), ta.ones(1, 1, 2, 2, 2), stride=2)
    tensor([[[[[8.]]]]])
    """
    return _conv(3, input, weight, bias, stride, padding, dilation, groups)


@public(method=False)
def conv_transpose1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1, padding: Ints = 0,
                     output_padding: Ints = 0, groups: int = 1, dilation: Ints = 1) -> Tensor:
    """The transposed convolution over the last axis; one node. See conv_transpose2d.

    >>> ta.conv_transpose1d(ta.tensor([[1.0, 2.0]]), ta.tensor([[[1.0, 10.0]]]), stride=2)
    tensor([[ 1., 10.,  2., 20.]])
    """
    return _conv_transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


@public(method=False)
def conv_transpose2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1, padding: Ints = 0,
                     output_padding: Ints = 0, groups: int = 1, dilation: Ints = 1) -> Tensor:
    """The transposed convolution over the last two axes, which is the gradient of conv2d by its input; one node.

    Each element of the input is spread over the result by the kernel: what a convolution of the same settings maps to
    the input's shape.

    Args:
        input: (N, C, H, W), or (C, H, W).
        weight: (C, out_channels / groups, kh, kw).
        bias: (out_channels,).
        stride, padding, dilation, groups: those of the convolution that it is the gradient of.
        output_padding: how much larger the result is, where a stride leaves a choice.

    Returns: (N, out_channels, H', W') with H' = (H - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1.

    Raises: as conv2d.

    >>> ta.conv_transpose2d(ta.ones(1, 1, 2, 2), ta.ones(1, 1, 2, 2))
    tensor([[[[1., 2., 1.],
              [2., 4., 2.],
              [1., 2., 1.]]]])
    """
    return _conv_transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@public(method=False)
def conv_transpose3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Ints = 1, padding: Ints = 0,
                     output_padding: Ints = 0, groups: int = 1, dilation: Ints = 1) -> Tensor:
    """The transposed convolution over the last three axes; one node. See conv_transpose2d.

    >>> ta.conv_transpose3d(ta.ones(1, 1, 1, 1, 2), ta.ones(1, 1, 1, 1, 2))
    tensor([[[[[1., 2., 1.]]]]])
    """
    return _conv_transpose(3, input, weight, bias, stride, padding, output_padding, groups, dilation)
