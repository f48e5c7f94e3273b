"""What `watch` says of a layer is what the numbers are."""

from __future__ import annotations

import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.study import watch


def test_mean_spread_and_gradient_are_those_of_what_passed() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
    batches = [ta.randn(8, 3), ta.randn(5, 3)]
    with watch(model) as layers:
        outputs = [model(x) for x in batches]
        for y in outputs:
            (y * 2).sum().backward()
    values = ta.cat(outputs).detach().double()
    linear, tanh = layers
    assert tanh.mean == pytest.approx(values.mean().item())
    assert tanh.std == pytest.approx(values.std(unbiased=False).item())
    assert tanh.gradient_rms == pytest.approx(2.0)
    expected = (2 * (1 - values * values)).square().mean().sqrt().item()
    assert linear.gradient_rms == pytest.approx(expected, rel=1e-4)
    assert (linear.dead, linear.saturated, linear.shape) == (None, None, (8, 4))


def test_a_unit_that_never_has_a_slope_is_dead_and_is_counted_once() -> None:
    layer = nn.Linear(2, 3)
    with ta.no_grad():
        layer.weight.copy_(ta.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
        layer.bias.copy_(ta.tensor([0.0, 0.0, -1.0]))                          # the third unit never fires
    model = nn.Sequential(layer, nn.ReLU())
    with watch(model) as layers:
        model(ta.tensor([[1.0, -1.0]]))                                        # the second is off here
        model(ta.tensor([[-1.0, 1.0]]))                                        # and on here
    assert (layers[1].dead, layers[1].units) == (1, 3)
    assert layers[1].saturated == pytest.approx(4 / 6)


def test_saturation_counts_slopes_below_a_hundredth_of_the_steepest() -> None:
    model = nn.Sequential(nn.Tanh())
    with watch(model) as layers:
        model(ta.tensor([[0.0, 1.0, 5.0, -5.0]]))
    assert layers[0].saturated == pytest.approx(0.5)
    assert layers[0].dead == 0


def test_watching_ends_with_the_block_and_changes_nothing() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid())
    x = ta.ones(1, 2)
    before = model(x).tolist()
    with watch(model) as layers:
        assert model(x).tolist() == before
    count = layers[0].count
    model(x)
    assert layers[0].count == count
    assert list(layers[1].row()) == ["layer", "module", "output", "mean", "std", "gradient rms", "saturated", "dead units"]


def test_a_module_that_works_in_place_is_seen_before_it_does() -> None:
    model = nn.Sequential(nn.LeakyReLU(0.001, inplace=True))
    with watch(model) as layers:
        model(ta.tensor([[-1.0, 1.0, 2.0, -3.0]]))
    assert layers[0].saturated == pytest.approx(0.5)


def test_watching_draws_nothing_that_training_would_have_drawn() -> None:
    model, drawn = nn.Sequential(nn.RReLU()), []
    for watched in (False, True):
        ta.manual_seed(0)
        with watch(model if watched else nn.Identity()):
            model(-ta.ones(3))
        drawn.append(ta.rand(1).item())
    assert drawn[0] == drawn[1]
