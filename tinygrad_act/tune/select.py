"""Naming parts of a network: by pattern, by kind, by the part itself; and finding its blocks."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ..errors import ArgumentError
from ..nn import Module, Parameter

NORMS = re.compile("norm", re.IGNORECASE)


def names_of(tensor_or_module: Any, model: Module) -> list[str]:
    """Every name that a parameter or module has in `model`: shared ones have several."""
    named: Iterable[tuple[str, Any]]
    if isinstance(tensor_or_module, Module):
        named = model.named_modules(remove_duplicate=False)
    else:
        named = model.named_parameters(remove_duplicate=False)
    return [name for name, value in named if value is tensor_or_module]


def matching(pattern: Any, names: Iterable[str]) -> list[str]:
    """Those that a glob or a compiled regular expression matches; a glob may also name the end of a dotted name."""
    names = list(names)
    if isinstance(pattern, re.Pattern):
        return [n for n in names if pattern.search(n)]
    whole = [n for n in names if fnmatchcase(n, pattern)]
    return whole or [n for n in names if fnmatchcase(n, f"*.{pattern}")]


def _nearest(pattern: Any, names: Iterable[str]) -> str:
    text = pattern.pattern if isinstance(pattern, re.Pattern) else pattern
    names = [n for n in dict.fromkeys(names) if n]
    if not names:
        return "there are none"
    known = {n.rpartition(".")[2]: n for n in reversed(names)}
    near = difflib.get_close_matches(text, names, 3, 0.5)
    near += [known[n] for n in difflib.get_close_matches(text, known, 3, 0.5) if known[n] not in near]
    return f"the nearest names are {', '.join(near[:3])}" if near else f"there are {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}"


def modules(model: Module, patterns: Sequence[Any], where: str, kinds: tuple[type, ...] = (Module,)) -> dict[str, Module]:
    """{first name: module} of the modules of `kinds` that the patterns mean, in the model's order, each once.

    A pattern is a glob over dotted names ("layers.*.linear1", or only the end of them: "linear1"), a compiled regular
    expression (searched for in the name), a class, or a module of the model.

    Raises:
        ArgumentError: a pattern means none of them; the nearest names are in the message.
    """
    named = [(n, m) for n, m in model.named_modules(remove_duplicate=False) if isinstance(m, kinds)]
    found: set[int] = set()
    for pattern in _patterns(patterns, where):
        if isinstance(pattern, type):
            hits = {id(m) for _, m in named if isinstance(m, pattern)}
        elif isinstance(pattern, Module):
            hits = {id(m) for _, m in named if m is pattern}
        else:
            chosen = set(matching(pattern, (n for n, _ in named)))
            hits = {id(m) for n, m in named if n in chosen}
        if not hits:
            what = " or ".join(k.__name__.removeprefix("_") for k in kinds) if kinds != (Module,) else "module"
            raise ArgumentError(where, _shown(pattern), f"it matches no {what} of {type(model).__name__}",
                                "" if isinstance(pattern, (type, Module)) else _nearest(pattern, (n for n, _ in named)))
        found |= hits
    out: dict[int, tuple[str, Module]] = {}
    for name, module in named:
        if id(module) in found:
            out.setdefault(id(module), (name, module))
    return dict(out.values())


def parameters(model: Module, patterns: Sequence[Any], where: str) -> dict[str, Parameter]:
    """{first name: parameter} of what the patterns mean: parameters by their names, and all of a module by its name.

    Patterns are as for `modules`; a Parameter is one too.
    """
    owned: dict[str, list[str]] = {}                        # a module's name -> those of all parameters inside
    for name, _ in model.named_modules(remove_duplicate=False):
        owned[name] = []
    every = dict(model.named_parameters(remove_duplicate=False))
    for name in every:
        parts = name.split(".")
        for i in range(len(parts)):
            owned[".".join(parts[:i])].append(name)
    found: set[int] = set()
    for pattern in _patterns(patterns, where, Parameter):
        if isinstance(pattern, Parameter):
            named = [n for n, p in every.items() if p is pattern]
        elif isinstance(pattern, (type, Module)):
            named = list(modules(model, [pattern], where))
        else:
            named = matching(pattern, [*every, *owned])
        hits = [n for name in named for n in owned.get(name, [name])]
        if not hits and not any(name in owned and any(True for _ in model.get_submodule(name).buffers()) for name in named):
            raise ArgumentError(where, _shown(pattern), f"it matches no parameter of {type(model).__name__}",
                                "" if isinstance(pattern, (type, Module, Parameter)) else _nearest(pattern, [*owned, *every]))
        found |= {id(every[n]) for n in hits}
    return {name: p for name, p in model.named_parameters() if id(p) in found}


def _shown(pattern: Any) -> str:
    return (f"the regular expression {pattern.pattern!r}" if isinstance(pattern, re.Pattern) else pattern.__name__ if isinstance(pattern, type)
            else f"a {type(pattern).__name__}" if isinstance(pattern, (Module, Parameter)) else f"the pattern {pattern!r}")


def _patterns(patterns: Sequence[Any], where: str, *more: type) -> list[Any]:
    """One flat list of them."""
    flat = []
    for pattern in [patterns] if isinstance(patterns, (str, re.Pattern, type, Module, Parameter)) else patterns:
        if isinstance(pattern, (str, re.Pattern, Module, *more)) or (isinstance(pattern, type) and issubclass(pattern, Module)):
            flat.append(pattern)
        elif isinstance(pattern, (list, tuple, set)):
            flat += _patterns(list(pattern), where, *more)
        else:
            raise ArgumentError(where, f"a {type(pattern).__name__}", "a part is named by a glob, a compiled regular expression, a module or its class")
    return flat


# ------------------------------------------------------------------------------------------------- kinds and blocks
def is_norm(module: Module) -> bool:
    """Is it a normalisation? By its class, or one that it comes from, having "norm" in its name."""
    return any(NORMS.search(kind.__name__) for kind in type(module).__mro__[:-1])


class Layers(list[tuple[str, dict[str, Parameter]]]):
    """A network cut into layers, from input to output: (name, {name: parameter}). `first` and `last` bound its blocks."""

    first, last = 0, 0

    @property
    def blocks(self) -> int:
        """How many numbered blocks there are."""
        return self.last - self.first


def layers(model: Module) -> Layers:
    """The network as a sequence: what comes before its blocks (embeddings, stem), each block, what comes after (head).

    Blocks are the numbered parts of a ModuleList or Sequential, the outermost ones that have the most of them; without any,
    the model's own parts in order. A norm belongs to the layer before it, and a shared parameter to its first place.
    """
    units = _units(model, "")
    numbered = [i for i, (_, _, block) in enumerate(units) if block]
    if not numbered:
        units = [(name, part, isinstance(part, Module)) for name, part, _ in units]
        numbered = [i for i, (_, _, block) in enumerate(units) if block]
    seen: set[int] = set()
    out = Layers()
    kinds: list[str] = []
    for i, (name, part, block) in enumerate(units):
        own = {f"{name}.{n}" if n else name: p for n, p in (part.named_parameters() if isinstance(part, Module) else [("", part)])}
        own = {n: p for n, p in own.items() if id(p) not in seen}
        seen |= {id(p) for p in own.values()}
        if not own:
            continue
        place = "block" if block else "before" if not numbered or i < numbered[0] else "after" if i > numbered[-1] else "between"
        joined = place == "between" or (isinstance(part, Module) and is_norm(part) and not any(True for _ in part.children()))
        if kinds and ((joined and place != "before") or place == kinds[-1] != "block"):
            out[-1][1].update(own)
        else:
            out.append((name if block else "embeddings" if place == "before" else "head", own))
            kinds.append(place)
    out.first = kinds.index("block") if "block" in kinds else 0
    out.last = len(kinds) - kinds[::-1].index("block") if "block" in kinds else 0
    return out


def _numbered(module: Module) -> list[tuple[str, Module]]:
    """The numbered parts that have parameters, if the module's parts are numbered."""
    parts = list(module._modules.items())
    if len(parts) < 2 or not all(name.isdigit() for name, _ in parts):
        return []
    return [(n, m) for n, m in parts if m is not None and next(m.parameters(), None) is not None]


def _longest(module: Module) -> int:
    """The most numbered parts that anything inside has."""
    return max((len(_numbered(m)) for m in module.modules()), default=0)


def _units(module: Module, prefix: str) -> list[tuple[str, Any, bool]]:
    """(name, module or parameter, is it a numbered block?) in order; what holds a longer chain is taken apart."""
    own = _numbered(module)
    units: list[tuple[str, Any, bool]] = [(prefix + n, p, False) for n, p in module._parameters.items() if p is not None]
    for name, part in module.named_children():
        inside = _longest(part)
        if inside >= 2 and inside > len(own):
            units += _units(part, f"{prefix}{name}.")
        else:
            units.append((prefix + name, part, (name, part) in own))
    return units
