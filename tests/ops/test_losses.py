"""The losses against PyTorch where its samples do not look: ties, shapes that broadcast, dtypes, legacy arguments, misuse."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, DTypeError, IndexingError, ShapeError

from .against_torch import array, check, read, refuses, torch

F, theirs = ta.nn.functional, torch.nn.functional
pytestmark = [pytest.mark.filterwarnings("ignore:Using a target size:UserWarning"),
              pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning"),
              pytest.mark.filterwarnings("ignore:size_average and reduce args:UserWarning")]
REDUCTIONS = ["mean", "sum", "none"]
PAIRS = ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "poisson_nll_loss", "kl_div"]


def signs(*shape: int) -> np.ndarray:
    return np.where(array(*shape, seed=9) > 0, 1.0, -1.0)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", PAIRS)
def test_shapes_that_broadcast(name: str, reduction: str) -> None:
    for a, b in (((3, 1), (4,)), ((2, 3), ()), ((0, 3), (3,)), ((), ())):
        check(getattr(F, name), getattr(theirs, name), array(*a, low=0.1), array(*b, low=0.1, high=0.9, seed=1), reduction=reduction)


@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 3), (7, 5, 3, 2)])
def test_cross_entropy_wherever_the_logits_lie_in_memory(shape: tuple[int, ...]) -> None:
    classes = np.arange(math.prod(shape) // 5).reshape(7, *shape[2:]) % 5
    for order in itertools.permutations(range(len(shape))):
        logits, back = array(*[shape[i] for i in order]), np.argsort(order).tolist()
        check(lambda x, t, back: F.cross_entropy(x.permute(back), t), lambda x, t, back: theirs.cross_entropy(x.permute(back), t), logits, classes, back)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("name", [*PAIRS, "binary_cross_entropy", "binary_cross_entropy_with_logits", "soft_margin_loss", "hinge_embedding_loss"])
def test_dtypes(name: str, dtype: str) -> None:
    x = array(3, 4, low=0.2, high=0.8, dtype=dtype)
    if name in ("soft_margin_loss", "hinge_embedding_loss"):
        target = signs(3, 4).tolist()
        check(lambda x: getattr(F, name)(x, ta.tensor(target, dtype=x.dtype), reduction="none"),
              lambda x: getattr(theirs, name)(x, torch.tensor(target, dtype=x.dtype), reduction="none"), x, order=1)
    else:
        check(getattr(F, name), getattr(theirs, name), x, array(3, 4, low=0.2, high=0.8, seed=1, dtype=dtype), order=1,
              rtol={"float16": 2e-2, "bfloat16": 1e-1}.get(dtype))


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "poisson_nll_loss", "kl_div"])
def test_two_float_dtypes(name: str) -> None:
    check(getattr(F, name), getattr(theirs, name), array(4, dtype="float32"), array(4, low=0.1, seed=1), order=1, rtol=1e-5)


# name, inputs that are differentiated, constants, settings
TIES: list[tuple[str, list[Any], list[Any], dict[str, Any]]] = [
    ("l1_loss", [[1.0, 2.0]], [[1.0, 3.0]], {}),
    ("smooth_l1_loss", [[1.0, 0.0, -1.0, 2.0]], [[0.0] * 4], {}),
    ("smooth_l1_loss", [[2.0, 0.0, -2.0]], [[0.0] * 3], {"beta": 2.0}),
    ("smooth_l1_loss", [[2.0, 0.0, -2.0]], [[0.0] * 3], {"beta": 0.0}),
    ("huber_loss", [[2.0, 0.0, -2.0, 3.0]], [[0.0] * 4], {"delta": 2.0}),
    ("hinge_embedding_loss", [[1.0, 1.0, 0.5, 3.0]], [[1.0, -1.0, 0.5, -1.0]], {}),
    ("margin_ranking_loss", [[1.0, 1.0], [1.0, 2.0]], [[1.0, -1.0]], {}),
    ("gaussian_nll_loss", [[2.0, 0.0], [0.0, 0.0], [0.0, 1e-8]], [], {}),
    ("poisson_nll_loss", [[2.0, 0.0, 1.0]], [[0.0, 1.0, 3.0]], {"full": True}),
    ("poisson_nll_loss", [[2.0, 0.0, 1.0]], [[0.0, 1.0, 3.0]], {"full": True, "log_input": False}),
    ("cosine_embedding_loss", [[[0.0, 0.0], [1.0, 0.0]], [[1.0, 2.0], [0.5, 0.75**0.5]]], [[1.0, -1.0]], {"margin": 0.5}),
    ("triplet_margin_loss", [[[1.0, 0.0]], [[2.0, 0.0]], [[0.0, 0.0]]], [], {"eps": 0.0, "margin": 1.0, "swap": True}),
    ("triplet_margin_loss", [[[1.0, 1.0]], [[2.0, 2.0]], [[0.0, 0.0]]], [], {"eps": 0.0, "p": math.inf}),
    ("triplet_margin_loss", [[[1.0, 1.0]], [[1.0, 1.0]], [[1.0, 1.0]]], [], {"eps": 0.0}),
    ("multi_margin_loss", [[[0.0, 1.0, 2.0], [0.4, 0.4, 0.4]]], [[1, 1]], {}),
    ("multi_margin_loss", [[[0.0, 1.0, 2.0], [0.4, 0.4, 0.4]]], [[1, 1]], {"p": 2}),
    ("multilabel_margin_loss", [[[0.0, 1.0, 2.0], [0.4, 0.4, 0.4]]], [[[1, -1, 0], [1, 2, -1]]], {}),
]


@pytest.mark.parametrize(("name", "inputs", "constants", "settings"), TIES)
def test_ties_are_decided_as_pytorch_does(name: str, inputs: list[Any], constants: list[Any], settings: dict[str, Any]) -> None:
    def call(library: Any, module: Any) -> Any:
        fixed = [library.tensor(np.array(c)) for c in constants]
        return lambda *given: getattr(module, name)(*given, *fixed, reduction="none", **settings)
    check(call(ta, F), call(torch, theirs), *[np.array(x) for x in inputs], order=1, rtol=1e-8)


def test_what_pytorch_makes_nan_of() -> None:
    """The gradient by a target of 0: kl_div's is minus infinity, Stirling's formula is not used there."""
    target = ta.tensor([0.0, 0.5], requires_grad=True)
    F.kl_div(ta.tensor([-1.0, -1.0]), target, reduction="sum").backward()
    assert target.grad.tolist() == [-math.inf, pytest.approx(math.log(0.5) + 2)]
    target.grad = None
    F.poisson_nll_loss(ta.tensor([2.0, 1.0]), target, full=True, reduction="sum").backward()
    assert target.grad.tolist() == [-2.0, -1.0]


def test_an_infinite_logit_on_the_wrong_side_costs_infinitely_much() -> None:
    x = ta.tensor([math.inf, -math.inf], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, ta.tensor([0.0, 1.0]), reduction="none")
    loss.sum().backward()
    assert loss.tolist() == [math.inf, math.inf] and x.grad.tolist() == [1.0, -1.0]



@pytest.mark.parametrize(("size_average", "reduce"), [(True, True), (False, True), (None, False), (False, None), (True, None), (True, False)])
@pytest.mark.parametrize("name", ["mse_loss", "kl_div", "soft_margin_loss", "cross_entropy", "multilabel_soft_margin_loss"])
def test_the_arguments_before_reduction(name: str, size_average: bool | None, reduce: bool | None) -> None:
    target = np.array([0, 1, 2]) if name == "cross_entropy" else np.abs(signs(3, 4))

    def call(library: Any, module: Any) -> Any:
        return lambda x: getattr(module, name)(x, library.tensor(target), size_average=size_average, reduce=reduce)
    check(call(ta, F), call(torch, theirs), array(3, 4), order=0)


def test_variances_of_several_shapes() -> None:
    x, y = array(2, 3, 4), array(2, 3, 4, seed=1)
    for shape in ((2, 3, 4), (2, 3), (2, 3, 1), (2, 1, 4)):
        check(F.gaussian_nll_loss, theirs.gaussian_nll_loss, x, y, array(*shape, low=0.1, seed=2), full=True)
    check(lambda a, b: F.gaussian_nll_loss(a, b, 0.3), lambda a, b: theirs.gaussian_nll_loss(a, b, 0.3), x, y)
    for shape in ((3,), (4,), (1, 1, 4)):
        refuses(F.gaussian_nll_loss, theirs.gaussian_nll_loss, x, y, array(*shape, low=0.1))
    refuses(F.gaussian_nll_loss, theirs.gaussian_nll_loss, x, y, -1.0, says="not negative")


def test_one_sample_without_an_axis_for_it() -> None:
    for reduction in REDUCTIONS:
        for name, target in (("multi_margin_loss", np.array(1)), ("multi_margin_loss", np.array([1])), ("multilabel_margin_loss", np.array([2, 0, -1]))):
            check(lambda x, n=name, t=target, r=reduction: getattr(F, n)(x, ta.tensor(t), reduction=r),
                  lambda x, n=name, t=target, r=reduction: getattr(theirs, n)(x, torch.tensor(t), reduction=r), array(3), order=1)
        check(lambda a, b, r=reduction: F.cosine_embedding_loss(a, b, ta.tensor(-1), reduction=r),
              lambda a, b, r=reduction: theirs.cosine_embedding_loss(a, b, torch.tensor(-1), reduction=r), array(3), array(3, seed=1))
        check(F.triplet_margin_loss, theirs.triplet_margin_loss, array(3), array(3, seed=1), array(3, seed=2), reduction=reduction)


def test_triplets_with_another_distance() -> None:
    inputs = array(4, 3), array(4, 3, seed=1), array(4, 3, seed=2)
    for swap in (False, True):
        check(F.triplet_margin_with_distance_loss, theirs.triplet_margin_with_distance_loss, *inputs, swap=swap, margin=2.0)
        check(lambda *x, s=swap: F.triplet_margin_with_distance_loss(*x, distance_function=lambda a, b: (a - b).abs().sum(-1), swap=s),
              lambda *x, s=swap: theirs.triplet_margin_with_distance_loss(*x, distance_function=lambda a, b: (a - b).abs().sum(-1), swap=s), *inputs)


# ---------------------------------------------------------------------------------------------------------- ctc
CTC = [((6, 3, 5), [[1, 2], [3, 3], [4, 0]], (6, 5, 4), (2, 2, 1), {}), ((6, 3, 5), [1, 2, 3, 3, 4], (6, 5, 4), (2, 2, 1), {}),
       ((6, 3, 5), [[1, 2], [3, 3], [4, 0]], (6, 2, 4), (2, 2, 1), {"zero_infinity": True}),
       ((6, 3, 5), [[1, 2], [3, 3], [4, 0]], (6, 2, 4), (2, 2, 0), {"blank": 4}), ((6, 2, 5), [[], []], (6, 0), (0, 0), {}),
       ((6, 2, 3), [[1, 77], [2, 1]], (6, 6), (1, 2), {}), ((6, 5), [1, 2], (6,), (2,), {}), ((6, 5), [[1, 2]], (6,), (2,), {})]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("shape", "targets", "inputs", "labels", "settings"), CTC)
def test_ctc(shape: Any, targets: Any, inputs: Any, labels: Any, settings: Any, reduction: str) -> None:
    """The gradient is PyTorch's by itself, not only behind log_softmax."""
    x = torch.tensor(array(*shape)).log_softmax(-1).numpy()
    for as_tensors in (False, True):
        def call(library: Any, module: Any, t: bool = as_tensors) -> Any:
            lengths = [library.tensor(v) if t else v for v in (inputs, labels)]
            return lambda v: module.ctc_loss(v, library.tensor(targets), *lengths, reduction=reduction, **settings)
        check(call(ta, F), call(torch, theirs), x, order=1)


def test_a_long_ctc() -> None:
    rng = np.random.default_rng(0)
    targets, x = rng.integers(1, 30, (4, 60)), torch.tensor(rng.normal(size=(300, 4, 30)) * 5).log_softmax(2).numpy()
    lengths = (300, 250, 200, 299), (60, 30, 59, 1)
    check(lambda v: F.ctc_loss(v, ta.tensor(targets), *lengths), lambda v: theirs.ctc_loss(v, torch.tensor(targets), *lengths), x, order=1)


def test_ctc_refuses() -> None:
    x, t = torch.tensor(array(5, 2, 4)).log_softmax(2).numpy(), np.array([[1, 2], [3, 0]])
    for given, says in (((x, t, (5, 6), (2, 1)), "5 steps"), ((x, t, (5, 5), (3, 1)), "longest"), ((x, t, (5,), (2, 1)), "2 samples"),
                        ((x, t, (5, 5), (-1, 1)), "negative"), ((x, np.array([1, 2]), (5, 5), (2, 1)), "add up to 3"),
                        ((x, t[:1], (5, 5), (2, 1)), "2 samples"), ((x[0, 0], t, (5, 5), (2, 1)), "log_probs"),
                        ((x[:, :0], t[:0], (), ()), "not empty"), ((x, np.array(3), (5, 5), (2, 1)), "targets of shape")):
        refuses(F.ctc_loss, theirs.ctc_loss, *given, says=says)
    refuses(F.ctc_loss, theirs.ctc_loss, x, t, (5, 5), (2, 1), blank=4, says="blank=4")
    refuses(F.ctc_loss, theirs.ctc_loss, x, t, (5, 5), (2, 1), reduction="batchmean", says="reduction")
    if ta.backend.current() == "numpy":
        with pytest.raises(IndexingError, match="the label 9"):
            F.ctc_loss(ta.tensor(x), ta.tensor([[1, 9], [3, 0]]), (5, 5), (2, 1))


# -------------------------------------------------------------------------------------------------------- misuse
def test_misuse() -> None:
    x, t, p = array(4, 3), np.array([0, 1, 2, 0]), array(4, 3, low=0.1, high=0.9)
    for name, given, says in (
            ("binary_cross_entropy", (p, p.astype("float32")), "dtypes differ"), ("binary_cross_entropy", (p, t), "one shape"),
            ("binary_cross_entropy_with_logits", (x, x[:2]), "one shape"), ("soft_margin_loss", (x[:, :1], x), "broadcast to the input"),
            ("margin_ranking_loss", (x, x, t), "number of axes"), ("cosine_embedding_loss", (x, x, x), r"\(N, D\)"),
            ("cosine_embedding_loss", (x, x, t[:3]), "broadcast"), ("triplet_margin_loss", (x, x, x[0]), "number of axes"),
            ("multi_margin_loss", (x, t[:2]), "4 targets"), ("multi_margin_loss", (x, t.astype(float)), "integers"),
            ("multi_margin_loss", (x[:, :0], t), "at least one class"), ("multilabel_margin_loss", (x, t), "must be equal"),
            ("kl_div", (x, np.zeros((4, 3), int)), "floats"), ("mse_loss", (t, t), "element type"), ("huber_loss", (x, x, "mean", -1.0), "delta"),
            ("smooth_l1_loss", (x, x, None, None, "mean", -1.0), "beta"), ("mse_loss", (x, x, None, None, "mean", array(3)), "must be equal")):
        refuses(getattr(F, name), getattr(theirs, name), *given, says=says)
    refuses(F.triplet_margin_loss, theirs.triplet_margin_loss, x, x, x, margin=0.0, says="margin=0.0")
    refuses(F.multi_margin_loss, theirs.multi_margin_loss, x, t, p=3, says="p=3")
    for name in ("cross_entropy", "nll_loss", "multi_margin_loss"):
        with pytest.raises((ShapeError, ArgumentError)):
            getattr(F, name)(ta.tensor(x), ta.tensor(t), weight=ta.ones(4, dtype=ta.float64))
    with pytest.raises(ArgumentError, match=r"weight\.detach"):
        F.binary_cross_entropy(ta.tensor(p), ta.tensor(p), weight=ta.ones(3, requires_grad=True))
    with pytest.raises(ArgumentError, match="must be a Tensor"):
        F.mse_loss(ta.tensor(x), x)
    with pytest.raises(DTypeError):
        F.huber_loss(ta.tensor(t), ta.tensor(t))


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_misuse_of_classes(name: str) -> None:
    x, t, loss = ta.zeros(2, 3), ta.tensor([0, 2]), getattr(F, name)
    with pytest.raises(ArgumentError, match=r"weight\.detach"):
        loss(x, t, ta.ones(3, requires_grad=True))
    with pytest.raises(ArgumentError, match="must be a Tensor"):
        loss(x, t, [1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match="no classes"):
        loss(ta.zeros(2, 0), t)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32"])
@pytest.mark.parametrize("shape", [(1, 6, 60), (2, 21, 30, 40), (40, 90), (3, 4)])
def test_classes_of_narrow_integers(shape: tuple[int, ...], dtype: str) -> None:
    x, t = array(*shape), np.random.default_rng(0).integers(0, shape[1], (shape[0], *shape[2:]))
    t.reshape(-1)[:3] = 0, 100, 100
    for name in ("cross_entropy", "nll_loss"):
        results = []
        for of in ("int64", dtype):
            logits = ta.tensor(x, requires_grad=True)
            loss = getattr(F, name)(logits, ta.tensor(t.astype(of)), ignore_index=100)
            loss.backward()
            results.append((loss.item(), read(logits.grad)))
        assert results[0][0] == results[1][0]
        np.testing.assert_array_equal(results[0][1], results[1][1])


@pytest.mark.skipif("ta.backend.current() != 'numpy'", reason="the memory is not shared")
@pytest.mark.parametrize("shape", [(64, 512), (64, 10), (4, 100, 100), (4, 10, 10)])
@pytest.mark.parametrize("other", [10 ** 10, -5])
def test_targets_that_somebody_else_has_changed_lead_nowhere_else(shape: tuple[int, ...], other: int) -> None:
    x, t = ta.tensor(array(*shape, dtype="float32"), requires_grad=True), np.zeros((shape[0], *shape[2:]), np.int64)
    loss = F.cross_entropy(x, ta.from_numpy(t))
    t[:] = other
    try:
        loss.backward()
    except IndexError:                                   # of NumPy's, which looks
        return
    assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.skipif("ta.backend.current() != 'numpy'", reason="values are looked at on the CPU only")
def test_values_out_of_range_are_named() -> None:
    with pytest.raises(ArgumentError, match=r"1\.5"):
        F.binary_cross_entropy(ta.tensor([0.5, 1.5]), ta.tensor([0.0, 1.0]))
    with pytest.raises(ArgumentError, match=r"-0\.25"):
        F.gaussian_nll_loss(ta.zeros(2), ta.zeros(2), ta.tensor([1.0, -0.25]))
    with pytest.raises(IndexingError, match="the target 3"):
        F.multi_margin_loss(ta.zeros(2, 3), ta.tensor([0, 3]))
    with pytest.raises(IndexingError, match="the target -2"):
        F.multilabel_margin_loss(ta.zeros(2, 3), ta.tensor([[0, -2, 1], [0, 1, 2]]))


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_a_warning_names_both_shapes(name: str) -> None:
    with pytest.warns(UserWarning, match=r"Using a target size \(3,\) that is different to the input size \(3, 1\)") as caught:
        getattr(F, name)(ta.zeros(3, 1), ta.ones(3))
    assert caught[0].filename == __file__


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bce_of_a_rounded_probability_pulls_its_logit_no_harder_than_a_probability_can(dtype: str) -> None:
    for target in (0.0, 0.3, 1.0):
        x = ta.linspace(-60, 60, 2401, dtype=getattr(ta, dtype)).requires_grad_()
        ta.nn.functional.binary_cross_entropy(ta.sigmoid(x), ta.full_like(x.detach(), target), reduction="sum").backward()
        assert x.grad.abs().max().item() <= 1.6                  # 1, and half a unit of 1 - p near 1
