"""Size and memory: 100,000 ops deep and wide, nothing recursive, nothing kept that no rule named, no cycles."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import tinygrad_act as ta

from .garbage import no_garbage

N = 100_000


def leaf(*values: float) -> Any:
    return ta.tensor(values or (1.0, 2.0, 3.0), requires_grad=True)


# ------------------------------------------------------------------------------------------------------ deep, wide
def test_a_chain_of_100_000_ops() -> None:
    x = ta.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(N):
        y = y * 1.0
    y.backward()
    assert x.grad.item() == 1
    del y                                              # and its nodes are freed without recursion


def test_a_chain_that_was_never_gone_back_through_is_freed() -> None:
    x = ta.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(N):
        y = y + 1.0
    alive = weakref.ref(y.node)
    del y
    assert alive() is None


def test_a_chain_of_views_and_changes() -> None:
    x = ta.ones(2, requires_grad=True)
    y = x * 1
    for _ in range(200):
        y = y.reshape(2)
        y.add_(1)
    for _ in range(N // 4):
        y = y.reshape(2)
    y.add_(1)
    y.sum().backward()
    assert x.grad.tolist() == [1, 1]
    del y


def test_one_leaf_used_100_000_times() -> None:
    x = ta.tensor(1.0, requires_grad=True)
    total = x * 0
    for _ in range(N):
        total = total + x
    total.backward()
    assert x.grad.item() == N


def test_cat_of_100_000() -> None:
    x = ta.ones(1, requires_grad=True)
    y = ta.cat([x] * N)
    (y * y).sum().backward()
    assert x.grad.tolist() == [2 * N]


def test_100_000_terms_stacked_and_unbound() -> None:
    x = ta.ones(N, requires_grad=True)
    ta.stack(x.unbind()).sum().backward()
    assert x.grad.sum().item() == N


def test_the_gradient_of_a_gradient_of_a_long_chain() -> None:
    x = ta.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(2000):
        y = (y * x).tanh()
    (g,) = ta.autograd.grad(y, x, create_graph=True)
    (gg,) = ta.autograd.grad(g, x)
    assert gg.isfinite().item()


# ---------------------------------------------------------------------------------------------------------- memory
def test_forward_frees_what_no_rule_named() -> None:
    x = leaf()
    h = x + 1
    alive = weakref.ref(h.array)
    y = (h + 2).sum()
    del h
    assert alive() is None
    y.backward()


def test_forward_keeps_what_a_rule_named_and_backward_frees_it() -> None:
    x = leaf()
    h = x + 1
    alive = weakref.ref(h.array)
    y = (h * h).sum()
    del h
    assert alive() is not None
    y.backward()
    assert alive() is None and y.requires_grad


def test_saved_arrays_are_freed_as_the_sweep_goes() -> None:
    x = leaf()
    alive, seen = [], []
    y = x
    for _ in range(4):
        y = y * y
        alive.append(weakref.ref(y.array))
        y.register_hook(lambda g: seen.append(sum(a() is not None for a in alive)))
    out = y.sum()
    del y
    out.backward()
    # the last square is kept by nobody, the others until the rules that named them have run
    assert seen == [3, 2, 1, 0]


def test_retain_graph_keeps_and_the_graphs_end_frees() -> None:
    x = leaf()
    h = x * x
    alive = weakref.ref(h.array)
    y = (h * h).sum()
    del h
    y.backward(retain_graph=True)
    assert alive() is not None
    del y
    assert alive() is None


def test_no_grad_keeps_nothing() -> None:
    x = leaf()
    with ta.no_grad():
        h = x * x
        alive = weakref.ref(h.array)
        y = h * h
        del h
    assert alive() is None and y.node is None


def test_a_training_step_leaves_no_cycles() -> None:
    w, b = leaf(), leaf()

    def step() -> None:
        loss = ((w * ta.ones(3) + b).tanh() ** 2).mean()
        loss.backward()
        with ta.no_grad():
            w.sub_(w.grad * 0.1)
        w.grad = b.grad = None

    no_garbage(step)


def test_hooks_and_retained_gradients_leave_no_cycles() -> None:
    def step() -> None:
        x = leaf()
        y = x * 2
        y.retain_grad()
        handle = y.register_hook(lambda g: g * 2)
        y.register_hook(lambda g: None)
        (y * y).sum().backward()
        handle.remove()

    no_garbage(step)


def test_gradients_of_gradients_by_grad_leave_no_cycles() -> None:
    def step() -> None:
        x = leaf()
        (g,) = ta.autograd.grad((x * x * x).sum(), x, create_graph=True)
        ta.autograd.grad(g.sum(), x)

    no_garbage(step)


def test_functions_and_checkpoints_leave_no_cycles() -> None:
    class Square(ta.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            y = x * x
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, _ = ctx.saved_tensors
            return g * 2 * x

    def step() -> None:
        x = leaf()
        ta.utils.checkpoint.checkpoint(lambda t: Square.apply(t).exp(), x, use_reentrant=False).sum().backward()

    no_garbage(step)


def test_errors_leave_no_graph_behind() -> None:
    x = leaf()
    h = x * x
    alive = weakref.ref(h.array)
    try:
        (h * ta.ones(3)).backward()
    except ta.errors.GraphError:
        pass
    del h
    gc.collect()
    assert alive() is None
