"""`python -m tinygrad_act lab`."""

from __future__ import annotations

import argparse
import ast
from typing import Any

from ..errors import ArgumentError
from . import screen


def arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="an experiment (default: list them)")
    parser.add_argument("settings", nargs="*", metavar="SETTING=VALUE", help="such as depth=30, or activations=relu,gelu")
    parser.add_argument("--out", metavar="FOLDER", help="write the table, the figure and JSON there too")


def run(given: argparse.Namespace) -> int:
    """List the laboratory's experiments, or run one: what texts claim of activations, measured here."""
    from ..study import lab

    if given.name is None:
        screen.say(lab.listing().text().strip("\n"))
        return 0
    several = {k for k, v in lab.experiments[given.name].settings.items() if isinstance(v, tuple)} if given.name in lab.experiments else ()
    result = lab.run(given.name, **{name: values if name in several else _one(name, values) for name, values in map(_setting, given.settings)})
    screen.say(result.table().strip("\n"))
    for path in result.save(given.out) if given.out else ():
        screen.say(str(path))
    return 0


def _setting(text: str) -> tuple[str, list[Any]]:
    """`name=value,value`: numbers, True or False, names."""
    name, equals, values = text.partition("=")
    if not equals:
        raise ArgumentError("lab", repr(text), "a setting is written NAME=VALUE, or NAME=VALUE,VALUE")
    return name, [_value(part) for part in values.split(",")]


def _one(name: str, values: list[Any]) -> Any:
    if len(values) > 1:
        raise ArgumentError("lab", f"{name}={','.join(map(str, values))}", "this setting is one value")
    return values[0]


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
