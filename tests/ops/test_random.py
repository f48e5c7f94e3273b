"""Random numbers: reproducible, in range, and distributed as they say."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, DeviceError, DTypeError, TinygradActError

N = 20_000
# draw -> the mean and the variance it should have
DRAWS: dict[str, tuple[Callable[[], Any], float, float]] = {
    "rand": (lambda: ta.rand(N), 1 / 2, 1 / 12),
    "rand float64": (lambda: ta.rand(N, dtype=ta.float64), 1 / 2, 1 / 12),
    "rand float16": (lambda: ta.rand(N, dtype=ta.float16).float(), 1 / 2, 1 / 12),
    "randn": (lambda: ta.randn(N), 0, 1),
    "randn float16": (lambda: ta.randn(N, dtype=ta.float16).float(), 0, 1),
    "randint": (lambda: ta.randint(2, 6, (N,)).float(), 3.5, 15 / 12),
    "normal": (lambda: ta.normal(3.0, 2.0, (N,)), 3, 4),
    "normal of tensors": (lambda: ta.normal(ta.full((N,), 3.0), ta.full((N,), 2.0)), 3, 4),
    "bernoulli": (lambda: ta.bernoulli(ta.full((N,), 0.3)), 0.3, 0.21),
    "poisson": (lambda: ta.poisson(ta.full((N,), 4.0)), 4, 4),
    "multinomial": (lambda: ta.multinomial(ta.tensor([1.0, 0.0, 3.0]), N, True).float(), 1.5, 0.75),
    "uniform_": (lambda: ta.empty(N).uniform_(-2, 4), 1, 3),
    "normal_": (lambda: ta.empty(N).normal_(1, 2), 1, 4),
    "bernoulli_": (lambda: ta.empty(N).bernoulli_(0.25), 0.25, 0.1875),
    "exponential_": (lambda: ta.empty(N).exponential_(2), 0.5, 0.25),
    "geometric_": (lambda: ta.empty(N).geometric_(0.5), 2, 2),
    "log_normal_": (lambda: ta.empty(N).log_normal_(0, 0.5), math.exp(0.125), (math.exp(0.25) - 1) * math.exp(0.25)),
    "random_": (lambda: ta.empty(N).random_(0, 4), 1.5, 1.25),
}


@pytest.mark.parametrize("name", DRAWS)
def test_the_moments_are_those_of_the_distribution(name: str) -> None:
    ta.manual_seed(0)
    draw, mean, variance = DRAWS[name]
    x = draw().double()
    assert abs(x.mean().item() - mean) < 5 * math.sqrt(variance / N)
    assert abs(x.var().item() - variance) < 0.15 * variance


@pytest.mark.parametrize("name", [*DRAWS, "randperm", "multinomial of rows"])
def test_a_seed_gives_the_same_numbers_again(name: str) -> None:
    more = {"randperm": lambda: ta.randperm(100), "multinomial of rows": lambda: ta.multinomial(ta.rand(5, 9), 4)}
    draw = more[name] if name in more else DRAWS[name][0]
    ta.manual_seed(3)
    first = draw()
    second = draw()
    ta.manual_seed(3)
    assert draw().tolist() == first.tolist()
    assert first.tolist() != second.tolist()


def test_generators_are_apart_and_can_be_set_back() -> None:
    here = ta.backend.current_device()
    g, h = ta.Generator(here).manual_seed(1), ta.Generator(here).manual_seed(1)
    assert ta.rand(3, generator=g).tolist() == ta.rand(3, generator=h).tolist()
    state = g.get_state()
    assert (state.dtype, str(state.device)) == (ta.uint8, "cpu")
    later = ta.randn(5, generator=g).tolist()
    assert ta.randn(5, generator=ta.Generator(here).set_state(state)).tolist() == later
    assert g.initial_seed() == 1
    assert g.seed() == g.initial_seed() != 1
    default = ta.get_rng_state()
    numbers = ta.rand(2).tolist()
    ta.set_rng_state(default)
    assert ta.rand(2).tolist() == numbers
    with pytest.raises(ArgumentError, match="get_state"):
        g.set_state(ta.zeros(3, dtype=ta.uint8, device="cpu"))


def test_the_default_generator_has_the_seed_it_was_given() -> None:
    assert ta.manual_seed(-1).initial_seed() == 2**64 - 1 == ta.initial_seed()
    assert ta.seed() == ta.initial_seed()
    with pytest.raises(ArgumentError, match="64 bits"):
        ta.manual_seed(2**64)


def test_uniform_numbers_stay_below_one() -> None:
    ta.manual_seed(0)
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        x = ta.rand(100_000, dtype=dtype).float()
        assert x.min().item() >= 0
        assert x.max().item() < 1


def test_shapes_dtypes_and_flags() -> None:
    assert ta.rand(()).shape == ta.rand(size=()).shape == ()
    assert ta.randn(2, 0).shape == ta.randn((2, 0)).shape == (2, 0)
    assert ta.randn(2, requires_grad=True).requires_grad
    assert ta.rand_like(ta.zeros(2, dtype=ta.float64)).dtype == ta.float64
    assert ta.randn_like(ta.zeros(2), dtype=ta.float16).dtype == ta.float16
    assert ta.randint(5, (2,)).dtype == ta.randperm(3).dtype == ta.int64
    assert ta.randint(5, (2,), dtype=ta.float32).dtype == ta.randint_like(ta.zeros(2), 5).dtype == ta.float32
    assert ta.randint(high=3, size=(2,)).shape == ta.randint(0, 3, size=(2,)).shape == (2,)
    assert ta.multinomial(ta.ones(3, 4), 2).shape == (3, 2)
    for dtype in ("uint8", "int64", "bool", "float32", "int8"):
        assert ta.zeros(4, dtype=dtype).random_().dtype == ta.dtypes.as_dtype(dtype)


def test_a_permutation_has_every_index_once() -> None:
    assert sorted(ta.randperm(50).tolist()) == list(range(50))
    assert ta.randperm(0).tolist() == []


def test_drawing_without_replacement_repeats_nothing_and_skips_what_has_no_weight() -> None:
    ta.manual_seed(0)
    rows = ta.multinomial(ta.tensor([[1.0, 0.0, 2.0, 3.0]]).expand(200, 4), 3).tolist()
    assert {tuple(sorted(row)) for row in rows} == {(0, 2, 3)}


def test_draws_have_zero_gradients() -> None:
    p = ta.full((3,), 0.5, requires_grad=True)
    (ta.bernoulli(p) + ta.normal(p, p) + ta.poisson(p)).sum().backward()
    assert p.grad is not None
    assert p.grad.tolist() == [0.0, 0.0, 0.0]


def test_a_filled_tensor_forgets_its_gradient() -> None:
    x = ta.ones(3, requires_grad=True)
    y = x * 2
    y[1:].normal_()
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 0.0, 0.0]


WRONG: dict[str, tuple[Callable[[], Any], type[Exception]]] = {
    "rand of ints": (lambda: ta.rand(2, dtype=ta.int64), DTypeError),
    "rand without size": (lambda: ta.rand(), ArgumentError),
    "empty range": (lambda: ta.randint(3, 3, (2,)), ArgumentError),
    "randint without size": (lambda: ta.randint(3), ArgumentError),
    "negative size": (lambda: ta.randperm(-1), TinygradActError),
    "negative deviation": (lambda: ta.normal(0.0, -1.0, (2,)), ArgumentError),
    "bernoulli of ints": (lambda: ta.bernoulli(ta.tensor([0, 1])), DTypeError),
    "too many samples": (lambda: ta.multinomial(ta.ones(2), 3), ArgumentError),
    "no samples": (lambda: ta.multinomial(ta.ones(2), 0), ArgumentError),
    "3-d weights": (lambda: ta.multinomial(ta.ones(2, 2, 2), 1), TinygradActError),
    "backward range": (lambda: ta.zeros(2).uniform_(3, 1), ArgumentError),
    "uniform_ of ints": (lambda: ta.zeros(2, dtype=ta.int64).uniform_(), DTypeError),
    "probability": (lambda: ta.zeros(2).bernoulli_(1.5), ArgumentError),
    "rate": (lambda: ta.zeros(2).exponential_(-1), ArgumentError),
    "a leaf in place": (lambda: ta.zeros(2, requires_grad=True).normal_(), TinygradActError),
}
LOOKED_AT = {"probabilities": (lambda: ta.bernoulli(ta.tensor([2.0])), ArgumentError),
             "weights": (lambda: ta.multinomial(ta.tensor([-1.0, 1.0]), 1), ArgumentError),
             "no weight": (lambda: ta.multinomial(ta.zeros(2), 1), ArgumentError),
             "rates": (lambda: ta.poisson(ta.tensor([-1.0])), ArgumentError)}


@pytest.mark.parametrize("name", WRONG)
def test_misuse_is_named(name: str) -> None:
    call, kind = WRONG[name]
    with pytest.raises(kind):
        call()


@pytest.mark.parametrize("name", LOOKED_AT)
def test_parameters_are_checked_on_the_cpu(name: str) -> None:
    if ta.backend.current() != "numpy":
        pytest.skip("the CPU looks, a GPU does not")
    call, kind = LOOKED_AT[name]
    with pytest.raises(kind):
        call()


def test_a_generator_belongs_to_its_device() -> None:
    ta.backend.load("strict")
    other = "strict" if ta.backend.current() == "numpy" else "cpu"
    with pytest.raises(DeviceError, match="generator"):
        ta.rand(2, generator=ta.Generator(other))
