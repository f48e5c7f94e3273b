"""Rows: those lines of a program that can be one call put together (backend/loops.py), as far as nothing between them minds."""

from __future__ import annotations

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
    places: dict[Value, int] = {}
    made: dict[Value, None] = {}
    texts = []
    calls = []
    for line in lines:
        assert line.row is not None
        call, values = line.row
        if values[-1] not in ready and values[-1] not in places:
            made[values[-1]] = None
        at = [places.setdefault(v, len(places)) for v in values]
        call.places[:call.count] = [at[k] for k in call.places[:call.count]]
        calls.append(call)
        texts.append(f"#   {line.text}")
    number = sum(name.startswith("table") for name in names)
    run, table = f"row{number}", f"table{number}"
    names[run] = loops.Lines(calls, [ready.get(v) for v in places])
    names[table] = names[run].table
    for v in made:
        names[f"new_{v}"] = preallocated.maker(v.shape, v.dtype)
    head = [f"{v} = new_{v}()" for v in made]
    head += [f"{table}[{i}] = id({v})" for v, i in places.items() if v not in ready]
    return [Line(text) for text in (*head, f"{run}()", *texts)]
