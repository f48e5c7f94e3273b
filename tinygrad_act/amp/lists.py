"""Which ops autocast runs in half precision and which in float32: PyTorch's lists, by our names of the ops.

What is in no list runs on what it is given; ops that promote do so. An op that is one here and several in PyTorch is in the
list of the part that decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

PRODUCTS = {"linear", "matmul", "mm", "bmm", "mv", "dot", "baddbmm", "addmm", "addbmm", "einsum", "prelu", "scaled_dot_product_attention",
            *(f"conv{t}{n}d" for n in (1, 2, 3) for t in ("", "_transpose")), "lstm_layer", "rnn_tanh_layer", "rnn_relu_layer",
            "rnn_tanh_cell", "rnn_relu_cell"}

LOSSES = {"nll_loss", "nll_loss_weighted", "cross_entropy", "cross_entropy_weighted", "hinge_embedding", "poisson_nll", "poisson_nll_of_rates",
          "kl_div", "kl_div_of_logs", "squared_error", "absolute_error", "smooth_error", "huber_error", "margin_ranking", "soft_margin",
          "triplet_margin", "multi_margin", "multilabel_margin", "cosine_embedding", "bce_with_logits", "bce_with_logits_weighted", "cdist"}

LOWER = {
    "cpu": PRODUCTS,
    "cuda": PRODUCTS | {"addmv", "addr", "gru_layer", "lstm_cell", "gru_cell"},
}
FLOAT32 = {
    "cpu": LOSSES | {"bce", "bce_weighted", "ctc_loss", "grid_sample", "prod", "svd", "svdvals", "inv", "inv_or_inf", "det", "slogdet",
                     "solve", "solve_triangular", "cholesky", "qr", "eigh", "eigvalsh", "pinv", "pinv_and_rank", "wide_matmul", "matrix_exp",
                     "avg_pool", "max_pool", "max_unpool", "pad", "gru_layer", "lstm_cell", "gru_cell"},
    "cuda": LOSSES | {"acos", "asin", "cosh", "erfinv", "exp", "expm1", "log", "log10", "log2", "log1p", "reciprocal", "rsqrt", "sinh", "tan",
                      "pow", "integer_pow", "softplus", "layer_norm", "group_norm", "cosine_similarity", "logsumexp", "resample", "prod",
                      "softmax", "softmin", "log_softmax", "cumprod", "cumsum", "sum", "norm", "pairwise_distance", "normalize"},
}
WIDEST = {
    "cpu": {"cat", "stack", "index_copy"},
    "cuda": {"cat", "stack", "index_copy", "addcdiv", "addcmul", "atan2", "bilinear", "cross", "grid_sample", "scatter_add"},
}
REFUSED = {
    "cpu": set[str](),
    "cuda": {"bce", "bce_weighted"},
}


def _contracts(inputs: Sequence[Any], params: dict[str, Any]) -> bool:
    """An einsum that sums over an index two operands share: a product of matrices, not of numbers."""
    left, _, right = params["equation"].partition("->")
    operands = left.split(",")
    return any(sum(i in operand for operand in operands) > 1 and i not in right for i in left if i.isalpha())


def _three(inputs: Sequence[Any], params: dict[str, Any]) -> bool:
    """A pool over three axes."""
    return len(params["windows"]) == 3


def _mirrors(inputs: Sequence[Any], params: dict[str, Any]) -> bool:
    return params.get("mode", "constant") in ("reflect", "replicate")


# Where what an op is given decides whether it is one of those in PyTorch's list.
ONLY: dict[str, Callable[[Sequence[Any], dict[str, Any]], bool]] = {"einsum": _contracts, "avg_pool": _three, "max_pool": _three, "pad": _mirrors}


def policies(device_type: str) -> dict[str, str]:
    """{name of an op: what autocast does with it} for a kind of device."""
    out: dict[str, str] = {}
    for policy, table in (("lower", LOWER), ("float32", FLOAT32), ("widest", WIDEST), ("refused", REFUSED)):
        out |= dict.fromkeys(table[device_type], policy)
    return out
