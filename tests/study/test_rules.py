"""Rules chosen by name: they are the ones that run, they train what has no slope, and kinks are what the policy says."""

from __future__ import annotations

import math

import pytest

import tinygrad_act as ta
from tinygrad_act import nn, study
from tinygrad_act.activations import catalogue
from tinygrad_act.errors import ArgumentError
from tinygrad_act.study.choosing.choose import op_of

STEPS = ["heaviside", "sign", "round", "floor", "ceil"]


def slopes(f: object, xs: list[float], dtype: object = ta.float64) -> list[float]:
    x = ta.tensor(xs, dtype=dtype, requires_grad=True)
    f(x).sum().backward()  # type: ignore[operator]
    assert x.grad is not None
    return x.grad.tolist()  # type: ignore[no-any-return]


# --------------------------------------------------------------------------------------------------- the choice
def test_a_block_chooses_for_functions_methods_modules_and_in_place() -> None:
    with study.rules(relu="straight_through", sigmoid="output"):
        for f in (ta.relu, nn.functional.relu, nn.ReLU(), ta.Tensor.relu, lambda x: x.clone().relu_(), nn.ReLU(inplace=True)):
            got = slopes(lambda x, f=f: f(x * 1), [-1.0, 0.0, 2.0])
            assert got == [1, 1, 1]
        y = ta.sigmoid(ta.ones(1, requires_grad=True))
    assert y.grad_fn.op.variant == "output"
    assert slopes(ta.relu, [-1.0, 0.0, 2.0]) == [0, 0, 1]


def test_the_graph_keeps_the_choice_and_the_rule_of_a_call_comes_before_a_blocks() -> None:
    x = ta.tensor([-1.0], requires_grad=True)
    with study.rules(relu="straight_through"):
        outer = ta.relu(x)
        with study.rules(relu="guided"):
            inner, own = ta.relu(x), study.using(ta.relu, "surrogate")(x)
    assert [y.grad_fn.op.variant for y in (outer, inner, own, ta.relu(x))] == ["straight_through", "guided", "surrogate", ""]
    outer.backward()
    assert x.grad.item() == 1


def test_a_tape_around_or_inside_sees_the_chosen_node() -> None:
    x = ta.ones(2, requires_grad=True)
    with study.Tape() as around, study.rules(tanh="output"), study.Tape() as inside:
        y = ta.tanh(x)
    assert y.node in around.results and y.node in inside.results
    assert y.node.op.variant == "output"


def test_a_rule_of_ones_own() -> None:
    def leaky(F: object, g: object, x: object) -> object:
        return F.where(x > 0, g, 0.5 * g)  # type: ignore[attr-defined, operator]

    assert slopes(study.using("relu", leaky), [-1.0, 1.0]) == [0.5, 1]
    with study.rules(relu=leaky):
        assert ta.relu(ta.ones(1, requires_grad=True)).grad_fn.op.variant == "leaky"


def test_what_a_backward_rule_calls_is_not_exchanged() -> None:
    """abs' rule calls sign: its second derivative stays 0 when sign is trained straight through."""
    x = ta.tensor([2.0], requires_grad=True)
    with study.rules(sign="straight_through"):
        (g,) = ta.autograd.grad((ta.abs(x) * x).sum(), x, create_graph=True)
        (gg,) = ta.autograd.grad(g.sum(), x)
    assert (g.item(), gg.item()) == (4, 2)


CALLS = {"relu": ta.relu, "exp": ta.exp, "mul": lambda x: x * 2.5, "sigmoid": ta.sigmoid,
         "linear": lambda x: nn.functional.linear(x, ta.tensor([[2.0, 3.0]], dtype=ta.float64)),
         "softmax": lambda x: ta.softmax(x, 1), "cat": lambda x: ta.cat([x, x])}


@pytest.mark.parametrize("name", CALLS)
def test_mistakes_are_wrong_as_they_say(name: str) -> None:
    x = ta.tensor([[0.5, 1.5]], dtype=ta.float64, requires_grad=True)
    call = CALLS[name]
    seed = call(x).detach() * 0 + 3.0
    node = call(x).grad_fn.op.name

    def gradient(**chosen: str) -> ta.Tensor:
        with study.rules(**chosen):
            y = call(x)
        return ta.autograd.grad(y, x, seed)[0]

    right = gradient()
    assert ta.equal(gradient(**{node: "wrong_sign"}), -right)
    if name != "sigmoid":                                    # it has a mistake of its own
        assert ta.allclose(gradient(**{node: "missing_factor"}), right / 3)


def test_a_gradcheck_finds_the_mistakes() -> None:
    x = ta.tensor([0.3, -0.7], dtype=ta.float64, requires_grad=True)
    for name in ("sigmoid", "tanh"):
        for mistake in ("missing_factor", "wrong_sign"):
            f = study.using(name, mistake)
            with pytest.raises(ta.errors.GradcheckError):
                ta.autograd.gradcheck(lambda t, f=f: f(t) * 2, (x,))


def test_names_that_are_not_there() -> None:
    with pytest.raises(ArgumentError, match="straight_through"):
        study.rules(relu="nonsense")
    with pytest.raises(ArgumentError, match="no op of that name"):
        study.rules(nonsense="surrogate")
    with pytest.raises(ArgumentError, match="left, right, zero, mean"):
        study.rules(kinks="upper")
    with pytest.raises(ArgumentError, match="no kinks"):
        study.using("tanh", kinks="left")
    with pytest.raises(ArgumentError, match="no kinks"):
        study.using("srelu", kinks="left")                   # they are where its parameters say
    assert {"output", "missing_factor", "wrong_sign"} <= set(study.rules_of(catalogue["tanh"]))


# ---------------------------------------------------------------------------------------------------- surrogates
@pytest.mark.parametrize("op", STEPS)
@pytest.mark.parametrize("bump", ["arctan", "sigmoid", "triangle"])
def test_a_bumps_area_is_the_height_of_the_step(op: str, bump: str) -> None:
    wide = op in ("heaviside", "sign")
    one = ta.ones((), dtype=ta.float64)
    f = study.using(op, bump)
    x = ta.linspace(-30, 30, 60001, dtype=ta.float64).requires_grad_() if wide else ta.linspace(-1, 0, 10001, dtype=ta.float64).requires_grad_()
    (f(x, one) if op == "heaviside" else f(x)).sum().backward()
    area = x.grad.mean().item() * (60 if wide else 1)
    assert area == pytest.approx(2 if op == "sign" else 1, rel=0.012 if wide else 0.11 if bump == "arctan" else 1e-3)


@pytest.mark.parametrize(("bump", "slope"), [
    ("arctan", 1 / (1 + (math.pi * 0.25) ** 2)), ("triangle", 0.75), ("straight_through", 1.0),
    ("sigmoid", 4 * math.exp(-1) / (1 + math.exp(-1)) ** 2)])
def test_surrogates_by_hand(bump: str, slope: float) -> None:
    one = ta.ones((), dtype=ta.float64)
    assert slopes(lambda x: study.using("heaviside", bump)(x, one), [0.25, -0.25]) == pytest.approx([slope, slope])


def test_surrogates_have_second_derivatives_and_run_in_float16_on_empty_and_0d() -> None:
    x = ta.tensor([0.3, -0.2], dtype=ta.float64, requires_grad=True)
    with study.rules(sign="arctan", relu="surrogate"):
        (g,) = ta.autograd.grad((ta.sign(x) + ta.relu(x)).sum(), x, create_graph=True)
        assert all(v != 0 for v in ta.autograd.grad(g.sum(), x)[0].tolist())
        half = ta.tensor(0.25, dtype=ta.float16, requires_grad=True)
        ta.sign(half).backward()
        assert half.grad.dtype == ta.float16
        assert half.grad.item() == pytest.approx(2 / (1 + (math.pi / 4) ** 2), rel=1e-3)
        empty = ta.zeros(0, 3, requires_grad=True)
        ta.sign(empty).sum().backward()
        assert empty.grad.shape == (0, 3)


def test_rounding_to_decimals_is_trained_too() -> None:
    with study.rules(round="straight_through"):
        assert slopes(lambda x: ta.round(x, decimals=2), [0.123]) == [1]
    with study.rules(round="triangle"):
        assert slopes(lambda x: ta.round(x, decimals=1), [0.15, 0.1]) == pytest.approx([2, 0], abs=1e-9)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_binary_network_learns_with_surrogates_and_not_without(seed: int) -> None:
    """Weights and activations of -1 and 1; what adds them up is fixed: XOR of signs."""
    def train(**chosen: str) -> tuple[float, float]:
        ta.manual_seed(seed)
        x = ta.tensor([[a, b, 1.0] for a in (-1.0, 1.0) for b in (-1.0, 1.0)])
        want = x[:, 0] * x[:, 1]
        w, v = (ta.randn(3, 16) * 0.5).requires_grad_(), ta.tensor([0.25, -0.25] * 8)
        optimizer, losses = ta.optim.Adam([w], lr=0.05), []
        for _ in range(150):
            with study.rules(**chosen):
                y = ta.sign(x @ ta.sign(w) + 0.1) @ v
            loss = ((y - want) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses[0], losses[-1]

    first, last = train()
    assert first == last > 0.5
    assert train(sign="surrogate") == (first, 0.0)


def test_a_spiking_network_learns() -> None:
    """Leaky integrate and fire: fire often for strong input, seldom for weak, over 12 steps."""
    ta.manual_seed(0)
    x = ta.cat([ta.rand(8, 4) * 0.4, ta.rand(8, 4) * 0.4 + 0.6])
    want = ta.cat([ta.zeros(8), ta.ones(8)])
    w, v = (ta.randn(4, 8) * 0.5).requires_grad_(), (ta.randn(8) * 0.3).requires_grad_()
    bias = ta.zeros((), requires_grad=True)
    optimizer = ta.optim.Adam([w, v, bias], lr=0.05)
    one, losses = ta.ones(()), []
    for _ in range(40):
        with study.rules(heaviside="arctan"):
            potential, fired = ta.zeros(16, 8), ta.zeros(16, 8)
            for _ in range(12):
                potential = 0.8 * potential + x @ w
                spike = ta.heaviside(potential - 1, one)
                potential = potential - spike
                fired = fired + spike
            loss = nn.functional.binary_cross_entropy_with_logits(fired / 12 @ v * 4 + bias, want)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


# --------------------------------------------------------------------------------------------------------- kinks
BY_HAND = [("relu", 0.0, 0, 1), ("leaky_relu", 0.0, 0.01, 1), ("relu6", 6.0, 1, 0), ("hard_tanh", -1.0, 0, 1),
           ("abs", 0.0, -1, 1), ("soft_shrink", 0.5, 0, 1), ("hard_shrink", 0.5, 0, 1)]


@pytest.mark.parametrize(("op", "place", "left", "right"), BY_HAND)
@pytest.mark.parametrize("dtype", [ta.float16, ta.float32, ta.float64])
def test_kinks_take_the_side_the_policy_says(op: str, place: float, left: float, right: float, dtype: object) -> None:
    for policy, want in {"left": left, "right": right, "zero": 0, "mean": (left + right) / 2}.items():
        f = study.using(op, kinks=policy)
        assert slopes(f, [place], dtype) == pytest.approx([want], rel=1e-2 if dtype == ta.float16 else 1e-5)
        away = [place - 1.5, place + 1.5]
        assert slopes(f, away, dtype) == slopes(op_of(op), away, dtype)


def test_a_seam_without_a_corner_has_nothing_to_choose() -> None:
    for op in ("elu", "squared_relu"):
        for policy in ("left", "right", "zero", "mean"):
            assert slopes(study.using(op, kinks=policy), [0.0]) == pytest.approx(slopes(catalogue[op], [0.0]))


def test_settings_move_the_kink_and_broadcast_inputs_keep_their_gradients() -> None:
    f = study.using("hard_tanh", kinks="mean")
    assert slopes(lambda x: f(x, min_val=-2.0, max_val=3.0), [3.0, -2.0, 1.0, -1.0]) == [0.5, 0.5, 1, 1]
    x, w = ta.tensor([[0.0, -1.0]], requires_grad=True), ta.tensor([[0.25], [0.75]], requires_grad=True)
    study.using("prelu", kinks="left")(x, w).sum().backward()
    assert (x.grad.tolist(), w.grad.tolist()) == ([[1.0, 1.0]], [[-1.0], [-1.0]])


def test_a_policy_for_a_block_goes_with_a_rule_and_with_create_graph() -> None:
    x = ta.tensor([0.0, 1.0], dtype=ta.float64, requires_grad=True)
    with study.rules(kinks="mean", relu6="straight_through"):
        y = ta.relu(x) + ta.tanh(x)
        assert nn.functional.relu6(x).grad_fn.op.variant == "straight_through, kinks: mean"
        (g,) = ta.autograd.grad((y * y).sum(), x, create_graph=True)
        (gg,) = ta.autograd.grad(g.sum(), x)
    assert g.tolist()[0] == 0
    assert gg.tolist()[0] == pytest.approx(2 * 1.5 * 1.5)


def test_kinks_are_counted_by_op_and_line() -> None:
    with study.kinks() as hits:
        x = ta.tensor([0.0, 6.0, 1.0, 0.0], requires_grad=True)
        nn.ReLU6()(x).sum().backward()
        study.using("relu", "surrogate")(x)
        nn.functional.hardtanh(x, -3.0, 6.0)
        ta.tanh(x)
        nn.functional.prelu(x, ta.tensor([0.25, 0.5, 0.75, 1.0]).reshape(4)[:1])
    found = {}
    for (op, kink, line), n in hits.counts.items():
        assert line.startswith("test_rules.py:")
        found[op, kink] = n
    assert found == {("relu6", 0.0): 2, ("relu6", 6.0): 1, ("relu", 0.0): 2, ("hard_tanh", 6.0): 1, ("prelu", 0.0): 2}
    assert hits.total == 8
    pytest.importorskip("rich")
    assert max(map(len, hits.text(80).splitlines())) <= 80
    assert "relu6" in hits.text(80)


def test_kernels_are_printed_from_the_rules_with_a_policy() -> None:
    from tinygrad_act.symbols.cuda import kernel

    rule = study.using("relu6", kinks="mean").rules[0].function
    body = kernel(rule, [ta.float32, ta.float32], {}).body
    assert "0.5" in body and "6" in body


def test_a_checkpoint_runs_with_the_rules_of_the_block_again() -> None:
    def part(x: ta.Tensor) -> ta.Tensor:
        return ta.sign(x)

    with study.rules(sign="straight_through"):
        assert slopes(lambda x: ta.utils.checkpoint.checkpoint(part, x, use_reentrant=False), [0.5]) == [1]
