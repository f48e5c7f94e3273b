"""Every exception of the library: each names the op, what it was given, the cause and the remedy.

All are RuntimeErrors, as PyTorch's are; those that Python has a closer word for (ValueError, TypeError,
IndexError, ImportError) are that too, so either can be caught.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from types import FrameType

__all__ = ["AnomalyError", "ArgumentError", "DTypeError", "DeviceError", "DistributedError", "FetchError", "FileError", "GradcheckError",
           "GraphError", "IndexingError", "InplaceError", "LinAlgError", "MissingKeyError", "MissingPackageError", "ModuleError", "ShapeError", "TinygradActError",
           "TrainingError", "nearest", "shown", "user_line", "user_place"]

PACKAGE = os.path.dirname(__file__)                      # noqa: PTH120   (pathlib would cost every import 5 ms)


class TinygradActError(RuntimeError):
    """The base of them all.

    >>> raise ShapeError("matmul", "(32, 128) @ (100, 10)", "inner sizes 128 and 100 differ", "transpose one of them")
    Traceback (most recent call last):
        ...
    tinygrad_act.errors.ShapeError: matmul: (32, 128) @ (100, 10): inner sizes 128 and 100 differ; transpose one of them.
    """

    def __init__(self, op: str, got: str, cause: str, remedy: str = "") -> None:
        self.op, self.got, self.cause, self.remedy = op, got, cause, remedy
        where = f"{op}: {got}: " if got else f"{op}: "
        super().__init__(f"{where}{cause}{'; ' + remedy if remedy else ''}.")


class ShapeError(TinygradActError, ValueError):
    """Shapes that do not fit one another, or a size that cannot be."""


class DTypeError(TinygradActError, TypeError):
    """An element type the op does not take."""


class ArgumentError(TinygradActError, TypeError, ValueError):
    """An argument of the wrong kind, or a value out of its range."""


class LinAlgError(TinygradActError, ValueError):
    """A matrix without what was asked for: an inverse, a Cholesky factor, an iteration that settles."""


class IndexingError(TinygradActError, IndexError):
    """An index out of range or of the wrong kind."""


class MissingKeyError(ArgumentError, KeyError):
    """A dict without an entry that is needed."""

    __str__ = Exception.__str__            # KeyError's shows the text quoted


class DeviceError(TinygradActError):
    """Arrays on two devices, or a device that is not there."""


class GraphError(TinygradActError):
    """A backward pass that cannot be run: no graph, a freed one, no seed."""


class InplaceError(GraphError):
    """An in-place change that would make a gradient wrong."""


class AnomalyError(TinygradActError):
    """The first NaN or infinity, found under `autograd.detect_anomaly`."""


class GradcheckError(TinygradActError):
    """A backward rule that disagrees with numerical differentiation."""


class MissingPackageError(TinygradActError, ImportError):
    """An optional package or program that is not installed; the remedy names the extra."""


class ModuleError(TinygradActError, AttributeError):
    """A module without the attribute asked for, or one whose __init__ has not run."""


class FileError(TinygradActError, ValueError):
    """A file that is corrupt, hostile or not what it was said to be. What it says of itself is shown, and not obeyed."""

    def __init__(self, op: str, got: str, cause: str, remedy: str = "") -> None:
        super().__init__(op, shown(got, 1000), shown(cause, 1000), remedy)


def nearest(name: str, names: Iterable[str], otherwise: str = "", most: int = 3) -> str:
    """The remedy for a name that there is not: the most similar of those that there are, or else `otherwise`.

    >>> nearest("gleu", ["relu", "gelu"], most=1)
    'did you mean gelu?'
    """
    from difflib import get_close_matches

    near = get_close_matches(name, list(dict.fromkeys(names)), most)
    return f"did you mean {' or '.join(near)}?" if near else otherwise


def shown(text: str, most: int = 200) -> str:
    """A text out of a file as a message can hold it: at most so long, and with nothing that would steer a terminal.

    >>> shown("\\x1b[2Jweight")
    '\\\\x1b[2Jweight'
    """
    text = text if len(text) <= most else f"{text[:most]} ..."
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class FetchError(TinygradActError):
    """Something that could not be fetched or kept: no network, a client that failed, a full disk."""


class TrainingError(TinygradActError):
    """A training run that cannot go on: the loss is NaN, or a checkpoint is of another run."""


class DistributedError(TinygradActError):
    """A group of processes that was not joined, was joined twice, or whose processes do not agree."""


def user_line() -> str:
    """The innermost line outside this package, as `file:line in function`: the one the user wrote."""
    file, line, name = user_place()
    return f"{file}:{line} in {name}" if line else file


def user_place() -> tuple[str, int, str]:
    """The same as file, line and function; the line is 0 where there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(PACKAGE) and not file.startswith("<frozen"):
            return file, frame.f_lineno, frame.f_code.co_name
        frame = frame.f_back
    return "unknown line", 0, ""
