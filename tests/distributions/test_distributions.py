"""Distributions give what PyTorch's give: shapes, texts, formulas and their first and second derivatives."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.ops.against_torch import array, check, read, torch

from .cases import CASES, KL, Case, both

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:torch")
ASKED = ["entropy", "mean", "mode", "stddev", "variance", "batch_shape", "event_shape", "has_rsample", "has_enumerate_support", "perplexity"]


def compare(case: Case, ask: Any, *more: np.ndarray, dtype: str = "float64", **keywords: Any) -> None:
    """What PyTorch can say, we can; what it has not, we have not."""
    inputs = [x.astype(dtype) if x.dtype.kind == "f" else x for x in (*case.parameters, *more)]
    k = len(case.parameters)
    ours, theirs = (lambda *t: ask(case.make(ta.distributions, *t[:k]), *t[k:])), (lambda *t: ask(case.make(torch.distributions, *t[:k]), *t[k:]))
    try:
        theirs(*[torch.tensor(x) for x in inputs])
    except NotImplementedError:
        with pytest.raises(NotImplementedError):
            ours(*[ta.tensor(x) for x in inputs])
        return
    check(ours, theirs, *inputs, dtype=False, **keywords)


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("name", CASES)
def test_facts(name: str, asked: str) -> None:
    def ask(p: Any) -> Any:
        said = getattr(p, asked)
        said = said() if callable(said) else said
        return tuple(said) if "shape" in asked else said
    compare(CASES[name], ask)


@pytest.mark.parametrize("asked", ["log_prob", "cdf", "icdf"])
@pytest.mark.parametrize("name", CASES)
def test_functions_of_a_value(name: str, asked: str) -> None:
    case = CASES[name]
    value = np.asarray(np.clip(np.abs(case.value) / 4, 0.02, 0.98)) if asked == "icdf" and case.value.dtype.kind == "f" else case.value
    edge = "certain" in name                                # infinities, and what is computed from them
    compare(case, lambda p, x: getattr(p, asked)(x), value, order=0 if edge else 2, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_in_float32(name: str) -> None:
    case = CASES[name]
    compare(case, lambda p, x: p.log_prob(x), case.value, dtype="float32", order=1, rtol=2e-4, atol=2e-4)
    p = case.make(ta.distributions, *[ta.tensor(x.astype("float32")) for x in case.parameters])
    if case.parameters and "normal" not in name and "logistic" not in name:
        assert p.sample().dtype in (ta.float32, ta.int64)


@pytest.mark.parametrize("name", CASES)
def test_text(name: str) -> None:
    texts = [str(f(*[lib.tensor(x) for x in CASES[name].parameters])) for f, lib in zip(both(CASES[name], repr), (ta, torch), strict=True)]
    assert texts[0] == texts[1].replace("torch.Size([", "(").replace("])", ")").replace("(3)", "(3,)").replace("(2)", "(2,)").replace("(4)", "(4,)")


@pytest.mark.parametrize("name", CASES)
def test_expanded(name: str) -> None:
    case = CASES[name]

    def ask(p: Any, x: Any) -> Any:
        wide = p.expand((4, *([2, 3] if "numbers" not in name else [])[:len(p.batch_shape) or 0]))
        assert tuple(wide.sample((5,)).shape) == (5, *wide.batch_shape, *wide.event_shape)
        return tuple(wide.batch_shape), wide.variance if "numbers" in name else wide.batch_shape == wide.expand(wide.batch_shape).batch_shape
    if "certain" not in name:
        compare(case, ask, case.value, order=0)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("sample_shape", [(), (5,), (2, 3)])
def test_shapes_of_draws(name: str, sample_shape: tuple[int, ...]) -> None:
    case = CASES[name]
    p = case.make(ta.distributions, *[ta.tensor(x, requires_grad=True) for x in case.parameters])
    draw = p.sample(sample_shape)
    assert draw.shape == sample_shape + p.batch_shape + p.event_shape
    assert not draw.requires_grad
    assert p.log_prob(draw).shape == sample_shape + p.batch_shape
    if not p.has_rsample:
        with pytest.raises(NotImplementedError, match="rsample"):
            p.rsample(sample_shape)
        return
    smooth = p.rsample(sample_shape)
    assert smooth.shape == draw.shape and smooth.requires_grad == bool(case.parameters)
    if case.parameters:
        smooth.sum().backward()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("expand", [True, False])
def test_all_values(name: str, expand: bool) -> None:
    compare(CASES[name], lambda p: p.enumerate_support(expand), order=0)


@pytest.mark.parametrize("name", KL)
def test_divergences(name: str) -> None:
    p, q = KL[name]
    k = len(p.parameters)
    inputs = [*p.parameters, *[x * 1.25 for x in q.parameters]]

    def of(lib: Any) -> Any:
        return lambda *t: lib.kl_divergence(p.make(lib, *t[:k]), q.make(lib, *t[k:]))
    single = "number" in name                                # numbers are float32
    check(of(ta.distributions), of(torch.distributions), *inputs, order=0 if "certain" in name else 2, rtol=1e-6 if single else 1e-8, atol=1e-6 if single else 1e-8)


def test_divergence_where_p_draws_what_q_cannot() -> None:
    def of(D: Any, tensor: Any) -> Any:
        p, q = tensor([0.0, 0.5, 0.5]), tensor([0.5, 0.0, 0.5])
        return [D.kl_divergence(D.Categorical(p), D.Categorical(q)), D.kl_divergence(D.Categorical(p), D.Categorical(p)), D.kl_divergence(D.Bernoulli(p), D.Bernoulli(q)),
                D.kl_divergence(D.Uniform(p, p + 1), D.Uniform(q, q + 1))]
    for ours, theirs in zip(of(ta.distributions, ta.tensor), of(torch.distributions, torch.tensor), strict=True):
        np.testing.assert_allclose(read(ours), theirs.numpy(), rtol=1e-6)


def test_large_logits_are_exact() -> None:
    big = np.array([[800.0, 0.0, -800.0], [-1e30, 0.0, 1e30]])
    case = Case(lambda D, x: D.Categorical(logits=x), [big], np.array([2, 0]))
    compare(case, lambda p, x: [p.log_prob(x), p.entropy()], case.value, order=1)
    check(lambda x, y: ta.distributions.Bernoulli(logits=x).log_prob(y), lambda x, y: torch.distributions.Bernoulli(logits=x).log_prob(y),
          np.array([800.0, -800.0, 800.0]), np.array([1.0, 0.0, 0.0]), order=1)


def test_matrices_of_a_multivariate_normal() -> None:
    for name in [n for n in CASES if n.startswith("MultivariateNormal")]:
        for matrix in ("covariance_matrix", "precision_matrix", "scale_tril"):
            compare(CASES[name], lambda p, matrix=matrix: getattr(p, matrix), order=1, rtol=1e-7, atol=1e-7)


def test_straight_through() -> None:
    x = ta.tensor(array(2, 3), requires_grad=True)
    p = ta.distributions.OneHotCategoricalStraightThrough(logits=x)
    draw = p.rsample((5,))
    assert np.allclose(np.sort(read(draw.detach()), -1), [0, 0, 1])
    weights = array(5, 2, 3, seed=3)
    (g,) = ta.autograd.grad((draw * ta.tensor(weights)).sum(), x)
    (wanted,) = ta.autograd.grad((x.softmax(-1) * ta.tensor(weights.sum(0))).sum(), x)
    np.testing.assert_allclose(read(g), read(wanted), atol=1e-12)


def test_transforms_and_their_inverses() -> None:
    def of(D: Any, x: Any) -> Any:
        out = []
        for t in [D.ExpTransform(), D.TanhTransform(), D.SigmoidTransform(), D.SoftplusTransform(), D.AffineTransform(0.5, -2.0), D.AbsTransform(),
                  D.ComposeTransform([D.TanhTransform(), D.AffineTransform(0.0, 3.0)]), D.ExpTransform().inv.inv, D.IndependentTransform(D.ExpTransform(), 1)]:
            y = t(x)
            out += [y, t.inv(y), t.bijective, repr(t), repr(t.domain), repr(t.codomain), t.domain.event_dim]
            if t.bijective:
                out += [t.log_abs_det_jacobian(x, y), t.inv.log_abs_det_jacobian(y, x), t.sign, t.inv == t, t.inv.inv is t]
        return out
    check(lambda x: of(ta.distributions, x), lambda x: of(torch.distributions, x), array(2, 3), rtol=1e-8, atol=1e-8)


def test_a_cached_transform_inverts_exactly() -> None:
    D = ta.distributions
    p = D.TransformedDistribution(D.Normal(ta.tensor(20.0), 1.0), D.TanhTransform(cache_size=1), validate_args=False)
    y = p.rsample()
    assert y.item() == 1.0 and math.isfinite(p.log_prob(y).item())
    assert not math.isfinite(p.log_prob(y.clone()).item())
    assert [t.with_cache(0)._cache_size for t in (p.transforms[0], D.AffineTransform(0.0, 1.0, cache_size=1), D.TanhTransform(1).inv)] == [0, 0, 0]


def test_constraints() -> None:
    ours, theirs = ta.distributions.constraints, torch.distributions.constraints
    x = array(3, 3)
    matrices = np.stack([np.eye(3), x, x @ x.T, np.tril(x), np.ones((3, 3)), -np.eye(3)])
    for name in ("boolean", "real", "positive", "nonnegative", "nonnegative_integer", "positive_integer", "unit_interval", "one_hot", "simplex",
                 "real_vector", "lower_triangular", "lower_cholesky", "square", "symmetric", "positive_semidefinite", "positive_definite"):
        one, other = getattr(ours, name), getattr(theirs, name)
        assert (repr(one), one.event_dim, one.is_discrete) == (repr(other), other.event_dim, other.is_discrete)
        values = [matrices] if one.event_dim == 2 and not name.startswith("positive") else list(matrices)
        for value in values:
            assert read(one.check(ta.tensor(value))).tolist() == other.check(torch.tensor(value)).tolist(), name
    for name, bounds in {"greater_than": (0.5,), "greater_than_eq": (1,), "less_than": (0.5,), "interval": (0, 1), "half_open_interval": (0, 1), "integer_interval": (0, 1)}.items():
        one, other = getattr(ours, name)(*bounds), getattr(theirs, name)(*bounds)
        assert repr(one) == repr(other)
        assert read(one.check(ta.tensor(matrices))).tolist() == other.check(torch.tensor(matrices)).tolist(), name
    with contextlib.suppress(NotImplementedError):
        assert ours.dependent.event_dim is None
    assert ours.is_dependent(ta.distributions.Uniform.support) and ours.is_dependent(ta.distributions.Independent.support)
