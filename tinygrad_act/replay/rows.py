"""Rows: those lines of a program that can be one call put together (backend/loops.py), as far as nothing between them minds."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import backend
from ..backend import loops, preallocated
from .log import Value


class Line(NamedTuple):
    """A line of a program: its text, must Python do it at each replay of a graph on a GPU too, and which memory it reads and writes.

    Lines of which that is not known (None) stay in their place. `row` is the line for `loops`, and the values of its arrays.
    """

    text: str
    host: bool = False
    reads: frozenset[Any] | None = None
    writes: frozenset[Any] = frozenset()
    row: tuple[loops.Line, Sequence[Value]] | None = None


def memory_of(v: Value, ready: dict[Value, Any]) -> Any:
    """What stands for the memory that a value lies in: two values of which it differs share none."""
    array = ready.get(v.root)
    return v.root if array is None else id(backend.namespace(array).owner(array))


def row(function: Any, args: Sequence[Any], ready: dict[Value, Any], steady: set[Value]) -> tuple[loops.Line, Sequence[Value]] | None:
    """The call as one for `loops`: of arrays that are there already, or that are looked up anew but always lie in one way (`steady`)."""
    values = [a for a in args if isinstance(a, Value)]
    if not all(v in ready or v in steady for v in values):
        return None
    if values[-1] not in ready and not preallocated.in_rows(values[-1].shape, values[-1].dtype, values[-1].strides):
        return None
    arrays = {v: ready[v] if v in ready else preallocated.like(v.shape, v.dtype, v.strides) for v in values}
    line = loops.line(function, [arrays.get(a, a) if isinstance(a, Value) else a for a in args])
    return None if line is None else (line, values)


def joined(lines: Sequence[Line], ready: dict[Value, Any], names: dict[str, Any]) -> list[Line]:
    """The lines, rows of them as one. What a row's lines do not touch waits until after it."""
    done: list[Line] = []
    open_: list[Line] = []                               # the row under way
    waiting: list[Line] = []
    reads: set[Any] = set()                              # of those that wait
    writes: set[Any] = set()

    def close() -> None:
        done.extend(_called(open_, ready, names) if len(open_) > 1 else map(_plain, open_))
        done.extend(waiting)
        for several in (open_, waiting, reads, writes):
            several.clear()

    for line in lines:
        if line.row is not None and line.reads is not None:
            if line.reads & writes or line.writes & (reads | writes):
                close()
            open_.append(line)
        elif open_ and line.reads is not None:
            waiting.append(line)
            reads |= line.reads
            writes |= line.writes
        else:
            close()
            done.append(line)
    close()
    return done


def _plain(line: Line) -> Line:
    return line._replace(row=None)


def _called(lines: Sequence[Line], ready: dict[Value, Any], names: dict[str, Any]) -> list[Line]:
    """The lines of a row as a call; its own text says what they are."""
    pairs = [line.row for line in lines if line.row is not None]
    made = dict.fromkeys(values[-1] for _, values in pairs if values[-1] not in ready)
    used = dict.fromkeys(v for _, values in pairs for v in values)
    given = [v for v in used if v not in ready]              # new at each replay
    kept = [v for v in used if v in ready]
    places = {v: i for i, v in enumerate([*given, *kept])}
    for call, values in pairs:
        call.places[:call.count] = [places[values[k]] for k in call.places[:call.count]]
    run = next(name for name in map("row{}".format, itertools.count()) if name not in names)
    row = loops.in_a_row([call for call, _ in pairs], len(given), [ready[v] for v in kept])
    names[run] = row if given else functools.partial(row, None)
    names.update({f"new_{v}": preallocated.maker(v.shape, v.dtype) for v in made})
    head = [f"{v} = new_{v}()" for v in made]
    head += [f"given = {', '.join(map(str, given))},", f"{run}(id(given))"] if given else [f"{run}()"]
    return [Line(text) for text in (*head, *[f"#   {line.text}" for line in lines])]
