"""Functions of networks as PyTorch has them in `torch` itself, where they are called otherwise than those of `nn.functional`.

`torch.dropout(x, p, train)` has no defaults, `torch.embedding` takes the table first, `torch.batch_norm` the weights before the
running statistics, and the losses a number for their reduction: 0 for "none", 1 for "mean", 2 for "sum"; here also the word. Where it
is left out nothing is reduced: PyTorch's signatures say 1, and PyTorch 2.13 does 0.
The other functions of `nn.functional` that `torch` has are here as they are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ops import dropout as drops
from ..ops.arguments import Ints
from ..ops.reduced import REDUCTIONS
from ..tensor import Tensor
from . import functional as F

__all__ = ["adaptive_max_pool1d", "alpha_dropout", "alpha_dropout_", "batch_norm", "binary_cross_entropy_with_logits", "constant_pad_nd",
           "cosine_embedding_loss", "ctc_loss", "dropout", "dropout_", "embedding", "feature_alpha_dropout", "feature_alpha_dropout_",
           "feature_dropout", "feature_dropout_", "group_norm", "hinge_embedding_loss", "instance_norm", "kl_div", "layer_norm",
           "margin_ranking_loss", "max_pool1d", "max_pool1d_with_indices", "max_pool2d", "max_pool3d", "poisson_nll_loss", "triplet_margin_loss"]


# ---------------------------------------------------------------------------------------------------------- dropout
def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.dropout`, of which all is to be said.

    >>> ta.dropout(ta.ones(2), 0.5, False)
    tensor([1., 1.])
    """
    return F.dropout(input, p, train)


def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`dropout` in place."""
    return F.dropout(input, p, train, inplace=True)


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.alpha_dropout`, of which all is to be said."""
    return F.alpha_dropout(input, p, train)


def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`alpha_dropout` in place."""
    return F.alpha_dropout(input, p, train, inplace=True)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.feature_alpha_dropout`, of which all is to be said."""
    return F.feature_alpha_dropout(input, p, train)


def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`feature_alpha_dropout` in place."""
    return F.feature_alpha_dropout(input, p, train, inplace=True)


def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """In training, zero each channel of (N, C, *) with probability p and divide the others by 1 - p.

    >>> ta.feature_dropout(ta.ones(1, 2), 0.5, False)
    tensor([[1., 1.]])
    """
    return drops.of_channels("feature_dropout", input, p, train, False)


def feature_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`feature_dropout` in place."""
    return drops.of_channels("feature_dropout_", input, p, train, True)


# ---------------------------------------------------------------------------------------------------- normalisation
def batch_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
               training: bool, momentum: float, eps: float, cudnn_enabled: bool) -> Tensor:
    """`nn.functional.batch_norm` with its arguments in another order. `cudnn_enabled` changes nothing: no op uses cuDNN.

    >>> ta.batch_norm(ta.tensor([[1.0], [3.0]]), None, None, None, None, True, 0.1, 1e-5, False)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
                  use_input_stats: bool, momentum: float, eps: float, cudnn_enabled: bool) -> Tensor:
    """`nn.functional.instance_norm` with its arguments in another order. `cudnn_enabled` changes nothing: no op uses cuDNN."""
    return F.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def group_norm(input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5,
               cudnn_enabled: bool = True) -> Tensor:
    """`nn.functional.group_norm`. `cudnn_enabled` changes nothing: no op uses cuDNN."""
    return F.group_norm(input, num_groups, weight, bias, eps)


def layer_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None,
               eps: float = 1e-5, cudnn_enable: bool = True) -> Tensor:
    """`nn.functional.layer_norm`. `cudnn_enable` changes nothing: no op uses cuDNN.

    >>> ta.layer_norm(ta.tensor([1.0, 3.0]), (2,))
    tensor([-1.0000,  1.0000])
    """
    return F.layer_norm(input, normalized_shape, weight, bias, eps)


# ------------------------------------------------------------------------------------------------- tables, padding, pooling
def embedding(weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False) -> Tensor:
    """`nn.functional.embedding` with the table first. A negative padding_idx is none.

    >>> ta.embedding(ta.tensor([[0.0, 0.5], [1.0, 1.5]]), ta.tensor([1]))
    tensor([[1.0000, 1.5000]])
    """
    return F.embedding(indices, weight, None if padding_idx < 0 else padding_idx, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """`nn.functional.pad` with a constant.

    >>> ta.constant_pad_nd(ta.ones(2), (1, 0), 5.0)
    tensor([5., 1., 1.])
    """
    return F.pad(input, pad, "constant", value)


def max_pool1d(input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1, ceil_mode: bool = False) -> Tensor:
    """`nn.functional.max_pool1d`, without the places.

    >>> ta.max_pool1d(ta.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    tensor([[3., 2.]])
    """
    pooled: Tensor = F.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode)
    return pooled


def max_pool1d_with_indices(input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1,
                            ceil_mode: bool = False) -> tuple[Tensor, Tensor]:
    """`nn.functional.max_pool1d` with the places: (maxima, where they were)."""
    pair: tuple[Tensor, Tensor] = F.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True)
    return pair


def max_pool2d(input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1, ceil_mode: bool = False) -> Tensor:
    """`nn.functional.max_pool2d`, without the places."""
    pooled: Tensor = F.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode)
    return pooled


def max_pool3d(input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1, ceil_mode: bool = False) -> Tensor:
    """`nn.functional.max_pool3d`, without the places."""
    pooled: Tensor = F.max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode)
    return pooled


def adaptive_max_pool1d(input: Tensor, output_size: Ints) -> tuple[Tensor, Tensor]:
    """`nn.functional.adaptive_max_pool1d` with the places: (maxima, where they were).

    >>> ta.adaptive_max_pool1d(ta.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
    (tensor([[3., 2.]]), tensor([[1, 2]]))
    """
    pair: tuple[Tensor, Tensor] = F.adaptive_max_pool1d(input, output_size, return_indices=True)
    return pair


# ----------------------------------------------------------------------------------------------------------- losses
def _word(reduction: Any) -> Any:
    """The reduction's word; what is none of the numbers is refused by the loss, in its own name."""
    return REDUCTIONS[reduction] if type(reduction) is int and 0 <= reduction < len(REDUCTIONS) else reduction


def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None,
                                     reduction: int | str = 0) -> Tensor:
    """`nn.functional.binary_cross_entropy_with_logits`, with a number for its reduction.

    >>> x, y = ta.tensor([0.0]), ta.tensor([1.0])
    >>> ta.binary_cross_entropy_with_logits(x, y), ta.binary_cross_entropy_with_logits(x, y, reduction=1)
    (tensor([0.6931]), tensor(0.6931))
    """
    return F.binary_cross_entropy_with_logits(input, target, weight, reduction=_word(reduction), pos_weight=pos_weight)


def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int | str = 0) -> Tensor:
    """`nn.functional.cosine_embedding_loss`, with a number for its reduction."""
    return F.cosine_embedding_loss(input1, input2, target, margin, reduction=_word(reduction))


def ctc_loss(log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: int | str = 0,
             zero_infinity: bool = False) -> Tensor:
    """`nn.functional.ctc_loss`, with a number for its reduction."""
    return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, _word(reduction), zero_infinity)


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int | str = 0) -> Tensor:
    """`nn.functional.hinge_embedding_loss`, with a number for its reduction."""
    return F.hinge_embedding_loss(input, target, margin, reduction=_word(reduction))


def kl_div(input: Tensor, target: Tensor, reduction: int | str = 0, *, log_target: bool = False) -> Tensor:
    """`nn.functional.kl_div`, with a number for its reduction.

    >>> ta.kl_div(ta.tensor([0.0]), ta.tensor([1.0]), 2)
    tensor(0.)
    """
    return F.kl_div(input, target, reduction=_word(reduction), log_target=log_target)


def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int | str = 0) -> Tensor:
    """`nn.functional.margin_ranking_loss`, with a number for its reduction."""
    return F.margin_ranking_loss(input1, input2, target, margin, reduction=_word(reduction))


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int | str) -> Tensor:
    """`nn.functional.poisson_nll_loss`, of which all is to be said, with a number for its reduction."""
    return F.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=_word(reduction))


def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6,
                        swap: bool = False, reduction: int | str = 0) -> Tensor:
    """`nn.functional.triplet_margin_loss`, with a number for its reduction."""
    return F.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=_word(reduction))
