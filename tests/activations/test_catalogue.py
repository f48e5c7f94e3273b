"""Every record of the catalogue, tested by generation: its rules against mpmath, its facts against its rules.

A new record needs a line in `reference.py` and nothing here.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

import tinygrad_act as ta
from tests.activations.reference import ACROSS, FORMULAS
from tests.activations.units import LIMITS, Case, cases, derivatives, extremes, in_torch, numpy, points, tensor, worst
from tinygrad_act.activations import catalogue
from tinygrad_act.activations.record import SMOOTHNESS
from tinygrad_act.graph import grad

CASES = cases()
DEFAULTS = [c for c in CASES if c.default]
HALVES = ["float16", "bfloat16"]
each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_default = pytest.mark.parametrize("case", DEFAULTS, ids=str)
each_record = pytest.mark.parametrize("record", catalogue.values(), ids=list(catalogue))
MODERATE = [-4.3, -2.2, -1.7, -0.9, -0.31, 0.17, 0.43, 1.3, 2.6, 4.9]


# ---------------------------------------------------------------------------------------------- the record
@each_record
def test_a_record_says_what_it_is(record: Any) -> None:
    assert record.formula and record.derivative and record.paper and record.__doc__
    assert record.name in (ACROSS if record.axis else FORMULAS), "add its definition to reference.py"
    assert set(record.initial) == set(record.op.inputs[1:]) or record.axis, "learnable= or fixed= for each further input"
    assert inspect.Parameter.empty not in record.settings.values(), "a setting has no default"
    covered = set(record.op.inputs) if "joint" in record.rules else set(record.rules)
    assert {record.op.inputs[0], *record.learnable} <= covered, "an input has no backward rule"
    if not record.axis:
        assert record.smooth in SMOOTHNESS and None not in (
            record.range, record.monotonic, record.zero_centred, record.lipschitz), "facts are missing"


@each_case
def test_the_graph_keeps_what_the_rule_names(case: Case) -> None:
    x = tensor(MODERATE, ta.float32, requires_grad=True)
    y = case.call(x)
    rule = case.record.rules.get("joint") or case.record.rules[case.record.op.inputs[0]]
    named = [p.name for p in inspect.signature(rule).parameters.values() if p.kind is not p.KEYWORD_ONLY][2:]
    held = {"y": y.array, case.record.op.inputs[0]: x.array}
    arrays = [a for a in y.node.saved if any(a is h for h in held.values())]
    assert len(arrays) == sum(n in held for n in named)


# -------------------------------------------------------------------------------------------------- accuracy
@each_case
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_value_and_derivatives_are_exact_to_a_few_units(case: Case, dtype: str) -> None:
    xs = points(case, 30 if case.default else 10)
    if dtype == "float64" and case.default:
        xs = xs + [x for x in extremes() if x not in case.kinks()]
    found = worst(case, np.dtype(dtype), xs)
    over = [f"{'f' + chr(39) * order}: {most:.3g} units at {at!r}"
            for order, ((most, at), limit) in enumerate(zip(found, LIMITS, strict=True)) if not most <= limit]
    assert not over, f"{case}: " + "; ".join(over)


@each_case
def test_third_derivative(case: Case) -> None:
    xs = [x for x in MODERATE if all(abs(x - k) > 1e-3 for k in case.kinks())]
    got = derivatives(case, xs, ta.float64, 3)[3]
    want = [float(case.truth(x)[3]) for x in xs]
    np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-9)


@each_default
@pytest.mark.parametrize("name", HALVES)
def test_halves_are_as_exact_as_their_rounding(case: Case, name: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    dtype = getattr(ta, name)
    x = tensor([*MODERATE, 0.0, 30.0, -30.0], dtype)
    exact = numpy(case.call(tensor(numpy(x).astype(np.float64), ta.float64)))
    y = case.call(x)
    assert y.dtype == dtype
    eps = 2.0**-7 if name == "bfloat16" else 2.0**-10
    slope = np.abs(derivatives(case, numpy(x).astype(np.float64), ta.float64, 1)[1])
    parameters = 2 * eps * (1 + np.abs(exact)) if case.further else 0        # they are rounded too
    bound = eps * np.abs(exact) + eps * slope * np.abs(numpy(x).astype(np.float64)) + 1e-7 + parameters
    fits = np.abs(exact) <= float(ml_dtypes.finfo(dtype).max)
    assert (np.abs(numpy(y).astype(np.float64) - exact) <= bound)[fits].all() and np.isinf(numpy(y)[~fits].astype(float)).all()
    (g,) = grad(case.call(z := tensor(numpy(x).astype(np.float32), dtype, requires_grad=True)), z, tensor(np.ones(z.shape), dtype))
    assert g.dtype == dtype and np.isfinite(numpy(g).astype(np.float32)[fits]).all()


# ------------------------------------------------------------------------------------------- unusual numbers
@each_case
@pytest.mark.parametrize("dtype", [ta.float32, ta.float64], ids=str)
def test_limits_at_infinity_and_nan(case: Case, dtype: Any) -> None:
    right, left, nan = numpy(case.call(tensor([math.inf, -math.inf, math.nan], dtype))).tolist()
    for got, end, side in ((right, 1e5, "right"), (left, -1e5, "left")):
        f, slope, *_ = case.truth(end)
        if case.default and side in case.record.saturates:
            want = float(case.record.saturates[side])
        elif abs(f) > 1e3:
            want = math.inf if f > 0 else -math.inf
        elif abs(slope) * 1e5 < 0.1:
            want = round(float(f), 3)
        else:
            continue                                           # it oscillates
        assert got == want or abs(got - want) < 1e-3, f"{case}: f({math.copysign(math.inf, end)}) = {got}, the limit is {want}"
    assert math.isnan(nan)
    _, slopes, bends = (d.tolist() for d in derivatives(case, [math.inf, -math.inf], dtype))
    for got, bend, end in zip(slopes, bends, (1e4, -1e4), strict=True):
        near, far = float(case.truth(end)[1]), float(case.truth(10 * end)[1])
        if abs(far - near) < 1e-3:
            assert abs(got - far) < 1e-3, f"{case}: f' at {math.copysign(math.inf, end)} is {got}, the limit is {far}"
            assert abs(bend) < 1e-3, f"{case}: f'' at {math.copysign(math.inf, end)} is {bend}, the limit is 0"
        elif abs(far) > 5 * abs(near) > 1e3:
            assert got == math.copysign(math.inf, far)


@each_case
def test_zeros_of_both_signs(case: Case) -> None:
    plus, minus = numpy(case.call(tensor([0.0, -0.0]))).tolist()
    assert plus == minus or (0 in case.kinks() and case.record.smooth == "discontinuous")


@each_case
def test_the_derivative_at_a_kink_is_the_one_stated(case: Case) -> None:
    kinks = case.kinks()
    for dtype in (ta.float32, ta.float64):
        at = [k for k in kinks if float(np.float32(k)) == k]
        if at:
            np.testing.assert_allclose(derivatives(case, at, dtype, 1)[1], [kinks[k] for k in at], rtol=3e-7, atol=1e-9)


# --------------------------------------------------------------------------------------------- dtype and shape
@each_case
def test_shapes(case: Case) -> None:
    whole = np.linspace(-3, 3, 24).reshape(4, 6)
    want, slope = (a.reshape(4, 6) for a in derivatives(case, whole.ravel(), ta.float64, 1))
    for cut in ((), (slice(None, None, 2), slice(None, None, 3)), (1, 2), (slice(0, 0),), (slice(None), slice(3, 3))):
        x = tensor(whole, requires_grad=True)
        part = x[cut] if cut else x
        y = case.call(part)
        assert y.shape == whole[cut].shape and y.dtype == ta.float64
        np.testing.assert_allclose(numpy(y), want[cut], rtol=1e-13, atol=1e-300)
        (g,) = grad(y, part, tensor(np.ones(y.shape)))
        assert g.shape == y.shape
        np.testing.assert_allclose(numpy(g), slope[cut], rtol=1e-13, atol=1e-300)


@each_case
def test_float32_stays_float32(case: Case) -> None:
    for values in (MODERATE, 0.5, []):
        assert all(d.dtype == ta.float32 for d in derivatives(case, values, ta.float32, 2))


# ------------------------------------------------------------------------------------------------- parameters
@pytest.mark.parametrize("case", [c for c in CASES if c.record.learnable], ids=str)
def test_gradients_of_parameters(case: Case) -> None:
    xs = [x for x in MODERATE if all(abs(x - k) > 1e-3 for k in case.kinks())]
    cotangent = np.linspace(-1, 2, len(xs))
    for name in case.record.learnable:
        value = np.asarray(case.values[name], dtype=np.float64)
        want = np.zeros(value.shape)
        for place in np.ndindex(value.shape):
            def total(v: Any, place: Any = place, value: Any = value, name: str = name) -> Any:
                moved = value.astype(object)
                moved[place] = v
                values = {**case.values, name: tuple(moved.tolist()) if value.ndim else moved.item()}
                return sum(mpf(c) * FORMULAS[case.name](mpf(x), **_mpf(values)) for c, x in zip(cotangent.tolist(), xs, strict=True))
            with mp.workdps(40):
                want[place] = float(mp.diff(total, mpf(float(value[place]))))
        np.testing.assert_allclose(_parameter_gradient(case, name, xs, cotangent), want, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("case", [c for c in CASES if c.record.learnable], ids=str)
def test_second_derivatives_by_parameters(case: Case) -> None:
    """d/dx and d/dp of each first gradient, against finite differences of it."""
    xs = np.array([x for x in MODERATE if all(abs(x - k) > 1e-3 for k in case.kinks())])
    names = ["", *case.record.learnable]
    shift = 1e-6

    def first(moved: dict[str, Any], create_graph: bool = False) -> tuple[list[Any], list[Any]]:
        x = tensor(moved.get("", xs), requires_grad=True)
        further = [tensor(moved.get(n, case.values[n]), requires_grad=True) for n in case.further]
        y = case.call(x, further=further)
        leaves = [x] + [t for n, t in zip(case.further, further, strict=True) if n in case.record.learnable]
        weights = tensor(np.linspace(-1, 2, len(xs)))
        return leaves, list(grad(y, leaves, weights, create_graph=create_graph))

    leaves, gradients = first({}, create_graph=True)
    for name, g in zip(names, gradients, strict=True):
        cotangent = np.linspace(0.5, 1.5, g.array.size).reshape(g.shape)
        seconds = (grad(g, leaves, tensor(cotangent), retain_graph=True, allow_unused=True) if g.requires_grad
                   else [None] * len(leaves))
        for by, second in zip(names, seconds, strict=True):
            value = np.asarray(xs if not by else case.values[by], dtype=np.float64)
            want = np.zeros(value.shape)
            for place in np.ndindex(value.shape):
                sides = []
                for sign in (1, -1):
                    moved = value.copy()
                    moved[place] += sign * shift
                    sides.append(numpy(first({by: moved})[1][names.index(name)]))
                want[place] = float(((sides[0] - sides[1]) * cotangent).sum() / (2 * shift))
            got = np.zeros(value.shape) if second is None else numpy(second)
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-7, err_msg=f"d(d/d{name or 'x'})/d{by or 'x'}")


def _mpf(values: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(i if isinstance(i, str) else mpf(i) for i in v) if isinstance(v, tuple) else mpf(v) if isinstance(v, float) else v
            for k, v in values.items()}


def _parameter_gradient(case: Case, name: str, xs: list[float], cotangent: Any) -> Any:
    further = [tensor(case.values[n], requires_grad=n == name) for n in case.further]
    y = case.call(tensor(xs), further=further)
    return numpy(grad(y, further[case.further.index(name)], tensor(cotangent))[0])


# ------------------------------------------------------------------------------------------------ alternatives
@pytest.mark.parametrize(("case", "name"), [(c, n) for c in CASES for n in c.record.alternatives],
                         ids=lambda v: str(v))
def test_an_alternative_rule_agrees_where_it_is_exact(case: Case, name: str) -> None:
    xs = [x for x in MODERATE if all(abs(x - k) > 1e-3 for k in case.kinks())]
    want = derivatives(case, xs, ta.float64, 2)
    got = derivatives(case, xs, ta.float64, 2, case.record.using(name))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)


def test_an_unknown_alternative_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(ta.errors.ArgumentError, match="output"):
        catalogue["sigmoid"].using("nonsense")


# ------------------------------------------------------------------------------------------------------- facts
GRID = np.unique(np.concatenate([np.linspace(-30, 30, 60001), np.geomspace(30, 1e4, 500), -np.geomspace(30, 1e4, 500),
                                 np.geomspace(1e-9, 1e-3, 50), -np.geomspace(1e-9, 1e-3, 50)]))


@each_default
def test_fact_range(case: Case) -> None:
    values = numpy(case.call(tensor(np.concatenate([GRID, [math.inf, -math.inf]]))))
    values = values[~np.isnan(values)]
    for name, got, stated in (("infimum", values.min(), case.record.range[0]), ("supremum", values.max(), case.record.range[1])):
        close = got == stated if math.isinf(stated) else abs(got - stated) <= 1e-5 * max(1.0, abs(stated))
        assert close, f"{case}: the {name} is {got}, the record says {stated}"


@each_default
def test_fact_monotonic(case: Case) -> None:
    values = numpy(case.call(tensor(GRID)))
    values = values[np.isfinite(values)]
    fall = (values[:-1] - values[1:]) / np.maximum(np.abs(values[1:]), 1e-300)
    assert (fall.max() <= 1e-14) == case.record.monotonic, f"{case}: it falls by {fall.max():.3g} of itself"


@each_default
def test_fact_zero_centred(case: Case) -> None:
    values = numpy(case.call(tensor([*GRID.tolist(), 0.0])))
    found = bool(values[-1] == 0 and values.min() < 0 < values.max())
    assert found == case.record.zero_centred


@each_default
def test_fact_smooth(case: Case) -> None:
    """At each kink the first of f, f', f'' that jumps is the one that the record says."""
    kinks, smooth = case.kinks(), case.record.smooth
    assert bool(kinks) == (smooth != "analytic"), "list the seams of a function that is not analytic as kinks"
    if not kinks:
        return
    first = min(_first_jump(case, k) for k in kinks)
    assert first == SMOOTHNESS.index(smooth), f"{case}: the derivative of order {first} is the first to jump"


def _first_jump(case: Case, at: float) -> int:
    step = 1e-9                              # a fixed distance: the derivatives on each side differ by its size at most
    sides = [case.truth(at + s) for s in (step, -step)]
    for order in range(3):
        left, right = sides[1][order], sides[0][order]
        if abs(right - left) > 1e-6 * max(1, abs(left), abs(right)):
            return order
    return 3


@each_default
def test_fact_no_kink_is_left_out(case: Case) -> None:
    """Away from the stated kinks f, f' and f'' do not jump: neighbours on a fine grid are as near as the next one says."""
    xs = np.linspace(-8, 8, 16001) + 1 / 7919
    kinks = np.array(sorted(case.kinks()))
    values = derivatives(case, xs, ta.float64, 2)
    for order in (0, 1):
        f, slope = values[order], values[order + 1]
        with np.errstate(all="ignore"):
            jump = np.abs(np.diff(f)) - 2e-3 * np.maximum(np.abs(slope[1:]), np.abs(slope[:-1])) - 2e-5 * (1 + np.abs(f[1:]))
        bad = np.nonzero(jump > 0)[0]
        bad = [i for i in bad if not ((kinks >= xs[i] - 1e-9) & (kinks <= xs[i + 1] + 1e-9)).any()]
        assert not bad, f"{case}: derivative {order} jumps near {xs[bad[0]]}"


@each_default
def test_fact_saturates(case: Case) -> None:
    for side, sign in (("left", -1.0), ("right", 1.0)):
        slopes = np.abs(derivatives(case, [sign * v for v in (1e3, 3e3, 1e4)], ta.float64, 1)[1])
        assert (slopes.max() < 2e-3) == (side in case.record.saturates), f"{case}: |f'| on the {side} is {slopes}"
        if side in case.record.saturates:
            limit, value = case.record.saturates[side], float(numpy(case.call(tensor(sign * 1e8))))
            assert abs(value - limit) < 1e-6 or (math.isinf(limit) and value * limit > 0 and abs(value) > 10)


@each_default
def test_fact_lipschitz(case: Case) -> None:
    if case.record.smooth == "discontinuous":
        assert case.record.lipschitz == math.inf
        return
    seams = [k + d for k in case.kinks() for d in (-1e-9, 0, 1e-9)]
    slopes = np.abs(derivatives(case, [*GRID.tolist(), *seams], ta.float64, 1)[1])
    most = slopes[~np.isnan(slopes)].max()
    if case.record.lipschitz == math.inf:
        assert most > 1e3
    else:
        assert case.record.lipschitz * (1 - 1e-5) <= most <= case.record.lipschitz * (1 + 1e-9), f"{case}: max |f'| is {most}"


# ----------------------------------------------------------------------------------------------------- PyTorch
@pytest.mark.parametrize("case", [c for c in DEFAULTS if c.record.torch], ids=str)
def test_as_in_pytorch(case: Case) -> None:
    """The value, and the derivative at the kinks too unless a note says why it is another."""
    torch = pytest.importorskip("torch")
    xs = [*MODERATE, *([] if case.record.note else case.kinks()), -5.5, 7.5]
    x = torch.tensor(xs, dtype=torch.float64, requires_grad=True)
    parameters = {n: torch.tensor(case.values[n], dtype=torch.float64, requires_grad=True) for n in case.record.learnable}
    y = in_torch(case, torch)(x, *parameters.values())
    gradients = torch.autograd.grad(y.sum(), [x, *parameters.values()])
    got = derivatives(case, xs, ta.float64, 1)
    np.testing.assert_allclose(got[0], y.detach().numpy(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(got[1], gradients[0].numpy(), rtol=1e-7, atol=1e-9)
    for name, g in zip(parameters, gradients[1:], strict=True):
        np.testing.assert_allclose(_parameter_gradient(case, name, xs, np.ones(len(xs))), g.numpy(), rtol=1e-12)


# ----------------------------------------------------------------------------------------------- across an axis
ROWS = [[-1.5, 0.25, 2.0, 0.75], [3.0, -40.0, 0.5, 0.125], [0.1, 0.2, -0.3, 0.45], [100.0, 99.0, -100.0, 98.5]]
each_across = pytest.mark.parametrize("record", [r for r in catalogue.values() if r.axis and r.name in ACROSS],
                                      ids=lambda r: r.name)


def _across(record: Any, rows: Any, dtype: Any = None, requires_grad: bool = True) -> tuple[Any, Any]:
    x = tensor(rows, dtype, requires_grad=requires_grad)
    return x, record.op(x, *[tensor(v, dtype) for v in record.initial.values()])


@each_across
@pytest.mark.parametrize("dtype", [ta.float32, ta.float64], ids=str)
def test_across_an_axis_value(record: Any, dtype: Any) -> None:
    values = {**record.settings, **record.initial}
    given = {k: v for k, v in values.items() if k in inspect.signature(ACROSS[record.name]).parameters}
    with mp.workdps(50):
        want = [[float(v) for v in ACROSS[record.name]([mpf(float(dtype.type(v))) for v in row], **_mpf(given))] for row in ROWS]
    got = numpy(_across(record, ROWS, dtype)[1])
    eps = float(np.finfo(dtype).eps)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, want, rtol=128 * eps, atol=float(np.finfo(dtype).tiny))


@each_across
def test_across_an_axis_gradients(record: Any) -> None:
    """The gradient against differences of the values, its gradient against differences of the gradient."""
    rows = np.array(ROWS[:3])
    rows[1] /= 4
    y = _across(record, rows)[1]
    c, d = (np.cos(np.arange(np.prod(s), dtype=float) + k).reshape(s) for k, s in ((0, y.shape), (1, rows.shape)))

    def value(at: Any) -> float:
        return float((numpy(_across(record, at)[1]) * c).sum())

    def slope(at: Any, create_graph: bool = False) -> tuple[Any, Any]:
        x, y = _across(record, at)
        return x, grad(y, x, tensor(c), create_graph=create_graph)[0]

    def differences(f: Any) -> Any:
        out = np.zeros(rows.shape)
        for place in np.ndindex(rows.shape):
            sides = []
            for h in (1e-6, -1e-6):
                moved = rows.copy()
                moved[place] += h
                sides.append(f(moved))
            out[place] = (sides[0] - sides[1]) / 2e-6
        return out

    np.testing.assert_allclose(numpy(slope(rows)[1]), differences(value), rtol=1e-6, atol=1e-8)
    x, g = slope(rows, create_graph=True)
    second = grad(g, x, tensor(d), allow_unused=True)[0] if g.requires_grad else None
    got = np.zeros(rows.shape) if second is None else numpy(second)
    np.testing.assert_allclose(got, differences(lambda at: float((numpy(slope(at)[1]) * d).sum())), rtol=1e-6, atol=1e-8)
