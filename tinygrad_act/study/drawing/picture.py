"""Picture: what `draw` returns. Shows by itself in a notebook, and saves as SVG, PNG, PDF or DOT."""

from __future__ import annotations

import os
import re
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from ...errors import MissingPackageError
from .layout import lay_out, render


class Picture:
    """A drawn graph: `dot` is its DOT text, `svg` the picture, `notes` say what was folded and what the figures are.

    >>> x = ta.ones(2, requires_grad=True)
    >>> picture = ta.study.draw(x.tanh().sum())
    >>> picture
    <Picture of 4 nodes: tanh, sum>
    """

    def __init__(self, dot: str, title: str, alts: dict[str, str], notes: tuple[str, ...], ops: tuple[str, ...]) -> None:
        self.dot, self.title, self.alts, self.notes, self.ops = dot, title, alts, notes, ops

    @cached_property
    def svg(self) -> str:
        """The SVG text, with a title, and for each node a sentence that a screen reader says and a mouse shows."""
        return accessible(lay_out(self.dot, "svg").decode(), self.title, self.alts, self.notes)

    @cached_property
    def png(self) -> bytes:
        """The same as a PNG file."""
        return lay_out(self.dot, "png")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it at `path`, whose ending (.svg, .png, .pdf, .dot) chooses the format."""
        path = Path(path)
        return render(self.dot, path, {".svg": lambda: self.svg.encode(), ".png": lambda: self.png}.get(path.suffix.lower()))

    def _repr_svg_(self) -> str | None:
        """For notebooks; None where no layout program is installed."""
        try:
            return self.svg
        except MissingPackageError:
            return None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Likewise: the picture, and text for where there are none."""
        svg = self._repr_svg_()
        if svg is None:
            return {"text/plain": "no layout program: pip install 'tinygrad-act[draw]', or install Graphviz. "
                                  f"The graph as DOT text:\n{self.dot}"}
        return {"image/svg+xml": svg, "text/plain": repr(self)}

    def __repr__(self) -> str:
        shown = ", ".join(self.ops[:6]) + (", …" if len(self.ops) > 6 else "")
        return f"<Picture of {len(self.alts)} nodes: {shown}>"


def accessible(svg: str, title: str, alts: dict[str, str], notes: tuple[str, ...]) -> str:
    """Graphviz's SVG for inline use: no XML head, a title and a description, node names replaced by sentences."""
    svg = svg[svg.index("<svg"):]
    said = f"<title>{escape(title)}</title>\n<desc>{escape('. '.join(notes))}</desc>\n" if notes else f"<title>{escape(title)}</title>\n"
    head = svg.index(">") + 1
    svg = f'{svg[:head - 1]} role="img" aria-label="{escape(title)}">\n{said}{svg[head:]}'
    svg = re.sub(r"(<g [^>]*class=\"node\"[^>]*)>\s*<title>([^<]*)</title>",
                 lambda m: f'{m[1]} role="img" aria-label="{escape(alts.get(m[2], m[2]))}">\n<title>{escape(alts.get(m[2], m[2]))}</title>', svg)
    svg = re.sub(r"<g id=\"a_(node|edge|clust)\d+[^>]*><a [^>]*>\n?", "", svg)
    svg = re.sub(r"</a>\n</g>\n", "", svg)
    return re.sub(r"<title>(cluster_\d+|n\d+&#45;&gt;n\d+|graph)</title>\n?", "", svg)
