"""Parameter groups for fine-tuning: lower layers slower, no decay where it does harm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ArgumentError
from ..nn import Module, Parameter
from ..nn.activation import ActivationModule
from ..nn.summarise import columns
from . import select

KINDS = ("bias", "norm", "activation", "embedding")


class Groups(list[dict[str, Any]]):
    """Parameter groups, as every optimizer takes them; the text is a table of them."""

    def __str__(self) -> str:
        rows = [("group", "parameters", "numbers", "lr", "weight decay")]
        rows += [(g["name"], str(len(g["params"])), f"{sum(p.numel() for p in g['params']):,}", f"{g['lr']:.3g}", f"{g['weight_decay']:g}")
                 for g in self]
        return "\n".join(columns(rows))


def parameter_groups(model: Module, lr: float, weight_decay: float = 0.01, layer_decay: float = 1.0,
                     no_decay: Sequence[Any] = ("bias", "norm", "activation"), frozen: bool = False) -> Groups:
    """The parameters in groups for an optimizer: layer-wise learning rates, and no decay where it does harm.

    Args:
        lr: of the head, or, without one, the last block. Each layer before has `layer_decay` times that of the one after it,
            the embeddings the least. Layers are what `freeze(depth=)` counts: what is before the numbered blocks, each
            block, what is after them.
        weight_decay: of the parameters that `no_decay` does not name.
        no_decay: kinds, and patterns as `freeze` takes them: "bias" (every bias, by its name), "norm" (all of a norm, by
            its module), "activation" (what an activation learns), "embedding".
        frozen: list frozen parameters too, for those that will learn later (GradualUnfreezing).

    Returns: a list of dicts {"params", "name", "lr", "weight_decay"}; printing it shows a table. A shared parameter is in one.

    (Layer-wise decay: Howard and Ruder 2018, arXiv:1801.06146; Clark et al. 2020, arXiv:2003.10555.)

    >>> model = ta.nn.Sequential(ta.nn.Linear(4, 8), ta.nn.LayerNorm(8), ta.nn.Linear(8, 2))
    >>> groups = ta.tune.parameter_groups(model, lr=1e-3, weight_decay=0.1, layer_decay=0.5)
    >>> print(groups)
    group         parameters  numbers      lr  weight decay
    0                      1       32  0.0005           0.1
    0 (no decay)           3       24  0.0005             0
    2                      1       16   0.001           0.1
    2 (no decay)           1        2   0.001             0
    >>> optimizer = ta.optim.AdamW(groups)
    """
    for name, value in (("lr", lr), ("weight_decay", weight_decay)):
        if not isinstance(value, (int, float)) or not value >= 0:
            raise ArgumentError("parameter_groups", f"{name}={value!r}", "it is a number from 0 up")
    if not isinstance(layer_decay, (int, float)) or not 0 < layer_decay <= 1:
        raise ArgumentError("parameter_groups", f"layer_decay={layer_decay!r}", "it is a factor above 0, up to 1")
    spared = _spared(model, no_decay)
    cut = [(name, {n: p for n, p in own.items() if frozen or p.requires_grad}) for name, own in select.layers(model)]
    out = Groups()
    if layer_decay == 1:
        cut = [("all", {n: p for _, own in cut for n, p in own.items()})]
    for i, (name, own) in enumerate(cut):
        for decays in (True, False):
            params = [p for p in own.values() if (id(p) not in spared) is decays]
            if params:
                out.append({"params": params, "name": name if decays else f"{name} (no decay)", "lr": lr * layer_decay ** (len(cut) - 1 - i),
                            "weight_decay": weight_decay if decays else 0.0})
    if not out:
        raise ArgumentError("parameter_groups", f"a {type(model).__name__}", "no parameter of it learns", "free some with ta.tune.unfreeze(model, ...)")
    return out


def _spared(model: Module, no_decay: Sequence[Any]) -> set[int]:
    """The ids of the parameters without decay."""
    kinds = [no_decay] if isinstance(no_decay, str) else list(no_decay)
    patterns = [k for k in kinds if not (isinstance(k, str) and k in KINDS)]
    found = {id(p) for p in select.parameters(model, patterns, "parameter_groups").values()} if patterns else set()
    for module in model.modules():
        for name, p in module._parameters.items():
            if p is not None and any(_is(kind, module, name, p) for kind in kinds if isinstance(kind, str)):
                found.add(id(p))
    return found


def _is(kind: str, module: Module, name: str, parameter: Parameter) -> bool:
    if kind == "bias":
        return "bias" in name
    if kind == "norm":
        return select.is_norm(module) and not any(True for _ in module.children())
    if kind == "activation":
        return isinstance(module, ActivationModule)
    return kind == "embedding" and "Embedding" in type(module).__name__
