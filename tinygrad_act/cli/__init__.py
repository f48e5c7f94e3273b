"""The command line, `python -m tinygrad_act`. A command is a row of COMMANDS: a module with `arguments` and `run`.

Exit status: 0, or 1 where something failed, 2 where the command was given wrongly, 130 where it was interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..errors import ArgumentError, TinygradActError
from . import activations, datasets, doctor, gallery, lab, screen

__all__ = ["main"]

NAME = "python -m tinygrad_act"


class Command(NamedTuple):
    """What it is called, what is said of it, and its two functions."""

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


COMMANDS = (
    Command("activations", "the catalogue in the terminal, or one activation in full", activations.arguments, activations.run),
    Command("gallery", "a page for each activation, for a browser or as Markdown", gallery.arguments, gallery.run),
    Command("lab", "what texts claim of activations, measured: list the experiments, or run one", lab.arguments, lab.run),
    Command("datasets", "the data sets: what they are, which are here; fetch some", datasets.arguments, datasets.run),
    Command("doctor", "what is installed here, in which version, and what is missing", doctor.arguments, doctor.run),
)


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    whole = argparse.ArgumentParser(prog=NAME, description="Autograd to learn backpropagation from, and then to keep using.",
                                    epilog=f"`{NAME} COMMAND --help` says more of a command.")
    whole.add_argument("--version", action="version", version=f"tinygrad_act {screen.package().__version__}")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", title="commands", required=True)
    for command in COMMANDS:
        part = commands.add_parser(command.name, help=command.help, description=_sentence(command.run.__doc__ or command.help),
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
        command.arguments(part)
        part.set_defaults(run=command.run)
    return whole


def _sentence(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status comes back."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")         # a terminal without Greek shows question marks, no traceback
    given = parser().parse_args(arguments)
    try:
        status: int = given.run(given)
        sys.stdout.flush()
    except BrokenPipeError:                              # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _failed("interrupted", 130)
    except ArgumentError as error:
        return _failed(str(error), 2)
    except (TinygradActError, OSError) as error:
        return _failed(str(error), 1)
    return status


def _failed(message: str, status: int) -> int:
    sys.stderr.write(f"tinygrad_act: {message}\n")
    return status
