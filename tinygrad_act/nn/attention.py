"""Multi-head attention as a module."""

from __future__ import annotations

from .. import _functions as ops
from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from . import init
from .layers import Linear
from .module import Module
from .multihead import Layout, Masks, Weights, attend
from .parameter import Parameter


class NonDynamicallyQuantizableLinear(Linear):
    """A Linear. PyTorch gives the output's projection a class of its own, and `print` shows it."""


class MultiheadAttention(Module):
    """Attention in several heads, each on its share of the features, between projections of inputs and output.

    Args:
        embed_dim, num_heads: the features of query and output, and among how many heads they are shared.
        dropout: the probability with which a weight is dropped, in training.
        bias: have the projections a bias?
        add_bias_kv, add_zero_attn: one further key and value, learned or zero.
        kdim, vdim: the features of key and value, if not embed_dim.
        batch_first: are inputs (N, L, E), or, as by default, (L, N, E)? Inputs without a batch are (L, E).

    The parameters are `in_proj_weight`, (3 * embed_dim, embed_dim), or with kdim or vdim `q_proj_weight`,
    `k_proj_weight`, `v_proj_weight`; `in_proj_bias`; `out_proj.weight`, `out_proj.bias`; `bias_k`, `bias_v`. With
    `need_weights=False` it is one node and takes much less memory. (Vaswani et al. 2017, arXiv:1706.03762)

    >>> x = ta.ones(2, 5, 8)
    >>> y, weights = ta.nn.MultiheadAttention(8, 2, batch_first=True)(x, x, x)
    >>> y.shape, weights.shape
    ((2, 5, 8), (2, 5, 5))
    """

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, add_bias_kv: bool = False,
                 add_zero_attn: bool = False, kdim: int | None = None, vdim: int | None = None, batch_first: bool = False,
                 device: object = None, dtype: object = None) -> None:
        super().__init__()
        got = f"embed_dim={embed_dim}, num_heads={num_heads}"
        if embed_dim <= 0 or num_heads <= 0:
            raise ArgumentError("MultiheadAttention", got, "both must be greater than 0")
        if embed_dim % num_heads:
            raise ShapeError("MultiheadAttention", got, "embed_dim must be divisible by num_heads: the heads share the "
                             "features evenly", f"choose embed_dim={embed_dim // num_heads * num_heads or num_heads}, or "
                             f"num_heads from {[n for n in range(1, min(embed_dim, 64) + 1) if not embed_dim % n]}")
        if not 0 <= dropout <= 1:
            raise ArgumentError("MultiheadAttention", f"dropout={dropout}", "it is a probability: 0 to 1")
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn
        self._qkv_same_embed_dim = self.kdim == embed_dim == self.vdim
        same = self._qkv_same_embed_dim
        shapes: dict[str, tuple[int, ...] | None] = {
            "in_proj_weight": (3 * embed_dim, embed_dim) if same else None,
            "q_proj_weight": None if same else (embed_dim, embed_dim),
            "k_proj_weight": None if same else (embed_dim, self.kdim),
            "v_proj_weight": None if same else (embed_dim, self.vdim),
            "in_proj_bias": (3 * embed_dim,) if bias else None,
            "bias_k": (1, 1, embed_dim) if add_bias_kv else None,
            "bias_v": (1, 1, embed_dim) if add_bias_kv else None}
        for name, shape in shapes.items():
            parameter = None if shape is None else Parameter(ops.empty(shape, device=device, dtype=dtype))
            self.register_parameter(name, parameter)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name, parameter in self._parameters.items():
            if parameter is None:
                continue
            if name == "in_proj_bias":
                init.zeros_(parameter)
            elif name in ("bias_k", "bias_v"):
                init.xavier_normal_(parameter)
            else:
                init.xavier_uniform_(parameter)
        if self.out_proj.bias is not None:
            init.zeros_(self.out_proj.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None,
                need_weights: bool = True, attn_mask: Tensor | None = None, average_attn_weights: bool = True,
                is_causal: bool = False) -> tuple[Tensor, Tensor | None]:
        """The output, and the weights if they are asked for (the mean over the heads, or each head's).

        `attn_mask` is (L, S) or (N * num_heads, L, S), `key_padding_mask` (N, S): of bools, True where *not* to attend
        (the other way round than for `scaled_dot_product_attention`), or of floats, which are added to the scores.
        `is_causal` says that attn_mask is the causal one, which then takes less time.
        """
        if query.shape[-1] != self.embed_dim:
            raise ShapeError("MultiheadAttention", f"a query of shape {query.shape}", f"its last size must be embed_dim, "
                             f"{self.embed_dim}")
        return attend((query, key, value), self._weights(), Masks(attn_mask, key_padding_mask, is_causal),
                      Layout(self.batch_first, self.num_heads), (None, None), self.add_zero_attn,
                      self.dropout if self.training else 0.0, need_weights, average_attn_weights)

    def _weights(self) -> Weights:
        """The parameters, as `attend` takes them. An output's projection with a forward of its own is called."""
        projection = self.in_proj_weight if self._qkv_same_embed_dim else (
            self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        plain = type(self.out_proj).forward is Linear.forward
        return Weights(projection, self.in_proj_bias, self.bias_k, self.bias_v, self.out_proj.weight if plain else self.out_proj,
                       self.out_proj.bias)
