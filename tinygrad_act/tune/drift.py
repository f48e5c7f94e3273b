"""Drift: how far a change of a network moved what it gives on a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .. import _functions as ops
from .. import dtypes
from ..errors import ArgumentError, user_line
from ..graph import Watcher, watchers
from ..nn import Module
from ..nn.rest import at_rest
from ..nn.summarise import columns
from ..ops.random import fork_rng
from ..tensor import Tensor
from .sites import Site


@dataclass
class Row:
    """How two tensors differ: the largest difference, ‖b - a‖ / ‖a‖, and the cosine of the angle between them."""

    name: str
    max_abs: float
    relative: float
    cosine: float
    own: float = 0.0                     # of a layer: the largest difference on the inputs that it had before


@dataclass
class Drift:
    """Rows for the outputs and for each layer that was swapped; `left` are lines that still use the old activation."""

    outputs: list[Row]
    layers: list[Row]
    left: dict[str, int]

    @property
    def max_abs(self) -> float:
        """The largest difference in any output."""
        return max((r.max_abs for r in self.outputs), default=0.0)

    def __str__(self) -> str:
        rows = [("", "max |difference|", "relative", "cosine", "of its own"),
                *((r.name, f"{r.max_abs:.3g}", f"{r.relative:.3g}", f"{r.cosine:.6f}", "") for r in self.outputs),
                *((r.name, f"{r.max_abs:.3g}", f"{r.relative:.3g}", f"{r.cosine:.6f}", f"{r.own:.3g}") for r in self.layers)]
        return "\n".join([*columns(rows), *(f"not reached: {count} calls at {line}" for line, count in self.left.items())])


def compare(name: str, before: Tensor, after: Tensor) -> Row:
    """How far `after` is from `before`, computed in float64.

    >>> compare("y", ta.tensor([3.0, 4.0]), ta.tensor([3.0, 4.5]))
    Row(name='y', max_abs=0.5, relative=0.1, cosine=0.998460..., own=0.0)
    """
    if before.shape != after.shape:
        raise ArgumentError("drift", f"{name}: {before.shape} before, {after.shape} after", "the swap changed the output's shape")
    a, b = (t.detach().to(dtypes.float64).reshape(-1) for t in (before, after))
    if not a.shape[0]:
        return Row(name, 0.0, 0.0, 1.0)
    d = ops.where(a == b, ops.zeros_like(a), b - a)           # also where both are infinite
    dot, aa, bb, dd = (float((p * q).sum().item()) for p, q in ((a, b), (a, a), (b, b), (d, d)))
    same = not dd
    relative = 0.0 if same else math.sqrt(dd) / math.sqrt(aa) if aa else math.inf
    return Row(name, float(d.abs().max().item()), relative, 1.0 if same else dot / math.sqrt(aa * bb) if aa and bb else 0.0)


def run(model: Module, sample: Any) -> Any:
    """The model's output for a sample: a tensor, a tuple of arguments, or a dict of named ones."""
    if isinstance(sample, Mapping):
        return model(**sample)
    return model(*sample) if isinstance(sample, (tuple, list)) else model(sample)


def tensors(x: Any, name: str = "output") -> dict[str, Tensor]:
    """The floating tensors in what a model returned, each with a name."""
    if isinstance(x, Tensor):
        return {name: x} if dtypes.is_floating(x.dtype) else {}
    parts = x.items() if isinstance(x, Mapping) else enumerate(x) if isinstance(x, (tuple, list)) else ()
    return {n: t for key, part in parts for n, t in tensors(part, f"{name}[{key!r}]").items()}


Calls = dict[str, list[tuple[Tensor, Tensor]]]


@contextmanager
def listening(sites: list[Site], calls: Calls, which: str) -> Iterator[None]:
    """Note the input and output of every call of the activations that stand at the sites."""
    handles = []
    for site in sites:
        value, own = getattr(site, which), calls.setdefault(site.name, [])
        if isinstance(value, Module):
            handles.append(value.register_forward_hook(lambda module, args, y, own=own: own.append((args[0], y))))
        else:
            site.put(_noting(value, own))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for site in sites:
            if not isinstance(getattr(site, which), Module):
                site.put(getattr(site, which))


def _noting(function: Callable[..., Any], own: list[Any]) -> Callable[..., Any]:
    def call(x: Tensor, *args: Any, **kwargs: Any) -> Any:
        y = function(x, *args, **kwargs)
        own.append((x, y))
        return y
    return call


class Uses(Watcher):
    """Counts the uses of some ops, by the line that they are written on."""

    def __init__(self, names: set[str]) -> None:
        self.names, self.lines = names, dict[str, int]()

    def forward(self, op: Any, inputs: Any, output: Any, params: dict[str, Any]) -> None:
        if op.name in self.names:
            line = user_line()
            self.lines[line] = self.lines.get(line, 0) + 1


def measure(model: Module, sample: Any, sites: list[Site], change: Callable[[], None], op: str) -> Drift:
    """Run the model on the sample, change it, run it again, and compare. Of the ops named `op`, what is left is noted."""
    before: Calls = {}
    after: Calls = {}
    with at_rest(model), fork_rng(), listening(sites, before, "old"):
        first = tensors(run(model, sample))
    change()
    uses = Uses({op})
    new_ops = {getattr(getattr(s.new, "record", None), "name", "") for s in sites}
    with at_rest(model), fork_rng():
        with listening(sites, after, "new"):
            watchers.append(uses)
            try:
                second = tensors(run(model, sample))
            finally:
                watchers.remove(uses)
        layers = []
        for site in sites:
            for i, ((x, y), (_, z)) in enumerate(zip(before[site.name], after[site.name], strict=False)):
                row = compare(site.name if len(before[site.name]) == 1 else f"{site.name} (call {i + 1})", y, z)
                row.own = compare(site.name, y, site.new(x)).max_abs
                layers.append(row)
    return Drift([compare(n, first[n], second[n]) for n in first if n in second], layers, {} if op in new_ops else uses.lines)
