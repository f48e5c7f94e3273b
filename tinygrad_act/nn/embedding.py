"""Tables of vectors that are learned: Embedding and EmbeddingBag."""

from __future__ import annotations

from typing import Any, Self

from .. import _functions as ops
from ..errors import ArgumentError, ShapeError
from ..grad_mode import no_grad
from ..ops.embedding import embedding, embedding_bag, padding_row
from ..tensor import Tensor
from . import init
from .module import Module
from .parameter import Parameter


class _Table(Module):
    """What the two have in common: the table, and how it is made."""

    weight: Parameter

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None, max_norm: float | None, norm_type: float,
                 scale_grad_by_freq: bool, sparse: bool, table: Tensor | None, freeze: bool, device: Any, dtype: Any) -> None:
        super().__init__()
        name = type(self).__name__
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else padding_row(name, padding_idx, num_embeddings)
        self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse = max_norm, norm_type, scale_grad_by_freq, sparse
        if table is None:
            self.weight = Parameter(ops.empty((num_embeddings, embedding_dim), device=device, dtype=dtype), requires_grad=not freeze)
            self.reset_parameters()
        elif table.shape != (num_embeddings, embedding_dim):
            raise ShapeError(name, f"a table of shape {table.shape}", f"it must be ({num_embeddings}, {embedding_dim})")
        else:
            self.weight = Parameter(table, requires_grad=not freeze)

    def reset_parameters(self) -> None:
        """Normal numbers, and zeros in the padding row."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    @classmethod
    def _of(cls, embeddings: Tensor, freeze: bool, **settings: Any) -> Self:
        """One whose table is `embeddings`."""
        if not isinstance(embeddings, Tensor) or embeddings.ndim != 2:
            raise ArgumentError(f"{cls.__name__}.from_pretrained", f"{getattr(embeddings, 'shape', type(embeddings).__name__)}",
                                "it takes a table: a Tensor with two axes")
        make: Any = cls                                      # a subclass, which takes these
        made: Self = make(*embeddings.shape, _weight=embeddings, **settings)
        made.weight.requires_grad = not freeze
        return made


class Embedding(_Table):
    """A table of `num_embeddings` learned vectors, looked up by number: see `nn.functional.embedding`.

    It starts with normal numbers; row `padding_idx` with zeros, and gets no gradient.

    >>> ta.nn.Embedding(10, 3)(ta.tensor([[1, 2], [4, 5]])).shape
    (2, 2, 3)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, max_norm: float | None = None,
                 norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False, _weight: Tensor | None = None,
                 _freeze: bool = False, device: Any = None, dtype: Any = None) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight, _freeze,
                         device, dtype)

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None, max_norm: float | None = None,
                        norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False) -> Self:
        """One whose table is `embeddings` (the same memory), and does not learn unless freeze=False.

        >>> ta.nn.Embedding.from_pretrained(ta.tensor([[1.0, 2.0], [3.0, 4.0]]))(ta.tensor(1))
        tensor([3., 4.])
        """
        return cls._of(embeddings, freeze, padding_idx=padding_idx, max_norm=max_norm, norm_type=norm_type,
                       scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)

    def forward(self, input: Tensor) -> Tensor:
        return embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse)

    def extra_repr(self) -> str:
        padding = f", padding_idx={self.padding_idx}" if self.padding_idx is not None else ""
        norm = (f", max_norm={self.max_norm}" if self.max_norm is not None else "") + (
            f", norm_type={self.norm_type}" if self.norm_type != 2 else "")
        scaled = f", scale_grad_by_freq={self.scale_grad_by_freq}" if self.scale_grad_by_freq is not False else ""
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}{norm}{scaled}{', sparse=True' if self.sparse else ''}"


class EmbeddingBag(_Table):
    """The sums, means or maxima of bags of rows of a learned table: see `nn.functional.embedding_bag`.

    >>> ta.nn.EmbeddingBag(10, 3, mode="sum")(ta.tensor([1, 2, 4]), ta.tensor([0, 2])).shape
    (2, 3)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None, norm_type: float = 2.0,
                 scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, _weight: Tensor | None = None,
                 include_last_offset: bool = False, padding_idx: int | None = None, device: Any = None, dtype: Any = None) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight, False,
                         device, dtype)
        self.mode, self.include_last_offset = mode, include_last_offset

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, max_norm: float | None = None, norm_type: float = 2.0,
                        scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False, include_last_offset: bool = False,
                        padding_idx: int | None = None) -> Self:
        """One whose table is `embeddings` (the same memory), and does not learn unless freeze=False.

        >>> ta.nn.EmbeddingBag.from_pretrained(ta.tensor([[1.0], [3.0]]))(ta.tensor([[0, 1]]))
        tensor([[2.]])
        """
        return cls._of(embeddings, freeze, max_norm=max_norm, norm_type=norm_type, scale_grad_by_freq=scale_grad_by_freq,
                       mode=mode, sparse=sparse, include_last_offset=include_last_offset, padding_idx=padding_idx)

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        return embedding_bag(input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode,
                             self.sparse, per_sample_weights, self.include_last_offset, self.padding_idx)

    def extra_repr(self) -> str:
        norm = (f", max_norm={self.max_norm}" if self.max_norm is not None else "") + (
            f", norm_type={self.norm_type}" if self.norm_type != 2 else "")
        scaled = f", scale_grad_by_freq={self.scale_grad_by_freq}" if self.scale_grad_by_freq is not False else ""
        padding = f", padding_idx={self.padding_idx}" if self.padding_idx is not None else ""
        return f"{self.num_embeddings}, {self.embedding_dim}{norm}{scaled}, mode={self.mode!r}{padding}"
