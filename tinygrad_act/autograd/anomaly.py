"""Anomaly detection: stop at the first NaN or infinity, and say which op made it, from what, and on whose line."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from .. import backend
from ..dtypes import is_floating
from ..errors import AnomalyError, user_line
from ..graph import FREED, Node, Watcher, as_tuple, watchers
from ..tensor import Tensor


class Detector(Watcher):
    """Looks at every result and every gradient. Costs a pass over each of them, and nothing where it is not used."""

    def __init__(self) -> None:
        self.made: weakref.WeakKeyDictionary[Node, tuple[str, str]] = weakref.WeakKeyDictionary()

    def forward(self, op: Any, inputs: Sequence[Any], output: Any, params: dict[str, Any]) -> None:
        outputs = as_tuple(output)
        line = user_line()
        ranges = _ranges(inputs)
        for y in outputs:
            if isinstance(y, Tensor) and y.node is not None:
                node = y.node.edges[0] if len(outputs) > 1 and y.node.edges else y.node
                self.made[node] = line, ranges
        if all(map(_finite, (*inputs, *params.values()))):          # else it is not the first
            for y in outputs:
                if not _finite(y):
                    raise AnomalyError(op.name, f"a result of {describe(y)}", f"the first NaN or infinity, from inputs "
                                       f"{ranges}, at {line}", "look at what makes these inputs, or clamp them before")

    def backward(self, node: Node, g: Any, grads: Sequence[Any]) -> None:
        if not all(map(_finite, as_tuple(g))):
            return
        for i, gx in enumerate(grads):
            if not _finite(gx):
                line, ranges = self.made.get(node) or ("a line outside detect_anomaly (put forward into it too)",
                                                       _ranges(() if node.saved is FREED else node.saved))
                given = ", ".join(describe(part) for part in as_tuple(g) if part is not None)
                raise AnomalyError(node.op.name, f"a gradient of {describe(gx)} for input {i}",
                                   f"the first NaN or infinity in backward, from the gradient {given} and inputs {ranges}; "
                                   f"the op was called at {line}",
                                   "its derivative is not finite there: keep the inputs away from that point")


def _array(x: Any) -> Any:
    """The float array of x, or None."""
    a = x.array if isinstance(x, Tensor) else x
    return a if backend.is_array(a) and is_floating(a.dtype) else None


def _finite(x: Any) -> bool:
    if isinstance(x, float):
        return abs(x) < float("inf")
    a = _array(x)
    if a is None:
        return not isinstance(x, (tuple, list)) or all(map(_finite, x))
    F = backend.namespace(a)
    return bool(backend.to_host(F.all(F.isfinite(a))))


def _ranges(inputs: Sequence[Any]) -> str:
    return ", ".join(f"{i}: {describe(x)}" for i, x in enumerate(inputs)) or "that were not kept"


def describe(x: Any) -> str:
    """Shape, smallest and largest finite element, and how many are not finite."""
    a = _array(x)
    if a is None:
        return repr(x) if isinstance(x, (int, float)) else f"shape {getattr(x, 'shape', type(x).__name__)}"
    values = backend.to_host(a).reshape(-1).astype("float64").tolist()
    finite = [v for v in values if abs(v) < float("inf")]
    text = f"shape {tuple(a.shape)} from {min(finite):.6g} to {max(finite):.6g}" if finite else f"shape {tuple(a.shape)}"
    nans, infinities = sum(v != v for v in values), sum(abs(v) == float("inf") for v in values)
    return text + (f" with {nans} nan" if nans else "") + (f" with {infinities} inf" if infinities else "")


class detect_anomaly:
    """Inside, the first NaN or infinity raises AnomalyError: with the op, its inputs' ranges and the line that called it.

    Forward is watched too, so put both into the block. `check_nan=False` watches nothing.

    >>> x = ta.tensor([0.0, 4.0], requires_grad=True)
    >>> with ta.autograd.detect_anomaly():
    ...     x.sqrt().sum().backward()
    Traceback (most recent call last):
        ...
    tinygrad_act.errors.AnomalyError: sqrt: ...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.detector = Detector() if check_nan else None

    def __enter__(self) -> detect_anomaly:
        self.before = [w for w in watchers if isinstance(w, Detector)]
        if self.detector is not None and not self.before:
            watchers.append(self.detector)
        return self

    def __exit__(self, *exc: object) -> None:
        if self.detector in watchers:
            watchers.remove(self.detector)


class set_detect_anomaly:
    """Switch detection on or off: from here on, or for one `with` block."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.before = [w for w in watchers if isinstance(w, Detector)]
        for w in self.before:
            watchers.remove(w)
        if mode and check_nan:
            watchers.append(self.before[0] if self.before else Detector())

    def __enter__(self) -> None:
        """The switch was thrown when this was made."""

    def __exit__(self, *exc: object) -> None:
        for w in [w for w in watchers if isinstance(w, Detector)]:
            watchers.remove(w)
        watchers.extend(self.before)


def is_anomaly_enabled() -> bool:
    """Is somebody looking for NaN and infinity?"""
    return any(isinstance(w, Detector) for w in watchers)
