"""Which ops autocast runs in half precision and which in float32: PyTorch's lists, by our names of the ops.

What is in no list runs on what it is given; ops that promote do so. An op that is one here and several in PyTorch is in the
list of the part that decides.
"""

from __future__ import annotations

PRODUCTS = {"linear", "matmul", "mm", "bmm", "baddbmm", "addmm", "addbmm", "einsum", "convolution", "convolution_input",
            "scaled_dot_product_attention", "lstm_layer", "gru_layer", "rnn_tanh_layer", "rnn_relu_layer"}

LOSSES = {"nll_loss", "nll_loss_weighted", "cross_entropy", "cross_entropy_weighted", "hinge_embedding", "poisson_nll", "poisson_nll_of_rates",
          "kl_div", "kl_div_of_logs", "squared_error", "absolute_error", "smooth_error", "huber_error", "margin_ranking", "soft_margin",
          "triplet_margin", "multi_margin", "multilabel_margin", "cosine_embedding", "bce_with_logits", "bce_with_logits_weighted", "cdist"}

LOWER = {
    "cpu": PRODUCTS | {"prelu"},
    "cuda": PRODUCTS | {"prelu", "mv", "addmv", "addr"},
}
FLOAT32 = {
    "cpu": LOSSES | {"bce", "bce_weighted", "ctc_loss", "grid_sample", "prod", "svd", "svdvals", "inv"},
    "cuda": LOSSES | {"acos", "asin", "cosh", "erfinv", "exp", "expm1", "log", "log10", "log2", "log1p", "reciprocal", "rsqrt", "sinh", "tan",
                      "pow", "integer_pow", "softplus", "layer_norm", "group_norm", "cosine_similarity", "logsumexp", "resample", "prod",
                      "softmax", "softmin", "log_softmax", "cumprod", "cumsum", "sum", "norm", "pairwise_distance", "normalize"},
}
WIDEST = {
    "cpu": {"cat", "stack", "index_copy"},
    "cuda": {"cat", "stack", "index_copy", "addcdiv", "addcmul", "atan2", "bilinear", "cross", "dot", "grid_sample", "scatter_add"},
}
REFUSED = {
    "cpu": set[str](),
    "cuda": {"bce", "bce_weighted"},
}


def policies(device_type: str) -> dict[str, str]:
    """{name of an op: what autocast does with it} for a kind of device."""
    out: dict[str, str] = {}
    for policy, table in (("lower", LOWER), ("float32", FLOAT32), ("widest", WIDEST), ("refused", REFUSED)):
        out |= dict.fromkeys(table[device_type], policy)
    return out
