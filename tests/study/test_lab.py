"""The laboratory: theory against closed forms, measured against theory, and every experiment shown, saved and repeated."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError
from tinygrad_act.study import lab
from tinygrad_act.study.lab.activation import choice, choices, numbers, unit
from tinygrad_act.study.lab.depth import SCHEMES, gain_of
from tinygrad_act.study.lab.result import clean, power
from tinygrad_act.study.lab.theory import Unit, fixed_point, moments, path

# Experiment -> settings with which it takes a moment.
TINY: dict[str, dict[str, Any]] = {
    "gradient_depth": {"activations": ["sigmoid", "relu"], "depth": 4, "width": 16, "batch": 2, "nets": 2},
    "dead_units": {"activations": ["relu", "elu"], "rates": [0.1], "biases": [0.0, -9.0], "data": "two_moons", "steps": 3, "width": 8},
    "saturation": {"scales": [1.0, 8.0], "data": "two_moons", "layers": 2, "width": 8, "steps": 4, "every": 2},
    "batch_norm": {"activations": ["sigmoid"], "data": "two_moons", "layers": 4, "width": 8, "steps": 3},
    "compare": {"activations": ["relu", "sigmoid"], "data": "two_moons", "width": 8, "epochs": 1, "seeds": 2},
    "gelu_forms": {"data": "two_moons", "width": 8, "epochs": 1, "seeds": 2},
    "underflow": {"depths": [2, 6], "scales": [1.0, 1024.0], "width": 8, "batch": 16},
    "symmetry": {"data": "two_moons", "width": 8, "steps": 3},
    "learned_slopes": {"activations": ["prelu"], "data": "two_moons", "layers": 2, "width": 8, "steps": 3},
}
TIMES = ("time",)                         # figures that no seed gives again


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    return {name: lab.run(name, **settings) for name, settings in TINY.items()}


# ----------------------------------------------------------------------------------------------------------- theory
@pytest.mark.parametrize("q", [1e-4, 0.3, 1.0, 7.0, 1e4, 1e8])
def test_moments_are_the_closed_forms(q: float) -> None:
    closed = {
        "relu": (ta.relu, (0.0,), q / 2, 0.5),
        "leaky": (lambda x: ta.where(x > 0, x, 0.1 * x), (0.0,), q * 1.01 / 2, 1.01 / 2),
        "erf": (ta.erf, (), 2 / math.pi * math.asin(2 * q / (1 + 2 * q)), 4 / math.pi / math.sqrt(1 + 4 * q)),
        "abs": (ta.abs, (0.0,), q, 1.0),
        "linear": (lambda x: 3 * x, (), 9 * q, 9.0),
    }
    if q < 10:
        closed["sin"] = (ta.sin, (), (1 - math.exp(-2 * q)) / 2, (1 + math.exp(-2 * q)) / 2)
    for name, (function, kinks, square, slope) in closed.items():
        found = moments(Unit(name, function, kinks), q)
        assert found == pytest.approx((square, slope), rel=1e-9), name


def test_moments_with_kinks_off_the_middle() -> None:
    q = 2.0
    inside = math.erf(1 / math.sqrt(2 * q))                                   # hard_tanh: |√q z| < 1
    assert moments(unit("hard_tanh"), q)[1] == pytest.approx(inside, rel=1e-11)
    inside = math.erf(3 / math.sqrt(2 * q)) / 36
    assert moments(unit("hard_sigmoid"), q)[1] == pytest.approx(inside, rel=1e-11)


def test_the_gain_is_that_of_nn_init() -> None:
    for name in numbers():
        assert gain_of(unit(name)) == pytest.approx(nn.init.calculate_gain(name, computed=True), rel=1e-8), name


def test_moments_of_the_sigmoid_are_scipys() -> None:
    integrate = pytest.importorskip("scipy.integrate")

    def expected(q: float) -> float:
        def density(z: float) -> float:
            s = 1 / (1 + math.exp(-math.sqrt(q) * z))
            return (s * (1 - s)) ** 2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        return float(integrate.quad(density, -12, 12, epsabs=1e-13)[0])

    for q in (0.1, 1.0, 5.0):
        assert moments(unit("sigmoid"), q)[1] == pytest.approx(expected(q), rel=1e-9)


def test_fixed_points() -> None:
    q, chi = fixed_point(unit("tanh"), 1.5 ** 2, 0.05)
    assert q == pytest.approx(1.5 ** 2 * moments(unit("tanh"), q)[0] + 0.05, rel=1e-9)
    assert chi == pytest.approx(1.5 ** 2 * moments(unit("tanh"), q)[1])
    assert fixed_point(unit("relu"), 2.0, 0.0, 1.5) == (3.0, 1.0)             # Kaiming: any variance is one
    assert fixed_point(unit("relu"), 1.0, 0.0)[0] == 0.0
    assert fixed_point(unit("relu"), 3.0, 0.0)[0] == math.inf
    assert fixed_point(unit("selu"), 1.0, 0.0)[0] == pytest.approx(1.0, rel=1e-9)
    near_zero = fixed_point(unit("tanh"), 0.5, 0.0)
    assert near_zero == (0.0, pytest.approx(0.5, rel=1e-4))
    long = path(unit("tanh"), 1.5 ** 2, 0.05, 200)
    assert long.variances[-1] == pytest.approx(q, rel=1e-6)


# ------------------------------------------------------------------------------------------- measured against theory
@pytest.mark.parametrize("scheme", SCHEMES)
def test_gradients_go_as_theory_says(scheme: str) -> None:
    result = lab.gradient_depth(["sigmoid", "tanh", "relu", "gelu", "softplus", "hard_sigmoid"], [scheme], depth=12, width=192, batch=4, nets=2)
    for row in result.rows:
        assert row["factor"] == pytest.approx(row["theory"], rel=0.04), row
        assert row["variance"] == pytest.approx(row["variance_theory"], rel=0.35), row


def test_sigmoid_vanishes_and_relu_with_kaiming_does_not() -> None:
    result = lab.gradient_depth(["sigmoid", "relu"], ["kaiming", "xavier"], depth=20, width=64, nets=2)
    found = {(r["activation"], r["initialisation"]): r for r in result.rows}
    assert found["relu", "kaiming"]["theory"] == pytest.approx(1.0, abs=1e-12)
    assert 0.9 < found["relu", "kaiming"]["factor"] < 1.1
    assert found["relu", "xavier"]["theory"] == pytest.approx(math.sqrt(0.5))
    assert found["sigmoid", "xavier"]["factor"] < 0.25
    assert found["sigmoid", "xavier"]["through"] < 1e-10


def test_functions_modules_and_classes_have_a_theory_too() -> None:
    result = lab.gradient_depth([nn.ReLU, nn.LeakyReLU(0.3), ta.sin, lambda x: 2 * x], ["kaiming"], depth=6, width=128, nets=1)
    gains = {"ReLU": math.sqrt(2), "LeakyReLU(negative_slope=0.3)": math.sqrt(2 / 1.09), "<lambda>": 0.5, "sin": math.sqrt(2 / (1 - math.exp(-2)))}
    for row in result.rows:
        assert row["gain"] == pytest.approx(gains[row["activation"]], rel=1e-6)
        assert row["factor"] == pytest.approx(row["theory"], rel=0.1)
        assert row["activation"] == "sin" or row["theory"] == pytest.approx(1.0)


def test_every_activation_of_one_number_can_be_measured() -> None:
    result = lab.gradient_depth(initialisations=["xavier"], depth=2, width=8, batch=2, nets=1)
    assert [r["activation"] for r in result.rows] == list(numbers())


# ----------------------------------------------------------------------------------------------------- experiments
def test_every_experiment_is_in_the_table() -> None:
    assert set(TINY) == set(lab.experiments)
    assert all(getattr(lab, name) is e for name, e in lab.experiments.items())
    assert "gradient_depth" in lab.listing().text(80)


@pytest.mark.parametrize("name", TINY)
def test_results_are_shown_drawn_and_saved(name: str, results: dict[str, Any], tmp_path: Path) -> None:
    result = results[name]
    for width in (80, 120):
        pytest.importorskip("rich")
        assert max(map(len, result.table(width).splitlines())) <= width
    assert result.markdown().startswith(f"### {name}: ")
    state = json.loads(result.json())
    assert state["rows"] == json.loads(json.dumps(clean(result.rows)))
    assert state["settings"].keys() == lab.experiments[name].settings.keys()
    pytest.importorskip("matplotlib")
    saved = result.save(tmp_path / "results")
    assert sorted(p.name for p in saved) == sorted(p.name for p in (tmp_path / "results").iterdir()) == [f"{name}.{e}" for e in ("json", "md", "png")]
    assert all(p.stat().st_size > 100 for p in saved)


@pytest.mark.parametrize("name", TINY)
def test_a_seed_gives_the_same_figures_again(name: str, results: dict[str, Any]) -> None:
    before = ta.get_rng_state().tolist()
    again = lab.run(name, **TINY[name])
    assert ta.get_rng_state().tolist() == before

    def rows(result: Any) -> str:
        return json.dumps([{k: v for k, v in row.items() if k not in TIMES} for row in result.rows])
    assert rows(again) == rows(results[name])


def test_another_seed_gives_others(results: dict[str, Any]) -> None:
    other = lab.gradient_depth(**{**TINY["gradient_depth"], "seed": 1})
    assert [r["factor"] for r in other.rows] != [r["factor"] for r in results["gradient_depth"].rows]


def test_a_low_bias_kills_relu_and_not_elu(results: dict[str, Any]) -> None:
    found = {(r["activation"], r["bias"]): r for r in results["dead_units"].rows}
    assert found["relu", -9.0]["dead_before"] == found["relu", -9.0]["dead_after"] == 1.0
    assert found["elu", -9.0]["dead_before"] == 0.0


def test_of_what_diverged_nothing_is_said_to_be_alive() -> None:
    (row,) = lab.dead_units(["leaky_relu"], rates=[1e20], biases=[0.0], data="two_moons", steps=5, width=8).rows
    assert row["diverged"] and math.isnan(row["dead_after"])


def test_a_relu_of_ones_own_is_not_timed_as_the_catalogues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["tinygrad_act.study.lab.compare"], "step_seconds", lambda nets, *rest: [float(k + 3) for k in range(len(nets))])
    (row,) = lab.compare({"relu": ta.sin}, data="two_moons", width=8, epochs=1, seeds=1).rows
    assert row["time"] == pytest.approx(3 / 4)


@pytest.mark.parametrize(("x", "text"), [(0.0, "0.000"), (0.5, "0.500"), (31.2, "31.2"), (512.3, "5.1e+02"), (2e-6, "2.0e-06"), (math.inf, "inf"), (math.nan, "–")])
def test_numbers_keep_two_digits(x: float, text: str) -> None:
    assert power(x) == text


def test_larger_weights_saturate_more(results: dict[str, Any]) -> None:
    found = {(r["activation"], r["scale"], r["layer"]): r["start"] for r in results["saturation"].rows}
    assert found["tanh", 8.0, 2] > found["tanh", 1.0, 2]


def test_the_forms_of_gelu(results: dict[str, Any]) -> None:
    exact, by_tanh, _, wrong = results["gelu_forms"].rows
    assert exact["error"] == 0
    assert by_tanh["error"] == pytest.approx(4.73e-4, rel=0.01)
    assert (wrong["error"], wrong["where"]) == (pytest.approx(6.0, abs=1e-6), -6.0)
    assert (wrong["slope_at_0"], wrong["at_minus_3"]) == (0.0, pytest.approx(2.9919, abs=1e-4))


def test_a_larger_loss_scale_loses_less(results: dict[str, Any]) -> None:
    rows = {(r["depth"], r["scale"]): r for r in results["underflow"].rows}
    assert rows[6, 1024.0]["subnormal"] < rows[6, 1.0]["subnormal"]
    assert all(0 <= r["lost"] + r["subnormal"] + r["overflow"] <= 1 for r in rows.values())


def test_units_that_begin_alike_stay_alike(results: dict[str, Any]) -> None:
    assert [r["units"] for r in results["symmetry"].rows] == [1, 1, 8, 8]


# ------------------------------------------------------------------------------------------------- what is accepted
def test_compare_takes_names_functions_modules_and_classes() -> None:
    def mine(x: Any) -> Any:
        return x.clamp(min=-1)

    given = ["ReLU", "glu", ta.sin, mine, nn.PReLU, nn.LeakyReLU(0.3), ta.activations.catalogue["mish"], lambda x: x * x]
    result = lab.compare(given, data="two_moons", width=8, layers=2, epochs=1, seeds=1)
    assert [r["activation"] for r in result.rows] == ["relu", "glu", "sin", "mine", "PReLU", "LeakyReLU(negative_slope=0.3)", "mish", "<lambda>"]
    named = lab.compare({"a": ta.sin, "b": "tanh"}, data="two_moons", width=8, epochs=1, seeds=1, initialisation="kaiming")
    assert [r["activation"] for r in named.rows] == ["a", "b"]
    assert [c.name for c in choices(["relu", "relu"])] == ["relu (1)", "relu (2)"]
    assert [c.name for c in choices("gelu")] == ["gelu"]


def test_a_module_is_copied_for_each_place() -> None:
    module = nn.PReLU()
    lab.compare([module], data="two_moons", width=8, epochs=1, seeds=1)
    assert module.weight.item() == 0.25
    assert choice(module).make() is not module


def test_own_data() -> None:
    x, y = ta.randn(50, 2, 3), ta.randint(0, 4, (50,))
    assert lab.compare(["relu"], data=(x, y), width=8, epochs=1, seeds=1).rows[0]["accuracy"][0] <= 1


@pytest.mark.parametrize(("call", "said"), [
    (lambda: lab.compare(["rellu"]), "did you mean relu"),
    (lambda: lab.compare([3]), "a name, a function"),
    (lambda: lab.compare(["relu"], data="cats"), "digits, two_moons, spirals"),
    (lambda: lab.compare(["relu"], seeds=0), "seeds=0"),
    (lambda: lab.compare(["relu"], lr="fast"), "a number above 0"),
    (lambda: lab.compare(["relu"], epoch=3), "did you mean epochs"),
    (lambda: lab.compare(["relu"], activations=["relu"]), "positional"),
    (lambda: lab.compare(["relu"], initialisation="zeros"), "default or kaiming"),
    (lambda: lab.gradient_depth(["softmax"]), "one number"),
    (lambda: lab.gradient_depth(["relu"], ["he"]), "kaiming"),
    (lambda: lab.dead_units(rates=[]), "at least one"),
    (lambda: lab.learned_slopes(["relu"]), "no parameters"),
    (lambda: lab.run("gradientdepth"), "did you mean gradient_depth"),
])
def test_misuse_is_said(call: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        call()
