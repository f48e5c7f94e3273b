"""In-place changes: which arrays were changed since when, so that no backward rule reads one that is not what it was."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterable
from typing import Any

from . import backend
from .backend import namespaces
from .errors import InplaceError
from .tensor import Tensor

tick = itertools.count(1).__next__      # the time of creation, and of in-place changes: one clock for both


class Changes:
    """Which arrays were changed in place, when and by which op.

    Nothing is counted while recording. A node is younger than all in-place changes unless one came after it, so the
    backward sweep compares two numbers a node, and looks further only where that shows a change.
    """

    def __init__(self) -> None:
        self.last = 0
        self.of: dict[int, list[Any]] = {}     # id(owner) -> [count, time, op, weak reference], as long as the owner lives

    def mark(self, array: Any, op: str) -> None:
        """Note that the array's memory was changed, by `op`, now."""
        entry = self.entry(array)
        entry[0] += 1
        entry[1] = self.last = tick()
        entry[2] = op

    def mark_entries(self, entries: Iterable[list[Any]], op: str) -> None:
        """The same for several arrays, given their entries, at one time."""
        self.last = now = tick()
        for entry in entries:
            entry[0] += 1
            entry[1] = now
            entry[2] = op

    def entry(self, array: Any) -> list[Any]:
        """What is known of the array's memory; it stays the same list."""
        owner = namespaces[type(array)].owner(array)
        key = id(owner)
        known = self.of.get(key)
        if known is None:
            known = self.of[key] = [0, 0, "", weakref.ref(owner, lambda _: self.of.pop(key, None))]
        return known

    def version(self, array: Any) -> int:
        """How often the memory of `array` was changed in place."""
        return self.of.get(id(namespaces[type(array)].owner(array)), (0,))[0]

    def check(self, node: Any) -> None:
        """Raise if one of the arrays that the node saved was changed afterwards."""
        for saved in itertools.chain.from_iterable(s if isinstance(s, tuple) else (s,) for s in node.saved):
            if backend.is_array(saved):
                entry = self.of.get(id(namespaces[type(saved)].owner(saved)))
                if entry and entry[1] > node.time:
                    raise InplaceError(node.op.name, f"an array of shape {saved.shape} that it saved for its backward rule",
                                       f"it was changed in place by {entry[2]} afterwards (version {entry[0]})",
                                       "use the op that returns a new tensor, or clone() before the change")


changes = Changes()


def note_view(source: Tensor, view: Tensor, op: Any, params: dict[str, Any]) -> None:
    """Remember how `view` looks at its root, so that an in-place change of one reaches the other's graph."""
    a, b = source.array, view.array
    base = b.base
    if base is None or (base is not a and base is not a.base and not namespaces[type(b)].overlaps(a, b)):
        return
    root, path = source.view_of or (source, ())
    if path is None:
        view.view_of = source.view_of
        return
    view.view_of = (root, (path, op, params))            # linked, so that a long chain of views stays cheap
    if root.views is None:
        root.views = []
    elif len(root.views) >= 32 and not len(root.views) & (len(root.views) - 1):      # at 32, 64, 128, ...
        root.views = [r for r in root.views if r() is not None]
    root.views.append(weakref.ref(view))
