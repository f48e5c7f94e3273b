"""The Stepper in a terminal: one line a command, read from the keyboard, a pipe or a list."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ...errors import MissingPackageError, TinygradActError
from ..values import host, nested

if TYPE_CHECKING:
    from .stepper import Stepper

HELP = """n [k]     next node (k of them)        b [k]     back
r [what]  run to an op, module, leaf or number of a stop; alone: to a breakpoint or the end
k what    set a breakpoint             g         all numbers of the gradients here
w         where in the graph           q         quit
An empty line repeats n."""


def interact(stepper: Stepper, commands: Iterable[str] | None = None, file: Any = None) -> None:
    """Read commands (from standard input, unless given) until q or the end of the input, and print on `file`.

    The session can be left at any time: until the last node is passed no `.grad` has changed.

    Raises: MissingPackageError without rich.
    """
    try:
        from rich.console import Console
    except ImportError:
        raise MissingPackageError("interact", "", "the terminal session is shown by the package rich, which is not installed",
                                  "pip install 'tinygrad-act[study]'") from None
    console = Console(file=file, markup=False, highlight=False, emoji=False)
    stepper.page().print_on(console)
    console.print("n next, b back, r run, q quit, h help")
    for line in _lines(console) if commands is None else commands:
        if not _obey(stepper, console, line.strip() or "n"):
            break


def _lines(console: Any) -> Iterator[str]:
    """What is typed, with a prompt where somebody is there to type."""
    while True:
        if sys.stdin.isatty():
            console.print("> ", end="")
        line = sys.stdin.readline()
        if not line:
            return
        yield line


def _obey(stepper: Stepper, console: Any, line: str) -> bool:
    """Do what the line says; False to leave."""
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    try:
        if word in ("q", "quit"):
            return False
        if word in ("n", "next", "b", "back"):
            count = int(rest) if rest.isdigit() else 1
            _show(console, stepper.step(count) if word[0] == "n" else stepper.back(count), stepper)
        elif word in ("r", "run"):
            _show(console, stepper.run(int(rest) if rest.isdigit() else rest or None), stepper)
        elif word in ("k", "break"):
            stepper.break_at(int(rest) if rest.isdigit() else rest)
            console.print(f"breakpoints: {', '.join(map(str, stepper.breakpoints))}")
        elif word in ("g", "gradient"):
            _numbers(console, stepper)
        elif word in ("w", "where"):
            stepper.page().print_on(console)
        else:
            console.print(HELP)
    except TinygradActError as error:
        console.print(str(error))
    return True


def _show(console: Any, stop: Any, stepper: Stepper) -> None:
    if stop is not None:
        stop.page().print_on(console)
    elif stepper.finished:
        console.print(f"the end: {len(stepper.stops)} nodes; the leaves have their gradients (b goes back)")
    else:
        console.print("before the first node")


def _numbers(console: Any, stepper: Stepper) -> None:
    stop = stepper.stop
    if stop is None:
        console.print("before the first node")
        return
    several = isinstance(stop.gradient, (list, tuple))
    for k, g in enumerate(stop.gradient if several else [stop.gradient]):
        console.print(f"g{f'[{k}]' if several else ''} = {nested(host(g).tolist()) if g is not None else 'none'}")
    for edge, g in zip(stop.node.edges, stop.gradients, strict=False):
        if edge is not None and g is not None and not isinstance(g, (list, tuple)):
            console.print(f"for {stepper.labels(edge)}: {nested(host(g).tolist())}")
