"""How a Tensor prints: PyTorch's format, to the character, but for the names of dtypes and nodes."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from .. import backend, dtypes
from ..errors import ArgumentError
from ..tensor import Tensor
from .registry import public


class Options(NamedTuple):
    """What `set_printoptions` sets."""

    precision: int = 4               # digits after the point
    threshold: float = 1000          # more elements than this are summarised
    edgeitems: int = 3               # and this many shown at each end
    linewidth: int = 80
    sci_mode: bool | None = None     # scientific notation: always, never, or as the numbers need


PROFILES = {"default": Options(), "short": Options(precision=2, edgeitems=2), "full": Options(threshold=math.inf)}
_options = Options()


@public(method=False)
def set_printoptions(precision: int | None = None, threshold: float | None = None, edgeitems: int | None = None,
                     linewidth: int | None = None, profile: str | None = None, sci_mode: bool | None = None) -> None:
    """How tensors print from here on; `profile` is one of "default", "short" and "full"."""
    global _options
    if profile is not None and profile not in PROFILES:
        raise ArgumentError("set_printoptions", f"profile={profile!r}", f"choose from {sorted(PROFILES)}")
    base = _options if profile is None else PROFILES[profile]
    given: dict[str, Any] = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    _options = base._replace(sci_mode=sci_mode, **{k: v for k, v in given.items() if v is not None})


def show(t: Tensor) -> str:
    """`repr` of a tensor."""
    extra = []
    if t.device.type != "cpu":
        extra.append(f"device='{t.device}'")
    if 0 in t.shape:
        if t.ndim != 1:
            extra.append(f"size={t.shape}")
        default, text = t.dtype == dtypes.get_default_dtype(), "[]"
    else:
        default = t.dtype in (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_)
        text = _values(t.array)
    if not default:
        extra.append(f"dtype={t.dtype.name}")
    if t.node is not None:
        extra.append(f"grad_fn={t.node!r}")
    elif t.requires_grad:
        extra.append("requires_grad=True")
    return _join("tensor(" + text, extra)


def _join(text: str, extra: list[str]) -> str:
    """`text` and its suffixes, a new line for those that would run over."""
    width = len(text) - text.rfind("\n")
    for part in extra:
        if width + len(part) + 2 > _options.linewidth:
            text += ",\n" + " " * 7 + part
            width = 7 + len(part)
        else:
            text += ", " + part
            width += len(part) + 2
    return text + ")"


def _values(array: Any) -> str:
    if dtypes.is_half(array.dtype):
        array = backend.namespace(array).cast(array, dtypes.float32)
    host = backend.to_host(array)
    shorten = host.size > _options.threshold
    shown = list(_corners(host) if shorten else host.ravel().tolist())
    return _nested(host, 7, shorten, *_formatter(shown))


def _corners(host: Any) -> Any:
    """The elements that a summary shows."""
    if host.ndim == 0:
        yield host.tolist()
        return
    for i in _rows(len(host), True):
        if i is not None:
            yield from _corners(host[i, ...])


def _rows(n: int, shorten: bool) -> list[int | None]:
    """Which of n rows to show, None for the dots between."""
    k = _options.edgeitems
    return [*range(k), None, *range(n - k, n)] if shorten and n > 2 * k else list(range(n))


def _formatter(shown: list[Any]) -> tuple[Any, int]:
    """What writes a number, and the width that all of them share."""
    write: Any = str
    if isinstance(shown[0], float):
        digits = _options.precision
        some = [x for x in shown if math.isfinite(x) and x != 0]     # nan, inf and 0 do not shape the format
        low, high = min(map(abs, some), default=0.0), max(map(abs, some), default=0.0)
        whole = all(x == math.floor(x) for x in some)
        wild = bool(some) and (high / low > 1000 or high > 1e8 or (not whole and low < 1e-4))
        if wild if _options.sci_mode is None else _options.sci_mode:
            def write(x: float) -> str:
                return f"{x:.{digits}e}"
        elif whole:
            def write(x: float) -> str:
                return f"{x:.0f}." if math.isfinite(x) else f"{x:.0f}"
        else:
            def write(x: float) -> str:
                return f"{x:.{digits}f}"
        shown = some
    return write, max((len(write(x)) for x in shown), default=1)


def _nested(host: Any, indent: int, shorten: bool, write: Any, width: int) -> str:
    if host.ndim == 0:
        return str(write(host.tolist()))
    rows = _rows(len(host), shorten)
    if host.ndim > 1:
        parts = ["..." if i is None else _nested(host[i], indent + 1, shorten, write, width) for i in rows]
        between = ",\n" + "\n" * int(host.ndim - 2) + " " * (indent + 1)
        return f"[{between.join(parts)}]"
    numbers = host.tolist()
    parts = [" ..." if i is None else write(numbers[i]).rjust(width) for i in rows]
    per_line = max(1, (_options.linewidth - indent) // (width + 2))
    lines = [", ".join(parts[i:i + per_line]) for i in range(0, len(parts), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


@public("__repr__", function=False)
def _repr(self: Tensor) -> str:
    return show(self)


@public("__format__", function=False)
def _format(self: Tensor, spec: str) -> str:
    """A 0-d tensor is written as its number: `f"{loss:.3f}"`."""
    if self.ndim == 0:
        return str(format(backend.to_host(self.array).item(), spec))
    if spec:
        raise ArgumentError("format", f"{spec!r} for a tensor of shape {self.shape}", "only a 0-d tensor takes a format",
                            "write .item() or .tolist()")
    return show(self)
