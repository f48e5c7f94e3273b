"""Every activation as a module, and the functions that work along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.activations import fit_pade
from tests.ops.against_torch import array, check, refuses, torch
from tinygrad_act import nn
from tinygrad_act.activations import catalogue, pade
from tinygrad_act.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tinygrad_act.nn import activation

F, theirs = nn.functional, torch.nn.functional
ARGUMENTS: dict[str, Any] = {"meta_acon": (6,), "threshold": (0.5, 2.0), "softmax": (1,), "log_softmax": (1,), "softmin": (1,)}


@pytest.mark.parametrize("name", sorted(catalogue))
def test_every_record_is_a_module(name: str) -> None:
    kind = activation.modules[name]
    module = kind(*ARGUMENTS.get(name, ()))
    assert getattr(nn, kind.__name__) is kind and repr(module).startswith(kind.__name__ + "(")
    x = ta.tensor(array(3, 6), dtype=ta.float32, requires_grad=True)
    y = module(x)
    assert y.dtype == ta.float32
    y.sum().backward()
    learned = dict(module.named_parameters())
    assert set(learned) == set(catalogue[name].learnable) and all(p.grad is not None and p.grad.shape == p.shape for p in learned.values())
    again = nn.Activation(name, *ARGUMENTS.get(name, ()))
    assert type(again) is kind and type(nn.Activation(kind.__name__, *ARGUMENTS.get(name, ()))) is kind


IN_TORCH = sorted(n for n, m in activation.modules.items() if hasattr(torch.nn, m.__name__) and n not in ("rrelu", "linear"))


@pytest.mark.parametrize("name", IN_TORCH)
def test_modules_of_pytorch(name: str) -> None:
    ours, other = activation.modules[name](*ARGUMENTS.get(name, ())), getattr(torch.nn, activation.modules[name].__name__)
    other = other(*ARGUMENTS.get(name, ())).double()
    check(ours.double(), other, array(4, 6, low=-4, high=4), rtol=1e-7, order=1 if name == "hard_sigmoid" else 2)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in other.named_parameters()]


@pytest.mark.parametrize("name", sorted(n for n, r in catalogue.items() if r.learnable and n != "meta_acon"))
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5), (2, 3, 2, 2)])
def test_one_parameter_a_channel(name: str, shape: tuple[int, ...]) -> None:
    """Each channel is what a module of its own makes of it."""
    x = ta.tensor(array(*shape))
    wide = activation.modules[name](num_parameters=3, dtype=ta.float64)
    alone = [activation.modules[name](dtype=ta.float64) for _ in range(3)]
    with ta.no_grad():
        for key, p in wide.named_parameters():
            p.add_(ta.tensor(array(*p.shape, low=0, high=0.1)))
            for c in range(3):
                getattr(alone[c], key).copy_(p[..., c:c + 1] if p.ndim == 1 else p[:, c])
    y = wide(x)
    for c in range(3):
        np.testing.assert_allclose(np.array(y[:, c].tolist()), np.array(alone[c](x[:, c]).tolist()), rtol=1e-12, atol=1e-12)


def test_settings_are_checked_and_kept() -> None:
    assert nn.LeakyReLU(0.3).negative_slope == 0.3 and nn.GELU("tanh").approximate == "tanh"
    assert nn.PReLU(2, init=0.5).weight.tolist() == [0.5, 0.5] and nn.Swish(init=2.0).beta.tolist() == [2.0]
    assert nn.StarReLU(scale=2.0).scale.tolist() == [2.0] and nn.XIELU(eps=-0.5).eps == -0.5
    with pytest.raises(ArgumentError, match="it takes"):
        nn.ReLU(slope=1)
    with pytest.raises(ArgumentError, match="did you mean"):
        nn.Activation("gelo")
    with pytest.raises(ArgumentError, match="choose from"):
        nn.PAU(init="sine")
    with pytest.raises(ArgumentError, match="6 channels"):
        nn.MetaACON(6)(ta.zeros(2, 5))
    with pytest.raises(ArgumentError, match="not in the catalogue"):
        nn.DynamicMixture(["nothing"])(ta.zeros(2))
    with pytest.raises(ArgumentError, match="no parameters of its own"):
        nn.DynamicMixture(["prelu"])(ta.zeros(2))


def test_in_place_where_pytorch_has_it() -> None:
    x = ta.tensor([-1.0, 2.0])
    assert nn.ReLU(inplace=True)(x) is x and x.tolist() == [0.0, 2.0]


def test_rrelu_draws_in_training_only() -> None:
    layer, x = nn.RReLU(), -ta.ones(100)
    assert layer.eval()(x).tolist() == pytest.approx([-(1 / 8 + 1 / 3) / 2] * 100)
    drawn = np.array(layer.train()(x).tolist())
    assert drawn.min() >= -1 / 3 and drawn.max() <= -1 / 8 and len(set(drawn)) > 50


# -------------------------------------------------------------------------------------------------- pade units
@pytest.mark.parametrize("name", sorted(pade.STARTS))
def test_starts_are_what_the_fit_gives(name: str) -> None:
    np.testing.assert_allclose(np.concatenate(pade.STARTS[name]), np.concatenate(fit_pade.fit(name)), atol=2**-15)
    x = np.linspace(-3, 3, 61)
    got = np.array(nn.PAU(init=name, dtype=ta.float64)(ta.tensor(x)).tolist())
    assert np.abs(got - [fit_pade.FUNCTIONS[name][3](v) for v in x]).max() < 0.04


def test_a_denominator_may_change_its_sign() -> None:
    """Rational values and gradients, also where the polynomial under the bars is negative, against PyTorch's chain rule."""
    a, b, x = array(6), array(4, seed=1), array(40, low=-4, high=4)

    def theirs_pau(x: Any, a: Any, b: Any) -> Any:
        powers = [x**k for k in range(6)]
        return sum(a[j] * powers[j] for j in range(6)) / (1 + abs(sum(b[k] * powers[k + 1] for k in range(4))))
    check(catalogue["pau"].op, theirs_pau, x, a, b, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5), (2, 4, 2, 3)])
def test_meta_acon_against_the_chain_rule(shape: tuple[int, ...]) -> None:
    c, h = shape[1], 3

    def chain(x: Any, p1: Any, p2: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
        means = x.mean(tuple(range(2, x.ndim))) if x.ndim > 2 else x
        out = [-1] + [1] * (x.ndim - 2)
        beta = torch.sigmoid((means @ w1.T + b1) @ w2.T + b2).reshape(x.shape[0], *out)
        d = (p1.reshape(out) - p2.reshape(out)) * x
        return d * torch.sigmoid(beta * d) + p2.reshape(out) * x
    check(catalogue["meta_acon"].op, chain, array(*shape), array(c), array(c, seed=1), array(h, c), array(h), array(c, h), array(c, seed=2),
          rtol=1e-8)


# ----------------------------------------------------------------------------------------------- along an axis
ALONG = [((3, 4), 1), ((3, 4), 0), ((3, 4), -1), ((2, 3, 4), 1), ((5,), 0), ((), 0), ((), -1), ((0, 3), 1), ((3, 1), 1)]


@pytest.mark.parametrize(("shape", "dim"), [*ALONG, ((3, 0), 1)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
def test_softmaxes(name: str, shape: tuple[int, ...], dim: int) -> None:
    check(getattr(F, name), getattr(theirs, name), array(*shape, low=-5, high=5), dim=dim)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
def test_softmaxes_of_unusual_rows(name: str) -> None:
    inf, nan = np.inf, np.nan
    rows = np.array([[-inf, -inf, -inf], [1e4, -1e4, 0.0], [0.0, -inf, 1.0], [inf, 0.0, 1.0], [nan, 0.0, 1.0], [2.0, 2.0, 2.0]])
    check(getattr(F, name), getattr(theirs, name), rows, dim=1, order=1)
    for dtype in ("float16", "bfloat16", "float32"):
        check(getattr(F, name), getattr(theirs, name), array(3, 4, dtype=dtype), dim=1, order=1)
    got = getattr(F, name)(ta.tensor([[1, 2], [3, 4]]), dim=1, dtype=ta.float64)
    np.testing.assert_allclose(got.tolist(), getattr(theirs, name)(torch.tensor([[1, 2], [3, 4]]), dim=1, dtype=torch.float64).numpy())


def test_log_softmax_of_a_sure_thing_is_not_0() -> None:
    """The logarithm of a share that is 1 to the last digit."""
    y = F.log_softmax(ta.tensor([40.0, 0.0, 0.0]), dim=0)
    np.testing.assert_allclose(y.tolist()[0], -2 * np.exp(-40.0), rtol=1e-6)


def test_softmax_as_function_and_method() -> None:
    x = ta.tensor(array(3, 4))
    assert ta.softmax(x, 1).tolist() == x.softmax(dim=1).tolist() == x.softmax(-1).tolist()
    assert ta.log_softmax(x, 1).tolist() == x.log_softmax(1).tolist()
    with pytest.warns(UserWarning, match="dim=1 is chosen"):
        assert F.softmax(x).tolist() == F.softmax(x, 1).tolist()


def test_softmax2d() -> None:
    check(nn.Softmax2d(), torch.nn.Softmax2d(), array(2, 3, 4, 5))
    check(nn.Softmax2d(), torch.nn.Softmax2d(), array(3, 4, 5))
    refuses(nn.Softmax2d(), torch.nn.Softmax2d(), array(3, 4))


def test_softmax_refuses() -> None:
    for dim in (2, -3):
        with pytest.raises(IndexingError, match="softmax"):
            F.softmax(ta.zeros(2, 2), dim)
    with pytest.raises(DTypeError, match="float"):
        F.softmax(ta.tensor([1, 2]), 0)
    refuses(F.log_softmax, theirs.log_softmax, np.array([1, 2]), dim=0)
    with pytest.raises(ShapeError, match="multiple of k"):
        F.maxout(ta.zeros(2, 5), 2)
    with pytest.raises(ArgumentError, match="above 0"):
        F.gumbel_softmax(ta.zeros(3), tau=0)


@pytest.mark.parametrize("name", ["softmax", "softmin", "sparsemax", "entmax15", "hardmax", "gumbel_softmax"])
@pytest.mark.parametrize(("shape", "dim"), ALONG)
def test_shares_add_up_to_1(name: str, shape: tuple[int, ...], dim: int) -> None:
    x = ta.tensor(array(*shape), requires_grad=True)
    y = getattr(F, name)(x, dim=dim)
    values = np.array(y.tolist()).reshape(shape)
    assert y.shape == shape and (values >= 0).all()
    np.testing.assert_allclose(values.sum(dim) if shape else values, 1, rtol=1e-12)
    (g,) = ta.autograd.grad(y.sum(), x)
    np.testing.assert_allclose(np.array(g.tolist()).reshape(shape), 0, atol=1e-12)          # the sum is constant


@pytest.mark.parametrize("name", ["sparsemax", "entmax15", "hardmax", "squash", "maxout"])
def test_an_empty_axis_and_rows_without_numbers(name: str) -> None:
    assert getattr(F, name)(ta.zeros(3, 0), dim=1).shape == (3, 0)
    if name in ("sparsemax", "entmax15"):
        y = getattr(F, name)(ta.tensor([[-np.inf, -np.inf], [0.0, -np.inf], [np.nan, 0.0]]), dim=1)
        rows = np.array(y.tolist())
        assert np.isnan(rows[[0, 2]]).all() and rows[1].tolist() == [1.0, 0.0]


def test_ties() -> None:
    for f in (F.sparsemax, F.entmax15, F.softmax):
        assert f(ta.tensor([1.0, 1.0, -9.0, 1.0]), dim=0).tolist() == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3], abs=1e-4)
    assert F.hardmax(ta.tensor([0.0, 2.0, 2.0])).tolist() == [0.0, 1.0, 0.0]
    x = ta.tensor([3.0, 3.0, 1.0, 2.0], requires_grad=True)
    F.maxout(x).sum().backward()
    assert x.grad.tolist() == [1.0, 0.0, 0.0, 1.0]
    check(lambda v: F.maxout(v, 3, dim=1), lambda v: v.unflatten(1, (2, 3)).max(2).values, array(4, 6, 2))


def test_gumbel_softmax_chooses_by_its_shares() -> None:
    ta.manual_seed(0)
    logits = ta.tensor([0.0, 1.0, 2.0], requires_grad=True)
    many = F.gumbel_softmax(logits.expand(20000, 3), hard=True)
    assert set(np.array(many.tolist()).ravel()) == {0.0, 1.0}
    np.testing.assert_allclose(many.mean(0).tolist(), F.softmax(logits, 0).tolist(), atol=0.012)
    generator = [ta.Generator(device=logits.device).manual_seed(5) for _ in range(4)]
    soft, again = (F.gumbel_softmax(logits, tau=0.5, generator=g) for g in generator[:2])
    assert soft.tolist() == again.tolist()
    c = ta.tensor([1.0, -2.0, 0.5])
    (from_soft,) = ta.autograd.grad((soft * c).sum(), logits)
    (from_hard,) = ta.autograd.grad((F.gumbel_softmax(logits, tau=0.5, hard=True, generator=generator[2]) * c).sum(), logits)
    assert from_soft.tolist() == pytest.approx(from_hard.tolist())                          # straight through


def test_squash_shortens() -> None:
    for scale, length in ((1e-30, 0.0), (1.0, 25 / 26), (1e30, 1.0)):
        x = ta.tensor([3.0, 4.0]) * scale
        assert float(np.linalg.norm(F.squash(x).tolist())) == pytest.approx(length, abs=1e-6)
    zero = ta.zeros(3, requires_grad=True)
    (g,) = ta.autograd.grad(F.squash(zero).sum(), zero, create_graph=True)
    assert g.tolist() == [0.0] * 3 and ta.autograd.grad(g.sum(), zero)[0].tolist() == [0.0] * 3
    check(lambda x: F.squash(x, dim=1), lambda x: x * x.norm(dim=1, keepdim=True) / (1 + (x * x).sum(1, keepdim=True)), array(3, 4, 2))
