"""Losses as modules: the functions of `nn.functional` with their settings kept. (Those of margins are in margin_losses.py.)"""

from __future__ import annotations

from typing import Any

from ..errors import ArgumentError
from ..ops.reduced import REDUCTIONS, reduction_of
from ..tensor import Tensor
from . import functional as F
from .module import Module


class Loss(Module):
    """What the losses have in common: `reduction`, also from the two arguments that came before it in PyTorch."""

    choices: tuple[str, ...] = REDUCTIONS

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction_of(type(self).__name__, reduction, size_average, reduce, self.choices)


class WeightedLoss(Loss):
    """A loss with a buffer `weight`."""

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class L1Loss(Loss):
    """The mean of abs(input - target): see `nn.functional.l1_loss`.

    >>> ta.nn.L1Loss()(ta.tensor([1.0, 3.0]), ta.tensor([1.0, 1.0]))
    tensor(1.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class MSELoss(Loss):
    """The mean of (input - target) squared: see `nn.functional.mse_loss`.

    >>> ta.nn.MSELoss()(ta.tensor([1.0, 3.0]), ta.tensor([1.0, 1.0]))
    tensor(2.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(Loss):
    """Squared near, straight from `beta` on, with the slope 1: see `nn.functional.smooth_l1_loss`.

    >>> ta.nn.SmoothL1Loss()(ta.tensor([0.5]), ta.tensor([0.0]))
    tensor(0.1250)
    """

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
                 beta: float = 1.0) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(Loss):
    """Squared near, straight from `delta` on, with the slope delta: see `nn.functional.huber_loss`.

    >>> ta.nn.HuberLoss(delta=2.0)(ta.tensor([3.0]), ta.tensor([0.0]))
    tensor(4.)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        if not isinstance(delta, (int, float)):
            raise ArgumentError("HuberLoss", f"delta: {type(delta).__name__}", "it is a number")
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


# ------------------------------------------------------------------------------------------------ over classes
class CrossEntropyLoss(WeightedLoss):
    """Of logits against classes or distributions: see `nn.functional.cross_entropy`.

    >>> ta.nn.CrossEntropyLoss()(ta.tensor([[2.0, 0.0]]), ta.tensor([0]))
    tensor(0.1269)
    """

    def __init__(self, weight: Tensor | None = None, size_average: bool | None = None, ignore_index: int = -100,
                 reduce: bool | None = None, reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction,
                               label_smoothing=self.label_smoothing)


class NLLLoss(WeightedLoss):
    """Of log-probabilities against classes: see `nn.functional.nll_loss`.

    >>> ta.nn.NLLLoss()(ta.tensor([[-0.1, -2.0]]), ta.tensor([1]))
    tensor(2.)
    """

    def __init__(self, weight: Tensor | None = None, size_average: bool | None = None, ignore_index: int = -100,
                 reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class BCELoss(WeightedLoss):
    """Of probabilities against targets in 0 .. 1: see `nn.functional.binary_cross_entropy`.

    >>> ta.nn.BCELoss()(ta.tensor([0.5]), ta.tensor([1.0]))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(Loss):
    """Of logits against targets in 0 .. 1: see `nn.functional.binary_cross_entropy_with_logits`.

    >>> ta.nn.BCEWithLogitsLoss()(ta.tensor([0.0]), ta.tensor([1.0]))
    tensor(0.6931)
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean", pos_weight: Tensor | None = None) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(input, target, self.weight, pos_weight=self.pos_weight,
                                                  reduction=self.reduction)


class CTCLoss(Loss):
    """Of a sequence of labels under all its alignments: see `nn.functional.ctc_loss`.

    >>> ta.nn.CTCLoss()(ta.full((3, 1, 2), 0.5).log(), ta.tensor([[1]]), (3,), (1,))
    tensor(0.2877)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any) -> Tensor:
        return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity)


# --------------------------------------------------------------------------------------------- of distributions
class KLDivLoss(Loss):
    """How far distributions are from each other: see `nn.functional.kl_div`.

    >>> ta.nn.KLDivLoss(reduction="batchmean")(ta.tensor([[0.5, 0.5]]).log(), ta.tensor([[0.5, 0.5]]))
    tensor(0.)
    """

    choices = (*REDUCTIONS, "batchmean")

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
                 log_target: bool = False) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class GaussianNLLLoss(Loss):
    """The negative log likelihood of normal distributions: see `nn.functional.gaussian_nll_loss`.

    >>> ta.nn.GaussianNLLLoss()(ta.tensor([1.0]), ta.tensor([3.0]), ta.tensor([2.0]))
    tensor(1.3466)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        return F.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


class PoissonNLLLoss(Loss):
    """The negative log likelihood of counts: see `nn.functional.poisson_nll_loss`.

    >>> ta.nn.PoissonNLLLoss()(ta.tensor([0.0]), ta.tensor([3.0]))
    tensor(1.)
    """

    def __init__(self, log_input: bool = True, full: bool = False, size_average: bool | None = None, eps: float = 1e-8,
                 reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return F.poisson_nll_loss(log_input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction)
