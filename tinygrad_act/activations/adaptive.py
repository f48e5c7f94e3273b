"""Adaptive activations: their shape is learned. (prelu, star_relu, srelu and apl are among the rectifiers, swish and snake
among the smooth ones, pau is in pade.py.)
"""

from __future__ import annotations

from math import exp, expm1, inf, log, log1p
from typing import Any

from .. import backend, dtypes
from ..errors import ArgumentError
from ..graph import recording
from ..ops.reduce import wide
from .pade import wide_joint
from .record import Activation, activation, catalogue
from .swish import swish
from .tails import logistic

ACON = "arXiv:2009.04759"


# ------------------------------------------------------------------------------------------------------ ACON
def _times(F: Any, p: Any, x: Any) -> Any:
    """p x, which is 0 for a p of 0 though x be infinite."""
    return p * F.where(p == 0, F.zeros_like(x), x)


@activation(formula=r"d\,\sigma(\beta d) + p_2 x,\ d = (p_1 - p_2) x", paper=ACON, range=(-0.2784645427610738, inf),
            derivative=r"(p_1 - p_2)(\sigma(\beta d) + \beta d\,\sigma'(\beta d)) + p_2", monotonic=False,
            smooth="analytic", zero_centred=True, saturates={"left": 0}, lipschitz=1.099839320128867,
            learnable={"p1": 1.0, "p2": 0.0, "beta": 1.0}, module="ACONC")
def acon_c(F: Any, x: Any, p1: Any, p2: Any, beta: Any) -> Any:
    """A smooth maximum of p1 x and p2 x that learns whether to activate: linear for beta = 0, their maximum for a large
    one (Ma et al. 2021). It is Swish of (p1 - p2) x, plus p2 x, and starts as SiLU.
    """
    d = (p1 - p2) * x
    right = beta * d > 0                                      # the larger line, and what is taken off it
    return _times(F, F.where(right, p1, p2), x) + swish.forward(F, F.where(right, -d, d), beta)


@acon_c.backward
def acon_c_backward(F: Any, g: Any, x: Any, p1: Any, p2: Any, beta: Any) -> Any:
    d = (p1 - p2) * x
    return (p1 - p2) * swish.rules["x"](F, g, d, beta) + p2 * g


@acon_c.backward("p1")
def acon_c_backward_p1(F: Any, g: Any, x: Any, p1: Any, p2: Any, beta: Any) -> Any:
    return swish.rules["x"](F, g, (p1 - p2) * x, beta) * x


@acon_c.backward("p2")
def acon_c_backward_p2(F: Any, g: Any, x: Any, p1: Any, p2: Any, beta: Any) -> Any:
    return swish.rules["x"](F, g, (p2 - p1) * x, beta) * x    # with p1 and p2 exchanged, f is the same


@acon_c.backward("beta")
def acon_c_backward_beta(F: Any, g: Any, x: Any, p1: Any, p2: Any, beta: Any) -> Any:
    return swish.rules["beta"](F, g, (p1 - p2) * x, beta)


# ------------------------------------------------------------------------------------------------ meta-ACON
def _product(F: Any, a: Any, b: Any) -> Any:
    """a @ b.T"""
    return F.matmul(a, F.permute(b, (1, 0)))


def _meta(F: Any, x: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> tuple[Any, Any, Any]:
    """The means of the channels (N, C), what the hidden layer makes of them, and beta (N, C, 1, ...)."""
    means = F.mean(x, tuple(range(2, x.ndim))) if x.ndim > 2 else x
    hidden = _product(F, means, w1) + b1
    beta = logistic(F, _product(F, hidden, w2) + b2)[2]
    return means, hidden, F.reshape(beta, (*beta.shape, *[1] * (x.ndim - 2)))


def _per_channel(F: Any, p: Any, x: Any) -> Any:
    return F.reshape(p, (*p.shape, *[1] * (x.ndim - 2))) if p.ndim and x.ndim > 2 else p


@activation(formula=r"d\,\sigma(\beta d) + p_2 x,\ d = (p_1 - p_2) x,\ \beta = \sigma(W_2 (W_1 \bar x + b_1) + b_2)",
            derivative=r"(p_1 - p_2)(\sigma + \beta d\,\sigma') + p_2 + \frac{\partial y}{\partial \beta}"
                       r"\frac{\partial \beta}{\partial \bar x} \frac{\partial \bar x}{\partial x}",
            paper=ACON, axis=True, range=(-inf, inf), module="MetaACON",
            note="The initial matrices are those of four channels; nn.MetaACON(channels) makes its own.",
            learnable={"p1": 1.0, "p2": 0.0, "w1": ((0.5, -0.25, 0.125, 0.75), (-0.5, 0.25, 1.0, -0.125)), "b1": (0.25, -0.5),
                       "w2": ((0.5, -1.0), (0.25, 0.75), (-0.5, 0.125), (1.0, 0.25)), "b2": (0.0, 0.5, -0.25, 0.125)})
@wide
def meta_acon(F: Any, x: Any, p1: Any, p2: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
    """ACON-C whose beta a small network computes from the mean of each channel: whether to activate depends on the
    sample (Ma et al. 2021).

    x is (N, C) or (N, C, ...), p1 and p2 (C,) or a number, w1 (hidden, C), b1 (hidden,), w2 (C, hidden), b2 (C,).
    """
    beta = _meta(F, x, w1, b1, w2, b2)[2]
    return acon_c.forward(F, x, _per_channel(F, p1, x), _per_channel(F, p2, x), beta)


@meta_acon.joint
@wide_joint
def meta_acon_backward(F: Any, g: Any, x: Any, p1: Any, p2: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
    means, hidden, beta = _meta(F, x, w1, b1, w2, b2)
    arguments = (x, _per_channel(F, p1, x), _per_channel(F, p2, x), beta)
    gx, to_p1, to_p2, to_beta = (acon_c.rules[name](F, g, *arguments) for name in ("x", "p1", "p2", "beta"))
    gz = F.reshape(F.sum_to(to_beta * (beta * (1 - beta)), beta.shape), means.shape)
    gh = F.matmul(gz, w2)
    g_means = F.matmul(gh, w1)
    if x.ndim > 2:
        count = 1
        for n in x.shape[2:]:
            count *= n
        g_means = F.reshape(g_means / count, beta.shape)
    back = [F.reshape(F.sum_to(to, arguments[i].shape), p.shape) for i, (to, p) in enumerate(((to_p1, p1), (to_p2, p2)), 1)]
    return [gx + g_means, *back, _product(F, F.permute(gh, (1, 0)), F.permute(means, (1, 0))), F.sum(gh, (0,)),
            _product(F, F.permute(gz, (1, 0)), F.permute(hidden, (1, 0))), F.sum(gz, (0,))]


# ---------------------------------------------------------------------------------------------------- xIELU
def _softplus(F: Any, a: Any) -> Any:
    return F.maximum(a, 0) + F.log1p(F.exp(-F.abs(a)))


@activation(formula=r"\alpha_p x^2 + \beta x \text{ if } x > 0 \text{ else } \alpha_n (e^{\min(x, \epsilon)} - 1 - x) + \beta x,"
                    r"\ \alpha_p = \mathrm{softplus}(a_p),\ \alpha_n = \beta + \mathrm{softplus}(a_n)",
            derivative=r"2 \alpha_p x + \beta \text{ if } x > 0;\ \alpha_n (e^x - 1) + \beta \text{ if } x \le \epsilon;"
                       r"\ \beta - \alpha_n",
            paper="arXiv:2411.13010", kinks=lambda alpha_n, beta, eps: {
                0.0: -_soft(alpha_n), eps: (beta + _soft(alpha_n)) * expm1(eps) + beta},
            range=(-0.20575122409, inf), monotonic=False, smooth="C0", zero_centred=False, lipschitz=inf, module="XIELU",
            learnable={"alpha_p": log(expm1(0.8)), "alpha_n": log(expm1(0.3))},
            note="Between eps and 0 the exponential stands still, as in the authors' code: at 0 it is off by 8e-7.")
def xielu(F: Any, x: Any, alpha_p: Any, alpha_n: Any, *, beta: float = 0.5, eps: float = -1e-6) -> Any:
    """The integral of an expanded ELU, with a learned gradient on either side (Huang and Schlag 2024). The parameters
    are what softplus makes the two alphas of: both start at 0.8.
    """
    right = x * (_softplus(F, alpha_p) * x + beta)
    soft = _softplus(F, alpha_n)
    return F.where(x > 0, right, (beta + soft) * F.expm1(F.minimum(x, eps)) - soft * F.minimum(x, 0))


def _soft(a: float) -> float:
    return log1p(exp(a))


@xielu.backward
def xielu_backward(F: Any, g: Any, x: Any, alpha_p: Any, alpha_n: Any, *, beta: float, eps: float) -> Any:
    soft = _softplus(F, alpha_n)
    left = F.where(x <= eps, (beta + soft) * F.expm1(F.minimum(x, 0)) + beta, -soft)
    return g * F.where(x > 0, 2 * _softplus(F, alpha_p) * F.maximum(x, 0) + beta, left)


@xielu.backward("alpha_p")
def xielu_backward_alpha_p(F: Any, g: Any, x: Any, alpha_p: Any) -> Any:
    r = F.maximum(x, 0)
    return g * (r * r) * logistic(F, alpha_p)[2]


@xielu.backward("alpha_n")
def xielu_backward_alpha_n(F: Any, g: Any, x: Any, alpha_n: Any, *, eps: float) -> Any:
    left = F.minimum(x, 0)
    return F.where(x > 0, 0, g * (F.expm1(F.minimum(left, eps)) - left) * logistic(F, alpha_n)[2])


# ------------------------------------------------------------------------------------------- dynamic mixture
def _member(name: str) -> Activation:
    record = catalogue.get(name)
    if record is None or record.axis or record.initial or record.op.aux:
        raise ArgumentError("dynamic_mixture", f"the member {name!r}", "it is not in the catalogue" if record is None else
                            "a member takes one number and has no parameters of its own")
    return record


def _shares(F: Any, weight: Any) -> Any:
    e = F.exp(weight - F.amax(weight, (0,), True))
    return e / F.sum(e, (0,), True)


def _rows(F: Any, values: Any, x: Any) -> list[Any]:
    """Along the first axis, one by one; further axes are the last ones of x."""
    shape = (1,) * (x.ndim - values.ndim + 1) + tuple(values.shape[1:]) if values.ndim > 1 else ()
    return [F.reshape(F.getitem(values, i), shape) if shape else F.getitem(values, i) for i in range(values.shape[0])]


def _mixed_kinks(weight: tuple[float, ...], members: tuple[str, ...]) -> dict[float, float]:
    """The seams of the members, each with the mixture of their slopes there, by their own rules."""
    total = sum(map(exp, weight))
    found = {}
    for at in {k for name in members for k in _member(name).kinks()}:
        x = backend.asarray([at], dtypes.float64, "cpu")
        F = backend.namespace(x)
        slopes = [_slope(F, r, F.ones_like(x), x, r.forward(F, x, **r.settings)) for r in map(_member, members)]
        found[at] = float(sum(exp(w) / total * float(s[0]) for w, s in zip(weight, slopes, strict=True)))
    return found


def _check(weight: Any, members: tuple[str, ...]) -> None:
    if not weight.ndim or weight.shape[0] != len(members):
        raise ArgumentError("dynamic_mixture", f"a weight of shape {weight.shape} for {len(members)} members",
                            "it must have a row for each member")


@activation(formula=r"\sum_i \mathrm{softmax}(w)_i\,f_i(x)", derivative=r"\sum_i \mathrm{softmax}(w)_i\,f_i'(x)",
            paper="arXiv:1801.09403", kinks=_mixed_kinks, range=(-inf, inf), monotonic=True, smooth="C0", zero_centred=True,
            lipschitz=1, learnable={"weight": (0.0, 0.0, 0.0)}, elementwise=False,
            note="The facts are those of the default members; kinks and the rest follow from the members chosen.")
@wide
def dynamic_mixture(F: Any, x: Any, weight: Any, *, members: tuple[str, ...] = ("linear", "relu", "tanh")) -> Any:
    """A learned mixture of activations of the catalogue (Manessi and Rozza 2018; by softmax as in Sütfeld et al. 2020).

    `weight` is (members,), or has further axes that broadcast with x, as (members, C, 1, 1).
    """
    _check(weight, members)
    shares = _rows(F, _shares(F, weight), x)
    total = None
    for name, share in zip(members, shares, strict=True):
        record = _member(name)
        part = share * record.forward(F, x, **record.settings)
        total = part if total is None else total + part
    return total


@dynamic_mixture.joint
@wide_joint
def dynamic_mixture_backward(F: Any, g: Any, x: Any, weight: Any, *, members: tuple[str, ...]) -> Any:
    shares = _shares(F, weight)
    rows = _rows(F, shares, x)
    gx, pulls = None, []
    for name, share in zip(members, rows, strict=True):
        record = _member(name)
        y = _value(F, record, x)
        part = share * _slope(F, record, g, x, y)
        gx = part if gx is None else gx + part
        pulls.append(F.reshape(F.sum_to(g * y, share.shape), (1, *weight.shape[1:])))
    pull = F.cat(pulls, 0)
    return [gx, shares * (pull - F.sum(shares * pull, (0,), True))]


def _value(F: Any, record: Activation, x: Any) -> Any:
    """f(x); where it is recorded, as the one node that it is by itself."""
    return record.op(x, **record.settings) if F is recording else record.forward(F, x, **record.settings)


def _slope(F: Any, record: Activation, g: Any, x: Any, y: Any) -> Any:
    """The record's own backward rule, given what its parameters name; recorded, with its own second derivative."""
    if F is recording and record.op.gradient is not None:
        return record.op.gradient(g, x, **record.settings)
    rule: Any = record.op.rules[0]
    values = {"x": x, "y": y}
    return rule.function(F, g, *[values["y" if i else "x"] for i, _ in rule.sources],
                         **{k: record.settings[k] for k in rule.params})
