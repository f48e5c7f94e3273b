"""Every example in the documentation of the package gives what it says."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.ops.registry import functions, methods

GPU = {"tinygrad_act.backend.cupy"}                      # not to be imported without one


def examples() -> dict[str, doctest.DocTest]:
    """Place -> its examples, each text once: of modules, and of what tables and records make out of sight of modules."""
    found: dict[str, doctest.DocTest] = {}
    parser, seen = doctest.DocTestParser(), set()

    def add(place: str, value: Any, names: dict[str, Any]) -> None:
        text = inspect.getdoc(value) or ""
        if ">>>" in text and text not in seen:
            seen.add(text)
            found[place] = parser.get_doctest(text, {**names, "ta": ta}, place, None, 0)

    for info in pkgutil.walk_packages(ta.__path__, "tinygrad_act."):
        if info.name in GPU:
            continue
        m = importlib.import_module(info.name)
        add(info.name, m, vars(m))
        for n, value in vars(m).items():
            if getattr(value, "__module__", None) == info.name or isinstance(value, ta.activations.Activation):
                add(f"{info.name}.{n}", value, vars(m))
                for attribute, member in vars(value).items() if isinstance(value, type) else ():
                    add(f"{info.name}.{n}.{attribute}", member, vars(m))
    add("tinygrad_act", ta, vars(ta))
    for table in (functions, methods, ta.activations.catalogue):
        for n, value in table.items():
            add(n, value, vars(ta))
    return found


EXAMPLES = examples()


@pytest.mark.parametrize("place", sorted(EXAMPLES))
def test_example(place: str) -> None:
    with ta.backend.use("numpy"):
        ta.manual_seed(0)
        try:
            doctest.DebugRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(EXAMPLES[place], clear_globs=False)
        except doctest.DocTestFailure as failure:
            pytest.fail(f"{place}: {failure.example.source.strip()}\n  says  {failure.example.want.strip()}\n  gives {failure.got.strip()}",
                        pytrace=False)
        except doctest.UnexpectedException as unexpected:
            if isinstance(unexpected.exc_info[1], ImportError):
                pytest.skip(str(unexpected.exc_info[1]))
            pytest.fail(f"{place}: {unexpected.example.source.strip()}\n  raises {unexpected.exc_info[1]!r}", pytrace=False)
