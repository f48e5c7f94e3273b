"""freeze and unfreeze: which parameters learn, by name, kind or depth."""

from __future__ import annotations

from typing import Any

from ..errors import ArgumentError
from ..nn import Module, Parameter
from . import select
from .graft import Graft, graft, grafted, ungraft


class Changed(list[str]):
    """The names of the parameters that were changed; `numbers` counts what they hold, `rested` names the norms that now
    keep their statistics. Its text says all that in a line.
    """

    def __init__(self, verb: str, parameters: dict[str, Parameter], rested: list[str]) -> None:
        super().__init__(parameters)
        self.verb, self.rested = verb, rested
        self.numbers = sum(p.numel() for p in parameters.values())

    def __str__(self) -> str:
        more = f"; norms that keep their statistics: {len(self.rested)}" if self.rested and self.verb == "frozen" else ""
        return f"{self.verb}: {len(self)} parameters, {self.numbers:,} numbers{more}"


class Resting(Graft):
    """A norm with running statistics that stays in evaluation mode, whatever `model.train()` says."""

    label = "Frozen"
    training = property(lambda self: False, lambda self, value: None)


def freeze(model: Module, *patterns: Any, depth: int | None = None, norms: str = "eval") -> Changed:
    """Have parameters learn no longer: those that the patterns mean, or the first blocks, or, with neither, all.

    Args:
        patterns: globs over dotted names ("encoder.layers.0.*", or "encoder" for all of a module, or the end of a name:
            "bias"), compiled regular expressions (searched for in the name), classes (nn.Embedding), modules, Parameters.
        depth: what comes before the blocks, and that many of them; a negative one leaves that many at the end free. Blocks
            are the numbered parts of the longest ModuleList or Sequential, as `layers` finds them.
        norms: "eval" keeps a frozen norm with running statistics in evaluation mode, through `model.train()` too, so that
            they stay those of the pretrained network; "train" lets them move on.

    Returns: the names of what was changed.

    Raises:
        ArgumentError: a pattern means nothing in this model (the nearest names are given), or there are fewer blocks.

    >>> model = ta.nn.Sequential(ta.nn.Linear(4, 8), ta.nn.BatchNorm1d(8), ta.nn.Linear(8, 2))
    >>> print(ta.tune.freeze(model, "0", "1"))
    frozen: 4 parameters, 56 numbers; norms that keep their statistics: 1
    >>> [name for name, p in model.named_parameters() if p.requires_grad]
    ['2.weight', '2.bias']
    """
    if norms not in ("eval", "train"):
        raise ArgumentError("freeze", f"norms={norms!r}", 'it is "eval" or "train"')
    chosen = _chosen(model, patterns, depth, "freeze")
    changed = {n: p for n, p in chosen.items() if p.requires_grad}
    for p in changed.values():
        p.requires_grad = False
        p.grad = None
    rested = [n for n, m in _running(model, patterns, chosen) if norms == "eval" and not grafted(m, Resting)]
    for name in rested:
        graft(model.get_submodule(name), Resting)
    return Changed("frozen", changed, rested)


def unfreeze(model: Module, *patterns: Any, depth: int | None = None) -> Changed:
    """Have parameters learn again; as `freeze`, except that a depth counts from the head: it and that many last blocks.

    >>> model = ta.nn.Sequential(ta.nn.Linear(4, 8), ta.nn.Tanh(), ta.nn.Linear(8, 2))
    >>> ta.tune.freeze(model)
    ['0.weight', '0.bias', '2.weight', '2.bias']
    >>> ta.tune.unfreeze(model, "*.bias")
    ['0.bias', '2.bias']
    """
    if depth is not None and depth < 0:
        raise ArgumentError("unfreeze", f"depth={depth}", "it is a number of blocks, from 0 up")
    chosen = _chosen(model, patterns, depth, "unfreeze")
    changed = {n: p for n, p in chosen.items() if not p.requires_grad}
    for p in changed.values():
        p.requires_grad = True
    woken = [n for n, m in _running(model, patterns, chosen) if grafted(m, Resting)]
    for name in woken:
        wake(model, name)
    return Changed("unfrozen", changed, woken)


def wake(model: Module, name: str) -> None:
    """Have a norm follow the model's mode again."""
    module = model.get_submodule(name)
    ungraft(module, Resting)
    module.training = model.training


def _chosen(model: Module, patterns: tuple[Any, ...], depth: int | None, where: str) -> dict[str, Parameter]:
    if not isinstance(model, Module):
        raise ArgumentError(where, f"a {type(model).__name__}", "the first argument is the model")
    if depth is None:
        return select.parameters(model, patterns, where) if patterns else dict(model.named_parameters())
    cut = select.layers(model)
    if abs(depth) > cut.blocks or isinstance(depth, bool):
        raise ArgumentError(where, f"depth={depth}", f"{type(model).__name__} has {cut.blocks} blocks",
                            f"the layers are {', '.join(name for name, _ in cut)}")
    if where == "unfreeze":
        span = cut[cut.last - depth:]
    else:
        span = cut[:(cut.first if depth >= 0 else cut.last) + depth]
    chosen = {n: p for _, own in span for n, p in own.items()}
    return chosen | (select.parameters(model, patterns, where) if patterns else {})


def _running(model: Module, patterns: tuple[Any, ...], chosen: dict[str, Parameter]) -> list[tuple[str, Module]]:
    """The norms with running statistics all of whose parameters are chosen; without any, those a pattern names."""
    ids = {id(p) for p in chosen.values()}
    found = []
    named = select.modules(model, patterns, "freeze") if patterns and _name_modules(model, patterns) else {}
    for name, module in model.named_modules():
        if module._buffers.get("running_mean") is None:
            continue
        own = [p for p in module._parameters.values() if p is not None]
        inside = any(name == n or name.startswith(f"{n}.") or not n for n in named)
        if inside or (own and all(id(p) in ids for p in own)) or (not own and len(ids) == len(list(model.parameters()))):
            found.append((name, module))
    return found


def _name_modules(model: Module, patterns: tuple[Any, ...]) -> bool:
    try:
        select.modules(model, patterns, "freeze")
    except ArgumentError:                                    # one of them names a parameter, not a module
        return False
    return True
