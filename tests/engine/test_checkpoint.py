"""utils.checkpoint: the same gradients with the inside forgotten."""

from __future__ import annotations

import weakref
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import GraphError, InplaceError
from tinygrad_act.utils.checkpoint import checkpoint, checkpoint_sequential

from .garbage import no_garbage

W = ta.tensor([0.3, -0.7, 0.2], dtype=ta.float64, requires_grad=True)


def leaf(*values: float) -> Any:
    return ta.tensor(values or (0.5, 1.0, 1.5), dtype=ta.float64, requires_grad=True)


def block(x: Any) -> Any:
    """Uses a parameter that it was not given."""
    return (x * W).tanh() * x


def gradients(program: Any) -> list[Any]:
    W.grad = None
    x = leaf()
    y = program(x)
    y.sum().backward()
    return [y.tolist(), x.grad.tolist(), None if W.grad is None else W.grad.tolist()]


@pytest.mark.parametrize("use_reentrant", [None, True, False])
def test_values_and_gradients_are_the_same_with_parameters_by_closure(use_reentrant: bool | None) -> None:
    def run(f: Any) -> Any:
        return lambda x: checkpoint(f, x, use_reentrant=use_reentrant)
    assert gradients(run(block)) == gradients(block)
    assert gradients(lambda x: run(lambda t: block(block(t)))(x)) == gradients(lambda x: block(block(x)))
    nested = run(lambda t: run(block)(t) + run(lambda s: run(block)(s) * 2)(t))
    for ours, plain in zip(gradients(nested), gradients(lambda t: block(t) + block(t) * 2), strict=True):
        assert ours == pytest.approx(plain, rel=1e-14)             # added up in another order


def test_the_inside_is_forgotten_and_recomputed_once() -> None:
    inside: list[Any] = []
    calls = []

    def watched(x: Any) -> Any:
        h = x * x
        inside.append(weakref.ref(h.array))
        calls.append(1)
        return (h * h).sin()

    x = leaf()
    y = checkpoint(watched, x, use_reentrant=False).sum()
    assert inside[0]() is None and len(calls) == 1
    y.backward()
    assert len(calls) == 2 and inside[1]() is None


def test_random_numbers_are_drawn_again() -> None:
    drawn = []

    def noisy(x: Any) -> Any:
        noise = ta.rand(3).double()
        drawn.append(noise.tolist())
        return x * noise

    x = leaf()
    ta.manual_seed(1)
    y = checkpoint(noisy, x, use_reentrant=False)
    after = ta.rand(2).tolist()
    y.sum().backward()
    assert drawn[0] == drawn[1] == x.grad.tolist()
    following = ta.rand(2).tolist()
    ta.manual_seed(1)
    ta.rand(3)
    assert ta.rand(2).tolist() == after and ta.rand(2).tolist() == following      # the stream outside goes on
    y = checkpoint(noisy, x, use_reentrant=False, preserve_rng_state=False)
    y.sum().backward()
    assert drawn[2] != drawn[3]


def test_grad_create_graph_and_hooks_work_through_it() -> None:
    results = []
    for run in (lambda x: block(x), lambda x: checkpoint(block, x, use_reentrant=False)):
        x = leaf()
        h = x * 2
        h.register_hook(lambda g: g * 3)
        (g,) = ta.autograd.grad(run(h).sum(), x, create_graph=True)
        results.append((g.tolist(), [t.tolist() for t in ta.autograd.grad((g * g).sum(), [x, W])]))
    for ours, plain in zip(results[0][1], results[1][1], strict=True):
        assert ours == pytest.approx(plain, rel=1e-12)
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-12)


def test_an_argument_and_a_captured_result_of_the_same_leaf_are_not_counted_twice() -> None:
    def program(run: Any) -> Any:
        def f(x: Any) -> Any:
            h = x * 3
            return run(lambda a: a * h * x, h)
        return f
    assert gradients(program(lambda f, *a: checkpoint(f, *a, use_reentrant=False))) == gradients(program(lambda f, *a: f(*a)))


def test_structures_keywords_and_constants() -> None:
    def f(pair: Any, *, scale: float, extra: dict[str, Any]) -> Any:
        a, b = pair
        return {"sum": a + b * scale, "kept": extra["c"], "list": [a * b, 3]}

    x, w, c = leaf(), leaf(), ta.ones(2)
    out = checkpoint(f, (x, w), scale=2.0, extra={"c": c}, use_reentrant=False)
    assert out["kept"] is c and out["list"][1] == 3
    (out["sum"] + out["list"][0]).sum().backward()
    assert x.grad.tolist() == (1 + w).tolist() and w.grad.tolist() == (2 + x).tolist()


def test_without_gradients_it_is_the_function() -> None:
    x = leaf()
    with ta.no_grad():
        assert checkpoint(block, x).node is None
    assert checkpoint(lambda t: t * 2, ta.ones(2)).tolist() == [2, 2]


def test_checkpoint_sequential() -> None:
    functions = [block, lambda x: x.sin(), block, lambda x: x * x, block]
    def plain(x: Any) -> Any:
        for f in functions:
            x = f(x)
        return x
    for segments in (1, 2, 3, 5):
        assert gradients(lambda x: checkpoint_sequential(functions, segments, x, use_reentrant=False)) == gradients(plain)  # noqa: B023


def test_what_goes_wrong_is_explained() -> None:
    x = leaf()
    shapes = iter([3, 2])
    y = checkpoint(lambda t: t[:next(shapes)] * 2, x, use_reentrant=False)
    with pytest.raises(GraphError, match="checkpoint: .*second run.*the first run gave.*do the same"):
        y.sum().backward()
    c = ta.ones(3, dtype=ta.float64)
    y = checkpoint(lambda t, c: t * c, x, c, use_reentrant=False)
    c.add_(1)
    with pytest.raises(InplaceError, match="checkpoint: an array.*add_"):
        y.sum().backward()
    y = checkpoint(block, x, use_reentrant=False).sum()
    y.backward()
    with pytest.raises(GraphError, match="checkpoint: a second backward pass"):
        y.backward()


def test_a_chain_of_checkpoints_is_cheap_in_the_graph_and_leaves_no_cycles() -> None:
    def step() -> None:
        x = leaf()
        y = x
        for _ in range(20):
            y = checkpoint(block, y, use_reentrant=False)
        y.sum().backward()
    no_garbage(step)
