"""load_pretrained: fill a network from a file as far as the two fit, and say how far that is."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import dtypes
from ..errors import ArgumentError
from ..nn.module import Module
from ..nn.state import may_be_missing, named_state
from ..nn.state_difference import IncompatibleKeys, difference
from ..tensor import Tensor
from .formats import load
from .index import weights_in
from .naming import Plan, plan, transformed
from .safetensors import SafeFile

Shape = tuple[int, ...]
SHOWN = 5
INNER = ("state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights", "params")


@dataclass
class Filled:
    """What `load_pretrained` did: lists of names, and how many numbers of the network's there are and were filled."""

    model: str
    source: str
    filled: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)        # of the network: as initialised
    unused: list[str] = field(default_factory=list)      # of the file
    mismatched: list[tuple[str, Shape, Shape]] = field(default_factory=list)       # name, shape in the file, in the network
    numbers: int = 0
    of: int = 0

    @property
    def percent(self) -> float:
        """How much of the network's numbers came from the file."""
        return 100.0 * self.numbers / self.of if self.of else 100.0

    @property
    def complete(self) -> bool:
        """True if nothing of the network was left as it was."""
        return not self.left and not self.mismatched

    def __repr__(self) -> str:
        count = len(self.filled) + len(self.left) + len(self.mismatched)
        lines = [f"{self.model} from {self.source}: {len(self.filled)} of {count} tensors, {self.numbers:,} of {self.of:,} numbers ({self.percent:.4g} %) filled"]
        lines += _listed("left as initialised", self.left) + _listed("unused in the file", self.unused)
        lines += _listed("of another shape, left", [f"{name} {got} in the file, {wanted} in the network" for name, got, wanted in self.mismatched])
        return "\n".join(lines)


def _listed(what: str, names: list[str]) -> list[str]:
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return [f"  {what} ({len(names)}): {', '.join(names[:SHOWN])}{more}"] if names else []


def load_pretrained(model: Module, path_or_state: Any, *, map: Any = None, prefix: str = "", strict: bool = False,
                    ignore_mismatched: bool = False, dtype: Any = None) -> Filled:
    """Fill a network from a file or a state_dict, by name, and report how much of it was filled.

    A checkpoint that holds the state_dict as one part (`{"model": ..., "epoch": 3}`) is searched for it.

    Args:
        model: the network, changed in place.
        path_or_state: a file that `ta.load` reads, a folder with model.safetensors or pytorch_model.bin, or a mapping of names to tensors.
        map: rules for names, as for `rename`, applied after `prefix`.
        prefix: what the wanted names in the file begin with, to be taken off; names without it are not used.
        strict: raise an error if anything of the network would be left as it is, or anything in the file unused.
        ignore_mismatched: leave tensors as they are whose shapes differ from the file's, instead of raising an error.
        dtype: make the network of this floating type first.

    Raises:
        ShapeError: shapes differ, nothing fits at all, or, with `strict`, anything is left over. Nothing is changed.
        FileError: the file cannot be read.
        ArgumentError: it holds no state_dict, or a rule of `map` is none.

    >>> body, whole = ta.nn.Linear(2, 3), ta.nn.Sequential(ta.nn.Linear(2, 3), ta.nn.Linear(3, 1))
    >>> load_pretrained(whole, body.state_dict(), map={"^": "0."})
    Sequential from a state_dict: 2 of 4 tensors, 9 of 13 numbers (69.23 %) filled
      left as initialised (2): 1.weight, 1.bias
    """
    if not isinstance(model, Module):
        raise ArgumentError("load_pretrained", type(model).__name__, "that is no network", "give the model first, then the file")
    state, source = state_in(path_or_state)
    report = Filled(type(model).__name__, source, unused=[name for name in state if not name.startswith(prefix)])
    stripped = {name.removeprefix(prefix): name for name in state if name.startswith(prefix)}
    entries = {new: (stripped[old], steps) for new, (old, steps) in plan(stripped, map).items()}
    targets = {name: getattr(owner, key) for name, (owner, key) in named_state(model).items()}
    values = _fit(targets, state, entries, report)
    unfit = bool(report.mismatched) and not ignore_mismatched
    if unfit or not report.filled or (strict and (report.left or report.unused)):
        keys = ([], []) if report.filled and not strict else (report.left, [new for new in entries if new not in targets])
        raise difference(report.model, IncompatibleKeys(*keys), report.mismatched if unfit else [], {name: t.shape for name, t in targets.items()},
                         {new: state[old] for new, (old, _) in entries.items()})
    if dtype is not None:
        model.to(dtype=dtypes.as_dtype(dtype))
    model.load_state_dict(values, strict=False)
    return report


def _fit(targets: Mapping[str, Tensor], state: Mapping[str, Any], entries: Plan, report: Filled) -> dict[str, Any]:
    """The values that fit, by their names in the network; what fits and what does not goes into the report."""
    values = {}
    for name, (old, steps) in entries.items():
        if name not in targets:
            report.unused.append(old)
            continue
        value, wanted = transformed(state[old], steps, old), targets[name].shape
        if value.shape == wanted or (value.shape, wanted) == ((1,), ()):
            values[name] = value
            report.filled.append(name)
        else:
            report.mismatched.append((name, value.shape, wanted))
    done = {id(targets[name]) for name in values}        # what is shared is filled under any of its names
    odd = {name for name, _, _ in report.mismatched}
    report.left += [name for name, t in targets.items() if id(t) not in done and name not in odd and not may_be_missing(name, state)]
    sizes = {id(t): math.prod(t.shape) for t in targets.values()}
    report.numbers, report.of = sum(sizes[i] for i in done), sum(sizes.values())
    return values


def state_in(given: Any) -> tuple[Mapping[str, Any], str]:
    """The state_dict that a file, a folder or a mapping holds, and what to call it. A file is left where it is and read as it is copied.

    Raises:
        FileError: the file cannot be read.
        ArgumentError: there is no state_dict in it.
    """
    if isinstance(given, Mapping):
        state, source = given, "a state_dict"
    elif isinstance(given, (str, os.PathLike)) or hasattr(given, "read"):
        path = isinstance(given, (str, os.PathLike))
        source = str(given) if path else type(given).__name__
        state = load(weights_in(Path(given)) if path and Path(given).is_dir() else given, "cpu", mmap=True)
    else:
        raise ArgumentError("load_pretrained", type(given).__name__, "that is neither a file nor a state_dict",
                            "give its state_dict()" if isinstance(given, Module) else "give a path, an open file or a mapping of names to tensors")
    if _is_state(state):
        return state, source
    parts = [key for key, value in state.items() if _is_state(value)] if isinstance(state, Mapping) else []
    known = [key for key in INNER if key in parts] or (parts if len(parts) == 1 else [])
    if known:
        return state[known[0]], f"{source}[{known[0]!r}]"
    raise ArgumentError("load_pretrained", source, f"it holds no state_dict, but {_content(state)}",
                        f"pass the part that is one: ta.load(path)[{parts[0]!r}]" if parts else "save model.state_dict() in it")


def _is_state(value: Any) -> bool:
    return isinstance(value, SafeFile) or (isinstance(value, Mapping) and bool(value) and
                                           all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items()))


def _content(state: Any) -> str:
    if not isinstance(state, Mapping):
        return f"a {type(state).__name__}"
    return ", ".join(f"{key!r}: {type(value).__name__}" for key, value in list(state.items())[:6]) or "nothing"
