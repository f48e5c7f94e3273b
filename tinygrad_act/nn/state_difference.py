"""What a state_dict and a module do not have in common, told so that it can be put right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import ShapeError, shown
from .parameter import is_lazy

SHOWN = 12                                               # lines of a kind
CANDIDATES = 3000                                        # names among which the nearest is looked for
LONGEST = 1000                                           # characters; of a longer name, which no module has, no end is looked for
Shape = tuple[int, ...]


class IncompatibleKeys(NamedTuple):
    """What load_state_dict found missing in the state_dict, and what it did not expect there."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class StateDictError(ShapeError):
    """A state_dict that does not fit a module: its text begins as PyTorch's does."""

    def __init__(self, module: str, differences: str, remedy: str) -> None:
        super().__init__("load_state_dict", module, differences, remedy)
        self.args = (f"Error(s) in loading state_dict for {module}:\n\t{differences}" + (f"\n{remedy}" if remedy else ""),)


def difference(module: str, keys: IncompatibleKeys, shapes: Sequence[tuple[str, Shape, Shape]], ours: Mapping[str, Shape],
               state: Mapping[str, Any]) -> StateDictError:
    """The error that shows missing and unexpected names, each with the nearest on the other side, and shapes that differ."""
    missing, unexpected = keys
    theirs = {name: () if is_lazy(value) else tuple(getattr(value, "shape", ())) for name, value in state.items()}
    kinds = [_names("Missing", missing, ours, unexpected, theirs, f"of {len(ours)} in the module"),
             _names("Unexpected", unexpected, theirs, missing, ours, f"of {len(theirs)} in the state_dict")]
    if shapes:
        lines = [f"size mismatch for {name}: copying a param with shape {got} from checkpoint, the shape in current model is {wanted}."
                 for name, got, wanted in shapes[:SHOWN]]
        kinds.append("\n\t".join(lines + _rest([name for name, _, _ in shapes])))
    inner = [name for name in unexpected if isinstance(state[name], Mapping)]
    remedy = f"{inner[0]!r} is a dict of its own: pass state[{inner[0]!r}] if it is the model's." if inner else _remedy(missing, unexpected, shapes, len(unexpected) == len(state))
    return StateDictError(module, "\n\t".join(filter(None, kinds)), remedy)


def _names(kind: str, names: Sequence[str], own: Mapping[str, Shape], others: Sequence[str], other: Mapping[str, Shape], among: str) -> str:
    if not names:
        return ""
    head = f"{kind} key(s) in state_dict: "
    lines = [f'"{shown(name)}" {own[name]}{_near(name, own[name], others, other)}' for name in names[:SHOWN]]
    lines[0] += f"   ({len(names)} {among})"
    return head + f"\n\t{' ' * len(head)}".join(lines + _rest(names))


def _rest(names: Sequence[str]) -> list[str]:
    """One line on those that are not shown: how many there are in which part."""
    rest = Counter(name.rpartition(".")[0].split(".")[0] or name for name in names[SHOWN:])
    parts = [f"{n} in {shown(part)}" for part, n in rest.most_common(4)]
    return [f"and {len(names) - SHOWN} more: {', '.join(parts)}{', ...' if len(rest) > 4 else ''}"] if rest else []


def _near(name: str, shape: Shape, others: Sequence[str], shapes: Mapping[str, Shape]) -> str:
    """The most similar name on the other side, one of the same shape before any other."""
    from difflib import get_close_matches  # here, as it is needed where names differ only

    alike = [other for other in others if shapes[other] == shape][:CANDIDATES]
    found = get_close_matches(name, alike, 1, 0.5) or get_close_matches(name, others[:CANDIDATES], 1, 0.8)
    return f'   did you mean "{shown(found[0])}"?' if found else ""


def _remedy(missing: Sequence[str], unexpected: Sequence[str], shapes: Sequence[Any], all_odd: bool) -> str:
    """What would do for most names, if one thing would."""
    front = Counter(name[:-len(m)] for name in unexpected[:CANDIDATES] if (m := _end(name, set(missing))))
    lacking = Counter(name[:-len(u)] for name in missing[:CANDIDATES] if (u := _end(name, set(unexpected))))
    for found, of, say in ((front, unexpected, "The names in the state_dict begin with {p!r}: load ta.interop.rename(state, {{r'^{e}': ''}})."),
                           (lacking if all_odd else Counter(), missing, "The module's names begin with {p!r}: load ta.interop.rename(state, {{r'^': {p!r}}}), or into that part of it.")):
        if found and found.most_common(1)[0][1] * 2 > len(of):
            prefix = found.most_common(1)[0][0]
            return say.format(p=prefix, e=prefix.replace(".", r"\."))
    if shapes:
        return "ta.interop.load_pretrained(model, state, ignore_mismatched=True) loads what fits and leaves the rest as initialised."
    return "strict=False loads what fits by name; ta.interop.rename(state, {pattern: replacement}) changes names."


def _end(name: str, wanted: set[str]) -> str:
    """The longest end of `name`, from a dot on, that is wanted."""
    while "." in name and len(name) <= LONGEST:
        name = name.partition(".")[2]
        if name in wanted:
            return name
    return ""
