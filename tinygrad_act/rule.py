"""What a backward rule reads (Rule), and what a node therefore keeps for it (Plan)."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any

from .backend import namespaces
from .errors import ArgumentError


def parameters(rule: Any) -> tuple[list[str], bool, dict[str, Any]]:
    """A rule's positional parameters (a starred one last), whether one is starred, and {keyword parameter: default}.

    What inspect.signature says, in a twentieth of the time: a thousand rules are read when the package is imported.
    """
    if hasattr(rule, "__wrapped__"):
        rule = inspect.unwrap(rule)
    if hasattr(rule, "rule_parameters"):                    # of one made for a formula: ops/reduced.py
        return rule.rule_parameters  # type: ignore[no-any-return]
    if not inspect.isfunction(rule):                        # a partial, a bound method, an object that can be called
        found = list(inspect.signature(rule).parameters.values())
        return ([p.name for p in found if p.kind is not p.KEYWORD_ONLY], any(p.kind is p.VAR_POSITIONAL for p in found),
                {p.name: p.default for p in found if p.kind is p.KEYWORD_ONLY})
    code, defaults = rule.__code__, rule.__kwdefaults__ or {}
    count, end = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    starred = bool(code.co_flags & inspect.CO_VARARGS)
    names = [*code.co_varnames[:count], *code.co_varnames[end:end + starred]]
    settings = getattr(rule, "settings", None)              # of a rule that takes them as **settings
    if settings is None:
        settings = {k: defaults.get(k, inspect.Parameter.empty) for k in code.co_varnames[count:end]}
    return names, starred, settings


def beside(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Have a kernel under that name run in a rule's place, where the library has one beside it (backend/kernels)."""
    def dress(rule: Callable[..., Any]) -> Callable[..., Any]:
        defaults = {k: v for k, v in parameters(rule)[2].items() if v is not inspect.Parameter.empty}

        @functools.wraps(rule)
        def run(F: Any, *values: Any, **settings: Any) -> Any:
            return F.own(name, rule, *values, **{**defaults, **settings}) if name in getattr(F, "beside", ()) else rule(F, *values, **settings)

        return run

    return dress


class Rule:
    """A backward rule and what its parameter names ask for: inputs, `y`, `x_shape`, `x_dtype`, keyword parameters."""

    __slots__ = ("function", "params", "sources")

    def __init__(self, function: Callable[..., Any], names: dict[str, int], op: str) -> None:
        self.function = function
        self.sources: list[tuple[int, str]] = []
        reads, _, settings = parameters(function)
        self.params = list(settings)
        for name in reads[2:]:
            base, _, attribute = name.rpartition("_")
            if name in names:
                self.sources.append((names[name], ""))
            elif attribute in ("shape", "dtype") and base in names:
                self.sources.append((names[base], attribute))
            else:
                raise ArgumentError(f"Op {op}", f"a backward rule that reads {name!r}",
                                    f"the op has {sorted(names)}", "name an input, y, or an input's shape as x_shape")


CAREFUL, LARGE = 1 << 30, 1 << 29       # in a mask: not just arrays that do not broadcast; arrays large enough for the executor


class Executed:
    """An elementwise rule on arrays: as it is on small ones, and of one operation on all that threads would not share; else by the
    executor.
    """

    __slots__ = ("found", "rule")

    def __init__(self, rule: Callable[..., Any]) -> None:
        self.rule = rule
        self.found: bool | None = None

    def single(self, F: Any) -> bool:
        """Is the rule one operation? Asked when a large array is met."""
        if self.found is None:
            self.found = F.single(self.rule)
        return self.found

    def plain(self, F: Any, dtype: Any, size: int) -> bool:
        """Does it run as it is? (`short.py` asks the same, in the order that is quickest there.)"""
        return dtype.char in F.plain and (size < F.large or (size < F.shared and self.single(F)))

    def __call__(self, F: Any, g: Any, *saved: Any, **settings: Any) -> Any:
        return self.rule(F, g, *saved, **settings) if self.plain(F, g.dtype, g.size) else F.run(self.rule, (g, *saved), settings)


def quick(calls: Sequence[Any], arity: int, count: int) -> Callable[[Any, Any], Sequence[Any]]:
    """(node, g) -> the gradient for each edge, in a sweep over arrays that wants all of them. The op has `count` settings."""
    first: Any
    _, first, pick, asked = calls[0] if calls else (None,) * 4
    if len(calls) == arity == 1 and pick is None:
        if not asked:
            return lambda node, g: (first(namespaces[type(g)], g, *node.saved),)
        if len(asked) == count:
            return lambda node, g: (first(namespaces[type(g)], g, *node.saved, **node.params),)
    if len(calls) == arity == 2 and not any(settings for *_, settings in calls):
        _, second, other, _ = calls[1]
        if pick is None and other is None:
            def both(node: Any, g: Any) -> Sequence[Any]:
                F, saved = namespaces[type(g)], node.saved
                return first(F, g, *saved), second(F, g, *saved)
            return both
        if pick is not None and other is not None:
            def each(node: Any, g: Any) -> Sequence[Any]:
                F, saved = namespaces[type(g)], node.saved
                return first(F, g, *pick(saved)), second(F, g, *other(saved))
            return each

    def run(node: Any, g: Any) -> Sequence[Any]:
        F, saved, params = namespaces[type(g)], node.saved, node.params
        grads: list[Any] = [None] * arity
        for i, rule, pick, settings in calls:
            arguments = saved if pick is None else pick(saved)
            grads[i] = rule(F, g, *arguments, **{k: params[k] for k in settings}) if settings else rule(F, g, *arguments)
        return grads
    return run


class Plan:
    """For one choice of inputs that need a gradient: which arrays to keep and which rules to call on them."""

    __slots__ = ("arrays", "calls", "executed", "found", "keep", "quick", "sources")

    def __init__(self, op: Any, mask: int) -> None:
        wanted = [i for i in range(len(op.rules)) if mask >> i & 1] if op.joint is None else [None]
        reads = {i: (op.joint if i is None else op.rules[i]) for i in wanted}
        self.sources: list[tuple[int, str]] = sorted({s for rule in reads.values() if rule for s in rule.sources})
        self.calls = [(i, rule.function, self._picker(rule), rule.params) for i, rule in reads.items() if rule]
        self.executed = [Executed(rule) for _, rule, *_ in self.calls]
        self.found: bool | None = None
        calls = [(i, by, pick, names) for (i, _, pick, names), by in zip(self.calls, self.executed, strict=True)] if mask & LARGE else self.calls
        self.quick = None if mask & CAREFUL or op.variadic or op.joint or op.outputs > 1 else quick(calls, op.arity, len(op.defaults))
        indices = [i for i, _ in self.sources]
        self.arrays = not all(attribute for _, attribute in self.sources)    # are there any, not only shapes?
        if not indices:
            self.keep: Callable[[Any], tuple[Any, ...]] = operator.itemgetter(slice(0))
        elif self.sources == [(0, "shape")] and not op.variadic:
            self.keep = lambda values: (values[0].shape,)
        elif any(attribute for _, attribute in self.sources):
            sources, take = self.sources, _attribute if op.variadic else getattr
            self.keep = lambda values: tuple([take(values[i], attribute) if attribute else values[i] for i, attribute in sources])
        elif len(indices) == 1:
            self.keep = operator.itemgetter(slice(indices[0], indices[0] + 1))
        else:
            self.keep = operator.itemgetter(*indices)

    def single(self, F: Any) -> bool:
        """Is each of the rules one operation?"""
        if self.found is None:
            self.found = all(by.single(F) for by in self.executed)
        return self.found

    def _picker(self, rule: Rule) -> Callable[[Any], Sequence[Any]] | None:
        """What takes the rule's arguments out of the saved values; None if they are just those."""
        positions = [self.sources.index(s) for s in rule.sources]
        if positions == list(range(len(self.sources))):
            return None
        if len(positions) > 1:
            return operator.itemgetter(*positions)
        return operator.itemgetter(slice(positions[0], positions[0] + 1) if positions else slice(0))


def _attribute(value: Any, attribute: str) -> Any:
    """Of an array, or of each of a variadic op's inputs."""
    return tuple([getattr(v, attribute) for v in value]) if isinstance(value, tuple) else getattr(value, attribute)
