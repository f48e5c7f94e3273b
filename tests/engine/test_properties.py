"""Properties for any shapes: broadcasting, indexing and views have the adjoints that linear maps have."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_act as ta
from tinygrad_act.autograd import gradcheck

shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple)
full_shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)
some = settings(max_examples=60, deadline=None)


def numbers(shape: tuple[int, ...], start: float = 0.5) -> Any:
    count = math.prod(shape)
    return (ta.arange(count).double() * 0.37 + start).sin().reshape(shape).detach().requires_grad_()


@st.composite
def broadcastable(draw: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    shape = draw(shapes)
    def shrink() -> tuple[int, ...]:
        cut = shape[draw(st.integers(0, len(shape))):]
        return tuple(1 if draw(st.booleans()) else n for n in cut)
    return shrink(), shrink()


@st.composite
def indexed(draw: Any) -> tuple[tuple[int, ...], Any]:
    shape = draw(full_shapes)
    def part(n: int) -> Any:
        return draw(st.one_of(
            st.integers(-n, n - 1), st.slices(n).map(lambda s: slice(s.start, s.stop, abs(s.step or 1))),
            st.lists(st.integers(-n, n - 1), min_size=1, max_size=1), st.just(slice(None))))
    parts = [part(n) for n in shape[:draw(st.integers(0, len(shape)))]]
    if draw(st.booleans()):
        parts.append(Ellipsis)
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), None)
    return shape, tuple(parts)


@st.composite
def viewed(draw: Any) -> tuple[tuple[int, ...], list[tuple[str, tuple[Any, ...]]]]:
    """A shape and a chain of views from it."""
    shape = start = draw(full_shapes)
    steps: list[tuple[str, tuple[Any, ...]]] = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["reshape", "transpose", "narrow", "unsqueeze"]))
        if kind == "reshape":
            shape = (math.prod(shape),)
            steps.append(("reshape", shape))
        elif kind == "transpose":
            a, b = draw(st.integers(0, len(shape) - 1)), draw(st.integers(0, len(shape) - 1))
            steps.append(("transpose", (a, b)))
            new = list(shape)
            new[a], new[b] = new[b], new[a]
            shape = tuple(new)
        elif kind == "narrow":
            dim = draw(st.integers(0, len(shape) - 1))
            begin = draw(st.integers(0, shape[dim] - 1))
            length = draw(st.integers(1, shape[dim] - begin))
            steps.append(("narrow", (dim, begin, length)))
            shape = (*shape[:dim], length, *shape[dim + 1:])
        else:
            dim = draw(st.integers(0, len(shape)))
            steps.append(("unsqueeze", (dim,)))
            shape = (*shape[:dim], 1, *shape[dim:])
    return start, steps


def follow(x: Any, steps: Any) -> Any:
    for name, arguments in steps:
        x = getattr(x, name)(*arguments)
    return x


@some
@given(broadcastable())
def test_gradients_of_broadcast_inputs_have_their_shapes(pair: Any) -> None:
    a, b = numbers(pair[0]), numbers(pair[1], 1.5)
    y = a * b + a
    assert y.shape == ta.broadcast_shapes(*pair)
    y.sum().backward()
    assert a.grad.shape == a.shape and b.grad.shape == b.shape
    repeats = math.prod(y.shape) / max(math.prod(a.shape), 1)
    ones = (ta.ones(*y.shape, dtype=ta.float64) if y.shape else ta.ones((), dtype=ta.float64))
    assert math.isclose(a.grad.sum().item(), (b.detach() * ones).sum().item() + repeats * math.prod(a.shape), abs_tol=1e-9)


@some
@given(indexed())
def test_reading_at_an_index_is_adjoint_to_adding_at_it(case: Any) -> None:
    shape, index = case
    x = numbers(shape)
    y = x[index]
    g = numbers(y.shape, 2.5).detach()
    y.backward(g)
    # <x[i], g> = <x, adjoint(g)>
    assert math.isclose((y.detach() * g).sum().item(), (x.detach() * x.grad).sum().item(), abs_tol=1e-9)


@some
@given(indexed())
def test_writing_at_an_index_splits_the_gradient(case: Any) -> None:
    shape, index = case
    x = numbers(shape)
    v = numbers(x[index].shape, 2.5)
    y = x * 1
    y[index] = v
    assert y[index].tolist() == v.tolist()
    g = numbers(shape, 1.5).detach()
    y.backward(g)
    assert v.grad.tolist() == g[index].tolist()
    erased = g.clone()
    erased[index] = 0.0
    assert x.grad.tolist() == erased.tolist()


@some
@given(viewed())
def test_a_change_through_a_chain_of_views_is_the_change_of_a_copy(case: Any) -> None:
    shape, steps = case
    x = numbers(shape)
    y = x * 1
    view = follow(y, steps)
    view.mul_(3)
    (y * y).sum().backward()
    # what the views reach was multiplied by 3, so its square by 9
    factor = ta.ones(*shape, dtype=ta.float64)
    follow(factor, steps).fill_(9.0)
    expected = 2 * x.detach() * factor
    assert all(map(math.isclose, x.grad.flatten().tolist(), expected.flatten().tolist()))


@settings(max_examples=15, deadline=None)
@given(viewed())
def test_views_pass_gradcheck(case: Any) -> None:
    shape, steps = case
    if math.prod(shape) <= 12:
        assert gradcheck(lambda x: follow(x * x, steps), numbers(shape))
