"""Blocks that repeat, drawn once: six layers of one structure, each fed by the one before, are one with "×6" on it."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from .scene import Frame, Link, Place, Scene, class_in

LONGEST = 48                                     # of a pattern that is looked for, in children of a box
MADE = ("op", "activation", "module", "folded")  # the kinds that are made in time; the others are leaves


class Box:
    """A box and what is directly in it, in the order of time: keys of items, and boxes."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.children: list[str | Box] = []

    def keys(self) -> list[str]:
        """Of all items in it."""
        return [k for child in self.children for k in (child.keys() if isinstance(child, Box) else (child,))]


def tree_of(scene: Scene) -> Box:
    """The boxes of the scene, one in another."""
    boxes: dict[Place, Box] = {(): Box(())}
    for item in scene.items.values():
        if item.kind not in MADE:
            continue
        for i in range(1, len(item.place) + 1):
            place = item.place[:i]
            if place not in boxes:
                boxes[place] = Box(place)
                boxes[place[:-1]].children.append(boxes[place])
        boxes[item.place].children.append(item.key)
    return boxes[()]


def roll_up(scene: Scene, least: int, ops: bool) -> None:
    """Draw once what repeats at least `least` times in a row: modules, and with `ops` also ops outside of modules."""
    Roller(scene, least, ops).run()


class Roller:
    """One pass over the boxes, innermost first."""

    def __init__(self, scene: Scene, least: int, ops: bool) -> None:
        self.scene, self.least, self.ops = scene, least, ops
        self.same: dict[str, str] = {}           # an item that is not drawn -> the one that stands for it
        self.dropped: set[str] = set()
        self.unit: dict[str, Hashable] = {}      # what is not drawn -> the unit it was of
        self.only: dict[str, set[str]] = {}      # leaf -> its readers
        for link in scene.links():
            if scene.items[link.source].kind not in MADE:
                self.only.setdefault(link.source, set()).add(link.target)

    def run(self) -> None:
        self.visit(tree_of(self.scene))
        if self.dropped:
            self.rewrite()

    def visit(self, box: Box) -> None:
        for child in box.children:
            if isinstance(child, Box):
                self.visit(child)
        at = start = 0
        kept: list[str | Box] = []
        found = Runs(self.signatures(box), self.least)
        while start < len(box.children):
            period, times = found.at(start)
            units = [box.children[start + k * period:start + (k + 1) * period] for k in range(times)]
            times = self.wired_alike(units) if units else 0
            if times < self.least:
                start += 1
                continue
            kept += [*box.children[at:start], self.collapse(box, units[:times])]
            at = start = start + times * period
        box.children = kept + box.children[at:]

    # ------------------------------------------------------------------------------------------ what is alike
    def signatures(self, box: Box) -> list[Hashable]:
        """For each child what it must have in common with another to be alike."""
        where = {}
        for i, child in enumerate(box.children):
            for j, k in enumerate(child.keys() if isinstance(child, Box) else [child]):
                where[k] = (i, j)
        found: dict[Any, int] = {}
        return [found.setdefault(self.signature(child, i, where), len(found)) for i, child in enumerate(box.children)]

    def signature(self, child: str | Box, i: int, where: dict[str, tuple[int, int]]) -> Hashable:
        if isinstance(child, str):
            if not self.ops and self.scene.items[child].kind != "module":
                return child                                   # like no other
            def source(k: str) -> Hashable:
                if k in where and i - where[k][0] <= LONGEST:
                    return i - where[k][0], where[k][1]
                readers = self.only.get(k, set())
                near = [where[r][0] - i for r in readers if r in where] if len(readers) <= 4 else []
                if len(near) == len(readers) > 0 and max(map(abs, near)) <= LONGEST:
                    return self.scene.items[k].structure, tuple(sorted(near))       # as in another unit, whose own it is
                return self.leaf(k, {child}) if k in self.only else k
            return self.scene.items[child].structure, tuple(source(link.source) for link in self.scene.into[child])
        keys = child.keys()
        at = {k: j for j, k in enumerate(keys)}
        inside = set(keys)
        return class_in(self.scene.frames[child.place[-1]]), tuple((self.scene.items[k].structure, tuple(
            at[link.source] if link.source in at else self.leaf(link.source, inside) for link in self.scene.into[k])) for k in keys)

    def leaf(self, k: str, inside: set[str]) -> Hashable:
        """A leaf that only these read by what it looks like, a shared parameter by which it is; what comes from elsewhere
        is anything.
        """
        if k not in self.only:
            return "elsewhere"
        item = self.scene.items[k]
        if item.kind == "input":
            return "elsewhere"
        return item.structure if self.only[k] <= inside or item.kind == "constant" else k

    def wired_alike(self, units: Sequence[Sequence[str | Box]]) -> int:
        """How many units, from the first, get from outside what the second gets: the same things, or the previous one's."""
        keys = [flat(unit) for unit in units]
        patterns: list[list[Hashable]] = []
        for previous, own in pairwise(keys):
            before, inside = {k: j for j, k in enumerate(previous)}, set(own)
            pattern = [self.source(link.source, before, inside) for k in own for link in self.scene.into[k] if link.source not in inside]
            if patterns and pattern != patterns[0]:
                break
            patterns.append(pattern)
        return len(patterns) + 1

    def source(self, k: str, before: dict[str, int], inside: set[str]) -> Hashable:
        """What comes from outside: the place in the previous unit, a leaf of the unit's own, or the very thing."""
        if k in before:
            return before[k]
        item = self.scene.items[k]
        return item.structure if k in self.only and (self.only[k] <= inside or item.kind == "constant") else k

    # ---------------------------------------------------------------------------------------------- drawing once
    def collapse(self, box: Box, units: Sequence[Sequence[str | Box]]) -> Box:
        """The first unit in a box that says how often, and the others for it."""
        keys = [flat(unit) for unit in units]
        unit_of = {k: n for n, unit in enumerate(keys) for k in unit}
        chained = False
        for unit in keys[1:]:
            for k, stands in zip(unit, keys[0], strict=True):
                self.same[k] = stands
                self.dropped.add(k)
                self.unit[k] = unit[0]
        for n, unit in enumerate(keys):
            for k in unit:
                links = []
                for link in self.scene.into[k]:
                    other = unit_of.get(link.source)
                    if other is None or other == n:
                        links.append(link)
                    else:
                        chained = True
                self.scene.into[k] = links
        first = units[0]
        single = first[0] if len(first) == 1 and isinstance(first[0], Box) else None
        words = self.describe(units)
        frame: Frame = (f"repeat {keys[0][0]}", len(units))
        label = f"{words}  ×{len(units):,}" + (", one after another" if chained else "")
        if single is not None:
            self.scene.frames[single.place[-1]] = label
            self.scene.repeated[single.place[-1]] = f"{words}: {len(units):,} alike"
            return single
        place = (*box.place, frame)
        self.scene.frames[frame] = label
        self.scene.repeated[frame] = f"{words}: {len(units):,} alike"
        new = Box(place)
        new.children = list(first)
        self.deepen(keys[0], len(box.place), frame)
        return new

    def describe(self, units: Sequence[Sequence[str | Box]]) -> str:
        """`layers.0 … layers.5: Block`."""
        def name(child: str | Box) -> str:
            if isinstance(child, str):
                item = self.scene.items[child]
                return item.name if item.node is None else item.node.op.name
            return self.scene.frames[child.place[-1]]
        first, last = [name(c) for c in units[0]], [name(c) for c in units[-1]]
        if len(first) == 1:
            (start, _, kind), (end, _, _) = ((re.sub(r", call \d+$", "", n)).partition(": ") for n in (first[0], last[0]))
            return (start if start == end else f"{start} … {end}") + (f": {kind}" if kind else "")
        if all(isinstance(c, str) for c in units[0]) and not any(":" in n for n in first):
            return "the same ops"
        return f"{first[0].partition(':')[0]} … {last[-1].partition(':')[0]}"

    def deepen(self, keys: Sequence[str], level: int, frame: Frame) -> None:
        """Put a box around these items, `level` boxes deep."""
        for k in keys:
            item = self.scene.items[k]
            self.scene.items[k] = replace(item, place=(*item.place[:level], frame, *item.place[level:]))
        inside = set(keys)
        for k, readers in self.only.items():
            item = self.scene.items[k]
            if item.kind in ("parameter", "constant") and readers <= inside and len(item.place) >= level:
                self.scene.items[k] = replace(item, place=(*item.place[:level], frame, *item.place[level:]))

    def rewrite(self) -> None:
        """Take out what is not drawn, and let its links start and end where it is drawn."""
        def drawn(k: str) -> str:
            while k in self.same:
                k = self.same[k]
            return k

        def unit(k: str) -> Hashable:
            while self.same[k] in self.dropped:
                k = self.same[k]
            return self.unit[k]

        hidden = self.dropped | {k for k, readers in self.only.items() if readers <= self.dropped and len(set(map(unit, readers))) == 1}
        links: dict[str, dict[tuple[str, str], Link]] = {}
        for target, into in self.scene.into.items():
            for link in into:
                if link.source in hidden and link.source not in self.dropped:
                    continue
                source, end = drawn(link.source), drawn(target)
                slot = link.slot if (source, end) == (link.source, target) else ""
                links.setdefault(end, {}).setdefault((source, slot), replace(link, source=source, target=end, slot=slot))
        self.scene.items = {k: item for k, item in self.scene.items.items() if k not in hidden}
        self.scene.into = {k: unique(list(links.get(k, {}).values())) for k in self.scene.items}


def unique(links: list[Link]) -> list[Link]:
    """Without those that only say again that one item leads to another."""
    named = {link.source for link in links if link.slot}
    return [link for i, link in enumerate(links) if link.slot or (link.source not in named
            and link.source not in {other.source for other in links[:i]})]


def flat(unit: Sequence[str | Box]) -> list[str]:
    return [k for child in unit for k in (child.keys() if isinstance(child, Box) else (child,))]


class Runs:
    """Where in a row a pattern follows itself."""

    def __init__(self, signs: Sequence[Hashable], least: int) -> None:
        self.least, count = least, len(signs)
        self.matches: dict[int, list[int]] = {}                # period -> for each place, how many signs from there come again
        for period in range(1, min(LONGEST, count // max(least, 2)) + 1):
            row = [0] * (count + 1)
            for i in range(count - period - 1, -1, -1):
                row[i] = row[i + 1] + 1 if signs[i] == signs[i + period] else 0
            self.matches[period] = row

    def at(self, i: int) -> tuple[int, int]:
        """The pattern's length and how often it stands from there on, the longest stretch; (1, 0) if none stands often enough."""
        found = [(row[i] // period + 1, period) for period, row in self.matches.items()]
        times, period = max((f for f in found if f[0] >= self.least), key=lambda f: (f[0] * f[1], -f[1]), default=(0, 1))
        return period, times
