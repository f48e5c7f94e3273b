"""The page itself: the parts put into the template, the data as JSON that no name in it can break out of."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

from ..facts import bytes_text
from .arrays import GRIDS, Store
from .graph import variables

HERE = Path(__file__).parent
SCRIPTS = ("arrays.js", "graph.js", "details.js", "player.js")
MOST_BYTES = 4_000_000                           # of a page; heat maps become coarser before it is passed


def page_text(title: str, svg: str, data: dict[str, Any], store: Store) -> str:
    """The HTML text."""
    for grid in GRIDS:
        arrays = store.records(grid)
        largest = "×".join(map(str, grid))
        data["summary"] = (f"{len(arrays):,} arrays; of one with more than 64 numbers a heat map of at most {largest} cells, each the number "
                           "of a block that is farthest from 0. All figures are exact.")
        size = len(filled(title, svg, script_text({**data, "arrays": arrays, "bytes": "999 kB"})).encode())
        if size <= MOST_BYTES:
            break
    return filled(title, svg, script_text({**data, "arrays": arrays, "bytes": bytes_text(size)}))


def filled(title: str, svg: str, data: str) -> str:
    """The template with everything in its place."""
    style = read("player.css").replace("/* LIGHT */", variables("light")).replace("/* DARK */", variables("dark"))
    parts = {"TITLE": escape(title), "STYLE": style, "GRAPH": svg, "DATA": data, "SCRIPT": "\n".join(map(read, SCRIPTS))}
    head, *rest = read("player.html").split("{{")
    out = [head]
    for piece in rest:
        name, _, after = piece.partition("}}")
        out += [parts[name], after]
    return "".join(out)


def script_text(data: Any) -> str:
    """JSON for inside a <script>: without < and > nothing in it can end that."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def read(name: str) -> str:
    """A file beside this one."""
    return (HERE / name).read_text(encoding="utf-8")
