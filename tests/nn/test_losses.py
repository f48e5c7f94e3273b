"""The losses against PyTorch: value, gradient and gradient of the gradient, over kinds of target, weights, reductions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.ops.against_torch import array, check, refuses, torch
from tinygrad_act.errors import ArgumentError, DTypeError, IndexingError, ShapeError

F, theirs = ta.nn.functional, torch.nn.functional
REDUCTIONS = ["mean", "sum", "none"]
SHAPES = [(4, 3), (3,), (2, 3, 4), (2, 3, 2, 2), (1, 1), (0, 3)]       # (N, C, d1, ...), or (C,)


def classes(shape: tuple[int, ...], count: int, ignored: int | None = None) -> np.ndarray:
    shape = () if len(shape) == 1 else (shape[0], *shape[2:])
    found = np.random.default_rng(5).integers(0, count, shape)
    if ignored is not None and found.size > 1:
        found.flat[0] = ignored
    return np.asarray(found)


def both(name: str, x: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None, order: int = 2, **options: Any) -> None:
    """The same call of both libraries; x is differentiated, and a target of floats."""
    constants = [target] if target.dtype.kind == "i" else []
    inputs = [x] if constants else [x, target]

    def call(library: Any, module: Any) -> Any:
        def loss(*given: Any) -> Any:
            t = given[1] if len(given) > 1 else library.tensor(constants[0])
            more = {} if weight is None else {"weight": library.tensor(weight)}
            return getattr(module, name)(given[0], t, **more, **options)
        return loss
    check(call(ta, F), call(torch, theirs), *inputs, order=order)


@pytest.mark.parametrize("smoothing", [0.0, 0.15])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_cross_entropy_of_classes(shape: tuple[int, ...], reduction: str, weighted: bool, smoothing: float) -> None:
    count = shape[0] if len(shape) == 1 else shape[1]
    weight = array(count, low=0.2, high=2.0) if weighted else None
    for ignored, index in ((None, -100), (-100, -100), (0, 0)):
        both("cross_entropy", array(*shape), classes(shape, count, ignored), weight, reduction=reduction,
             label_smoothing=smoothing, ignore_index=index)


@pytest.mark.parametrize("smoothing", [0.0, 0.15])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_cross_entropy_of_distributions(shape: tuple[int, ...], reduction: str, weighted: bool, smoothing: float) -> None:
    count = shape[0] if len(shape) == 1 else shape[1]
    weight = array(count, low=0.2, high=2.0) if weighted else None
    both("cross_entropy", array(*shape), array(*shape, low=0.0, high=1.0, seed=3), weight, reduction=reduction,
         label_smoothing=smoothing)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_nll_loss(shape: tuple[int, ...], reduction: str, weighted: bool) -> None:
    count = shape[0] if len(shape) == 1 else shape[1]
    weight = array(count, low=0.2, high=2.0) if weighted else None
    both("nll_loss", array(*shape), classes(shape, count, -100), weight, reduction=reduction)


def test_cross_entropy_is_one_node() -> None:
    loss = F.cross_entropy(ta.randn(4, 3, requires_grad=True), ta.tensor([0, 1, 2, 0]))
    assert loss.grad_fn.op.name == "cross_entropy"
    assert all(isinstance(edge, ta.Tensor) for edge in loss.grad_fn.edges if edge is not None)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_cross_entropy_survives_huge_logits(dtype: str) -> None:
    x = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [0.0, -np.inf, 1.0]], dtype)
    both("cross_entropy", x, np.array([1, 2, 2]), reduction="none", order=1)
    both("cross_entropy", x[:2], np.array([[0.0, 1.0, 0.0], [0.5, 0.25, 0.25]], dtype), order=1)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves(dtype: str) -> None:
    check(lambda x: F.cross_entropy(x, ta.tensor([0, 2])), lambda x: theirs.cross_entropy(x, torch.tensor([0, 2])),
          array(2, 3, dtype=dtype), order=1)


def test_everything_ignored_has_no_mean() -> None:
    assert np.isnan(F.cross_entropy(ta.zeros(2, 3), ta.tensor([-100, -100])).item())


def test_errors_of_classes() -> None:
    x, t = array(4, 3), np.array([0, 1, 2, 0])
    refuses(F.cross_entropy, theirs.cross_entropy, x, np.array([0, 1, 2]))
    refuses(F.cross_entropy, theirs.cross_entropy, x, array(4))
    refuses(F.cross_entropy, theirs.cross_entropy, x, np.zeros((4, 3), int))
    refuses(F.nll_loss, theirs.nll_loss, x, np.array([[0, 1, 2, 0]]))
    refuses(F.cross_entropy, theirs.cross_entropy, x, t, reduction="average")
    refuses(F.cross_entropy, theirs.cross_entropy, x, t, array(2))
    with pytest.raises(ArgumentError, match="label_smoothing"):
        F.cross_entropy(ta.zeros(1, 2), ta.tensor([0]), label_smoothing=1.5)
    with pytest.raises(DTypeError, match="floating"):
        F.cross_entropy(ta.zeros(1, 2, dtype=ta.int64), ta.tensor([0]))


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize("wrong", [3, -1])
def test_a_class_that_is_not_there(name: str, wrong: int) -> None:
    """An error on the CPU; on a device, where looking costs a wait, NaN."""
    target = ta.tensor([0, wrong])
    if target.device.type == "cpu":
        with pytest.raises(IndexingError, match=f"the target {wrong}"):
            getattr(F, name)(ta.zeros(2, 3), target)
    else:
        assert np.isnan(getattr(F, name)(ta.zeros(2, 3), target).item())


# ------------------------------------------------------------------------------------------------- pointwise
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(3, 4), (), (0, 2)])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss"])
def test_distances(name: str, shape: tuple[int, ...], reduction: str) -> None:
    check(getattr(F, name), getattr(theirs, name), array(*shape), array(*shape, seed=1), reduction=reduction)


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss"])
def test_distances_with_weights_ties_and_mixed_dtypes(name: str) -> None:
    x = array(3, 4)
    ours, other = getattr(F, name), getattr(theirs, name)
    check(ours, other, x, x.copy(), order=1)
    check(ours, other, x.astype("float32"), array(3, 4, seed=2), rtol=1e-6)
    w = np.abs(array(3, 4, seed=3))
    for reduction in REDUCTIONS:
        check(lambda a, b, r=reduction: ours(a, b, weight=ta.tensor(w), reduction=r),
              lambda a, b, r=reduction: other(a, b, weight=torch.tensor(w), reduction=r), x, array(3, 4, seed=2))


@pytest.mark.filterwarnings("ignore:Using a target size:UserWarning")
def test_a_broadcast_target_is_warned_about() -> None:
    with pytest.warns(UserWarning, match="broadcasts"):
        loss = F.mse_loss(ta.zeros(3, 1), ta.ones(3))
    assert loss.item() == 1.0
    refuses(F.mse_loss, theirs.mse_loss, array(3), array(4))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_binary_cross_entropy(reduction: str, weighted: bool) -> None:
    p, t = array(3, 4, low=0.01, high=0.99), array(3, 4, low=0.0, high=1.0, seed=1)
    both("binary_cross_entropy", p, t, array(4, low=0.5) if weighted else None, reduction=reduction)


def test_binary_cross_entropy_at_the_ends() -> None:
    p, t = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0])
    check(lambda x: F.binary_cross_entropy(x, ta.tensor(t), reduction="none"),
          lambda x: theirs.binary_cross_entropy(x, torch.tensor(t), reduction="none"), p, order=0, rtol=1e-7)
    x = ta.tensor(p, requires_grad=True)
    F.binary_cross_entropy(x, ta.tensor(t)).backward()
    assert x.grad.tolist() == [0, 0, 0, 0]                  # PyTorch's are 0, 0, -1e12 and 1e12: of a loss that is cut off at 100
    refuses(F.binary_cross_entropy, theirs.binary_cross_entropy, array(3), array(4))
    if ta.backend.current() == "numpy":
        refuses(F.binary_cross_entropy, theirs.binary_cross_entropy, np.array([1.5]), np.array([1.0]))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_binary_cross_entropy_with_logits(reduction: str, positive: bool, weighted: bool) -> None:
    x, t = array(3, 4, low=-5, high=5), array(3, 4, low=0.0, high=1.0, seed=1)
    w, pw = array(3, 4, low=0.5, seed=2), array(4, low=0.5, seed=3)

    def call(library: Any, module: Any) -> Any:
        more = {"weight": library.tensor(w)} if weighted else {}
        more |= {"pos_weight": library.tensor(pw)} if positive else {}
        return lambda a, b: module.binary_cross_entropy_with_logits(a, b, reduction=reduction, **more)
    check(call(ta, F), call(torch, theirs), x, t)


def test_logits_of_any_size() -> None:
    """Value and gradient exact in float32 where sigmoid is 0 or 1 to the last digit."""
    x = ta.tensor([1e4, -1e4, 90.0, -90.0, 20.0, -20.0], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, ta.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 0.0]), reduction="none")
    loss.sum().backward()
    small, less = np.exp(-90.0), np.exp(-20.0)
    np.testing.assert_allclose(loss.detach().tolist(), [1e4, 1e4, small, small, less, less], rtol=1e-6)
    np.testing.assert_allclose(x.grad.tolist(), [1, -1, -small, small, -less, less], rtol=1e-6)


# --------------------------------------------------------------------------------------------------- modules
MODULES = [("CrossEntropyLoss", {"label_smoothing": 0.1}, "index"), ("CrossEntropyLoss", {"ignore_index": 1}, "index"),
           ("NLLLoss", {"reduction": "sum"}, "index"), ("MSELoss", {}, "float"), ("L1Loss", {"reduction": "none"}, "float"),
           ("BCELoss", {}, "share"), ("BCEWithLogitsLoss", {"reduction": "sum"}, "float"), ("MSELoss", {"size_average": False}, "float")]


@pytest.mark.parametrize(("name", "options", "kind"), MODULES)
@pytest.mark.filterwarnings("ignore:size_average and reduce args:UserWarning")
def test_modules(name: str, options: dict[str, Any], kind: str) -> None:
    x = array(4, 3, low=0.1, high=0.9)
    target = np.array([0, 2, 1, 1]) if kind == "index" else array(4, 3, low=0.0, high=1.0, seed=1)
    mine, other = getattr(ta.nn, name)(**options), getattr(torch.nn, name)(**options)
    check(lambda v: mine(v, ta.tensor(target)), lambda v: other(v, torch.tensor(target)), x)
    assert repr(mine) == repr(other)


def test_weights_of_a_loss_are_buffers() -> None:
    loss = ta.nn.CrossEntropyLoss(ta.tensor([1.0, 2.0]))
    assert list(loss.state_dict()) == ["weight"] and not list(loss.parameters())
    with pytest.raises(ShapeError, match="weight"):
        loss(ta.zeros(2, 3), ta.tensor([0, 1]))
