"""What is drawn has the moments that the formulas say, and gradients go through it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.ops.against_torch import array, read

from .cases import CASES, KL, factor

D = ta.distributions
MANY = 20000
NO_MOMENTS = ("tanh", "sigmoid", "logistic", "softplus", "line of vectors", "shape")


def moments(name: str) -> bool:
    return not any(part in name for part in NO_MOMENTS) and not name.startswith(("Categorical", "Independent of none", "a line"))


@pytest.mark.parametrize("name", [n for n in CASES if moments(n)])
def test_moments_of_draws(name: str) -> None:
    case = CASES[name]
    p = case.make(D, *[ta.tensor(x) for x in case.parameters])
    ta.manual_seed(3)
    draws = read(p.sample((MANY,))).astype("float64")
    mean, deviation = np.broadcast_to(read(p.mean), draws.shape[1:]), np.broadcast_to(read(p.stddev), draws.shape[1:])
    slack = 20 if name == "LogNormal" else 6                 # its tail is heavy
    assert (np.abs(draws.mean(0) - mean) <= slack * deviation / MANY ** 0.5 + 1e-6).all()
    np.testing.assert_allclose(draws.std(0), deviation, rtol=0.4 if name == "LogNormal" else 0.06, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in CASES if "line" not in n])
def test_the_entropy_is_the_mean_of_minus_log_prob(name: str) -> None:
    case = CASES[name]
    p = case.make(D, *[ta.tensor(x) for x in case.parameters])
    ta.manual_seed(4)
    try:
        entropy = read(p.entropy())
    except NotImplementedError:
        return
    said = -read(p.log_prob(p.sample((MANY,))))
    assert (np.abs(said.mean(0) - entropy) <= 6 * said.std(0) / MANY ** 0.5 + 1e-5).all()


@pytest.mark.parametrize("name", [n for n in CASES if CASES[n].parameters])
def test_the_median_and_quarters_are_where_icdf_says(name: str) -> None:
    case = CASES[name]
    p = case.make(D, *[ta.tensor(x) for x in case.parameters])
    ta.manual_seed(5)
    for share in (0.25, 0.5, 0.9):
        try:
            below = read(p.sample((MANY,))) <= read(p.icdf(ta.full(p.batch_shape + p.event_shape, share, dtype=ta.float64)))
        except NotImplementedError:
            return
        assert (np.abs(below.mean(0) - share) < 0.03).all()


@pytest.mark.parametrize("name", [n for n in KL if n.startswith(("Normal, Normal", "Laplace, Normal", "Normal, Laplace", "MultivariateNormal", "Categorical", "Uniform, Normal"))])
def test_divergences_are_what_draws_say(name: str) -> None:
    p, q = (c.make(D, *[ta.tensor(x) for x in c.parameters]) for c in KL[name])
    ta.manual_seed(6)
    x = p.sample((MANY,))
    said = read(p.log_prob(x)) - read(q.log_prob(x))
    assert (np.abs(said.mean(0) - read(D.kl_divergence(p, q))) <= 6 * said.std(0) / MANY ** 0.5 + 1e-6).all()


def test_rare_classes_are_drawn_as_often_as_they_should_be() -> None:
    probs = ta.tensor([[0.001, 0.0, 0.899, 0.1], [0.0, 0.5, 0.5, 0.0]])
    ta.manual_seed(0)
    for draws in (read(D.Categorical(probs).sample((MANY,))), np.stack([read(D.Categorical(row).sample((MANY,))) for row in probs], -1)):
        shares = np.stack([(draws == k).mean(0) for k in range(4)], -1)
        assert (np.abs(shares - read(probs)) < 0.02).all() and not shares[read(probs) == 0].any() and 0 < shares[0, 0] < 0.003


def test_gradients_go_through_draws() -> None:
    """d/dmu of the mean of x*x is 2 mu, d/dsigma 2 sigma: by the same seed also as central differences say."""
    for name in ("Normal", "Uniform", "Exponential", "Laplace", "LogNormal", "tanh of a normal", "MultivariateNormal of a factor", "Independent"):
        case = CASES[name]
        leaves = [ta.tensor(x, requires_grad=True) for x in case.parameters]

        def f(*t: Any, make: Any = case.make) -> ta.Tensor:
            ta.manual_seed(1)
            return (make(D, *t).rsample((7,)) ** 2).sum()
        assert ta.autograd.gradcheck(f, leaves) and ta.autograd.gradgradcheck(f, leaves)


def test_equal_seeds_draw_equal_numbers() -> None:
    for case in CASES.values():
        p = case.make(D, *[ta.tensor(x) for x in case.parameters])
        draws = []
        for _ in range(2):
            ta.manual_seed(2)
            draws.append(read(p.sample((3,))))
        assert (draws[0] == draws[1]).all()


def test_what_a_draw_left_behind_has_its_gradient() -> None:
    """Probabilities are computed from logits once, here under no_grad, and kept."""
    for make in (lambda x: D.Categorical(logits=x), lambda x: D.Bernoulli(logits=x), lambda x: D.OneHotCategorical(logits=x)):
        x = ta.tensor(array(2, 3), requires_grad=True)
        p = make(x)
        with ta.no_grad():
            p.sample()
        (g,), (wanted,) = (ta.autograd.grad(q.entropy().sum(), x) for q in (p, make(x)))
        np.testing.assert_array_equal(read(g), read(wanted))
        assert np.abs(read(g)).max() > 0


def test_sample_n_is_the_old_name() -> None:
    with pytest.warns(FutureWarning, match=r"sample\(\(n,\)\)"):
        assert D.Normal(0.0, 1.0).sample_n(3).shape == (3,)


# ---------------------------------------------------------------------------------------------- in a compiled step
def steps(f: Any, *args: Any) -> tuple[list[Any], dict[str, int]]:
    step = ta.compile(f, fullgraph=True)
    return [read(step(*args)) for _ in range(5)], step.counts


def test_a_compiled_step_draws_anew() -> None:
    x, L = ta.tensor(array(4, 3, dtype="float32")), ta.tensor(factor().astype("float32"))
    for make in (lambda x: D.Normal(x, 1.0), lambda x: D.Laplace(x, 2.0), lambda x: D.Uniform(x, x + 1), lambda x: D.Exponential(x.exp()), lambda x: D.LogNormal(x, 1.0),
                 lambda x: D.MultivariateNormal(x, scale_tril=L), lambda x: D.TransformedDistribution(D.Normal(x, 1.0), D.TanhTransform(cache_size=1)),
                 lambda x: D.MixtureSameFamily(D.Categorical(logits=x), D.Normal(x, 1.0)), lambda x: D.Independent(D.Normal(x, 1.0), 1)):
        def f(x: ta.Tensor, make: Any = make) -> ta.Tensor:
            p = make(x)
            draw = p.sample((2,))
            return (draw + 0 * p.log_prob(draw).sum()).flatten()
        draws, counts = steps(f, x)
        assert counts["replayed"] >= 2
        assert len(np.unique(np.stack(draws)[:, 0])) == 5
    for make in (lambda x: D.Bernoulli(logits=x), lambda x: D.Categorical(logits=x), lambda x: D.Categorical(logits=x[0]), lambda x: D.OneHotCategorical(logits=x)):
        draws, counts = steps(lambda x, make=make: make(x).sample((30,)), x)
        assert counts["replayed"] >= 2
        assert len({d.tobytes() for d in draws}) == 5


def test_a_compiled_step_is_the_step() -> None:
    """Of a small variational autoencoder and a policy: the same numbers, bit for bit, with and without."""
    def trained(compiled: bool) -> list[float]:
        ta.manual_seed(0)
        net = ta.nn.Linear(3, 4)
        optimizer = ta.optim.Adam(net.parameters(), lr=0.1)
        x = ta.tensor(array(5, 3, dtype="float32"))

        def step(x: ta.Tensor) -> ta.Tensor:
            optimizer.zero_grad()
            mean, spread = net(x).chunk(2, -1)
            q = D.Normal(mean, spread.exp())
            policy = D.Categorical(logits=q.rsample())
            action = policy.sample()
            loss = D.kl_divergence(q, D.Normal(0.0, 1.0)).sum(-1).mean() - (policy.log_prob(action) * action).mean() - policy.entropy().mean()
            loss.backward()
            optimizer.step()
            return loss
        run = ta.compile(step, fullgraph=True) if compiled else step
        return [run(x).item() for _ in range(6)]
    assert trained(False) == trained(True)


def test_a_compiled_step_checks_as_ever() -> None:
    step = ta.compile(lambda scale: D.Normal(0.0, scale).log_prob(ta.zeros(2)))
    for _ in range(4):
        step(ta.ones(2))
    assert step.counts["replayed"] == 2
    with pytest.raises(ValueError, match="scale.*GreaterThan"):
        step(-ta.ones(2))
