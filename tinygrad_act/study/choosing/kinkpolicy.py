"""Corners of activations: where they are, and rules that take another derivative there."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ... import backend
from ...activations import Activation, catalogue
from ...backend import namespaces
from ...errors import ArgumentError
from ...op import Op
from ...ops.choice import changed
from ...rule import Rule
from ...tensor import Tensor

POLICIES = ("record", "left", "right", "zero", "mean")
CORNERS: dict[str, tuple[float, ...]] = {"abs": (0.0,)}       # of ops that have no record
BESIDE = {2: 2.0**-7, 4: 2.0**-22, 8: 2.0**-50}              # by bytes of a number: some units in the last place
SIDES = {"left": (-1,), "right": (1,), "mean": (-1, 1)}
JUMP = 1e-6                                                   # by how much slopes differ at a corner, relative to them


def record_of(op: Any) -> Activation | None:
    """The record that the op, or the one it stands in for, belongs to."""
    record = catalogue.get(op.name)
    return record if record is not None and record.forward is getattr(op, "forward", None) and not record.axis else None


def places(op: Any, inputs: Sequence[Any], settings: Mapping[str, Any]) -> list[float]:
    """Where the op's kinks are in this call; parameters that have several numbers say nothing."""
    record = record_of(op)
    if record is None:
        return list(CORNERS.get(op.name, ()))
    given = dict(settings)
    for name, x in zip(op.inputs[1:], inputs[1:], strict=False):
        size = x.numel() if isinstance(x, Tensor) else 1
        if size != 1:
            return list(record.kinks(**settings)) if settled(record, settings) else []
        given[name] = float(backend.to_host(x.array).reshape(())) if isinstance(x, Tensor) else x
    return [float(k) for k in record.kinks(**given)]


def settled(record: Activation, settings: Mapping[str, Any]) -> bool:
    """Do the kinks stay where they are when the parameters change?"""
    moved = {k: v + 0.25 if isinstance(v, (int, float)) else tuple(x + 0.25 for x in v) for k, v in record.initial.items()}
    return list(record.kinks(**settings)) == list(record.kinks(**settings, **moved))


def at_kinks(op: Op, policy: str, strict: bool = False) -> Op:
    """The op with another derivative at its corners; the op itself if it has none (an error if `strict`)."""
    if policy == "record":
        return op
    record = record_of(op)
    own = catalogue[op.name].op if record else op
    first = op.rules[0] if op.rules else None
    known = bool(record.kinks()) and settled(record, {}) if record else op.name in CORNERS
    if not known or not op.elementwise or op.joint or first is None or any(i > op.arity for i, _ in first.sources):
        if strict:
            raise ArgumentError(op.name, f"kinks={policy!r}", "it has no kinks whose place is known beforehand",
                                "choose an activation with kinks in its record")
        return op
    return _at_kinks(op, own, policy)


@functools.cache
def _at_kinks(op: Op, own: Op, policy: str) -> Op:
    rule = AtKinks(op, own, policy)
    return changed(op, op.inputs[0], rule, ", ".join(filter(None, (op.variant, f"kinks: {policy}"))))


class AtKinks:
    """The backward rule of the op's first input, at corners by a policy: the rule itself, run beside them."""

    def __init__(self, op: Op, own: Op, policy: str) -> None:
        assert op.rules[0] is not None
        self.rule, self.op, self.own, self.policy = op.rules[0], op, own, policy
        self.__name__ = f"{self.rule.function.__name__}_{policy}"
        self.__doc__ = f"{op.name}'s rule; at a corner: {policy}."
        kind = inspect.Parameter
        self.__signature__ = inspect.Signature(
            [kind(name, kind.POSITIONAL_OR_KEYWORD) for name in ("F", "g", *op.inputs)]
            + [kind(name, kind.KEYWORD_ONLY, default=default) for name, default in op.defaults.items()])

    def __call__(self, F: Any, g: Any, *inputs: Any, **settings: Any) -> Any:
        x, *others = inputs
        corners = corners_of(self.own, tuple((k, _number(v)) for k, v in settings.items()))
        if not corners:
            return derive(self.op, self.rule, F, g, inputs, settings)
        if self.policy == "zero":
            gx = derive(self.op, self.rule, F, g, inputs, settings)
            for k in corners:
                gx = F.where(x == k, 0, gx)
            return gx
        results = []
        step = BESIDE[getattr(getattr(x, "dtype", None), "itemsize", 4)]
        for side in SIDES[self.policy]:
            beside = x
            for k in corners:
                beside = F.where(x == k, k + side * step * (abs(k) or 1.0), beside)
            results.append(derive(self.op, self.rule, F, g, (beside, *others), settings))
        return results[0] if len(results) == 1 else 0.5 * (results[0] + results[1])


def _number(x: Any) -> Any:
    if not isinstance(x, (int, float, str, bool, type(None))):
        raise TypeError("a kink's place is asked of a number")           # a symbol: the printers then take the number itself
    return x


def derive(op: Op, rule: Rule, F: Any, g: Any, inputs: Sequence[Any], settings: Mapping[str, Any]) -> Any:
    """The rule on these inputs, whatever it reads."""
    y = op.forward(F, *inputs, **settings) if any(i == op.arity for i, _ in rule.sources) else None
    values = (*inputs, y)
    read = [getattr(values[i], attribute) if attribute else values[i] for i, attribute in rule.sources]
    return rule.function(F, g, *read, **{k: settings[k] for k in rule.params})


@functools.cache
def corners_of(own: Op, settings: tuple[tuple[str, Any], ...]) -> tuple[float, ...]:
    """The kinks at which the derivative jumps: elsewhere the seam has one slope, and there is nothing to choose."""
    record, given = record_of(own), dict(settings)
    points = [float(k) for k in record.kinks(**given)] if record else list(CORNERS[own.name])
    points = [k for k in points if math.isfinite(k)]
    rule = own.rules[0]
    assert rule is not None
    initial = [backend.asarray(v, "float64", "cpu") for v in record.initial.values()] if record else []
    found = []
    for k in points:
        step = 1e-9 * max(1.0, abs(k))
        x = backend.asarray([k - step, k + step], "float64", "cpu")
        F = namespaces[type(x)]
        left, right = derive(own, rule, F, F.ones_like(x), (x, *initial), given).tolist()
        if abs(left - right) > JUMP * max(1.0, abs(left), abs(right)):
            found.append(k)
    return tuple(found)
