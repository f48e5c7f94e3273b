"""`python -m tinygrad_act gallery`."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import screen


def arguments(parser: argparse.ArgumentParser) -> None:
    """What it takes."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="an activation (default: all of the catalogue)")
    parser.add_argument("--out", default="gallery", metavar="FOLDER", help="where to write (default: gallery); a gallery that is there is replaced")
    parser.add_argument("--format", default="html", choices=("html", "markdown"), help="for a browser (default), or for GitHub")
    parser.add_argument("--no-cost", dest="cost", action="store_false", help="do not measure what each costs beside ReLU")
    parser.add_argument("--open", action="store_true", help="show it in the browser")


def run(given: argparse.Namespace) -> int:
    """Write a page for each activation from its record, and an index of all curves.
    The pages need no network. Cost is measured here and now; Markdown leaves it out."""
    from ..study import gallery
    from ..study.bar import bar

    with bar("pages") as step:
        index = gallery(given.names, given.out, format=given.format, cost=given.cost, progress=step)
    count = sum(1 for path in index.parent.iterdir() if path.suffix == index.suffix) - 1
    screen.say(f"{count} page{'s' * (count != 1)} and an index: {index}")
    if given.open:
        import webbrowser

        webbrowser.open(Path(index).absolute().as_uri())
    return 0
