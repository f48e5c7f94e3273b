"""Putting adapters into a model, switching between them, merging them, taking them out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...errors import ArgumentError
from ...nn import Module
from ...nn.utils.computed import Computed
from ...train.trainable import trainable_summary
from .. import select
from ..freezing import freeze, wake
from ..graft import graft, grafts_of, ungraft
from .kinds import KINDS, Config, LoRA, kind_of

NOTE = "_lora"                     # where a model's root keeps what inject found, for remove and save


class Injected(list[str]):
    """The names of the layers that have the adapter; its text says what that makes of the model."""

    def __init__(self, names: Iterable[str], adapter: str, config: Config, model: Module) -> None:
        super().__init__(names)
        self.adapter, self.config = adapter, config
        summary = trainable_summary(model)
        self.parameters, self.trainable, self.share = summary.parameters, summary.trainable, summary.share

    def __str__(self) -> str:
        return (f"LoRA {self.adapter!r} of rank {self.config.rank} in {len(self)} layers; {self.trainable:,} of {self.parameters:,} numbers "
                f"learn ({self.share:.2%})")


def inject(model: Module, *patterns: Any, rank: int = 8, alpha: float | None = None, dropout: float = 0.0, rslora: bool = False,
           slices: Sequence[str] = ("q", "v"), also: Sequence[Any] = (), adapter: str = "default", norms: str = "eval") -> Injected:
    """Freeze `model` and give the layers that the patterns mean low-rank updates that learn. The output stays as it is.

    Args:
        patterns: as for `ta.tune.freeze`; they must mean Linear, Embedding, Conv1d to 3d or MultiheadAttention layers ("*" for
            all). Of attention, `slices` are adapted; its `out_proj` is a Linear.
        rank, alpha: the update is (alpha / rank) B A; alpha is the rank unless given.
        dropout: of what goes into A (of an Embedding: of A's rows), while training.
        rslora: alpha / √rank instead (Kalajdzievski 2023, arXiv:2312.03732).
        slices: of "q", "k", "v".
        also: patterns of parameters that go on learning and are saved with the adapter, such as a new head.
        adapter: its name. A further one is added beside the others, which are switched off: see `use`.
        norms: as for `freeze`.

    A layer goes on being what it is, with its hooks and names: a Linear with LoRA is a Linear. One that stands in several
    places is adapted once. For each, x is kept for A, and W needs no gradient.

    Raises:
        ArgumentError: a pattern means no such layer, or one whose weight is computed (weight_norm and its kin); or a setting is out of its range.

    >>> model = ta.nn.Sequential(ta.nn.Linear(64, 64), ta.nn.ReLU(), ta.nn.Linear(64, 10))
    >>> print(ta.tune.lora.inject(model, "0", rank=4, also=["2"]))
    LoRA 'default' of rank 4 in 1 layers; 1,162 of 5,322 numbers learn (21.83%)
    >>> [name for name, p in model.named_parameters() if p.requires_grad]
    ['0.lora_A.default', '0.lora_B.default', '2.weight', '2.bias']
    """
    config = Config(rank, rank if alpha is None else alpha, dropout, rslora, tuple(slices))
    if not adapter.isidentifier():
        raise ArgumentError("lora.inject", f"adapter={adapter!r}", "a name is made of letters, digits and _")
    layers = select.modules(model, patterns or ("*",), "lora.inject", tuple(KINDS))
    for name, layer in layers.items():
        for undo in Computed.among(layer, ("weight", "in_proj_weight")).values():
            raise ArgumentError("lora.inject", f"{name!r}", "its weight is computed from others", f"make it a parameter again first: {undo}")
    if adapter in {a for m in injected(model).values() for a in m.lora_configs}:
        raise ArgumentError("lora.inject", f"adapter={adapter!r}", "the model has an adapter of this name", "give it another, or lora.remove(model) first")
    if any(m.lora_kept for m in injected(model).values()):
        raise ArgumentError("lora.inject", "a merged model", "its weights have the other adapters in them", "lora.unmerge(model) first")
    free = select.parameters(model, also, "lora.inject") if also else {}
    note = begin(model, norms)
    for module in layers.values():
        put(module, adapter, config)
    note["also"][adapter] = list(free)
    use(model, adapter)
    return Injected(layers, adapter, config, model)


def begin(model: Module, norms: str = "eval") -> dict[str, Any]:
    """Freeze a model that has no adapters yet, and note how it was."""
    if NOTE not in model.__dict__:
        learned = [n for n, p in model.named_parameters() if p.requires_grad]
        changed = freeze(model, norms=norms)
        model.__dict__[NOTE] = {"learned": learned, "rested": changed.rested, "also": {}}
    note: dict[str, Any] = model.__dict__[NOTE]
    return note


def put(module: Module, adapter: str, config: Config) -> None:
    """Give one layer an adapter."""
    kind = kind_of(module)
    if kind not in grafts_of(module):
        graft(module, kind)
        module.lora_start()
    module.lora_add(adapter, config)


def injected(model: Module) -> dict[str, Any]:
    """{name: layer} of the layers with adapters."""
    return {name: m for name, m in model.named_modules() if isinstance(m, LoRA)}


def _adapters(model: Module, where: str) -> dict[str, Any]:
    layers = injected(model)
    if not layers:
        raise ArgumentError(where, f"a {type(model).__name__}", "it has no adapters", "lora.inject(model, ...) puts them in")
    return layers


def use(model: Module, *adapters: str) -> None:
    """Switch on these adapters, which are added up and learn, and the others off; with none, the network is as it was.

    >>> model = ta.nn.Sequential(ta.nn.Linear(4, 4))
    >>> for name in ("summaries", "questions"):
    ...     _ = ta.tune.lora.inject(model, "0", rank=2, adapter=name)
    >>> ta.tune.lora.use(model, "summaries")
    >>> model[0].extra_repr()
    'in_features=4, out_features=4, bias=True, summaries: rank 2, alpha 2, questions (off): rank 2, alpha 2'
    """
    layers = _adapters(model, "lora.use")
    known = dict.fromkeys(a for m in layers.values() for a in m.lora_configs)
    if unknown := [a for a in adapters if a not in known]:
        raise ArgumentError("lora.use", repr(unknown[0]), f"the adapters are {', '.join(known)}")
    if any(m.lora_kept for m in layers.values()):
        raise ArgumentError("lora.use", "a merged model", "its weights have the adapters in them", "lora.unmerge(model) first")
    for module in layers.values():
        module.lora_active = tuple(a for a in adapters if a in module.lora_configs)
        for name, config in module.lora_configs.items():
            for part in module.lora_shapes(config):
                for matrices in (module.lora_A, module.lora_B):
                    matrices[name + part].requires_grad = name in adapters
    also = model.__dict__.get(NOTE, {"also": {}})["also"]
    own = dict(model.named_parameters())
    for name, free in also.items():
        for n in free:
            own[n].requires_grad = name in adapters or any(n in also[a] for a in adapters)


@contextlib.contextmanager
def disabled(model: Module) -> Iterator[Module]:
    """Within it, the network gives what it gave without adapters.

    >>> model = ta.nn.Sequential(ta.nn.Linear(2, 2))
    >>> _ = ta.tune.lora.inject(model, rank=1)
    >>> with ta.tune.lora.disabled(model):
    ...     y = model(ta.ones(1, 2))
    """
    layers = _adapters(model, "lora.disabled")
    if any(m.lora_kept for m in layers.values()):
        raise ArgumentError("lora.disabled", "a merged model", "its weights have the adapters in them", "lora.unmerge(model) first")
    before = {name: m.lora_active for name, m in layers.items()}
    try:
        for m in layers.values():
            m.lora_active = ()
        yield model
    finally:
        for name, m in layers.items():
            m.lora_active = before[name]


def merge(model: Module) -> None:
    """Add the active adapters to the weights, so that they cost no time. The weights themselves are kept aside: `unmerge`
    puts the same Parameters back, bit for bit, and until then one copy more of each adapted weight is in memory.
    """
    layers = _adapters(model, "lora.merge")
    if any(m.lora_kept for m in layers.values()):
        raise ArgumentError("lora.merge", "a merged model", "its adapters are in the weights already", "lora.unmerge(model) first")
    for module in layers.values():
        module.lora_merge(module.lora_active)


def unmerge(model: Module) -> None:
    """Undo `merge`, exactly. (What was done to the merged weights in between is lost.)"""
    layers = _adapters(model, "lora.unmerge")
    if not any(m.lora_kept for m in layers.values()):
        raise ArgumentError("lora.unmerge", f"a {type(model).__name__}", "it is not merged")
    for module in layers.values():
        module.lora_unmerge()


def remove(model: Module) -> None:
    """Take all adapters out; what learned before they came learns again. Of a merged model the merged weights stay: `merge`,
    then `remove`, gives a plain network that does what the adapted one did.

    >>> model = ta.nn.Sequential(ta.nn.Linear(2, 2))
    >>> _ = ta.tune.lora.inject(model, rank=1)
    >>> ta.tune.lora.merge(model); ta.tune.lora.remove(model)
    >>> model
    Sequential(
      (0): Linear(in_features=2, out_features=2, bias=True)
    )
    """
    for module in _adapters(model, "lora.remove").values():
        kind = kind_of(module)
        module.lora_end()
        ungraft(module, kind)
    note = model.__dict__.pop(NOTE, None)
    if note is not None:
        own = dict(model.named_parameters())
        for name, p in own.items():
            p.requires_grad = name in note["learned"]
        for name in note["rested"]:
            wake(model, name)
