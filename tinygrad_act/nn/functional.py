"""The functions of networks: every activation of the catalogue, linear, dropout, one_hot, the losses.

`ta.nn.functional.NAME`, with PyTorch's names and signatures where it has the function.
"""

from __future__ import annotations

from typing import Any

from ..activations import functional as _activations
from ..activations import shares as _shares
from ..op import Op
from ..ops.adaptive_pool import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from ..ops.attention import scaled_dot_product_attention
from ..ops.batch_norm import batch_norm, instance_norm
from ..ops.bilinear import bilinear
from ..ops.class_margin_loss import multi_margin_loss, multilabel_margin_loss
from ..ops.conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d
from ..ops.ctc import ctc_loss
from ..ops.dropout import alpha_dropout, dropout, dropout1d, dropout2d, dropout3d, feature_alpha_dropout
from ..ops.embedding import embedding, embedding_bag
from ..ops.fold import channel_shuffle, fold, pixel_shuffle, pixel_unshuffle, unfold
from ..ops.grid_sample import affine_grid, grid_sample
from ..ops.interpolate import interpolate, upsample, upsample_bilinear, upsample_nearest
from ..ops.likelihood_loss import gaussian_nll_loss, kl_div, poisson_nll_loss
from ..ops.linear import linear
from ..ops.loss import cross_entropy, nll_loss
from ..ops.lp_pool import lp_pool1d, lp_pool2d, lp_pool3d
from ..ops.margin_loss import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from ..ops.normalisation import group_norm, layer_norm, local_response_norm, normalize, rms_norm
from ..ops.pad import pad
from ..ops.pointwise_loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    huber_loss,
    l1_loss,
    mse_loss,
    multilabel_soft_margin_loss,
    smooth_l1_loss,
)
from ..ops.pool import avg_pool1d, avg_pool2d, avg_pool3d, max_pool1d, max_pool2d, max_pool3d
from ..ops.scatter import one_hot
from ..ops.similarity import cosine_similarity, pairwise_distance
from ..ops.unpool import max_unpool1d, max_unpool2d, max_unpool3d
from .multihead import multi_head_attention_forward

__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
           "adaptive_max_pool2d", "adaptive_max_pool3d", "affine_grid", "alpha_dropout", "avg_pool1d", "avg_pool2d",
           "avg_pool3d", "batch_norm", "bilinear", "binary_cross_entropy", "binary_cross_entropy_with_logits",
           "channel_shuffle", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
           "cosine_embedding_loss", "cosine_similarity", "cross_entropy", "ctc_loss", "dropout", "dropout1d",
           "dropout2d", "dropout3d", "embedding", "embedding_bag", "feature_alpha_dropout", "fold", "gaussian_nll_loss",
           "grid_sample", "group_norm", "hinge_embedding_loss", "huber_loss", "instance_norm", "interpolate", "kl_div",
           "l1_loss", "layer_norm", "linear", "local_response_norm", "lp_pool1d", "lp_pool2d", "lp_pool3d",
           "margin_ranking_loss", "max_pool1d", "max_pool2d", "max_pool3d", "max_unpool1d", "max_unpool2d",
           "max_unpool3d", "mse_loss", "multi_head_attention_forward", "multi_margin_loss", "multilabel_margin_loss",
           "multilabel_soft_margin_loss", "nll_loss", "normalize", "one_hot", "pad", "pairwise_distance",
           "pixel_shuffle", "pixel_unshuffle", "poisson_nll_loss", "rms_norm", "scaled_dot_product_attention",
           "smooth_l1_loss", "soft_margin_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss", "unfold",
           "upsample", "upsample_bilinear", "upsample_nearest"]


def _activation_functions() -> dict[str, Any]:
    """Every activation, by name, as the modules of the catalogue define it."""
    found = {name: value for name, value in vars(_activations).items() if not name.startswith("_")
             and (isinstance(value, Op) or getattr(value, "__module__", "") == _activations.__name__)}
    return found | {function.__name__: function for function in _shares.FUNCTIONS}


globals().update({name: f for name, f in _activation_functions().items() if name not in __all__})
__all__ += [name for name in _activation_functions() if name not in __all__]
