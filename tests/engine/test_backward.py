"""backward and grad: where gradients go, what is added to what, hooks, seeds, orders of differentiation, threads."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import tinygrad_act as ta

grad = ta.autograd.grad


def leaf(*values: float) -> Any:
    return ta.tensor(values or (1.0, 2.0, 3.0), dtype=ta.float64, requires_grad=True)


# ------------------------------------------------------------------------------------------------------ the rules
def test_a_rule_gets_what_it_names_in_the_order_in_which_it_names_it() -> None:
    one = ta.Op("one", lambda F, x, *, k=3: x * x * x, lambda F, g, y, x: g * (3 * y / x))
    two = ta.Op("two", lambda F, a, b: a * a * b, lambda F, g, b, a: g * (2 * a * b), lambda F, g, y, b: g * (y / b))
    x, b = leaf(2, 4), leaf(5, 3)
    one(x).backward(ta.ones_like(x))
    assert x.grad.tolist() == [12, 48]
    x.grad = None
    two(x, b).backward(ta.ones_like(x))
    assert (x.grad.tolist(), b.grad.tolist()) == ([20, 24], [4, 16])


# --------------------------------------------------------------------------------------------------- accumulation
def test_gradients_add_up_over_backward_passes() -> None:
    x = leaf()
    for _ in range(3):
        (x * x).sum().backward()
    assert x.grad.tolist() == [6, 12, 18]


def test_the_gradient_stays_one_tensor_while_it_is_added_to() -> None:
    x = leaf()
    (x * 2).sum().backward()
    g = x.grad
    (x * 2).sum().backward()
    assert x.grad is g and g.tolist() == [4, 4, 4]


def test_recorded_gradients_of_two_leaves_are_two_tensors() -> None:
    x, y = leaf(), leaf()
    (x + y).sum().backward(create_graph=True)
    with ta.no_grad():
        x.grad.mul_(5)
    assert (x.grad.tolist(), y.grad.tolist()) == ([5, 5, 5], [1, 1, 1])


def test_gradients_alias_neither_each_other_nor_the_seed_nor_saved_arrays() -> None:
    x, y, seed = leaf(), leaf(), ta.ones(3, dtype=ta.float64)
    z = x + y
    z.retain_grad()
    z.backward(seed)
    ((x - y).sum() + (x * y).sum()).backward()
    before = [t.tolist() for t in (x, y, y.grad, z.grad, seed)]
    x.grad.mul_(100)
    assert [t.tolist() for t in (x, y, y.grad, z.grad, seed)] == before
    seed.zero_()
    assert z.grad.tolist() == [1, 1, 1]


def test_a_kept_gradient_that_was_used_in_a_graph_is_guarded() -> None:
    x, w = leaf(), leaf()
    (x * 2).sum().backward()
    y = (x.grad * w).sum()
    (x * 2).sum().backward()
    with pytest.raises(ta.errors.InplaceError, match="backward"):
        y.backward()


def test_one_leaf_used_twice_gets_both_gradients() -> None:
    x = leaf()
    (x * 2 + x * x + x).sum().backward()
    assert x.grad.tolist() == [5, 7, 9]


def test_a_leaf_can_be_its_own_result() -> None:
    x = ta.tensor(2.0, requires_grad=True)
    x.backward()
    assert x.grad.item() == 1
    assert grad(x, x)[0].item() == 1


# ------------------------------------------------------------------------------------------------ inputs and outputs
def test_inputs_choose_leaves_and_results() -> None:
    x, w = leaf(), leaf()
    h = x * w
    (h * h).sum().backward(inputs=[x, h])
    assert w.grad is None and h.grad.tolist() == [2, 8, 18] and x.grad.tolist() == [2, 16, 54]


def test_grad_takes_several_outputs_and_inputs_and_touches_nothing() -> None:
    x, w = leaf(), leaf()
    h = x * w
    gx, gh, gw = grad([h.sum(), (h * h)], [x, h, w], [None, ta.ones(3, dtype=ta.float64)])
    assert gh.tolist() == [3, 9, 19] and gx.tolist() == [3, 18, 57] and gw.tolist() == [3, 18, 57]
    assert x.grad is None and w.grad is None


def test_unused_inputs() -> None:
    x, w = leaf(), leaf()
    y = (x * 2).sum()
    assert grad(y, [x, w], allow_unused=True, retain_graph=True)[1] is None
    assert grad(y, [w, x], materialize_grads=True)[0].tolist() == [0, 0, 0]


def test_a_dict_of_inputs_gives_a_dict() -> None:
    x = leaf()
    assert grad((x * 2).sum(), {"x": x})["x"].tolist() == [2, 2, 2]


def test_batched_seeds_give_batched_gradients() -> None:
    x = leaf()
    (g,) = grad(x * x, x, ta.eye(3, dtype=ta.float64), is_grads_batched=True)
    assert g.tolist() == [[2, 0, 0], [0, 4, 0], [0, 0, 6]]


def test_the_same_output_twice_counts_twice() -> None:
    x = leaf()
    y = (x * x).sum()
    assert grad([y, y], x)[0].tolist() == [4, 8, 12]


def test_seeds_take_the_dtype_of_what_they_seed() -> None:
    x = ta.ones(2, requires_grad=True)
    (x * 2).backward(ta.tensor([1, 2]))
    assert x.grad.dtype == ta.float32 and x.grad.tolist() == [2, 4]


def test_a_result_that_no_gradient_reached_is_skipped() -> None:
    x = leaf(5.0, 1.0, 3.0)
    values, indices = x.sort()
    first, *_ = (x * 2).unbind()
    (values[0] * 7 + first).backward()
    assert x.grad.tolist() == [2, 7, 0] and not indices.requires_grad


# ------------------------------------------------------------------------------------------------------------ hooks
def test_hooks_see_and_replace_gradients_in_the_order_they_were_registered() -> None:
    x, seen = leaf(), []
    y = x * 2
    y.register_hook(lambda g: seen.append(("y", g.tolist())))
    y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: seen.append(("x", g.tolist())))
    x.register_hook(lambda g: g + 1)
    y.sum().backward()
    assert seen == [("y", [1, 1, 1]), ("x", [20, 20, 20])] and x.grad.tolist() == [21, 21, 21]


def test_a_leafs_hook_sees_the_whole_gradient_once() -> None:
    x, seen = leaf(), []
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * 2 + x * 3).sum().backward()
    assert seen == [[5, 5, 5]]


def test_hooks_run_for_grad_on_leaves_and_results() -> None:
    x = leaf()
    h = x * 2
    x.register_hook(lambda g: g * 3)
    h.register_hook(lambda g: g * 5)
    assert grad(h.sum(), h, retain_graph=True)[0].tolist() == [5, 5, 5]
    assert grad(h.sum(), [h, x])[1].tolist() == [30, 30, 30]


def test_a_removed_hook_does_not_run() -> None:
    x = leaf()
    handle = x.register_hook(lambda g: g * 10)
    with x.register_hook(lambda g: g * 100):
        pass
    handle.remove()
    handle.remove()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2, 2]


def test_what_a_hook_keeps_is_its_own() -> None:
    x, kept = leaf(), []
    x.register_hook(kept.append)
    (x * 2).sum().backward()
    x.grad.zero_()
    assert kept[0].tolist() == [2, 2, 2]


def test_retain_grad_keeps_the_gradient_of_a_result() -> None:
    x = leaf()
    h = x * 2
    assert not h.retains_grad
    h.retain_grad()
    h.retain_grad()
    assert h.retains_grad and not x.retains_grad
    for _ in range(2):
        (h * h).sum().backward(retain_graph=True)
    assert h.grad.tolist() == [8, 16, 24]


def test_retain_grad_comes_after_every_hook_and_hooks_can_be_removed_beside_it() -> None:
    x = leaf()
    h = x * 2
    gone = h.register_hook(lambda g: g * 100)
    h.retain_grad()
    h.register_hook(lambda g: g * 10)
    gone.remove()
    h.sum().backward()
    assert h.grad.tolist() == [10, 10, 10] and x.grad.tolist() == [20, 20, 20]


def test_post_accumulate_hooks_see_the_sum() -> None:
    x, seen = leaf(), []
    handle = x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.tolist()))
    (x * 2).sum().backward()
    (x * 2).sum().backward()
    handle.remove()
    (x * 2).sum().backward()
    assert seen == [[2, 2, 2], [4, 4, 4]]


def test_an_optimizer_step_can_run_in_a_hook() -> None:
    x = leaf()

    def step(t: Any) -> None:
        t.sub_(t.grad * 0.1)
        t.grad = None

    x.register_post_accumulate_grad_hook(step)
    (x * x).sum().backward()
    assert x.grad is None and x.tolist() == pytest.approx([0.8, 1.6, 2.4])


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("outside", [False, True])
def test_hooks_run_in_the_mode_that_create_graph_asks_for_and_so_is_the_sum(create_graph: bool, outside: bool) -> None:
    x, seen = leaf(), []
    h = x * 2
    y = (h * h).sum()
    for t in (h, x):
        t.register_hook(lambda g: seen.append(ta.is_grad_enabled()))
    x.register_post_accumulate_grad_hook(lambda t: seen.append(ta.is_grad_enabled()))
    with ta.set_grad_enabled(outside):
        grad(y, x, retain_graph=True, create_graph=create_graph)
        y.backward(create_graph=create_graph)
        assert ta.is_grad_enabled() == outside
    assert seen == [create_graph] * 5 and x.grad.requires_grad == create_graph


def test_backward_can_be_called_in_a_hook() -> None:
    x, w = leaf(), leaf()
    h = x * 2
    h.register_hook(lambda g: _inner(w))
    h.sum().backward()
    assert x.grad.tolist() == [2, 2, 2] and w.grad.tolist() == [2, 4, 6] and ta.is_grad_enabled()


def _inner(w: Any) -> None:
    with ta.enable_grad():
        (w * w).sum().backward()


# --------------------------------------------------------------------------------------------------- higher orders
def test_third_derivatives() -> None:
    x = leaf()
    (g,) = grad((x * x * x * x).sum(), x, create_graph=True)
    (gg,) = grad(g.sum(), x, create_graph=True)
    (ggg,) = grad(gg.sum(), x, create_graph=True)
    assert ggg.tolist() == [24, 48, 72] and ggg.requires_grad


def test_create_graph_through_results_saved_by_ops_with_several() -> None:
    x = leaf(3.0, 1.0, 2.0)
    values = x.topk(2).values
    parts = (values * values).split(1)
    (g,) = grad((parts[0] * parts[1]).sum(), x, create_graph=True)
    (gg,) = grad(g.sum(), x)
    # f = a^2 b^2 of the largest two (3, 2): the row sums of its Hessian
    assert g.tolist() == [24, 0, 36] and gg.tolist() == [8 + 24, 0, 18 + 24]


def test_backward_with_create_graph_makes_gradients_part_of_the_graph() -> None:
    x = leaf()
    (x * x * x).sum().backward(create_graph=True)
    g = x.grad
    x.grad = None
    g.sum().backward()
    assert x.grad.tolist() == [6, 12, 18]


def test_a_gradient_penalty_trains() -> None:
    w = leaf()
    loss = (w * w).sum()
    (g,) = grad(loss, w, create_graph=True)
    (loss + (g * g).sum()).backward()
    assert w.grad.tolist() == [2 + 8, 4 + 16, 6 + 24]


# ---------------------------------------------------------------------------------------------------- the handle
def test_leaves_results_and_constants_know_what_they_are() -> None:
    x, c = leaf(), ta.ones(3, dtype=ta.float64)
    y = x * c
    assert x.is_leaf and c.is_leaf and not y.is_leaf and (c * 2).is_leaf
    assert x.grad_fn is None and "mul" in repr(y.grad_fn) and y.grad_fn.name().startswith("mul")
    assert y.requires_grad and not (c * 2).requires_grad and not y.detach().requires_grad


def test_detach_shares_memory_and_not_the_graph() -> None:
    x = leaf()
    d = (x * 2).detach()
    assert d.is_leaf and not d.requires_grad
    y = x * 2
    y.detach().zero_()
    assert y.tolist() == [0, 0, 0]
    z = x * 2
    assert z.detach_() is z and z.is_leaf and not z.requires_grad


def test_two_threads_run_backward_at_once() -> None:
    gradients: dict[int, Any] = {}

    def work(k: int) -> None:
        x = leaf()
        y = x
        for _ in range(200):
            y = y * 1.0 + x * k
        y.sum().backward()
        gradients[k] = x.grad.tolist()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert gradients == {k: [1.0 + 200 * k] * 3 for k in range(4)}
