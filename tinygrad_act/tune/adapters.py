"""Small things that learn in a frozen network, other than LoRA: biases, bottleneck adapters, scales."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _functions as ops
from ..errors import ArgumentError
from ..grad_mode import no_grad
from ..nn import GELU, Embedding, Linear, Module, MultiheadAttention, Parameter, Sequential, init
from ..nn.conv import _Conv, _Convolution
from ..nn.multihead import Weights
from ..tensor import Tensor, wrap
from . import select
from .freezing import Changed, freeze, unfreeze
from .graft import Graft, graft, grafted


def bitfit(model: Module, also: Any = (), norms: str = "eval") -> Changed:
    """Freeze all but the biases (Ben Zaken et al. 2021, arXiv:2106.10199), and what the patterns `also` mean.

    Returns: the names of what learns.

    >>> model = ta.nn.Sequential(ta.nn.Linear(4, 8), ta.nn.Tanh(), ta.nn.Linear(8, 2))
    >>> ta.tune.bitfit(model)
    ['0.bias', '2.bias']
    """
    biases = [p for n, p in model.named_parameters() if "bias" in n.rpartition(".")[2]]
    if not biases:
        raise ArgumentError("bitfit", f"a {type(model).__name__}", "it has no biases")
    free = [*biases, *select.parameters(model, also, "bitfit").values()] if also else biases
    return _only(model, free, norms)


def _only(model: Module, free: list[Parameter], norms: str) -> Changed:
    """Freeze all but these."""
    freeze(model, norms=norms)
    return unfreeze(model, *free)


# ------------------------------------------------------------------------------------------------------ bottlenecks
class Bottleneck(Graft):
    """A layer whose output y becomes y + up(f(down(y))). `up` starts at zero."""

    label = "Adapted"
    adapter: Sequential

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The layer's output with the adapter's share; of several results, the first."""
        y = super().forward(*args, **kwargs)
        first = y[0] if isinstance(y, (tuple, list)) else y
        changed = first + self.adapter(first)
        return type(y)([changed, *y[1:]]) if isinstance(y, (tuple, list)) else changed


def add_adapters(model: Module, *patterns: Any, size: int = 16, activation: Callable[[], Module] = GELU, also: Any = (),
                 norms: str = "eval") -> Changed:
    """Freeze `model` and put a bottleneck behind each module that the patterns mean: y + up(f(down(y))), which is y at first.

    The adapters are those of Houlsby et al. (2019, arXiv:1902.00751), who put them behind the attention and the feed-forward
    layer of each block: `add_adapters(model, "*.self_attn", "*.linear2")`.

    Args:
        patterns: as for `freeze`; of modules whose output ends in a known number of features: Linear, Embedding,
            MultiheadAttention, norms and modules with `out_features`, `embedding_dim`, `embed_dim` or `normalized_shape`.
        size: the features in between.
        activation: makes f.
        also: patterns of parameters that go on learning.

    Returns: the names of what learns.

    >>> model = ta.nn.Sequential(ta.nn.Linear(4, 8), ta.nn.Tanh(), ta.nn.Linear(8, 2))
    >>> x = ta.ones(1, 4)
    >>> y = model(x)
    >>> ta.tune.add_adapters(model, "0", size=2)
    ['0.adapter.0.weight', '0.adapter.0.bias', '0.adapter.2.weight', '0.adapter.2.bias']
    >>> ta.equal(model(x), y)
    True
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ArgumentError("add_adapters", f"size={size!r}", "it is a number of features, from 1 up")
    layers = select.modules(model, patterns, "add_adapters")
    widths = {name: _features(name, m) for name, m in layers.items()}
    if taken := [name for name, m in layers.items() if grafted(m, Bottleneck)]:
        raise ArgumentError("add_adapters", repr(taken[0]), "it has an adapter")
    free = list(select.parameters(model, also, "add_adapters").values()) if also else []
    freeze(model, norms=norms)
    like = next(model.parameters())
    for name, module in layers.items():
        kind = {"dtype": like.dtype, "device": like.device}
        up = Linear(size, widths[name], **kind)
        with no_grad():
            init.zeros_(up.weight)
            init.zeros_(up.bias)
        made = graft(module, Bottleneck)
        made.adapter = Sequential(Linear(widths[name], size, **kind), activation(), up)
        free += list(made.adapter.parameters())
    _only(model, free, norms)
    return Changed("learning", {n: p for n, p in model.named_parameters() if p.requires_grad}, [])


def _features(name: str, module: Module) -> int:
    for attribute in ("out_features", "embedding_dim", "embed_dim", "normalized_shape", "d_model"):
        size = module.__dict__.get(attribute)
        if size is not None and not isinstance(module, _Convolution):
            return int(size[-1] if isinstance(size, (tuple, list)) else size)
    raise ArgumentError("add_adapters", f"{name!r}, a {type(module).__name__}", "how many features its output has cannot be seen",
                        "name a Linear, Embedding, MultiheadAttention or LayerNorm behind which the adapter is to stand")


# -------------------------------------------------------------------------------------------------------------- IA3
class Scaled(Graft):
    """A layer whose output (of attention: keys and values) is multiplied by what is learned, 1 at first."""

    label = "IA3"

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The layer's output, scaled."""
        y = super().forward(*args, **kwargs)
        if isinstance(self, MultiheadAttention):
            return y
        scale: Tensor = self.ia3
        return y * (scale.reshape(-1, *[1] * self.dims) if isinstance(self, _Conv) else scale)

    def _weights(self) -> Weights:
        weights: Weights = super()._weights()  # type: ignore[misc]

        def times(scale: Tensor, before: Any) -> Any:
            return lambda x, y: (y if before is None else before(x, y)) * scale

        q, k, v = weights.changes
        return weights._replace(changes=(q, times(self.ia3_k, k), times(self.ia3_v, v)))


def ia3(model: Module, *patterns: Any, also: Any = (), norms: str = "eval") -> Changed:
    """Freeze `model` and learn a factor for each output of the layers that the patterns mean, 1 at first (IA³: Liu et al. 2022,
    arXiv:2205.05638, who take attention's keys and values and the hidden layer of each feed-forward part).

    Args:
        patterns: as for `freeze`; of Linear, Embedding and convolutions, and of MultiheadAttention, whose keys and values get it.
        also: patterns of parameters that go on learning.

    Returns: the names of what learns.

    >>> model = ta.nn.Sequential(ta.nn.Linear(4, 8), ta.nn.Tanh(), ta.nn.Linear(8, 2))
    >>> ta.tune.ia3(model, "0")
    ['0.ia3']
    """
    layers = select.modules(model, patterns, "ia3", (Linear, Embedding, _Conv, MultiheadAttention))
    free = list(select.parameters(model, also, "ia3").values()) if also else []
    freeze(model, norms=norms)
    for module in layers.values():
        grafting: Any = module
        attention = isinstance(module, MultiheadAttention)
        size = grafting.embed_dim if attention else grafting.weight.shape[1 if isinstance(module, Embedding) else 0]
        like = next(module.parameters())
        graft(module, Scaled)
        for name in ("ia3_k", "ia3_v") if attention else ("ia3",):
            setattr(module, name, Parameter(ops.ones(size, dtype=like.dtype, device=like.device)))
            free.append(module._parameters[name])  # type: ignore[arg-type]
    _only(model, free, norms)
    return Changed("learning", {n: p for n, p in model.named_parameters() if p.requires_grad}, [])


def learned_state(model: Module) -> dict[str, Tensor]:
    """{name: tensor} of what learns: all there is to save of a network that is otherwise frozen. It goes back in by
    `model.load_state_dict(..., strict=False)`, once the same adapters are in.

    >>> model = ta.nn.Sequential(ta.nn.Linear(4, 8), ta.nn.Linear(8, 2))
    >>> _ = ta.tune.bitfit(model)
    >>> list(ta.tune.learned_state(model))
    ['0.bias', '1.bias']
    """
    return {n: wrap(p.array) for n, p in model.named_parameters() if p.requires_grad}
