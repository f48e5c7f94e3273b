"""Losses of margins as modules: the functions of `nn.functional` with their settings kept."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from . import functional as F
from .losses import Loss, WeightedLoss
from .similarity import PairwiseDistance


class HingeEmbeddingLoss(Loss):
    """Small distances for targets of 1, large ones for -1: see `nn.functional.hinge_embedding_loss`.

    >>> ta.nn.HingeEmbeddingLoss(margin=2.0)(ta.tensor([0.5]), ta.tensor([-1]))
    tensor(1.5000)
    """

    def __init__(self, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class SoftMarginLoss(Loss):
    """log(1 + exp(-target input)): see `nn.functional.soft_margin_loss`.

    >>> ta.nn.SoftMarginLoss()(ta.tensor([0.0]), ta.tensor([1.0]))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MarginRankingLoss(Loss):
    """Which of two is the larger: see `nn.functional.margin_ranking_loss`.

    >>> ta.nn.MarginRankingLoss()(ta.tensor([1.0]), ta.tensor([3.0]), ta.tensor([1.0]))
    tensor(2.)
    """

    def __init__(self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.margin_ranking_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(Loss):
    """Small angles for targets of 1, large ones for -1: see `nn.functional.cosine_embedding_loss`.

    >>> ta.nn.CosineEmbeddingLoss()(ta.tensor([[1.0, 0.0]]), ta.tensor([[1.0, 1.0]]), ta.tensor([1]))
    tensor(0.2929)
    """

    def __init__(self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.cosine_embedding_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class TripletMarginLoss(Loss):
    """The positive nearer to the anchor than the negative, by a margin: see `nn.functional.triplet_margin_loss`.

    >>> a, n = ta.zeros(1, 2), ta.tensor([[0.3, 0.4]])
    >>> ta.nn.TripletMarginLoss()(a, a, n)
    tensor(0.5000)
    """

    def __init__(self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, size_average: bool | None = None,
                 reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        _positive("TripletMarginLoss", margin)
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_loss(anchor, positive, negative, margin=self.margin, p=self.p, eps=self.eps, swap=self.swap,
                                     reduction=self.reduction)


class TripletMarginWithDistanceLoss(Loss):
    """TripletMarginLoss with a distance of one's own, a function or a module: see `nn.functional.triplet_margin_with_distance_loss`.

    >>> a, n = ta.zeros(1, 2), ta.tensor([[0.3, 0.4]])
    >>> ta.nn.TripletMarginWithDistanceLoss(distance_function=lambda x, y: (x - y).abs().sum(-1))(a, a, n)
    tensor(0.3000)
    """

    def __init__(self, *, distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0,
                 swap: bool = False, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        _positive("TripletMarginWithDistanceLoss", margin)
        self.distance_function = PairwiseDistance() if distance_function is None else distance_function
        self.margin, self.swap = margin, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_with_distance_loss(anchor, positive, negative, distance_function=self.distance_function,
                                                   margin=self.margin, swap=self.swap, reduction=self.reduction)


class MultiMarginLoss(WeightedLoss):
    """The right class's score above the others', by a margin: see `nn.functional.multi_margin_loss`.

    >>> ta.nn.MultiMarginLoss()(ta.tensor([[0.1, 0.2, 0.9]]), ta.tensor([2]))
    tensor(0.1667)
    """

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, size_average: bool | None = None,
                 reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ArgumentError("MultiMarginLoss", f"p={p}", "it is 1 or 2")
        if weight is not None and weight.ndim != 1:
            raise ShapeError("MultiMarginLoss", f"a weight of shape {weight.shape}", "there is one for each class, (C,)")
        self.p, self.margin = p, margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multi_margin_loss(input, target, p=self.p, margin=self.margin, weight=self.weight, reduction=self.reduction)


class MultiLabelMarginLoss(Loss):
    """Each right class's score above those of the wrong ones: see `nn.functional.multilabel_margin_loss`.

    >>> ta.nn.MultiLabelMarginLoss()(ta.tensor([[0.1, 0.2, 0.4, 0.8]]), ta.tensor([[3, 0, -1, 1]]))
    tensor(0.8500)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(WeightedLoss):
    """BCEWithLogitsLoss, averaged over the classes first: see `nn.functional.multilabel_soft_margin_loss`.

    >>> ta.nn.MultiLabelSoftMarginLoss()(ta.zeros(2, 3), ta.ones(2, 3))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_soft_margin_loss(input, target, weight=self.weight, reduction=self.reduction)


def _positive(name: str, margin: float) -> None:
    if not margin > 0:
        raise ArgumentError(name, f"margin={margin}", "it is a distance: above 0")
