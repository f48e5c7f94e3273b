"""Distributions of both libraries, made by one function from the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import tinygrad_act as ta
from tests.ops.against_torch import array, torch


class Case(NamedTuple):
    """`make` takes the module `distributions` and tensors of the `parameters`; `value` can be drawn, and broadcasts with the batch."""

    make: Callable[..., Any]
    parameters: list[np.ndarray]
    value: np.ndarray


def positive(*shape: int, seed: int = 0) -> np.ndarray:
    return array(*shape, low=0.3, high=2.0, seed=seed)


def factor(*shape: int, n: int = 3, seed: int = 0) -> np.ndarray:
    """Lower triangular matrices with a positive diagonal."""
    a = np.tril(array(*shape, n, n, low=-1.0, high=1.0, seed=seed), -1)
    return a + np.eye(n) * positive(*shape, n, 1, seed=seed)


def spread(*shape: int, n: int = 3, seed: int = 0) -> np.ndarray:
    """Positive definite matrices."""
    a = factor(*shape, n=n, seed=seed)
    return a @ np.swapaxes(a, -1, -2)


def share(*shape: int, seed: int = 0) -> np.ndarray:
    """Vectors of probabilities."""
    a = positive(*shape, seed=seed)
    return a / a.sum(-1, keepdims=True)


def ints(*values: int) -> np.ndarray:
    return np.array(values)


def bits(*shape: int) -> np.ndarray:
    return np.where(array(*shape, seed=9) > 0, 1.0, 0.0)


def tensor(D: Any, values: Any) -> Any:
    """Constants of either library."""
    return (ta if D is ta.distributions else torch).tensor(values, dtype=(ta if D is ta.distributions else torch).float64)


N, P, V = array(2, 3), positive(2, 3, seed=1), array(4, 2, 3, seed=2)

CASES: dict[str, Case] = {
    "Normal": Case(lambda D, loc, scale: D.Normal(loc, scale), [N, P], V),
    "Normal that broadcasts": Case(lambda D, loc, scale: D.Normal(loc, scale), [array(2, 1), positive(3)], V),
    "Normal of numbers": Case(lambda D: D.Normal(0.5, 2), [], array(4)),
    "Normal of a number and a tensor": Case(lambda D, scale: D.Normal(1, scale), [P], V),
    "Normal of no axes": Case(lambda D, loc, scale: D.Normal(loc, scale), [array(), positive()], array()),
    "LogNormal": Case(lambda D, loc, scale: D.LogNormal(loc, scale), [N, P], positive(4, 2, 3)),
    "Uniform": Case(lambda D, low, high: D.Uniform(low, high), [N - 5, N + 5], V),
    "Uniform of numbers": Case(lambda D: D.Uniform(-2.0, 3.0), [], array(4)),
    "Exponential": Case(lambda D, rate: D.Exponential(rate), [P], positive(4, 2, 3)),
    "Laplace": Case(lambda D, loc, scale: D.Laplace(loc, scale), [N, P], V),
    "Bernoulli of probs": Case(lambda D, p: D.Bernoulli(p), [array(2, 3, low=0.05, high=0.95)], bits(4, 2, 3)),
    "Bernoulli of logits": Case(lambda D, x: D.Bernoulli(logits=x), [N], bits(4, 2, 3)),
    "Bernoulli of a number": Case(lambda D: D.Bernoulli(0.25), [], bits(4)),
    "Bernoulli that is certain": Case(lambda D: D.Bernoulli(tensor(D, [0.0, 0.5, 1.0])), [], bits(3)),
    "Categorical of probs": Case(lambda D, p: D.Categorical(p), [positive(2, 3)], ints(2, 0)),
    "Categorical of logits": Case(lambda D, x: D.Categorical(logits=x), [N], ints(1, 2)),
    "Categorical of one vector": Case(lambda D, x: D.Categorical(logits=x), [array(4)], ints(1, 3, 3, 0)),
    "Categorical of more values": Case(lambda D, x: D.Categorical(logits=x), [array(2, 3)], np.array([[0, 1], [2, 2], [1, 0]])),
    "Categorical with a 0": Case(lambda D: D.Categorical(tensor(D, [0.0, 1.0, 3.0])), [], ints(1, 0)),
    "OneHotCategorical": Case(lambda D, p: D.OneHotCategorical(p), [positive(2, 3)], np.eye(3)[[2, 0]]),
    "OneHotCategorical of logits": Case(lambda D, x: D.OneHotCategorical(logits=x), [N], np.eye(3)[[2, 0]]),
    "Independent": Case(lambda D, loc, scale: D.Independent(D.Normal(loc, scale), 1), [N, P], V),
    "Independent of two axes": Case(lambda D, x: D.Independent(D.Bernoulli(logits=x), 2), [N], bits(4, 2, 3)),
    "Independent of none": Case(lambda D, x: D.Independent(D.Categorical(logits=x), 0), [N], ints(1, 2)),
    "MultivariateNormal of a factor": Case(lambda D, loc, L: D.MultivariateNormal(loc, scale_tril=L.tril()), [N, factor()], V),
    "MultivariateNormal of factors": Case(lambda D, loc, L: D.MultivariateNormal(loc, scale_tril=L.tril()), [array(3), factor(2)], V),
    "MultivariateNormal of a covariance": Case(lambda D, loc, A: D.MultivariateNormal(loc, (A + A.mT) / 2), [N, spread(2)], V),
    "MultivariateNormal of a precision": Case(lambda D, loc, A: D.MultivariateNormal(loc, precision_matrix=(A + A.mT) / 2), [N, spread()], V),
    "a mixture of normals": Case(lambda D, x, loc, scale: D.MixtureSameFamily(D.Categorical(logits=x), D.Normal(loc, scale)),
                                 [array(2, 3, seed=5), N, P], array(4, 2)),
    "a mixture of one choice": Case(lambda D, x, loc, scale: D.MixtureSameFamily(D.Categorical(logits=x), D.Laplace(loc, scale)),
                                    [array(3, seed=5), N, P], array(4, 2)),
    "a mixture of vectors": Case(lambda D, x, loc, scale: D.MixtureSameFamily(D.Categorical(x), D.Independent(D.Normal(loc, scale), 1)),
                                 [positive(2), N, P], array(4, 3)),
    "a mixture of multivariate ones": Case(lambda D, x, loc, L: D.MixtureSameFamily(D.Categorical(x), D.MultivariateNormal(loc, scale_tril=L.tril())),
                                           [positive(2), N, factor(2)], array(4, 3)),
    "tanh of a normal": Case(lambda D, loc, scale: D.TransformedDistribution(D.Normal(loc, scale), D.TanhTransform()),
                             [N, P], array(4, 2, 3, low=-0.9, high=0.9)),
    "tanh of a normal, as vectors": Case(lambda D, loc, scale: D.TransformedDistribution(
        D.Independent(D.Normal(loc, scale), 1), [D.TanhTransform(cache_size=1)]), [N, P], array(4, 2, 3, low=-0.9, high=0.9)),
    "sigmoid of a normal": Case(lambda D, loc, scale: D.TransformedDistribution(D.Normal(loc, scale), [D.SigmoidTransform()]),
                                [N, P], array(4, 2, 3, low=0.1, high=0.9)),
    "a line of a normal": Case(lambda D, loc, scale: D.TransformedDistribution(D.Normal(0.0, tensor(D, 1.0)), [D.AffineTransform(loc, -scale)]),
                               [N, P], V),
    "a line of vectors": Case(lambda D, loc, scale: D.TransformedDistribution(
        D.Normal(loc, 1.0), [D.AffineTransform(0.5, scale, event_dim=1), D.ExpTransform()]), [N, P], positive(4, 2, 3)),
    "the logistic distribution": Case(lambda D, a, b: D.TransformedDistribution(
        D.Uniform(tensor(D, 0.0), 1.0), [D.SigmoidTransform().inv, D.AffineTransform(a, b)]), [N, P], V),
    "softplus of a normal": Case(lambda D, loc, scale: D.TransformedDistribution(D.Normal(loc, scale), D.ComposeTransform(
        [D.SoftplusTransform(), D.PowerTransform(2.0)])), [N, P], positive(4, 2, 3)),
    "a normal in another shape": Case(lambda D, loc, scale: D.TransformedDistribution(
        D.Normal(loc, scale), [D.ExpTransform(), D.ReshapeTransform((3,), (3, 1))]), [N, P], positive(4, 2, 3, 1)),
}


def both(case: Case, ask: Callable[[Any], Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """What `ask` gets from the distribution, as a function of the parameters' tensors, of ours and of PyTorch's."""
    return (lambda *t: ask(case.make(ta.distributions, *t))), (lambda *t: ask(case.make(torch.distributions, *t)))


KL: dict[str, tuple[Case, Case]] = {}
for _p, _q in [("Normal", "Normal"), ("Normal", "Normal that broadcasts"), ("Normal", "Normal of numbers"), ("LogNormal", "LogNormal"), ("Normal", "Laplace"), ("Laplace", "Laplace"),
               ("Laplace", "Normal"), ("Normal", "Uniform"), ("Normal", "Exponential"), ("Laplace", "Uniform"), ("Laplace", "Exponential"),
               ("Uniform", "Uniform"), ("Uniform", "Normal"), ("Uniform", "Exponential"), ("Exponential", "Exponential"), ("Exponential", "Normal"),
               ("Exponential", "Uniform"), ("Bernoulli of probs", "Bernoulli of logits"), ("Bernoulli of logits", "Bernoulli of logits"),
               ("Categorical of probs", "Categorical of logits"), ("Categorical of logits", "Categorical of logits"),
               ("Categorical with a 0", "Categorical with a 0"), ("OneHotCategorical", "OneHotCategorical of logits"), ("Independent", "Independent"),
               ("MultivariateNormal of a factor", "MultivariateNormal of factors"), ("MultivariateNormal of factors", "MultivariateNormal of a covariance"),
               ("MultivariateNormal of a precision", "MultivariateNormal of a factor"), ("tanh of a normal", "tanh of a normal"),
               ("Independent of two axes", "Independent of two axes"), ("Bernoulli that is certain", "Bernoulli of a number")]:
    KL[f"{_p}, {_q}"] = CASES[_p], CASES[_q]
