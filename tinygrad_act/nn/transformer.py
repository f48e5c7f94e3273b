"""The transformer (Vaswani et al. 2017, arXiv:1706.03762): layers of attention and of a small network, and stacks of them.

A layer adds each part's output to its input, and normalises the sum, or, with norm_first, the part's input (Xiong et
al. 2020, arXiv:2002.04745). Masks are those of `nn.MultiheadAttention`: of bools (True: do not attend) or of floats.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from .. import _functions as ops
from .. import backend, dtypes
from ..activations import catalogue
from ..errors import ArgumentError, ShapeError
from ..graph import watchers
from ..op import Single
from ..ops.attention import drop
from ..ops.linear import behind
from ..tensor import Tensor
from . import functional as F
from . import init
from .attention import MultiheadAttention
from .containers import ModuleList
from .dropout import Dropout
from .layers import Linear
from .module import Module
from .normalisation import LayerNorm

Function = Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Function] = {"relu": F.relu, "gelu": F.gelu}
BEHIND: dict[Any, Single] = {F.gelu: behind(catalogue["gelu"].op)}      # those whose result is as much to keep again


class _Layer(Module):
    """What the layers of encoder and decoder have in common: attention to themselves, the network, norms and dropouts."""

    def __init__(self, attentions: tuple[str, ...], d_model: int, nhead: int, dim_feedforward: int, dropout: float,
                 activation: str | Function, layer_norm_eps: float, batch_first: bool, norm_first: bool, bias: bool,
                 device: Any, dtype: Any) -> None:
        super().__init__()
        like = {"device": device, "dtype": dtype}
        for name in attentions:
            setattr(self, name, MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **like))
        self.linear1 = Linear(d_model, dim_feedforward, bias, **like)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **like)
        self.norm_first = norm_first
        parts = range(1, len(attentions) + 2)
        for i in parts:
            setattr(self, f"norm{i}", LayerNorm(d_model, layer_norm_eps, bias=bias, **like))
        for i in parts:
            setattr(self, f"dropout{i}", Dropout(dropout))
        if isinstance(activation, str):
            if activation not in ACTIVATIONS:
                raise ArgumentError(type(self).__name__, f"activation={activation!r}", f"by name there are {list(ACTIVATIONS)}",
                                    f"pass the function: activation=nn.functional.{activation}")
            activation = ACTIVATIONS[activation]
        self.activation = activation

    def _add(self, x: Tensor, i: int, part: Function) -> Tensor:
        """x plus what part number i makes of it."""
        norm, dropout = self._modules[f"norm{i}"], self._modules[f"dropout{i}"]
        assert norm is not None and dropout is not None
        result: Tensor = x + dropout(part(norm(x))) if self.norm_first else norm(x + dropout(part(x)))
        return result

    def _feed_forward(self, x: Tensor) -> Tensor:
        x = self.linear1(x)
        row, dropout, linear = BEHIND.get(self.activation), self.dropout, self.linear2
        if row is None or watchers or not (_bare(dropout, Dropout) and _bare(linear, Linear)) or linear.bias is None or dropout.p == 1:
            result: Tensor = linear(dropout(self.activation(x)))
            return result
        keep, gain = drop(x.shape, dropout.p, x) if dropout.training and dropout.p and x.array.size else (0.0, 1.0)
        return row(x, linear.weight, linear.bias, keep, gain=gain)


def _bare(module: Module, kind: type) -> bool:
    """Does a call of the module do what its class does, and no more?"""
    return type(module) is kind and not (module._pre_hooks or module._hooks or module._backward_hooks or module._backward_pre_hooks)


class TransformerEncoderLayer(_Layer):
    """Attention of a sequence to itself, then a network of two layers for each position.

    Args:
        d_model, nhead: the features, and the heads that share them.
        dim_feedforward: the width of the network's hidden layer.
        dropout: the probability of each dropout: of the weights, in the network, and after either part.
        activation: "relu", "gelu", or a function or module.
        batch_first: are inputs (N, L, d_model), or, as by default, (L, N, d_model)? Without a batch: (L, d_model).
        norm_first: normalise what goes into a part, instead of the sum that comes out.

    >>> ta.nn.TransformerEncoderLayer(8, 2, batch_first=True)(ta.ones(3, 5, 8)).shape
    (3, 5, 8)
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: str | Function = F.relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(("self_attn",), d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
                         norm_first, bias, device, dtype)

    def forward(self, src: Tensor, src_mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
                is_causal: bool = False) -> Tensor:
        """A sequence of src's shape."""
        def attention(x: Tensor) -> Tensor:
            y: Tensor = self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0]
            return y

        return self._add(self._add(src, 1, attention), 2, self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """Attention of a sequence to itself, then to another (the encoder's output), then a network for each position.

    The arguments are those of TransformerEncoderLayer.

    >>> layer = ta.nn.TransformerDecoderLayer(8, 2, batch_first=True)
    >>> layer(ta.ones(3, 5, 8), ta.ones(3, 7, 8)).shape
    (3, 5, 8)
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation: str | Function = F.relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(("self_attn", "multihead_attn"), d_model, nhead, dim_feedforward, dropout, activation,
                         layer_norm_eps, batch_first, norm_first, bias, device, dtype)

    def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
                tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
                tgt_is_causal: bool = False, memory_is_causal: bool = False) -> Tensor:
        """A sequence of tgt's shape."""
        def to_itself(x: Tensor) -> Tensor:
            y: Tensor = self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]
            return y

        def to_memory(x: Tensor) -> Tensor:
            y: Tensor = self.multihead_attn(x, memory, memory, memory_key_padding_mask, False, memory_mask,
                                            is_causal=memory_is_causal)[0]
            return y

        return self._add(self._add(self._add(tgt, 1, to_itself), 2, to_memory), 3, self._feed_forward)


# ------------------------------------------------------------------------------------------------- stacks
class TransformerEncoder(Module):
    """`num_layers` copies of a layer one after the other, and a norm after the last.

    `enable_nested_tensor` and `mask_check` are accepted for PyTorch's sake: there are no nested tensors here.

    >>> layer = ta.nn.TransformerEncoderLayer(8, 2, batch_first=True)
    >>> ta.nn.TransformerEncoder(layer, num_layers=2)(ta.ones(3, 5, 8)).shape
    (3, 5, 8)
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None,
                 enable_nested_tensor: bool = True, mask_check: bool = True) -> None:
        super().__init__()
        self.layers = copies(encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm
        self.enable_nested_tensor, self.use_nested_tensor, self.mask_check = enable_nested_tensor, False, mask_check

    def forward(self, src: Tensor, mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
                is_causal: bool | None = None) -> Tensor:
        """A sequence of src's shape. Whether a mask is the causal one is found out, unless `is_causal` says so."""
        causal = _is_causal(mask, is_causal)
        for layer in self.layers:
            src = layer(src, src_mask=mask, is_causal=causal, src_key_padding_mask=src_key_padding_mask)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """`num_layers` copies of a layer one after the other, each with the same memory, and a norm after the last.

    >>> layer = ta.nn.TransformerDecoderLayer(8, 2, batch_first=True)
    >>> ta.nn.TransformerDecoder(layer, num_layers=2)(ta.ones(3, 5, 8), ta.ones(3, 7, 8)).shape
    (3, 5, 8)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = copies(decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
                tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
                tgt_is_causal: bool | None = None, memory_is_causal: bool = False) -> Tensor:
        """A sequence of tgt's shape. Whether tgt_mask is the causal one is found out, unless `tgt_is_causal` says so."""
        causal = _is_causal(tgt_mask, tgt_is_causal)
        for layer in self.layers:
            tgt = layer(tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
                        memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=causal,
                        memory_is_causal=memory_is_causal)
        return tgt if self.norm is None else self.norm(tgt)


def copies(module: Module, count: int) -> ModuleList:
    """A list of `count` modules like this one, each with parameters of its own."""
    return ModuleList([copy.deepcopy(module) for _ in range(count)])


def _is_causal(mask: Tensor | None, given: bool | None) -> bool:
    """Is a mask the causal one? Looked up only where that costs no wait; the result is the same either way."""
    if given is not None or mask is None:
        return bool(given)
    if mask.ndim != 2 or mask.shape[0] != mask.shape[1] or not backend.is_host(mask.array):
        return False
    causal = Transformer.generate_square_subsequent_mask(mask.shape[0], device=mask.device)
    return bool((mask == (causal != 0 if mask.dtype == dtypes.bool_ else causal)).all())


class Transformer(Module):
    """An encoder, and a decoder that attends to what it makes: from sequences to sequences.

    Args:
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias: of each
            layer; see TransformerEncoderLayer.
        num_encoder_layers, num_decoder_layers: how many of them.
        custom_encoder, custom_decoder: modules to take instead.

    All matrices start by `init.xavier_uniform_`.

    >>> model = ta.nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    >>> mask = model.generate_square_subsequent_mask(5)
    >>> model(ta.ones(3, 7, 8), ta.ones(3, 5, 8), tgt_mask=mask).shape
    (3, 5, 8)
    """

    def __init__(self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6, num_decoder_layers: int = 6,
                 dim_feedforward: int = 2048, dropout: float = 0.1, activation: str | Function = F.relu,
                 custom_encoder: Any = None, custom_decoder: Any = None, layer_norm_eps: float = 1e-5,
                 batch_first: bool = False, norm_first: bool = False, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        layer = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device,
                 dtype)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)

        self.encoder = custom_encoder if custom_encoder is not None else TransformerEncoder(
            TransformerEncoderLayer(*layer), num_encoder_layers, norm())
        self.decoder = custom_decoder if custom_decoder is not None else TransformerDecoder(
            TransformerDecoderLayer(*layer), num_decoder_layers, norm())
        self._reset_parameters()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(self, src: Tensor, tgt: Tensor, src_mask: Tensor | None = None, tgt_mask: Tensor | None = None,
                memory_mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
                tgt_key_padding_mask: Tensor | None = None, memory_key_padding_mask: Tensor | None = None,
                src_is_causal: bool | None = None, tgt_is_causal: bool | None = None,
                memory_is_causal: bool = False) -> Tensor:
        """A sequence of tgt's shape. `memory_mask` is for the attention of tgt to what became of src."""
        got = f"src of shape {src.shape}, tgt of {tgt.shape}"
        batch = 0 if self.batch_first else 1
        if src.ndim != tgt.ndim or (src.ndim == 3 and src.shape[batch] != tgt.shape[batch]):
            raise ShapeError("Transformer", got, "their batches must be equal", f"batch_first={self.batch_first}: the batch "
                             f"is dim {batch}")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise ShapeError("Transformer", got, f"their last size must be d_model, {self.d_model}")
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        result: Tensor = self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal)
        return result

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """The causal mask as floats: 0 up to the diagonal, -inf after it.

        >>> ta.nn.Transformer.generate_square_subsequent_mask(2)
        tensor([[0., -inf],
                [0., 0.]])
        """
        return ops.full((sz, sz), -math.inf, device=device, dtype=dtype).triu(1)

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)
