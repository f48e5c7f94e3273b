"""The experiments by name, and how one is run: settings looked at, seed set and put back, progress shown."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ...errors import ArgumentError, nearest
from ...ops.random import fork_rng, manual_seed
from ..bar import bar
from ..present import Page, Table
from .result import Result

experiments: dict[str, Experiment] = {}
LEAST = {"depth": 2, "width": 1, "seeds": 1, "nets": 1, "batch": 1, "steps": 1, "every": 1, "layers": 1}       # of settings that are counts


class Progress:
    """How far an experiment is."""

    def __init__(self, name: str, wanted: bool | None) -> None:
        self.name, self.wanted = name, wanted

    def over(self, items: Iterable[Any], text: Callable[[Any], str] = str) -> Iterator[Any]:
        """Go through the items, each a step of the bar."""
        items = list(items)
        with bar(self.name, self.wanted) as step:
            for done, item in enumerate(items):
                step(text(item), done, len(items))
                yield item


class Experiment:
    """A row of the table: call it with its settings. `name`, `claim`, `measures`, `settings` (with defaults), `function`.

    >>> ta.study.lab.gradient_depth.settings["depth"]
    20
    """

    def __init__(self, function: Callable[..., Result], claim: str, measures: str) -> None:
        functools.update_wrapper(self, function)
        self.function, self.claim, self.measures, self.name = function, claim, measures, function.__name__
        parameters = list(inspect.signature(function).parameters.values())[1:]             # the first is the Progress
        self.settings = {p.name: p.default for p in parameters}
        self.__signature__ = inspect.Signature([*parameters, inspect.Parameter("progress", inspect.Parameter.KEYWORD_ONLY, default=None)])

    def __call__(self, *args: Any, progress: bool | None = None, **settings: Any) -> Result:
        names = list(self.settings)
        if len(args) > len(names) or any(name in settings for name in names[:len(args)]):
            raise ArgumentError(f"lab.{self.name}", f"{len(args)} positional arguments", f"its settings are {', '.join(names)}")
        given = {**dict(zip(names, args, strict=False)), **settings}
        for name in given:
            if name not in self.settings:
                raise ArgumentError(f"lab.{self.name}", f"{name}=", "there is no such setting",
                                    nearest(name, names, f"its settings are {', '.join(names)}", most=1))
        given = {**self.settings, **given}
        check(f"lab.{self.name}", given, self.settings)
        began = time.perf_counter()
        with fork_rng():
            manual_seed(given["seed"])
            result = self.function(Progress(self.name, progress), **given)
        result.settings, result.seconds = given, time.perf_counter() - began
        return result

    def __repr__(self) -> str:
        return f"<experiment {self.name}: {self.claim}>"


def check(op: str, given: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Numbers are numbers, and none too small; several of something are several."""
    for name, value in given.items():
        default = defaults[name]
        if isinstance(default, bool):
            fits = isinstance(value, bool)
        elif isinstance(default, int):
            fits = isinstance(value, int) and not isinstance(value, bool) and value >= LEAST.get(name, 0)
        elif isinstance(default, float):
            fits = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
        elif isinstance(default, tuple) and default:
            fits = isinstance(value, Iterable) and not isinstance(value, str) and len(list(value)) > 0
        else:
            fits = True
        if not fits:
            kind = {bool: "True or False", int: f"a whole number, from {LEAST.get(name, 0)} up", float: "a number above 0",
                    tuple: "a list of at least one"}.get(type(default), "")
            raise ArgumentError(op, f"{name}={value!r}", f"it is {kind}", f"the default is {default!r}")


def experiment(claim: str, measures: str) -> Callable[[Callable[..., Result]], Experiment]:
    """Enter the function below into the table."""
    def add(function: Callable[..., Result]) -> Experiment:
        experiments[function.__name__] = made = Experiment(function, claim, measures)
        return made
    return add


def run(name: str, **settings: Any) -> Result:
    """The experiment of that name.

    Raises: ArgumentError if there is none.

    >>> run("gelu_forms", seeds=1, epochs=0).name
    'gelu_forms'
    """
    if name not in experiments:
        raise ArgumentError("lab.run", repr(name), "there is no such experiment",
                            nearest(str(name), experiments, f"choose from {', '.join(experiments)}", most=1))
    return experiments[name](**settings)


def listing() -> Page:
    """All experiments: name, claim, settings.

    >>> "9 experiments" in listing().text(100)
    True
    """
    rows: Sequence[Any] = [(e.name, e.claim, ", ".join(e.settings)) for e in experiments.values()]
    return Page(f"{len(rows)} experiments", [Table(("name", "claim", "settings"), rows)])
