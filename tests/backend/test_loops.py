"""NumPy's inner loops called in a row give NumPy's bits; what they cannot do is no line."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import execute, loops, preallocated

pytestmark = pytest.mark.skipif(not loops.available(), reason="there is no C compiler")
UNARY = [np.negative, np.absolute, np.exp, np.expm1, np.log1p, np.tanh, np.sin, np.sqrt, np.square, np.reciprocal, np.sign, np.floor, np.rint]
BINARY = [f for f in preallocated.UFUNCS.values() if any(kinds.startswith("ff") for kinds in f.types) and f.signature is None] + [
    np.maximum, np.minimum, np.copysign, np.power, np.hypot]
SHAPES = [(1,), (7,), (1000,), (1, 1), (3, 5), (64, 33), (33, 64), (17, 1), (1, 129)]


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> Any:
    rng = np.random.default_rng(0)

    def array(shape: tuple[int, ...], char: str = "f", order: str = "C") -> Any:
        return np.asarray(np.asarray(rng.standard_normal(shape)).astype(char), order=order)      # type: ignore[call-overload]
    return array


def result(function: Any, args: tuple[Any, ...]) -> Any:
    """What the call leaves in its last array when it is run as a line; None if it is none."""
    line = loops.line(function, args)
    arrays = [a for a in args if isinstance(a, np.ndarray)]
    if line is None:
        return None
    loops.in_a_row([line], 0, arrays)(None)
    return arrays[-1]


def same(a: Any, b: Any) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("char", "fd")
def test_products_are_those_of_dot_whatever_the_shape_and_the_layout(draw: Any, char: str) -> None:
    for m, k, n in itertools.product((1, 2, 7, 33, 128), (2, 5, 16, 200), (1, 2, 10, 64)):
        if k == 1 in (m, n):
            continue
        for orders in itertools.product("CF", "CF"):
            a, b = draw((m, k), char, orders[0]), draw((k, n), char, orders[1])
            assert same(result(np.dot, (a, b, np.empty((m, n), char))), np.dot(a, b))
        a, b = draw((m, k), char), draw((k, n), char)
        if k > 1:
            assert same(result(np.dot, (a[0], b, np.empty(n, char))), np.dot(a[0], b))
        assert same(result(np.dot, (a, a.T, np.empty((m, m), char))), np.dot(a, a.T))


@pytest.mark.parametrize("char", "fd")
@pytest.mark.parametrize("function", UNARY, ids=lambda f: f.__name__)
def test_functions_of_one_array(draw: Any, function: Any, char: str) -> None:
    for shape in SHAPES:
        x = abs(draw(shape, char))
        assert same(result(function, (x, np.empty_like(x))), function(x))
        transposed = np.asfortranarray(x)
        assert same(result(function, (transposed, np.empty_like(transposed))), function(transposed))
        wanted = function(x)
        assert same(result(function, (x, x)), wanted)


@pytest.mark.parametrize("char", "fd")
@pytest.mark.parametrize("function", BINARY, ids=lambda f: f.__name__)
def test_functions_of_two_arrays_and_what_is_broadcast(draw: Any, function: Any, char: str) -> None:
    for shape in SHAPES:
        x = abs(draw(shape, char))
        for other in (shape, (), shape[-1:], (*shape[:-1], 1)):
            y = np.asarray(abs(draw(other, char)))
            wanted = np.asarray(function(x, y))
            found = result(function, (x, y, np.empty(wanted.shape, wanted.dtype)))
            assert same(found, wanted) if found is not None else function not in loops.EXACT, (shape, other)


def test_a_number_times_a_vector_is_no_line_where_numpy_leaves_out_zeros() -> None:
    zero, row = np.zeros((1, 1)), np.array([[np.inf, -1.0, np.nan]])
    for a, b in ((zero, row), (row.T, zero), (zero[0], row)):
        assert loops.line(np.dot, (a, b, np.empty_like(np.dot(a, b)))) is None
    with np.errstate(invalid="ignore"):
        assert same(result(np.matmul, (zero, row, np.empty_like(row))), np.matmul(zero, row))


def test_a_sum_into_its_own_array_is_no_line() -> None:
    for x in (np.array(3.0), np.array([3.0])):
        assert loops.line(np.add.reduce, (x, None, None, x, True)) is None


@pytest.mark.parametrize("char", "fd")
def test_sums_of_all_of_rows_and_of_columns(draw: Any, char: str) -> None:
    lines = 0
    for n, m in itertools.product((1, 2, 7, 8, 9, 16, 33, 129, 1000), (1, 2, 3, 8, 17, 100, 300)):
        x = draw((n, m), char)
        for axis, keepdims in itertools.product((None, 0, 1, -1, (0,), (0, 1)), (False, True)):
            wanted = np.asarray(np.add.reduce(x, axis, None, None, keepdims))
            found = result(np.add.reduce, (x, axis, None, np.empty_like(wanted), keepdims))
            lines += found is not None
            assert found is None or same(found, wanted), (n, m, axis, keepdims)
    assert lines > 600
    zeros = np.full((2, 3), -0.0, char)
    assert same(result(np.add.reduce, (zeros, 0, None, np.empty(3, char), False)), np.add.reduce(zeros, 0))


def test_what_is_no_line(draw: Any) -> None:
    x, memory = draw((8, 8)), draw((2, 64))
    out = np.empty((8, 8), "f")
    unaligned = np.empty(8 * 8 * 4 + 1, np.uint8)[1:].view("f").reshape(8, 8)
    for what, function, args in (
            ("overlapping memory", np.add, (memory[0, :32], x.reshape(-1)[:32], memory[0, 8:40])),
            ("not aligned", np.add, (x, unaligned, out)),
            ("another byte order", np.add, (x, x.astype(">f4"), out)),
            ("two dtypes", np.add, (x, x.astype("d"), out)),
            ("a number", np.add, (x, 1.0, out)),
            ("one whose bits may depend on where a row begins", np.exp, (x[:, :7], out[:, :7])),
            ("three axes", np.add, (draw((4, 1, 2)), draw((1, 3, 1)), np.empty((4, 3, 2), "f"))),
            ("empty", np.add, (x[:0], x[:0], out[:0])),
            ("shapes that do not fit", np.add, (x, x, np.empty((3, 8, 8), "f"))),
            ("a product with gaps", np.dot, (draw((8, 16))[:, ::2], x, out)),
            ("a column by a row, where dot has its own signs of 0", np.dot, (x[:, :1], x[:1], out)),
            ("a product into its own memory", np.dot, (x, x, x)),
            ("a sum of halves", np.add.reduce, (x.astype("e"), None, None, np.empty((), "e"), False)),
            ("a maximum of rows", np.maximum.reduce, (x, 1, None, np.empty(8, "f"), False)),
            ("a function of Python's", max, (x, out))):
        assert loops.line(function, args) is None, what


def test_lines_in_a_row_and_an_array_that_comes_later(draw: Any) -> None:
    x, w, h, y = draw((4, 3)), draw((3, 5)), np.empty((4, 5), "f"), np.empty((4, 5), "f")
    lines = [loops.line(np.dot, (x, w, h)), loops.line(np.tanh, (h, h)), loops.line(np.multiply, (h, h, y))]
    for line, places in zip(lines, ((0, 1, 2), (2, 2), (2, 2, 3)), strict=True):
        assert line is not None
        line.places[:len(places)] = places
    row = loops.in_a_row([line for line in lines if line], 1, [w, h, y])
    for _ in range(2):
        x = draw((4, 3))
        given = x,
        row(id(given))
        assert same(y, np.tanh(np.dot(x, w)) ** 2)


@pytest.fixture
def on_numpy() -> Iterator[None]:
    """Replays of NumPy's arrays, whatever backend the suite runs on."""
    before = ta.backend.current()
    ta.backend.use("numpy")
    yield
    ta.backend.use(before)


def trained(activation: str, compiled: bool = True) -> tuple[Any, str]:
    """What some steps of training give and leave, and what is replayed."""
    ta.manual_seed(0)
    model = ta.nn.Sequential(ta.nn.Linear(6, 16), getattr(ta.nn, activation)(), ta.nn.Linear(16, 1))
    optimizer = ta.optim.SGD(model.parameters(), lr=0.1)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = ta.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss
    run = ta.compile(step) if compiled else step
    seen = [run(ta.randn(8, 6), ta.randn(8, 1)).item() for _ in range(8)]
    return (seen, [p.tolist() for p in model.parameters()], [p.grad.tolist() for p in model.parameters()]), run.source() if compiled else ""


def test_a_replay_with_rows_and_one_without_are_the_same(on_numpy: None) -> None:
    with ta.backend.config(large=1 << 20):                      # or tanh is the compiled one's, which differs in a last place
        found, source = trained("Tanh")
    with ta.backend.config(kernels="off"):
        without, plain = trained("Tanh")
    assert found == without
    assert "row0(" in source and "row0(" not in plain


@pytest.mark.parametrize(("activation", "lines"), [("ELU", 2), ("GELU", 2), ("LeakyReLU", 2), ("Softplus", 2), ("ReLU", 1)])      # relu is one operation of NumPy's
def test_compiled_rules_are_lines_of_a_row_too(activation: str, lines: int, on_numpy: None) -> None:
    with ta.backend.config(large=32):
        eager, _ = trained(activation, compiled=False)
        execute._background.submit(int).result()                # a rule that is compiled meanwhile is a line of Python until then
        replayed, source = trained(activation)
    assert replayed == eager
    assert len([line for line in source.splitlines() if line.strip().startswith("#   ") and activation.lower()[:4] in line]) >= lines


def test_an_argument_that_is_not_aligned_is_copied() -> None:
    @ta.compile
    def step(x: Any) -> Any:
        return ((x * 2.0 + 1.0) * x).detach()
    for i in range(4):
        memory = np.zeros(4 * 6 + 1, np.uint8)
        x = memory[i % 2:][:24].view("f")
        x[:] = i
        assert step(ta.Tensor(x)).tolist() == [(2.0 * i + 1) * i] * 6
    assert step.counts["replayed"] == 2
