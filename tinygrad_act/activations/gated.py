"""Gated linear units: the first half along an axis times an activation of the second half, as one node.

`dim` is the axis, of even size; the result has half of it. Which half is the gate is a convention: it is the second one
here, as in PyTorch's glu. (Shazeer's GLU variants, arXiv:2002.05202, have the two come from different weights, so that
either order computes the same.)
"""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..errors import DTypeError, ShapeError
from ..graph import recording
from ..ops.reduce import wide
from . import gelu, rectifiers, sigmoids, swish
from .record import Activation, activation

SHAZEER = "arXiv:2002.05202"


def _halves(F: Any, x: Any, dim: int, name: str) -> tuple[Any, Any]:
    if not dtypes.is_floating(x.dtype):
        raise DTypeError(name, f"a tensor of {x.dtype}", "it is defined for floating tensors only", "convert it first, with x.float()")
    if not x.ndim:
        raise ShapeError(name, "a 0-d tensor", "it has no axis to halve", "pass one with an axis of even size")
    if not -x.ndim <= dim < x.ndim:
        raise ShapeError(name, f"dim={dim} for shape {x.shape}", f"there are {x.ndim} axes", f"pass dim from {-x.ndim} to {x.ndim - 1}")
    if x.shape[dim] % 2:
        raise ShapeError(name, f"shape {x.shape}", f"axis {dim} has the odd size {x.shape[dim]} and is to be halved",
                         "make that size even")
    n, before = x.shape[dim] // 2, (slice(None),) * (dim % x.ndim)
    return F.getitem(x, (*before, slice(0, n))), F.getitem(x, (*before, slice(n, 2 * n)))


def _value(F: Any, gate: Activation, b: Any) -> Any:
    """The gate's value: recorded, it is the activation itself, whose derivatives are written by hand."""
    return gate.op(b) if F is recording else gate.forward(F, b)


def _slope(F: Any, gate: Activation, g: Any, b: Any) -> Any:
    if F is recording and gate.op.gradient is not None:
        return gate.op.gradient(g, b)
    return gate.rules["x"](F, g, b)


def _product(F: Any, x: Any, dim: int, gate: Activation, name: str) -> Any:
    a, b = _halves(F, x, dim, name)
    return a * _value(F, gate, b)


def _gradient(F: Any, g: Any, x: Any, dim: int, gate: Activation, name: str) -> Any:
    a, b = _halves(F, x, dim, name)
    return F.cat([g * _value(F, gate, b), _slope(F, gate, g * a, b)], dim)


@activation(formula=r"a \odot \sigma(b)", derivative=r"\sigma(b);\ a\,\sigma(b)\,\sigma(-b)", paper="arXiv:1612.08083", axis=True,
            module="GLU", torch="glu")
@wide
def glu(F: Any, x: Any, *, dim: int = -1) -> Any:
    """The gated linear unit (Dauphin et al. 2016): a sigmoid(b). (..., 2n, ...) to (..., n, ...).

    Raises: ShapeError, if the axis has an odd size.

    >>> ta.activations.catalogue["glu"](ta.tensor([1.0, 2.0, 0.0, 1.0]))
    tensor([0.5000, 1.4621])
    """
    return _product(F, x, dim, sigmoids.sigmoid, "glu")


@glu.backward
@wide
def glu_backward(F: Any, g: Any, x: Any, *, dim: int) -> Any:
    return _gradient(F, g, x, dim, sigmoids.sigmoid, "glu")


@activation(formula=r"a \odot \max(0, b)", derivative=r"\max(0, b);\ a\,[b > 0]", paper=SHAZEER, axis=True, module="ReGLU")
@wide
def reglu(F: Any, x: Any, *, dim: int = -1) -> Any:
    """a relu(b) (Shazeer 2020). (..., 2n, ...) to (..., n, ...).

    >>> ta.activations.catalogue["reglu"](ta.tensor([1.0, 2.0, -1.0, 3.0]))
    tensor([0., 6.])
    """
    a, b = _halves(F, x, dim, "reglu")
    return a * F.maximum(b, 0)


@reglu.backward
@wide
def reglu_backward(F: Any, g: Any, x: Any, *, dim: int) -> Any:
    a, b = _halves(F, x, dim, "reglu")
    return F.cat([g * _value(F, rectifiers.relu, b), F.where(b > 0, g * a, 0)], dim)


@activation(formula=r"a \odot \operatorname{GELU}(b)", derivative=r"\operatorname{GELU}(b);\ a\,\operatorname{GELU}'(b)", paper=SHAZEER,
            axis=True, module="GEGLU")
@wide
def geglu(F: Any, x: Any, *, dim: int = -1) -> Any:
    """a gelu(b) (Shazeer 2020). (..., 2n, ...) to (..., n, ...).

    >>> ta.activations.catalogue["geglu"](ta.tensor([1.0, 2.0, 0.0, 3.0]))
    tensor([0.0000, 5.9919])
    """
    return _product(F, x, dim, gelu.gelu, "geglu")


@geglu.backward
@wide
def geglu_backward(F: Any, g: Any, x: Any, *, dim: int) -> Any:
    return _gradient(F, g, x, dim, gelu.gelu, "geglu")


@activation(formula=r"a \odot \operatorname{GELU}_{\tanh}(b)",
            derivative=r"\operatorname{GELU}_{\tanh}(b);\ a\,\operatorname{GELU}_{\tanh}'(b)", paper=SHAZEER, axis=True,
            module="GEGLUTanh")
@wide
def geglu_tanh(F: Any, x: Any, *, dim: int = -1) -> Any:
    """a gelu_tanh(b) (Shazeer 2020). (..., 2n, ...) to (..., n, ...).

    >>> ta.activations.catalogue["geglu_tanh"](ta.tensor([1.0, 2.0, 0.0, 3.0]))
    tensor([0.0000, 5.9927])
    """
    return _product(F, x, dim, gelu.gelu_tanh, "geglu_tanh")


@geglu_tanh.backward
@wide
def geglu_tanh_backward(F: Any, g: Any, x: Any, *, dim: int) -> Any:
    return _gradient(F, g, x, dim, gelu.gelu_tanh, "geglu_tanh")


@activation(formula=r"a \odot b\,\sigma(b)", derivative=r"b\,\sigma(b);\ a\,\sigma(b)\,(1 + b\,\sigma(-b))", paper=SHAZEER, axis=True,
            module="SwiGLU")
@wide
def swiglu(F: Any, x: Any, *, dim: int = -1) -> Any:
    """a silu(b) (Shazeer 2020). (..., 2n, ...) to (..., n, ...).

    >>> ta.activations.catalogue["swiglu"](ta.tensor([1.0, 2.0, 0.0, 3.0]))
    tensor([0.0000, 5.7154])
    """
    return _product(F, x, dim, swish.silu, "swiglu")


@swiglu.backward
@wide
def swiglu_backward(F: Any, g: Any, x: Any, *, dim: int) -> Any:
    return _gradient(F, g, x, dim, swish.silu, "swiglu")


@activation(formula=r"a \odot b", derivative=r"b;\ a", paper="arXiv:1612.08083", axis=True, module="BilinearGLU")
@wide
def bilinear_glu(F: Any, x: Any, *, dim: int = -1) -> Any:
    """a b: the gate without a nonlinearity (Dauphin et al. 2016). (..., 2n, ...) to (..., n, ...).

    >>> ta.activations.catalogue["bilinear_glu"](ta.tensor([1.0, 2.0, 4.0, 3.0]))
    tensor([4., 6.])
    """
    a, b = _halves(F, x, dim, "bilinear_glu")
    return a * b


@bilinear_glu.backward
@wide
def bilinear_glu_backward(F: Any, g: Any, x: Any, *, dim: int) -> Any:
    a, b = _halves(F, x, dim, "bilinear_glu")
    return F.cat([g * b, g * a], dim)


@activation(formula=r"a \odot \operatorname{Mish}(b)", derivative=r"\operatorname{Mish}(b);\ a\,\operatorname{Mish}'(b)", paper=SHAZEER,
            axis=True, module="MishGLU", note="Shazeer's construction with Mish; it is in no paper of its own.")
@wide
def mish_glu(F: Any, x: Any, *, dim: int = -1) -> Any:
    """a mish(b). (..., 2n, ...) to (..., n, ...).

    >>> ta.activations.catalogue["mish_glu"](ta.tensor([1.0, 2.0, 0.0, 3.0]))
    tensor([0.0000, 5.9731])
    """
    return _product(F, x, dim, swish.mish, "mish_glu")


@mish_glu.backward
@wide
def mish_glu_backward(F: Any, g: Any, x: Any, *, dim: int) -> Any:
    return _gradient(F, g, x, dim, swish.mish, "mish_glu")
