"""In-place changes: values, gradients and refusals as PyTorch has them, through views and roots alike."""

from __future__ import annotations

import operator
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import InplaceError

from .garbage import no_garbage
from .test_inplace_refused import leaf

torch = pytest.importorskip("torch")
DATA = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]


def outcome(lib: Any, program: Any) -> tuple[Any, Any]:
    """What the program makes of x, and the gradient of the sum of its squares by x."""
    x = lib.tensor(DATA, dtype=lib.float64, requires_grad=True)
    y = program(lib, x)
    (y * y).sum().backward()
    return y.tolist(), x.grad.tolist()


def column_and_row(lib: Any, x: Any) -> Any:
    y = x * 2
    y[:, 0] += 1
    y[1].mul_(3)
    return y


def rows_of_a_constant(lib: Any, x: Any) -> Any:
    out = lib.zeros(3, 3, dtype=lib.float64)
    out[0] = x[1]
    out[1].copy_(2 * x[0])
    out[2:, 1:] = x[:1, :2]
    return out


def a_view_of_a_view(lib: Any, x: Any) -> Any:
    y = x * 1
    row, flat = y[0], y.reshape(9)
    flat.mul_(x.reshape(9))
    return row * y * flat.reshape(3, 3)


def a_root_moves_its_views(lib: Any, x: Any) -> Any:
    y = x * 1
    flat, diagonal, turned = y.reshape(9), y.diagonal(), y.t()
    y.mul_(x)
    return flat.reshape(3, 3) + diagonal * turned


def a_transposed_view(lib: Any, x: Any) -> Any:
    y = x * 1
    y.t()[0].mul_(x[0])
    y.t().reshape(3, 3)[1].mul_(2)
    return y


def a_diagonal(lib: Any, x: Any) -> Any:
    y = x * 1
    y.diagonal().mul_(x[0])
    return y


def one_element(lib: Any, x: Any) -> Any:
    y = x * 1
    y[1, 2].mul_(5)
    y[0][0] *= x[2, 2]
    return y


def zeroed(lib: Any, x: Any) -> Any:
    y = x * 1
    y.zero_()
    return y + x


def filled(lib: Any, x: Any) -> Any:
    y = x * 1
    y[0].fill_(x[1, 1])
    return y


def at_indices(lib: Any, x: Any) -> Any:
    y = x * 1
    y[[0, 0, 1], [1, 2, 2]] = x[0] * x[0]
    y[lib.tensor([2])] = 4.0
    return y


def at_a_mask(lib: Any, x: Any) -> Any:
    y = x * 1
    y[y > 6] = x[0]
    return y


def slices_and_indices(lib: Any, x: Any) -> Any:
    y = x * 1
    y[1:, lib.tensor([0, 2])] = x[0, :2]
    return y


def a_value_with_axes_to_spare(lib: Any, x: Any) -> Any:
    y = x * 1
    y[0] = x[1:2]
    return y


def its_own_old_value(lib: Any, x: Any) -> Any:
    y = x * 1
    w = x[0] * 2
    y.mul_(w).add_(y.sum()).pow_(2).div_(w)
    return y


def chained_from_the_result(lib: Any, x: Any) -> Any:
    y = x * 0.1
    y.neg_().clamp_(-0.8, -0.2).abs_().exp_()
    return y


def with_arguments(lib: Any, x: Any) -> Any:
    y = x * 1
    y.addcmul_(x, x, value=0.5).lerp_(x, 0.25).masked_fill_(x > 8, 2.0)
    return y.sub_(x, alpha=2)


def augmented(lib: Any, x: Any) -> Any:
    y = x * 1
    y += x
    y -= 1
    y *= x
    y /= 3
    y **= 2
    return y


def written_under_no_grad(lib: Any, x: Any) -> Any:
    with lib.no_grad():
        x[0] = 5.0
        x.mul_(2)
        x += 1
    return x * x


def a_quotient_changed(lib: Any, x: Any) -> Any:
    share = x / x.sum(0)
    share += 1
    share[0] = 2.0
    return share


def a_quotient_masked(lib: Any, x: Any) -> Any:
    return x.div(x[0]).masked_fill_(x > 8, -9.0)


def a_reciprocal_changed(lib: Any, x: Any) -> Any:
    inverse = 1 / x
    inverse *= 3
    return inverse


def a_loss_added_to(lib: Any, x: Any) -> Any:
    loss = x.sum() / x[0].sum()
    loss += x[1].sum()
    return loss


def a_similarity_masked(lib: Any, x: Any) -> Any:
    found = lib.nn.functional.cosine_similarity(x[:, None, :], x[None, :, :] ** 2, dim=-1)
    found.masked_fill_(lib.eye(3, dtype=lib.bool), -9e15)
    return found / 9e15


def a_stopped_line_changed(lib: Any, x: Any) -> Any:
    y = lib.nn.functional.relu6(x - 2)
    y += 1
    return y


def a_stopped_line_in_place(lib: Any, x: Any) -> Any:
    y = x - 2
    return lib.nn.functional.relu6(y, inplace=True) * x


def a_logit_changed(lib: Any, x: Any) -> Any:
    y = (x / 10).logit()
    y *= 2
    return y


def a_copied_diagonal(lib: Any, x: Any) -> Any:
    return lib.diag(x).add_(1)


PROGRAMS = [column_and_row, rows_of_a_constant, a_view_of_a_view, a_root_moves_its_views, a_transposed_view, a_diagonal,
            one_element, zeroed, filled, at_indices, at_a_mask, slices_and_indices, a_value_with_axes_to_spare,
            its_own_old_value, chained_from_the_result, with_arguments, augmented, written_under_no_grad, a_quotient_changed,
            a_quotient_masked, a_reciprocal_changed, a_loss_added_to, a_similarity_masked, a_stopped_line_changed,
            a_stopped_line_in_place, a_logit_changed, a_copied_diagonal]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_an_in_place_program_gives_pytorchs_values_and_gradients(program: Any) -> None:
    for ours, theirs in zip(outcome(ta, program), outcome(torch, program), strict=True):
        assert torch.tensor(ours).allclose(torch.tensor(theirs), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("program", [p for p in PROGRAMS if p is not written_under_no_grad], ids=lambda p: p.__name__)
def test_gradients_of_in_place_programs_can_be_differentiated(program: Any) -> None:
    second = []
    for lib in (ta, torch):
        x = lib.tensor(DATA, dtype=lib.float64, requires_grad=True)
        (g,) = lib.autograd.grad((program(lib, x) ** 2).sum(), x, create_graph=True)
        (gg,) = lib.autograd.grad((g * g).sum(), x)
        second.append(torch.tensor(gg.tolist(), dtype=torch.float64))
    assert second[0].allclose(second[1], rtol=1e-9, atol=1e-9)


def test_every_in_place_method_of_pytorch_whose_op_is_here_is_here() -> None:
    ours = {n for n in dir(ta.Tensor) if not n.startswith("_")}
    theirs = {n for n in dir(torch.Tensor) if n.endswith("_") and not n.startswith("_")}
    missing = {n for n in theirs - ours if n[:-1] in ours}
    # sizes, storage and sharing are not what an array has; map_ and apply_ call Python per element
    assert missing <= {"resize_", "set_", "share_memory_", "apply_", "map_", "map2_", "resize_as_", "as_strided_", "normal_",
                       "uniform_", "bernoulli_", "random_", "sparse_resize_", "polygamma_", "mvlgamma_", "conj_physical_",
                       "renorm_"}, missing


UNARY = "abs neg exp log sqrt square reciprocal sin cos tanh sigmoid relu floor ceil round trunc rsqrt expm1 log1p"


@pytest.mark.parametrize("name", UNARY.split())
def test_an_in_place_op_is_the_op(name: str) -> None:
    x = ta.tensor([0.5, 1.25, 2.75], dtype=ta.float64, requires_grad=True)
    y, z = x * 1, x * 1
    assert getattr(y, f"{name}_")() is y
    expected = getattr(z, name)()
    assert y.tolist() == expected.tolist()
    (a,), (b,) = ta.autograd.grad(y.sum(), x), ta.autograd.grad(expected.sum(), x)
    assert a.tolist() == b.tolist()


@pytest.mark.parametrize("symbol", ["iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow"])
def test_augmented_assignment_keeps_the_tensor(symbol: str) -> None:
    x = ta.tensor([7.0, 8.0])
    assert getattr(operator, symbol)(x, 3) is x
    assert x.tolist() == getattr(operator, symbol)(torch.tensor([7.0, 8.0]), 3).tolist()


@pytest.mark.parametrize("symbol", ["iand", "ior", "ixor"])
def test_augmented_bits(symbol: str) -> None:
    x = ta.tensor([True, False, True])
    assert getattr(operator, symbol)(x, ta.tensor([True, True, False])) is x
    assert x.tolist() == getattr(operator, symbol)(torch.tensor([True, False, True]), torch.tensor([True, True, False])).tolist()


def test_relu6_in_place_may_be_changed_in_place_again() -> None:
    x = ta.tensor([-1.0, 0.3, 3.0, 7.0], requires_grad=True)
    y = ta.nn.functional.relu6(x * 1, inplace=True)
    y.mul_(2)
    y.sum().backward()
    assert x.grad is not None and x.grad.tolist() == [0, 2, 2, 0]


def test_a_change_of_what_nothing_saved_is_no_error() -> None:
    x, w = leaf(), ta.tensor([1.0, 2.0, 3.0])
    y = (x + w).sum()
    w.mul_(2)
    y.backward()
    assert x.grad.tolist() == [1, 1, 1]


def test_a_parameter_changed_before_backward_is_noticed() -> None:
    w = leaf()
    y = (w * w).sum()
    with ta.no_grad():
        w.sub_(1)
    with pytest.raises(InplaceError, match="sub_"):
        y.backward()


def test_versions_count_changes_of_the_memory() -> None:
    x = ta.zeros(3)
    view, twin = x[1:], x.detach()
    assert x._version == 0
    x.add_(1)
    view.mul_(2)
    twin[0] = 5.0
    assert x._version == view._version == twin._version == 3
    assert x.tolist() == [5, 2, 2] and x.clone()._version == 0


def test_a_number_reached_by_indices_is_a_view() -> None:
    x = ta.zeros(2, 2)
    x[0, 1].add_(3)
    x[1][0].fill_(4)
    assert x.tolist() == [[0, 3], [4, 0]]


def test_a_slice_of_a_vector_is_a_view() -> None:
    x = ta.ones(3, requires_grad=True)
    y = x * 1
    y.unbind()[0].mul_(3)
    y.sum().backward()
    assert (y.tolist(), x.grad.tolist()) == ([3, 1, 1], [3, 1, 1])


def test_overlapping_memory_is_read_before_it_is_written() -> None:
    x = ta.arange(5)
    x[1:] = x[:-1]
    assert x.tolist() == [0, 0, 1, 2, 3]
    m = ta.tensor([[1, 2], [3, 4]])
    m.copy_(m.t())
    assert m.tolist() == [[1, 3], [2, 4]]


def test_values_are_converted_as_pytorch_converts_them() -> None:
    for lib in (ta, torch):
        x = lib.zeros(3, dtype=lib.int64)
        x[0] = 1.7
        x[1:] = lib.tensor([2.5, -2.5])
        assert x.tolist() == [1, 2, -2]
        y = lib.zeros(2, dtype=lib.int32)
        y.add_(lib.tensor([1, 2])).copy_(lib.tensor([1.9, 2.9]))
        assert y.tolist() == [1, 2] and "int32" in str(y.dtype)


def test_float16_is_changed_in_place_as_pytorch_changes_it() -> None:
    results = []
    for lib in (ta, torch):
        x = lib.tensor([0.1, 0.2, 3.0], dtype=lib.float16)
        x.add_(0.3).mul_(x).div_(3).exp_()
        results.append(x.tolist())
    assert results[0] == results[1]


def test_metadata_in_place() -> None:
    for lib in (ta, torch):
        x = lib.zeros(2, 3)
        view = x[0]
        x.t_().unsqueeze_(0)
        x[0, 0, 0] = 4.0
        view[1] = 5.0
        assert tuple(x.shape) == (1, 3, 2) and x.tolist() == [[[4, 0], [5, 0], [0, 0]]]
        y = lib.tensor([[1.0, 2.0]], requires_grad=True)
        z = (y * 2).squeeze_()
        z.mul_(3)
        z.sum().backward()
        assert y.grad.tolist() == [[6, 6]]
        v = lib.tensor([1.0, 2.0])
        assert v.t_() is v and v.t_().mul_(2).tolist() == [2, 4]


def test_retained_gradients_follow_the_tensor() -> None:
    for lib in (ta, torch):
        x = lib.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        y.retain_grad()
        y.mul_(3)
        (y * lib.tensor([1.0, 10.0])).sum().backward()
        assert y.grad.tolist() == [1, 10] and x.grad.tolist() == [6, 60]


def test_empty_and_0d_tensors_are_changed_in_place() -> None:
    empty = ta.zeros(0, 3)
    empty.add_(1).zero_()
    empty[:] = 5.0
    number = ta.tensor(2.0)
    number.add_(1).mul_(2)
    number[...] = number + 1
    number[()] = number * 2
    assert number.item() == 14 and empty.shape == (0, 3)


def test_a_step_with_in_place_changes_leaves_no_cycles() -> None:
    def step() -> None:
        y = x * 2
        rows = [y[0:1], y[1:]]
        y[0] = 5.0
        rows[1].mul_(x[1:])
        y.sum().backward()

    x = leaf()
    no_garbage(step)


def test_fill_diagonal() -> None:
    for shape, wrapped in [((3, 3), False), ((7, 3), True), ((7, 3), False), ((2, 4), True), ((2, 2, 2), False)]:
        assert ta.zeros(shape).fill_diagonal_(2.0, wrap=wrapped).tolist() == torch.zeros(shape).fill_diagonal_(2.0, wrapped).tolist()
