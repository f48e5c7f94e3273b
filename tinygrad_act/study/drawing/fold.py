"""Making a scene small enough to read: modules folded to one node, repeated blocks drawn once, the rest in bundles.

Whatever is folded is a stretch of time, or drawn once for many: so what stays still has no cycles. Every function says
in the scene's notes what it did.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from ...errors import ArgumentError
from .repeats import roll_up
from .scene import Item, Link, Place, Scene, class_in, common

LINKS = 3                                        # between stretches of time, for each of them
FEWEST = 8                                       # stretches, however many links
LEAST = 3                                        # as many blocks in a row are drawn once


def fold(scene: Scene, patterns: Sequence[str], depth: int | None, repeats: bool | int, limit: int,
         kinds: Mapping[str, str]) -> None:
    """Fold what was asked for, then repeated blocks, then as much as `limit` items demand."""
    if depth is not None and depth < 0:
        raise ArgumentError("draw", f"depth={depth}", "modules are counted from 0, the whole model", "pass depth >= 0")
    asked(scene, patterns, kinds)
    if depth is not None:
        fold_where(scene, lambda place: place[:depth + 1] if len(place) > depth else ())
    least = 0 if repeats is False else LEAST if repeats is True else max(2, int(repeats))
    if least:
        roll_up(scene, least, False)
    if len(scene.items) > limit:
        squeeze(scene, least, limit)
    drawn = {frame for item in scene.items.values() for frame in item.place}
    once = [text for frame, text in scene.repeated.items() if frame in drawn]
    if once:
        more = f"; and {len(once) - 4} more" if len(once) > 4 else ""
        scene.notes.append(f"drawn once, with the figures of the first: {'; '.join(once[:4])}{more}")


def asked(scene: Scene, patterns: Sequence[str], kinds: Mapping[str, str]) -> None:
    """Fold the modules whose dotted names or classes match one of the patterns."""
    known = {frame[0] for frame in scene.frames}
    for pattern in patterns:
        hits = {name for name in known if fnmatchcase(name, pattern) or fnmatchcase(kinds.get(name, ""), pattern)}
        if not hits:
            raise ArgumentError("draw", f"fold={pattern!r}", "no module of that name or class ran",
                                f"those that did: {', '.join(sorted(known)[:12]) or 'none is known: draw(model, input), or use a Tape(model)'}")

        def cut(place: Place, hits: set[str] = hits) -> Place:
            return next((place[:i + 1] for i, frame in enumerate(place) if frame[0] in hits), ())

        fold_where(scene, cut)


def squeeze(scene: Scene, least: int, limit: int) -> None:
    """Fold until there are at most `limit` items: alike ops in a row, the deepest modules first, and stretches of time."""
    before = len(scene.items)
    if least:
        roll_up(scene, least, True)
    deepest = max((len(item.place) for item in scene.items.values()), default=0)
    while len(scene.items) > limit and deepest > 1:
        deepest -= 1
        fold_where(scene, lambda place, deepest=deepest: place[:deepest + 1] if len(place) > deepest else ())  # type: ignore[misc]
        if least:
            roll_up(scene, least, True)
    if len(scene.items) > limit:
        bundle(scene, limit)
    scene.notes.append(f"{before:,} nodes are too many to read (limit={limit}); folded to {len(scene.items):,}")


def fold_where(scene: Scene, cut: Callable[[Place], Place]) -> None:
    """Fold the items around which `cut` finds a box into one for each box. One that holds a single op stays as it is."""
    groups: dict[Place, list[str]] = defaultdict(list)
    for item in scene.items.values():
        if item.kind != "result" and (place := cut(item.place)):
            groups[place].append(item.key)
    replaced: dict[str, str] = {}
    for place, keys in groups.items():
        if sum(item.kind in ("op", "activation", "module") for item in map(scene.items.__getitem__, keys)) == 0:
            continue
        members = [scene.items[k] for k in keys]
        new = Item("m" + keys[0], "module", ("module", class_in(scene.frames[place[-1]]), structure(members)),
                   place[:-1], name=scene.frames[place[-1]], inside=members)
        scene.items[new.key] = new
        replaced |= dict.fromkeys(keys, new.key)
    contract(scene, replaced)


def structure(members: Iterable[Item]) -> tuple[object, ...]:
    return tuple(m.structure for m in members)


def bundle(scene: Scene, limit: int) -> None:
    """Fold stretches of time to one node each, so few that the links between them can be followed; then leaves that the same nodes read."""
    ops = [item for item in scene.items.values() if item.leaf is None]
    stretches = max(1, limit // 6)                # they have leaves and many links, too
    while stretches > FEWEST and crossings(scene, ops, -(-len(ops) // stretches)) > LINKS * stretches:
        stretches = max(FEWEST, stretches * 2 // 3)
    size = -(-len(ops) // stretches)
    replaced: dict[str, str] = {}
    for start in range(0, len(ops), size):
        members = ops[start:start + size]
        if len(members) > 1:
            replaced |= gather(scene, members, f"{count_ops(members):,} ops in a row", common([m.place for m in members]))
    contract(scene, replaced)
    bundle_leaves(scene, limit)
    results = [item for item in scene.items.values() if item.kind == "result"]
    if len(results) > max(1, limit // 3):
        contract(scene, gather(scene, results, f"{len(results):,} results", ()))


def crossings(scene: Scene, ops: Sequence[Item], size: int) -> int:
    """How many stretches of that size lead to how many others."""
    place = {item.key: i // size for i, item in enumerate(ops)}
    return len({(place[link.source], place[link.target]) for link in scene.links() if link.source in place and link.target in place
                and place[link.source] != place[link.target]})


def bundle_leaves(scene: Scene, limit: int) -> None:
    """Fold leaves that the same nodes read to one; all of them, if that is not enough."""
    readers: dict[str, set[str]] = defaultdict(set)
    for link in scene.links():
        readers[link.source].add(link.target)
    leaves = [item for item in scene.items.values() if item.leaf is not None and item.kind != "result"]
    groups: dict[object, list[Item]] = defaultdict(list)
    for item in leaves:
        groups[frozenset(readers[item.key])].append(item)
    if len(scene.items) - len(leaves) + len(groups) > limit:
        groups = {None: leaves}
    replaced: dict[str, str] = {}
    for members in groups.values():
        if len(members) > 1:
            count = Counter(m.kind for m in members)
            replaced |= gather(scene, members, ", ".join(f"{n:,} {kind}s" for kind, n in count.items()), ())
    contract(scene, replaced)


def gather(scene: Scene, members: Sequence[Item], name: str, place: Place) -> dict[str, str]:
    """A new item for the members, and what to replace by it."""
    new = Item("g" + members[0].key, "folded", ("folded", structure(members)), place, name=name, inside=list(members))
    scene.items[new.key] = new
    return dict.fromkeys((m.key for m in members), new.key)


def count_ops(members: Iterable[Item]) -> int:
    return sum(1 if m.node is not None else count_ops(m.inside) for m in members)


def contract(scene: Scene, replaced: Mapping[str, str]) -> None:
    """Put new items (already in the scene) where those that they replace were: links inside fall away, the same are one.

    A leaf that only folded items of one new item read goes into it.
    """
    if not replaced:
        return
    replaced = dict(replaced)
    readers: dict[str, set[str]] = defaultdict(set)
    for link in scene.links():
        readers[link.source].add(replaced.get(link.target, link.target))
    for item in list(scene.items.values()):
        targets = readers.get(item.key, set())
        if item.key not in replaced and item.kind in ("parameter", "constant") and len(targets) == 1:
            (target,) = targets
            if target in replaced.values():
                replaced[item.key] = target
                scene.items[target].inside.append(item)
    order: dict[str, Item] = {}
    links: dict[str, dict[tuple[str, object, str], Link]] = {}
    for old in list(scene.items):
        new = replaced.get(old, old)
        order.setdefault(new, scene.items[new])
        merged = links.setdefault(new, {})
        for link in scene.into.get(old, ()):
            source = replaced.get(link.source, link.source)
            if source == new:
                continue
            kind = (source, link.shape, link.dtype)
            again = merged.get(kind)
            slot = link.slot if new == old else ""
            merged[kind] = replace(link, source=source, target=new, slot=slot) if again is None else replace(
                again, count=again.count + (again.made is not link.made or new == old))
    scene.items = order
    scene.into = {k: list(v.values()) for k, v in links.items()}
