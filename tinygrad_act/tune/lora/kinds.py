"""What low-rank updates are in each kind of layer: the shapes of A and B, what they add, what they are as a weight."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ... import _functions as ops
from ...backend import namespaces, to_device
from ...errors import ArgumentError
from ...grad_mode import no_grad
from ...nn import Embedding, Linear, Module, MultiheadAttention, Parameter, ParameterDict, init
from ...nn.conv import _Conv
from ...nn.multihead import Weights
from ...ops.dropout import dropout
from ...ops.embedding import embedding
from ...ops.linear import linear
from ...ops.pad import pad
from ...tensor import Tensor
from ..graft import Graft

SLICES = ("q", "k", "v")                                 # attention's projections of its inputs


@dataclass(frozen=True)
class Config:
    """The settings of one adapter in one layer. `slices` are those of attention's projections that have it.

    Raises:
        ArgumentError: one is out of its range.
    """

    rank: int = 8
    alpha: float = 8.0
    dropout: float = 0.0
    rslora: bool = False
    slices: tuple[str, ...] = ("q", "v")

    def __post_init__(self) -> None:
        if isinstance(self.rank, bool) or not isinstance(self.rank, int) or self.rank < 1:
            raise ArgumentError("lora", f"rank={self.rank!r}", "it is a whole number from 1 up")
        for name, value in (("alpha", self.alpha), ("dropout", self.dropout)):
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ArgumentError("lora", f"{name}={value!r}", "it is a number")
        if not 0 <= self.dropout < 1:
            raise ArgumentError("lora", f"dropout={self.dropout}", "it is a probability below 1")
        if not self.slices or not set(self.slices) <= set(SLICES):
            raise ArgumentError("lora", f"slices={self.slices!r}", "they are of q, k and v")
        object.__setattr__(self, "slices", tuple(s for s in SLICES if s in self.slices))
        object.__setattr__(self, "rslora", bool(self.rslora))

    @property
    def scale(self) -> float:
        """What B A is multiplied by: alpha / rank, or with rslora alpha / √rank."""
        return self.alpha / (math.sqrt(self.rank) if self.rslora else self.rank)


class LoRA(Graft):
    """What the kinds have in common. A layer can have several adapters, by name; those in `lora_active` are added up.

    `lora_A` and `lora_B` have their matrices. While merged, `lora_kept` has the layer's own Parameters.
    """

    label = "LoRA"
    lora_A: ParameterDict                # noqa: N815   (the names that the paper and others use)
    lora_B: ParameterDict                # noqa: N815
    lora_configs: dict[str, Config]
    lora_active: tuple[str, ...]
    lora_kept: dict[str, Parameter | None]

    def lora_start(self) -> None:
        """Make room, right after grafting."""
        self.lora_A, self.lora_B = ParameterDict(), ParameterDict()
        self.__dict__.update(lora_configs={}, lora_active=(), lora_kept={})

    def lora_end(self) -> None:
        """Leave nothing behind."""
        del self.lora_A, self.lora_B
        for name in ("lora_configs", "lora_active", "lora_kept"):
            del self.__dict__[name]

    def lora_add(self, name: str, config: Config) -> None:
        """A further adapter: A drawn, B zero, both like the weight."""
        weights = dict(self.lora_weights())
        for part, (a, b) in self.lora_shapes(config).items():
            weight = next(p for p in weights.values() if p is not None)
            like = {"dtype": weight.dtype, "device": weight.device}
            A, B = Parameter(ops.empty(a, **like)), Parameter(ops.zeros(b, **like))
            with no_grad():
                self.lora_draw(A)
            self.lora_A[name + part], self.lora_B[name + part] = A, B
        self.lora_configs[name] = config

    def lora_drop(self, name: str) -> None:
        """Take an adapter out."""
        for part in self.lora_shapes(self.lora_configs.pop(name)):
            del self.lora_A[name + part], self.lora_B[name + part]
        self.lora_active = tuple(n for n in self.lora_active if n != name)

    def lora_draw(self, A: Parameter) -> None:
        """A's first values: as those of a Linear."""
        init.kaiming_uniform_(A, a=math.sqrt(5))

    def lora_weights(self) -> Iterator[tuple[str, Parameter | None]]:
        """The weights that updates change, by their names in this layer."""
        yield "weight", self._parameters["weight"]

    def lora_shapes(self, config: Config) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
        """{part: (shape of A, shape of B)}; a layer with one part calls it ""."""
        raise NotImplementedError

    def lora_added(self, x: Tensor, part: str = "") -> Tensor | None:
        """What the active adapters add to the output; None if there is nothing to add."""
        total = None
        for name in () if self.lora_kept else self.lora_active:
            key = name + part
            if key in self.lora_A:
                config = self.lora_configs[name]
                y = self.lora_path(x, self.lora_A[key], self.lora_B[key], config)
                total = y if total is None else total + y
        return total

    def lora_path(self, x: Tensor, A: Tensor, B: Tensor, config: Config) -> Tensor:
        """One adapter's share: down to the rank, scaled, up again."""
        y = linear(dropout(x, config.dropout, self.training) if config.dropout else x, A)
        return linear(y if config.scale == 1 else y * config.scale, B)

    def lora_delta(self, name: str, part: str = "") -> Tensor:
        """One adapter as a change of the weight."""
        delta: Tensor = (self.lora_B[name + part] @ self.lora_A[name + part]) * self.lora_configs[name].scale
        return delta

    def lora_merged(self, weight: str, names: Sequence[str]) -> Tensor:
        """A weight with updates added to it."""
        total: Tensor = self._parameters[weight]  # type: ignore[assignment]
        for name in names:
            total = total + self.lora_delta(name).reshape(total.shape)
        return total

    def lora_merge(self, names: Sequence[str]) -> None:
        """Other Parameters take the place of the weights, which are kept as they are."""
        own = {w: p for w, p in self.lora_weights() if p is not None}
        with no_grad():
            merged = {w: Parameter(self.lora_merged(w, names), requires_grad=p.requires_grad) for w, p in own.items()}
        self.lora_kept = dict(own)
        self._parameters.update(merged)

    def lora_unmerge(self) -> None:
        """Put the weights back, where the merged ones are by now."""
        for w, kept in self.lora_kept.items():
            merged = self._parameters[w]
            if kept is not None and merged is not None:
                if kept.dtype != merged.dtype:
                    kept.array = namespaces[type(kept.array)].cast(kept.array, merged.dtype)
                if kept.device != merged.device:
                    kept.array = to_device(kept.array, merged.device)
                self._parameters[w] = kept
        self.lora_kept = {}

    def forward(self, input: Tensor, *args: Any, **kwargs: Any) -> Any:
        """The layer's own output, and what the adapters add."""
        y = super().forward(input, *args, **kwargs)
        added = self.lora_added(input)
        return y if added is None else y + added

    def extra_repr(self) -> str:
        shown = [f"{n}{'' if n in self.lora_active else ' (off)'}: rank {c.rank}, alpha {c.alpha:g}" for n, c in self.lora_configs.items()]
        return ", ".join([super().extra_repr(), *shown, *(["merged"] if self.lora_kept else [])]).removeprefix(", ")


class LinearLoRA(LoRA):
    """A is (rank, in_features), B (out_features, rank)."""

    def lora_shapes(self, config: Config) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
        out, inputs = self.weight.shape
        return {"": ((config.rank, inputs), (out, config.rank))}


class EmbeddingLoRA(LoRA):
    """A is (num_embeddings, rank), B (embedding_dim, rank). Dropout is of A's rows; that of the padding stays zero."""

    def lora_shapes(self, config: Config) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
        count, dim = self.weight.shape
        return {"": ((count, config.rank), (dim, config.rank))}

    def lora_draw(self, A: Parameter) -> None:
        init.normal_(A)
        if self.padding_idx is not None:
            A[self.padding_idx].fill_(0)

    def lora_path(self, x: Tensor, A: Tensor, B: Tensor, config: Config) -> Tensor:
        y = embedding(x, A, self.padding_idx, scale_grad_by_freq=self.scale_grad_by_freq)
        y = dropout(y, config.dropout, self.training) if config.dropout else y
        return linear(y if config.scale == 1 else y * config.scale, B)

    def lora_delta(self, name: str, part: str = "") -> Tensor:
        delta: Tensor = (self.lora_A[name] @ self.lora_B[name].T) * self.lora_configs[name].scale
        return delta


class ConvLoRA(LoRA):
    """A is a convolution like the layer's, to rank channels for each of its groups; B mixes them, group by group."""

    def lora_shapes(self, config: Config) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
        out, inputs, *kernel = self.weight.shape
        return {"": ((self.groups * config.rank, inputs, *kernel), (out, config.rank, *[1] * len(kernel)))}

    def lora_path(self, x: Tensor, A: Tensor, B: Tensor, config: Config) -> Tensor:
        convolve, padding = type(self).function, self.padding  # type: ignore[attr-defined]
        x = dropout(x, config.dropout, self.training) if config.dropout else x
        if self.padding_mode != "zeros":
            x, padding = pad(x, self._border(), mode=self.padding_mode), 0
        y = convolve(x, A, None, self.stride, padding, self.dilation, self.groups)
        return convolve(y if config.scale == 1 else y * config.scale, B, None, 1, 0, 1, self.groups)  # type: ignore[no-any-return]

    def lora_delta(self, name: str, part: str = "") -> Tensor:
        A, B, config = self.lora_A[name], self.lora_B[name], self.lora_configs[name]
        up = B.reshape(self.groups, -1, config.rank)
        down = A.reshape(self.groups, config.rank, -1)
        return (up @ down).reshape(self.weight.shape) * config.scale  # type: ignore[no-any-return]


class AttentionLoRA(LoRA):
    """Of the projections of query, key and value, those that the settings name; each has an A and a B of its own.

    Outputs are projected by a Linear of its own, `out_proj`: that is a layer like any other.
    """

    def lora_weights(self) -> Iterator[tuple[str, Parameter | None]]:
        names = ("in_proj_weight",) if self._qkv_same_embed_dim else ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        for name in names:
            yield name, self._parameters[name]

    def lora_shapes(self, config: Config) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
        features = {"q": self.embed_dim, "k": self.kdim, "v": self.vdim}
        return {f"_{s}": ((config.rank, features[s]), (self.embed_dim, config.rank)) for s in config.slices}

    def lora_merged(self, weight: str, names: Sequence[str]) -> Tensor:
        total: Tensor = self._parameters[weight]  # type: ignore[assignment]
        for name in names:
            slices = self.lora_configs[name].slices
            if weight != "in_proj_weight":
                total = total + self.lora_delta(name, f"_{weight[0]}") if weight[0] in slices else total
                continue
            size = self.embed_dim
            parts = [rows + self.lora_delta(name, f"_{s}") if s in slices else rows
                     for s, rows in zip(SLICES, total.split(size), strict=True)]
            total = ops.cat(parts)
        return total

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return super(LoRA, self).forward(*args, **kwargs)

    def _weights(self) -> Weights:
        """The layer's own, with what is added to each projection."""
        weights: Weights = super()._weights()  # type: ignore[misc]

        def change(part: str) -> Any:
            def changed(x: Tensor, y: Tensor) -> Tensor:
                added = self.lora_added(x, part)
                return y if added is None else y + added
            return changed

        used = {s for name in self.lora_active for s in self.lora_configs[name].slices} if not self.lora_kept else set()
        return weights._replace(changes=tuple(change(f"_{s}") if s in used else before  # type: ignore[arg-type]
                                              for s, before in zip(SLICES, weights.changes, strict=True)))


KINDS: dict[type[Module], type[LoRA]] = {Linear: LinearLoRA, Embedding: EmbeddingLoRA, _Conv: ConvLoRA, MultiheadAttention: AttentionLoRA}


def kind_of(module: Module) -> type[LoRA]:
    """The graft for a layer."""
    for kind, graft in KINDS.items():
        if isinstance(module, kind):
            return graft
    raise ArgumentError("lora", type(module).__name__, f"it takes {', '.join(k.__name__.lstrip('_') for k in KINDS)}")
