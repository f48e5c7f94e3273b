"""Kullback and Leibler's divergence of two distributions, by the formulas of pairs of classes."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

from .. import _functions as ops
from .. import linalg
from ..errors import ArgumentError, ShapeError
from ..nn.functional import softplus
from ..tensor import Tensor
from .bernoulli import Bernoulli
from .categorical import Categorical
from .distribution import Distribution, NoFormulaError
from .exponential import Exponential
from .independent import Independent
from .laplace import Laplace
from .multivariate_normal import MultivariateNormal, half_log_det, mahalanobis
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform
from .utils import sum_rightmost

__all__ = ["kl_divergence", "register_kl"]

Formula = Callable[[Any, Any], Tensor]
FORMULAS: dict[tuple[type, type], Formula] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Formula], Formula]:
    """A decorator: the function is the divergence of a `type_p` from a `type_q`, also of their subclasses that have no closer one.

    >>> class Half(ta.distributions.Normal): "One of my own."
    >>> @ta.distributions.register_kl(Half, ta.distributions.Uniform)
    ... def of_half(p, q):
    ...     return p.loc - q.low
    >>> ta.distributions.kl_divergence(Half(3.0, 1.0), ta.distributions.Uniform(1.0, 2.0))
    tensor(2.)
    """
    for kind in (type_p, type_q):
        if not (isinstance(kind, type) and issubclass(kind, Distribution)):
            raise ArgumentError("register_kl", repr(kind), "it takes two subclasses of Distribution")

    def decorator(formula: Formula) -> Formula:
        FORMULAS[type_p, type_q] = formula
        _formula.cache_clear()
        return formula

    return decorator


@functools.cache
def _formula(type_p: type, type_q: type) -> Formula | None:
    """The closest, by p's class and then q's; a warning where it would be another the other way around."""
    found = [(type_p.__mro__.index(p), type_q.__mro__.index(q), p, q) for p, q in FORMULAS
             if p in type_p.__mro__ and q in type_q.__mro__]
    if not found:
        return None
    _, _, *by_p = min(found, key=lambda f: f[:2])
    _, _, *by_q = min(found, key=lambda f: (f[1], f[0]))
    chosen = FORMULAS[by_p[0], by_p[1]]
    if chosen is not FORMULAS[by_q[0], by_q[1]]:
        warnings.warn(f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}): write register_kl({by_p[0].__name__}, "
                      f"{by_q[1].__name__})", RuntimeWarning, stacklevel=3)
    return chosen


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The mean of log p(x) - log q(x) over the draws x of `p`, in nats, of the batch_shape that the two make.

    Raises: NoFormulaError, a NotImplementedError, for a pair without a formula.

    >>> D = ta.distributions
    >>> D.kl_divergence(D.Normal(ta.tensor([0.0, 1.0]), 1.0), D.Normal(0.0, 1.0))
    tensor([0.0000, 0.5000])
    """
    kind_p: Any = type(p)
    kind_q: Any = type(q)
    formula = _formula(kind_p, kind_q)
    if formula is None:
        raise NoFormulaError("kl_divergence", f"{type(p).__name__} and {type(q).__name__}", "there is no formula for them",
                             "write one with @register_kl, or take the mean of p.log_prob(x) - q.log_prob(x) over x = p.rsample((n,))")
    return formula(p, q)


# ------------------------------------------------------------------------------------------- of the same kind
@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    one = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    zero = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    one = ops.where(p.probs == 0, 0.0, ops.where(q.probs == 0, math.inf, one))
    return one + ops.where(p.probs == 1, 0.0, ops.where(q.probs == 1, math.inf, zero))


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    return ops.where(p.probs == 0, 0.0, ops.where(q.probs == 0, math.inf, terms)).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot_categorical(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return _categorical(p._categorical, q._categorical)


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio, apart = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + apart / q.scale + ratio * (-apart / p.scale).exp() - 1


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale).square()
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).square() - 1 - ratio.log())


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ShapeError("kl_divergence", f"{p.event_shape} and {q.event_shape}", "the vectors have different lengths")
    spread = linalg.solve_triangular(q._factor, p._factor, upper=False).square().sum((-2, -1))
    distance = mahalanobis(q._factor, q.loc - p.loc)
    return half_log_det(q._factor) - half_log_det(p._factor) + 0.5 * (spread + distance - p.event_shape[0])


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    outside = (q.low > p.low) | (q.high < p.high)
    return ops.where(outside, math.inf, ((q.high - q.low) / (p.high - p.low)).log())


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NoFormulaError("kl_divergence", f"{p.event_shape} and {q.event_shape}", "the events have different numbers of axes")
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    """A transform that both have leaves the divergence as it is."""
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NoFormulaError("kl_divergence", "two TransformedDistributions", "their transforms differ")
    return kl_divergence(p.base_dist, q.base_dist)


# ----------------------------------------------------------------------------------------- of different kinds
@register_kl(Exponential, Uniform)
def _beyond_uniform(p: Exponential, q: Uniform) -> Tensor:
    return ops.full_like(p.rate, math.inf)


@register_kl(Laplace, Exponential)
@register_kl(Laplace, Uniform)
@register_kl(Normal, Exponential)
@register_kl(Normal, Uniform)
def _beyond(p: Laplace | Normal, q: Any) -> Tensor:
    """p draws what q cannot."""
    return ops.full_like(p.loc, math.inf)


@register_kl(Exponential, Normal)
def _exponential_normal(p: Exponential, q: Normal) -> Tensor:
    var, squared = q.scale.square(), p.rate.square()
    return 0.5 * (squared * var * 2 * math.pi).log() - 1 + (squared.reciprocal() - q.loc / p.rate + q.loc.square() * 0.5) / var


@register_kl(Laplace, Normal)
def _laplace_normal(p: Laplace, q: Normal) -> Tensor:
    var = q.scale.square()
    ratio = p.scale.square() / var
    apart = 0.5 * p.loc.square() - p.loc * q.loc + 0.5 * q.loc.square()
    return -0.5 * (2 * ratio / math.pi).log() + ratio + apart / var - 1


@register_kl(Normal, Laplace)
def _normal_laplace(p: Normal, q: Laplace) -> Tensor:
    apart = p.loc - q.loc
    steps = apart / p.scale
    near = math.sqrt(2 / math.pi) * p.scale * (-0.5 * steps.square()).exp()
    far = apart * ops.erf(math.sqrt(0.5) * steps)
    return -(p.scale / q.scale).log() + (near + far) / q.scale - 0.5 * (1 + math.log(0.5 * math.pi))


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Uniform, q: Exponential) -> Tensor:
    width = p.high - p.low
    return ops.where(p.low < 0, math.inf, q.rate * (p.high + p.low) / 2 - (width * q.rate).log())


@register_kl(Uniform, Normal)
def _uniform_normal(p: Uniform, q: Normal) -> Tensor:
    width = p.high - p.low
    apart = ((p.high + p.low - 2 * q.loc) / 2).square()
    return (math.sqrt(2 * math.pi) * q.scale / width).log() + 0.5 * (width.square() / 12 + apart) / q.scale.square()
