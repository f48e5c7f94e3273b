"""`python -m tinygrad_act activations`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from . import screen

if TYPE_CHECKING:
    from ..study.gallery.sheet import Sheet


def arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="an activation to show in full (default: a table of all)")


def run(given: argparse.Namespace) -> int:
    """Show the catalogue of activations as a table, or one in full:
    formula, curve, facts, kinks, the rules as they are written, and what may stand in for them."""
    from .. import backend
    from ..study.gallery.groups import chosen, grouped
    from ..study.gallery.sheet import Sheet

    records = chosen(given.names)
    with backend.use("numpy"):
        if given.names:
            for i, record in enumerate(records):
                screen.say("\n" * (i > 0))
                in_full(Sheet(record))
            return 0
        for group in grouped(records):
            rows = [(r.name, Sheet(r).formula.text, r.torch or "") for r in group.records]
            screen.table(("activation", "f(x)", "in PyTorch"), rows, group.title)
            screen.say()
    screen.say(f"{len(records)} activations. `python -m tinygrad_act activations NAME` shows one in full.")
    return 0


def in_full(sheet: Sheet) -> None:
    """All that is known of one activation, short of pictures."""
    from ..study.gallery.blocks import plot
    from ..study.gallery.sheet import ACCURACY, KINKS
    from ..study.gallery.source import rules

    r = sheet.record
    screen.say(f"{r.name}: {sheet.summary}")
    if r.note:
        screen.say(r.note)
    screen.say(f"\nf(x)  = {sheet.formula.text}\nf′(x) = {sheet.derivative.text}\n")
    screen.say(plot(sheet.curves))
    screen.say()
    screen.table(("", ""), sheet.facts, "Facts")
    if sheet.kinks:
        screen.say()
        screen.table(KINKS, sheet.kinks, "Kinks")
    for code in rules(r):
        screen.say(f"\n{code.title} ({code.place})\n\n{code.text}")
    screen.say()
    screen.table(("name", "what it is"), [(a.names, a.text) for a in sheet.alternatives], "Other backward rules (see study.rules)")
    if sheet.accuracy:
        screen.say()
        rows = [(whose, *[u.strip("*") for u in row]) for whose, row in sheet.accuracy.items()]
        screen.table(ACCURACY, rows, "Largest error in units of the last place", right=(1, 2, 3))
    screen.say(f"\nSource: {' '.join(dict.fromkeys(part for part in sheet.paper if part))}")
