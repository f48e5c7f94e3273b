"""The losses without PyTorch beside them: figures worked by hand, and derivatives against numerical ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.autograd import gradcheck, gradgradcheck
from tinygrad_act.errors import GraphError

F = ta.nn.functional
E, LOG2 = math.e, math.log(2)


def t(values: Any, dtype: Any = ta.float64) -> ta.Tensor:
    return ta.tensor(values, dtype=dtype)


FIGURES: list[tuple[str, Callable[[], ta.Tensor], Any]] = [
    ("mse", lambda: F.mse_loss(t([1, 3]), t([1, 1])), 2),
    ("l1", lambda: F.l1_loss(t([1, 3]), t([1, 1]), reduction="sum"), 2),
    ("smooth_l1", lambda: F.smooth_l1_loss(t([0.5, 3]), t([0, 0]), beta=2, reduction="none"), [0.0625, 2]),
    ("huber", lambda: F.huber_loss(t([0.5, 3]), t([0, 0]), delta=2, reduction="none"), [0.125, 4]),
    ("cross_entropy", lambda: F.cross_entropy(t([[0, LOG2]]), ta.tensor([0])), math.log(3)),
    ("cross_entropy, weighted", lambda: F.cross_entropy(t([[0, LOG2], [0, 0]]), ta.tensor([0, 1]), weight=t([3, 1])),
     (3 * math.log(3) + LOG2) / 4),
    ("cross_entropy, smoothed", lambda: F.cross_entropy(t([[0, LOG2]]), ta.tensor([0]), label_smoothing=0.5),
     0.75 * math.log(3) + 0.25 * math.log(1.5)),
    ("cross_entropy, ignored", lambda: F.cross_entropy(t([[0, LOG2], [9, 1]]), ta.tensor([0, -100])), math.log(3)),
    ("cross_entropy, shares", lambda: F.cross_entropy(t([[0, LOG2]]), t([[0.5, 0.5]])), (math.log(3) + math.log(1.5)) / 2),
    ("nll", lambda: F.nll_loss(t([[-1, -2], [-3, -4]]), ta.tensor([1, 0])), 2.5),
    ("bce", lambda: F.binary_cross_entropy(t([0.5, 0.25]), t([1, 0]), reduction="none"), [LOG2, math.log(4 / 3)]),
    ("bce_with_logits", lambda: F.binary_cross_entropy_with_logits(t([0, math.log(3)]), t([1, 1]), pos_weight=t([2.0]), reduction="none"),
     [2 * LOG2, 2 * math.log(4 / 3)]),
    ("kl_div", lambda: F.kl_div(t([[0.25, 0.75]]).log(), t([[0.5, 0.5]]), reduction="batchmean"), 0.5 * math.log(4 / 3)),
    ("hinge_embedding", lambda: F.hinge_embedding_loss(t([0.5, 0.5, 3]), ta.tensor([1, -1, -1]), margin=2, reduction="none"), [0.5, 1.5, 0]),
    ("cosine_embedding", lambda: F.cosine_embedding_loss(t([[1, 0], [1, 0]]), t([[1, 1], [1, 1]]), ta.tensor([1, -1]), margin=0.5,
                                                         reduction="none"), [1 - 0.5**0.5, 0.5**0.5 - 0.5]),
    ("triplet", lambda: F.triplet_margin_loss(t([[0, 0]]), t([[3, 4]]), t([[0, 1]]), eps=0), 5),
    ("margin_ranking", lambda: F.margin_ranking_loss(t([1, 1]), t([3, 3]), t([1, -1]), margin=0.5, reduction="none"), [2.5, 0]),
    ("multi_margin", lambda: F.multi_margin_loss(t([[0.1, 0.2, 0.9]]), ta.tensor([2]), p=2), (0.2**2 + 0.3**2) / 3),
    ("multilabel_margin", lambda: F.multilabel_margin_loss(t([[0.1, 0.2, 0.4, 0.8]]), ta.tensor([[3, 0, -1, 1]])),
     (0.4 + 0.6 + 1.1 + 1.3) / 4),
    ("multilabel_soft_margin", lambda: F.multilabel_soft_margin_loss(t([[0, math.log(3)]]), t([[1, 1]])), (LOG2 + math.log(4 / 3)) / 2),
    ("soft_margin", lambda: F.soft_margin_loss(t([1e4, -1e4, 0]), t([-1, -1, 1]), reduction="none"), [1e4, 0, LOG2]),
    ("gaussian_nll", lambda: F.gaussian_nll_loss(t([1]), t([3]), 4.0, full=True), 0.5 * (math.log(4) + 1 + math.log(2 * math.pi))),
    ("poisson_nll", lambda: F.poisson_nll_loss(t([1]), t([3])), E - 3),
    ("poisson_nll, full", lambda: F.poisson_nll_loss(t([1]), t([3]), log_input=False, full=True, eps=0.0),
     1 + 3 * math.log(3) - 3 + 0.5 * math.log(6 * math.pi)),
    ("ctc", lambda: F.ctc_loss(t(np.full((3, 1, 2), 0.5)).log(), ta.tensor([[1]]), (3,), (1,)), -math.log(6 / 8)),
    ("ctc, repeated", lambda: F.ctc_loss(t(np.full((3, 1, 2), 0.5)).log(), ta.tensor([[1, 1]]), (3,), (2,), reduction="sum"), math.log(8)),
    ("ctc, too short", lambda: F.ctc_loss(t(np.full((2, 1, 2), 0.5)).log(), ta.tensor([[1, 1]]), (2,), (2,)), math.inf),
]


@pytest.mark.parametrize(("compute", "wanted"), [row[1:] for row in FIGURES], ids=[row[0] for row in FIGURES])
def test_by_hand(compute: Callable[[], ta.Tensor], wanted: Any) -> None:
    np.testing.assert_allclose(np.array(compute().tolist()), wanted, rtol=1e-11, atol=1e-15)


def array(*shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> ta.Tensor:
    return ta.tensor(np.random.default_rng(seed).uniform(low, high, shape), requires_grad=True)


X, Y, P, Q = array(3, 4), array(3, 4, seed=1), array(3, 4, low=0.1, high=0.9), array(3, 4, low=0.1, high=0.9, seed=1)
SIGNS = ta.tensor(np.array([[1.0, -1.0, 1.0, -1.0]] * 3))
CLASSES, WEIGHT = ta.tensor([0, 3, -100]), t([1.0, 2.0, 0.5, 3.0])
DIFFERENTIATED: list[tuple[str, Callable[..., ta.Tensor], tuple[ta.Tensor, ...]]] = [
    *[(name, getattr(F, name), (X, Y)) for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")],
    ("weighted", lambda x, y, w: F.mse_loss(x, y, weight=w), (X, Y, P)),
    ("cross_entropy", lambda x: F.cross_entropy(x, CLASSES, WEIGHT, label_smoothing=0.1), (X,)),
    ("cross_entropy, all classes", lambda x: F.cross_entropy(x, ta.tensor([0, 3, 1]), reduction="none"), (X,)),
    ("cross_entropy of shares", lambda x, q: F.cross_entropy(x, q, WEIGHT, label_smoothing=0.1), (X, P)),
    ("nll_loss", lambda x: F.nll_loss(x, CLASSES, WEIGHT), (X,)),
    ("binary_cross_entropy", lambda p, q: F.binary_cross_entropy(p, q, WEIGHT), (P, Q)),
    ("binary_cross_entropy_with_logits", lambda x, q: F.binary_cross_entropy_with_logits(x, q, WEIGHT, pos_weight=WEIGHT), (X, Q)),
    ("without weights", F.binary_cross_entropy_with_logits, (X, Q)),
    ("multilabel_soft_margin_loss", lambda x, q: F.multilabel_soft_margin_loss(x, q, reduction="none"), (X, Q)),
    ("kl_div", lambda x, q: F.kl_div(x, q, reduction="sum"), (X, Q)),
    ("kl_div of logs", lambda x, y: F.kl_div(x, y, reduction="batchmean", log_target=True), (X, Y)),
    ("gaussian_nll_loss", F.gaussian_nll_loss, (X, Y, P)),
    ("poisson_nll_loss", lambda x, q: F.poisson_nll_loss(x, 3 * q, full=True), (X, Q)),
    ("poisson_nll_loss of rates", lambda p, q: F.poisson_nll_loss(p, 3 * q, log_input=False, full=True), (P, Q)),
    ("hinge_embedding_loss", lambda x: F.hinge_embedding_loss(x, SIGNS), (X,)),
    ("soft_margin_loss", lambda x: F.soft_margin_loss(x, SIGNS), (X,)),
    ("margin_ranking_loss", lambda x, y: F.margin_ranking_loss(x, y, SIGNS, margin=0.3), (X, Y)),
    ("cosine_embedding_loss", lambda x, y: F.cosine_embedding_loss(x, y, ta.tensor([1, -1, 1])), (X, Y)),
    *[(f"triplet_margin_loss, p={p}, swap={swap}", lambda x, y, q, p=p, swap=swap: F.triplet_margin_loss(x, y, q, p=p, swap=swap, margin=3.0),
       (X, Y, Q)) for p in (1, 2, 3.0, math.inf) for swap in (False, True)],
    ("multi_margin_loss", lambda x: F.multi_margin_loss(x, ta.tensor([0, 3, 1]), p=2, weight=WEIGHT), (X,)),
    ("multilabel_margin_loss", lambda x: F.multilabel_margin_loss(x, ta.tensor([[0, 2, -1, 1], [-1, 0, 0, 0], [3, 2, 1, 0]])), (X,)),
]


@pytest.mark.parametrize(("loss", "inputs"), [row[1:] for row in DIFFERENTIATED], ids=[row[0] for row in DIFFERENTIATED])
def test_derivatives(loss: Callable[..., ta.Tensor], inputs: tuple[ta.Tensor, ...]) -> None:
    assert gradcheck(loss, inputs)
    assert gradgradcheck(loss, inputs)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ctc_behind_log_softmax(reduction: str) -> None:
    """Where its gradient is meant to be; it has no second."""
    x = array(6, 3, 4)

    def loss(logits: ta.Tensor) -> ta.Tensor:
        return F.ctc_loss(logits.log_softmax(2), ta.tensor([[1, 2], [3, 3], [2, 0]]), (6, 5, 4), (2, 2, 1), reduction=reduction)
    assert gradcheck(loss, (x,))
    (g,) = ta.autograd.grad(loss(x).sum(), x, create_graph=True)
    with pytest.raises(GraphError, match="ctc_loss"):
        g.sum().backward()


ONE_NODE = {"mse_loss": (X, Y), "l1_loss": (X, Y), "smooth_l1_loss": (X, Y), "huber_loss": (X, Y), "binary_cross_entropy": (P, Q),
            "binary_cross_entropy_with_logits": (X, Q), "gaussian_nll_loss": (X, Y, P), "poisson_nll_loss": (X, P), "soft_margin_loss": (X, SIGNS),
            "hinge_embedding_loss": (X, SIGNS), "margin_ranking_loss": (X, Y, SIGNS), "triplet_margin_loss": (X, Y, Q),
            "multilabel_soft_margin_loss": (X, Q), "cross_entropy": (X, CLASSES), "multi_margin_loss": (X, ta.tensor([0, 1, 2])),
            "cosine_embedding_loss": (X, Y, t([1, 1, -1]))}


@pytest.mark.parametrize("name", ONE_NODE)
def test_a_loss_is_one_node_that_keeps_no_array_of_its_own(name: str) -> None:
    """But what its inputs are; cross_entropy keeps the exponentials of a small batch."""
    inputs = ONE_NODE[name]
    node = getattr(F, name)(*inputs).grad_fn
    assert all(edge is None or isinstance(edge, ta.Tensor) for edge in node.edges)
    if name != "cross_entropy":
        known = {id(x.array) for x in inputs}
        assert all(id(a) in known or a.size <= 3 for a in node.saved if ta.backend.is_array(a))


def test_a_large_cross_entropy_keeps_two_numbers_a_row() -> None:
    x = ta.zeros(300, 1000, requires_grad=True)
    node = F.cross_entropy(x, ta.zeros(300, dtype=ta.int64)).grad_fn
    assert sum(a.size for a in node.saved if ta.backend.is_array(a) and a is not x.array) <= 3 * 300


@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize("shape", [(7, 20000), (700, 200), (3, 40000, 2)])
def test_large_cross_entropies_are_worked_in_parts(shape: tuple[int, ...], scale: float) -> None:
    rng = np.random.default_rng(0)
    x = scale * rng.normal(size=shape)
    target = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    leaf = ta.tensor(x, requires_grad=True)
    loss = F.cross_entropy(leaf, ta.tensor(target))
    loss.backward()
    shifted = x - x.max(1, keepdims=True)
    p = np.exp(shifted) / np.exp(shifted).sum(1, keepdims=True)
    hit = np.take_along_axis(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)), target[:, None], 1)
    np.put_along_axis(p, target[:, None], np.take_along_axis(p, target[:, None], 1) - 1, 1)
    assert loss.item() == pytest.approx(-hit.mean(), rel=1e-10)
    np.testing.assert_allclose(np.array(leaf.grad.tolist()), p / target.size, atol=1e-12)


def test_a_sure_prediction_costs_nothing_negative() -> None:
    for high in (5.0, 7.9, 12.0, 80.0):
        assert 0 <= F.cross_entropy(ta.tensor([[high, -high, 0.0]]), ta.tensor([0])).item() < 0.01
