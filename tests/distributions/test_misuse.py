"""What is refused, as PyTorch refuses it, and what the errors say; settings; classes of one's own."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any, ClassVar

import pytest

import tinygrad_act as ta
from tests.ops.against_torch import torch
from tinygrad_act.errors import TinygradActError

D = ta.distributions

WRONG: dict[str, tuple[Any, str]] = {
    "scale": (lambda D, t: D.Normal(0.0, t([1.0, -1.0])), r"Normal: scale, .*\(2,\): -1.0 does not satisfy .*GreaterThan\(lower_bound=0.0\); .*softplus"),
    "nan": (lambda D, t: D.Normal(t(float("nan")), 1.0), "loc.*nan.*Real.*detect_anomaly"),
    "low": (lambda D, t: D.Uniform(t([1.0]), t([1.0])), "low"),
    "probability": (lambda D, t: D.Bernoulli(1.5), r"1\.5.*Interval"),
    "both": (lambda D, t: D.Bernoulli(0.5, 0.5), "both probs and logits: it takes one"),
    "neither": (lambda D, t: D.Categorical(), "neither probs nor logits"),
    "simplex": (lambda D, t: D.Categorical(t([[1.0, 1.0], [-1.0, 3.0]])), r"1 of 2.*Simplex.*softmax"),
    "no classes": (lambda D, t: D.Categorical(t(1.0)), r"need an axis"),
    "one hot": (lambda D, t: D.OneHotCategorical(t([0.5, 0.5])).log_prob(t([0.5, 0.5])), "OneHot"),
    "rate": (lambda D, t: D.Exponential(0.0), "rate"),
    "text": (lambda D, t: D.Normal("0", 1.0), "str.*a Tensor or a number"),
    "two matrices": (lambda D, t: D.MultivariateNormal(t([0.0]), t([[1.0]]), t([[1.0]])), "covariance_matrix and precision_matrix: it takes exactly one"),
    "no matrix": (lambda D, t: D.MultivariateNormal(t([0.0])), "no matrix"),
    "a vector": (lambda D, t: D.MultivariateNormal(t([0.0]), t([1.0])), "diag_embed"),
    "a number": (lambda D, t: D.MultivariateNormal(t(0.0), t([[1.0]])), "Normal is for numbers"),
    "not positive definite": (lambda D, t: D.MultivariateNormal(t([0.0, 0.0]), t([[1.0, 2.0], [2.0, 1.0]])), "PositiveDefinite"),
    "not symmetric": (lambda D, t: D.MultivariateNormal(t([0.0, 0.0]), t([[1.0, 0.5], [0.0, 1.0]])), "PositiveDefinite"),
    "not triangular": (lambda D, t: D.MultivariateNormal(t([0.0, 0.0]), scale_tril=t([[1.0, 0.5], [0.0, 1.0]])), "LowerCholesky.*tril"),
    "axes": (lambda D, t: D.Independent(D.Normal(t([0.0]), 1.0), 2), r"reinterpreted_batch_ndims=2.*\(1,\)"),
    "mixture of no choice": (lambda D, t: D.MixtureSameFamily(D.Normal(0.0, 1.0), D.Normal(t([0.0]), 1.0)), "takes a Categorical"),
    "mixture of no distribution": (lambda D, t: D.MixtureSameFamily(D.Categorical(t([1.0])), 3), "int"),
    "mixture sizes": (lambda D, t: D.MixtureSameFamily(D.Categorical(t([1.0, 1.0])), D.Normal(t([0.0, 0.0, 0.0]), 1.0)), r"choice of 2.*\(3,\)"),
    "mixture batches": (lambda D, t: D.MixtureSameFamily(D.Categorical(t([[1.0], [1.0]])), D.Normal(t([[0.0], [0.0], [0.0]]), 1.0)), r"\(2,\).*\(3,\)"),
    "transforms": (lambda D, t: D.TransformedDistribution(D.Normal(0.0, 1.0), ["tanh"]), "a Transform or a list"),
    "cache": (lambda D, t: D.TanhTransform(cache_size=2), "0 or 1"),
    "value shape": (lambda D, t: D.Normal(t([0.0, 0.0]), 1.0).log_prob(t([0.0, 0.0, 0.0])), r"\(3,\).*broadcast.*\(2,\)"),
    "event shape": (lambda D, t: D.OneHotCategorical(t([0.5, 0.5])).log_prob(t([1.0, 0.0, 0.0])), r"\(3,\).*the event's, \(2,\)"),
    "no tensor": (lambda D, t: D.Normal(0.0, 1.0).log_prob(0.0), "must be a Tensor"),
    "class": (lambda D, t: D.Categorical(t([0.5, 0.5])).log_prob(t(2)), "IntegerInterval"),
    "outside": (lambda D, t: D.Exponential(1.0).log_prob(t(-1.0)), "GreaterThanEq"),
    "negative cdf": (lambda D, t: D.Uniform(0.0, 1.0).cdf(t(2.0)), "Interval"),
    "settings": (lambda D, t: D.Distribution.set_default_validate_args("no"), "True or False"),
    "reshape": (lambda D, t: D.ReshapeTransform((2,), (3,)), "numbers of elements"),
}


@pytest.mark.parametrize("name", WRONG)
def test_refused_as_in_pytorch(name: str) -> None:
    make, says = WRONG[name]
    with pytest.raises(ValueError):
        make(torch.distributions, torch.tensor)
    with pytest.raises(TinygradActError, match=says) as said:
        make(D, ta.tensor)
    assert isinstance(said.value, ValueError)


LACKING: dict[str, Any] = {
    "rsample": lambda D, t: D.Bernoulli(0.5).rsample(),
    "cdf": lambda D, t: D.Categorical(t([1.0])).cdf(t(0.0)),
    "kl": lambda D, t: D.kl_divergence(D.Normal(0.0, 1.0), D.Bernoulli(0.5)),
    "kl of other events": lambda D, t: D.kl_divergence(D.Independent(D.Normal(t([[0.0]]), 1.0), 1), D.Independent(D.Normal(t([[0.0]]), 1.0), 2)),
    "kl of other transforms": lambda D, t: D.kl_divergence(D.LogNormal(0.0, 1.0), D.TransformedDistribution(D.Normal(0.0, 1.0), D.TanhTransform())),
    "entropy": lambda D, t: D.TransformedDistribution(D.Normal(0.0, 1.0), D.TanhTransform()).entropy(),
    "all of a product": lambda D, t: D.Independent(D.Bernoulli(t([0.5])), 1).enumerate_support(),
}


@pytest.mark.parametrize("name", LACKING)
def test_what_there_is_not(name: str) -> None:
    with pytest.raises(NotImplementedError):
        LACKING[name](torch.distributions, torch.tensor)
    with pytest.raises(NotImplementedError) as said:
        LACKING[name](D, ta.tensor)
    assert isinstance(said.value, TinygradActError)


def test_a_number_is_no_shape() -> None:
    with pytest.raises(ta.errors.ArgumentError, match=r"sample_shape=3: .*write \(3,\)"):
        D.Normal(0.0, 1.0).sample(3)


def test_checks_can_be_switched_off() -> None:
    p = D.Normal(0.0, -1.0, validate_args=False)
    assert p.log_prob(0.0).isnan().item() and p.expand((2,)).log_prob(ta.zeros(3)[:2]).shape == (2,)
    D.Distribution.set_default_validate_args(False)
    try:
        assert D.Uniform(0.0, 1.0).log_prob(ta.tensor(2.0)).item() == float("-inf")
        with pytest.raises(ValueError):
            D.Normal(0.0, -1.0, validate_args=True)
    finally:
        D.Distribution.set_default_validate_args(True)


def test_a_policy_that_is_nan_is_not_drawn_from() -> None:
    for shape in ((2, 3), (3,)) if ta.backend.current_device().type == "cpu" else ((2, 3),):     # multinomial looks on the CPU only
        with pytest.raises(ta.errors.ArgumentError, match="finite"):
            D.Categorical(logits=ta.full(shape, float("nan")), validate_args=False).sample()


def test_copies() -> None:
    p = D.TransformedDistribution(D.Independent(D.Normal(ta.zeros(2, 3), 1.0), 1), [D.TanhTransform(cache_size=1), D.AffineTransform(0.0, 2.0).inv])
    x = p.sample()
    for other in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert other.log_prob(x).tolist() == pytest.approx(p.log_prob(x).tolist(), rel=1e-4)


# -------------------------------------------------------------------------------------------------- of one's own
class Shifted(D.Normal):
    """A subclass with an __init__ of its own, and no expand."""

    def __init__(self, loc: float) -> None:
        super().__init__(loc, 1.0)


class Bare(D.Distribution):
    """One that says nothing of itself."""

    def rsample(self, sample_shape: Any = ()) -> Any:
        return ta.zeros(sample_shape)

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        return value


class Die(D.Distribution):
    """As a lesson writes one."""

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = D.constraints.integer_interval(1, 6)

    def sample(self, sample_shape: Any = ()) -> Any:
        return ta.randint(1, 7, self._extended_shape(sample_shape))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        return ta.full(value.shape, -1.791759)


def test_subclasses() -> None:
    with pytest.raises(NotImplementedError, match="define expand"):
        Shifted(0.0).expand((2,))
    with pytest.warns(UserWarning, match="arg_constraints"):
        bare = Bare()
    assert bare.sample((2,)).shape == (2,)
    with pytest.warns(UserWarning, match="support"):
        bare.log_prob(ta.ones(1))
    die = Die()
    assert 1 <= die.sample().item() <= 6 and die.log_prob(die.sample((5,))).shape == (5,)
    with pytest.raises(ValueError):
        die.log_prob(ta.tensor(7))
    assert D.kl_divergence(Shifted(1.0), Shifted(0.0)).item() == 0.5
    for f in (die.cdf, die.icdf):
        with pytest.raises(NotImplementedError):
            f(ta.tensor(1))
    for fact in ("mean", "mode", "variance", "stddev"):
        with pytest.raises(NotImplementedError):
            getattr(die, fact)


def test_the_closest_formula_is_taken() -> None:
    class One(D.Normal):
        pass

    class Two(One):
        pass
    D.register_kl(One, D.Normal)(lambda p, q: "one")
    assert D.kl_divergence(Two(0.0, 1.0), D.Normal(0.0, 1.0)) == "one"
    D.register_kl(D.Normal, One)(lambda p, q: "other")
    with pytest.warns(RuntimeWarning, match=r"Ambiguous.*register_kl\(One, One\)"):
        assert D.kl_divergence(Two(0.0, 1.0), One(0.0, 1.0)) == "one"
    D.register_kl(One, One)(lambda p, q: "both")
    assert D.kl_divergence(Two(0.0, 1.0), Two(0.0, 1.0)) == "both"
    with pytest.raises(ta.errors.ArgumentError, match="two subclasses"):
        D.register_kl(int, One)
    for pair in ((One, D.Normal), (D.Normal, One), (One, One)):
        del sys.modules["tinygrad_act.distributions.kl"].FORMULAS[pair]
    sys.modules["tinygrad_act.distributions.kl"]._formula.cache_clear()


def test_imported_when_first_named() -> None:
    code = "import sys, tinygrad_act as ta; assert 'tinygrad_act.distributions' not in sys.modules; ta.distributions.Normal(0., 1.)"
    subprocess.run([sys.executable, "-c", code], check=True)
    from tinygrad_act.distributions.categorical import Categorical
    from tinygrad_act.distributions.normal import Normal
    assert (D.Normal, D.Categorical) == (Normal, Categorical)
