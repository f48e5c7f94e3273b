"""Which activations stand together: the modules of the catalogue, in an order to read them in."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ...activations import Activation, catalogue
from ...activations.names import named

TITLES = {
    "rectifiers": "Rectifiers", "sigmoids": "Sigmoids", "smooth": "Smooth functions", "swish": "SiLU, Mish and their kin",
    "gelu": "GELU and its kin", "adaptive": "Adaptive: a learned shape", "pade": "Padé units", "shrinking": "Shrinking", "waves": "Waves",
    "gated": "Gated linear units", "softmaxes": "Softmax and its kin",
}


@dataclass
class Group:
    """Records of one module. `text` is what the module says of itself."""

    name: str
    title: str
    text: str
    records: list[Activation] = field(default_factory=list)


def grouped(records: Iterable[Activation]) -> list[Group]:
    """The records by module; one that was written elsewhere comes last, under its module's own name."""
    found: dict[str, Group] = {}
    for record in records:
        place = record.forward.__module__
        name = place.rpartition(".")[2]
        if name not in found:
            found[name] = Group(name, TITLES.get(name, name), _said(sys.modules.get(place), TITLES.get(name, "")))
        found[name].records.append(record)
    order = list(TITLES)
    return sorted(found.values(), key=lambda group: order.index(group.name) if group.name in order else len(order))


def _said(module: object, title: str) -> str:
    """The first sentence of a module's documentation, without the title if it begins with that."""
    sentence = " ".join((inspect.getdoc(module) or "").partition("\n\n")[0].split()).partition(". ")[0].rstrip(".").replace("`", "")
    rest = sentence.removeprefix(f"{title}: ")
    return (rest[0].upper() if rest[1:2].isalpha() else rest[0]) + rest[1:] + "." if rest else ""     # x stays x


def chosen(names: Sequence[str]) -> list[Activation]:
    """The records of these names (of the catalogue, of PyTorch or of the class), all for none.

    Raises:
        ArgumentError: there is no such activation; the nearest names are told.
    """
    if not names:
        return list(catalogue.values())
    return list(dict.fromkeys(named(name, "activations") for name in names))
