"""Keras's layouts of weights as PyTorch's: a dict of a layer's parameters, by the names that the module here has for them.

Arrays are taken as `ta.tensor` takes them, in the order of Keras's `layer.get_weights()`, so `dense(*layer.get_weights())`
does. Keras's normalisations have other settings: build BatchNorm with eps=1e-3 and momentum=0.01, LayerNorm with eps=1e-3.
"""

from __future__ import annotations

from typing import Any

from .. import _functions as ops
from ..errors import ShapeError
from ..grad_mode import no_grad
from ..tensor import Tensor

__all__ = ["batch_norm", "conv", "conv_transpose", "dense", "depthwise_conv", "embedding", "gru", "layer_norm", "lstm", "separable_conv", "simple_rnn"]

State = dict[str, Tensor]


def dense(kernel: Any, bias: Any = None) -> State:
    """Dense: the kernel (in, out) becomes Linear's weight (out, in).

    >>> dense([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])["weight"]
    tensor([[1., 4.],
            [2., 5.],
            [3., 6.]])
    """
    return _with_bias({"weight": _moved("dense", kernel, (1, 0))}, bias)


def conv(kernel: Any, bias: Any = None) -> State:
    """Conv1D, Conv2D, Conv3D: the kernel (*sizes, in per group, out) becomes (out, in per group, *sizes).

    >>> conv(ta.zeros(3, 3, 1, 8))["weight"].shape
    (8, 1, 3, 3)
    """
    n = _axes("conv", kernel, 3, 5)
    return _with_bias({"weight": _moved("conv", kernel, (n - 1, n - 2, *range(n - 2)))}, bias)


def conv_transpose(kernel: Any, bias: Any = None) -> State:
    """Conv1DTranspose and its kin: the kernel (*sizes, out, in) becomes (in, out, *sizes).

    >>> conv_transpose(ta.zeros(3, 3, 1, 8))["weight"].shape
    (8, 1, 3, 3)
    """
    n = _axes("conv_transpose", kernel, 3, 5)
    return _with_bias({"weight": _moved("conv_transpose", kernel, (n - 1, n - 2, *range(n - 2)))}, bias)


def depthwise_conv(kernel: Any, bias: Any = None) -> State:
    """DepthwiseConv1D and 2D: the kernel (*sizes, in, multiplier) becomes (in * multiplier, 1, *sizes), for groups=in.

    >>> depthwise_conv(ta.zeros(3, 3, 4, 2))["weight"].shape
    (8, 1, 3, 3)
    """
    n = _axes("depthwise_conv", kernel, 3, 4)
    moved = _moved("depthwise_conv", kernel, (n - 2, n - 1, *range(n - 2)))
    return _with_bias({"weight": moved.reshape(-1, 1, *moved.shape[2:])}, bias)


def separable_conv(depthwise: Any, pointwise: Any, bias: Any = None) -> tuple[State, State]:
    """SeparableConv1D and 2D: the parameters of two convolutions, the depthwise one and that of size 1 after it.

    >>> [part["weight"].shape for part in separable_conv(ta.zeros(3, 3, 4, 2), ta.zeros(1, 1, 8, 5))]
    [(8, 1, 3, 3), (5, 8, 1, 1)]
    """
    return depthwise_conv(depthwise), conv(pointwise, bias)


def embedding(embeddings: Any) -> State:
    """Embedding: (words, width) in both.

    >>> embedding(ta.zeros(10, 4))["weight"].shape
    (10, 4)
    """
    return {"weight": _moved("embedding", embeddings, (0, 1))}


def batch_norm(gamma: Any, beta: Any, moving_mean: Any, moving_variance: Any) -> State:
    """BatchNormalization, with scale and center. Keras's epsilon is 1e-3: BatchNorm2d(n, eps=1e-3, momentum=0.01).

    >>> list(batch_norm(ta.ones(2), ta.zeros(2), ta.zeros(2), ta.ones(2)))
    ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
    """
    names = ("weight", "bias", "running_mean", "running_var")
    state = {name: _moved("batch_norm", value, (0,)) for name, value in zip(names, (gamma, beta, moving_mean, moving_variance), strict=True)}
    return {**state, "num_batches_tracked": ops.tensor(0)}


def layer_norm(gamma: Any, beta: Any) -> State:
    """LayerNormalization. Keras's epsilon is 1e-3: LayerNorm(n, eps=1e-3).

    >>> list(layer_norm(ta.ones(2), ta.zeros(2)))
    ['weight', 'bias']
    """
    return {"weight": _tensor(gamma), "bias": _tensor(beta)}


def lstm(kernel: Any, recurrent_kernel: Any, bias: Any = None, *, layer: int = 0, reverse: bool = False) -> State:
    """LSTM: gates in the order input, forget, cell, output in both; PyTorch has a second bias, which is 0 here.

    `layer` and `reverse` choose the names in a deep or bidirectional network. Without a bias: LSTM(..., bias=False).

    >>> {name: t.shape for name, t in lstm(ta.zeros(3, 8), ta.zeros(2, 8), ta.zeros(8)).items()}
    {'weight_ih_l0': (8, 3), 'weight_hh_l0': (8, 2), 'bias_ih_l0': (8,), 'bias_hh_l0': (8,)}
    """
    return _recurrent("lstm", kernel, recurrent_kernel, bias, (0, 1, 2, 3), layer, reverse)


def gru(kernel: Any, recurrent_kernel: Any, bias: Any = None, *, layer: int = 0, reverse: bool = False) -> State:
    """GRU with reset_after=True, Keras's default: gates update, reset, new become reset, update, new; the bias (2, 3 units).

    Raises:
        ShapeError: the bias is (3 units,), that of reset_after=False, which computes something else than PyTorch's GRU.

    >>> {name: t.shape for name, t in gru(ta.zeros(3, 6), ta.zeros(2, 6), ta.zeros(2, 6)).items()}
    {'weight_ih_l0': (6, 3), 'weight_hh_l0': (6, 2), 'bias_ih_l0': (6,), 'bias_hh_l0': (6,)}
    """
    if bias is not None and _tensor(bias).ndim != 2:
        raise ShapeError("keras.gru", f"a bias of shape {_tensor(bias).shape}", "it is of a layer with reset_after=False, which resets before "
                         "the product and so computes something else", "train it with reset_after=True")
    return _recurrent("gru", kernel, recurrent_kernel, bias, (1, 0, 2), layer, reverse)


def simple_rnn(kernel: Any, recurrent_kernel: Any, bias: Any = None, *, layer: int = 0, reverse: bool = False) -> State:
    """SimpleRNN.

    >>> list(simple_rnn(ta.zeros(3, 2), ta.zeros(2, 2)))
    ['weight_ih_l0', 'weight_hh_l0']
    """
    return _recurrent("simple_rnn", kernel, recurrent_kernel, bias, (0,), layer, reverse)


def _recurrent(op: str, kernel: Any, recurrent: Any, bias: Any, gates: tuple[int, ...], layer: int, reverse: bool) -> State:
    """Products from the right become products from the left, gate by gate in PyTorch's order."""
    w, u, end = _moved(op, kernel, (1, 0)), _moved(op, recurrent, (1, 0)), f"_l{layer}{'_reverse' if reverse else ''}"
    units = u.shape[1]
    if w.shape[0] != len(gates) * units or u.shape[0] != len(gates) * units:
        raise ShapeError(f"keras.{op}", f"kernels of shapes {w.shape[::-1]} and {u.shape[::-1]}", f"they are to be (in, {len(gates)} units) and "
                         f"(units, {len(gates)} units)", "pass layer.get_weights() in its order")
    state = {f"weight_ih{end}": _ordered(w, gates), f"weight_hh{end}": _ordered(u, gates)}
    if bias is not None:
        b = _tensor(bias)
        both = (b[0], b[1]) if b.ndim == 2 else (b, ops.zeros_like(b))
        if any(part.shape != (len(gates) * units,) for part in both):
            raise ShapeError(f"keras.{op}", f"a bias of shape {b.shape}", f"it is to have {len(gates)} times {units} numbers", "pass layer.get_weights() in its order")
        state |= {f"bias_ih{end}": _ordered(both[0], gates), f"bias_hh{end}": _ordered(both[1], gates)}
    return state


def _ordered(t: Tensor, gates: tuple[int, ...]) -> Tensor:
    parts = t.chunk(len(gates))
    return ops.cat([parts[i] for i in gates])


def _tensor(value: Any) -> Tensor:
    return value.detach() if isinstance(value, Tensor) else ops.tensor(value)


@no_grad()
def _moved(op: str, value: Any, order: tuple[int, ...]) -> Tensor:
    t = _tensor(value)
    if t.ndim != len(order):
        raise ShapeError(f"keras.{op}", f"an array of shape {t.shape}", f"it is to have {len(order)} axes", "pass layer.get_weights() in its order")
    return t.permute(*order).contiguous()


def _axes(op: str, value: Any, least: int, most: int) -> int:
    n = _tensor(value).ndim
    if not least <= n <= most:
        raise ShapeError(f"keras.{op}", f"a kernel of shape {_tensor(value).shape}", f"it is to have {least} to {most} axes", "pass layer.get_weights() in its order")
    return n


def _with_bias(state: State, bias: Any) -> State:
    return state if bias is None else {**state, "bias": _moved("bias", bias, (0,))}
