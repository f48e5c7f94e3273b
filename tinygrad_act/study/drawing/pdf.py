"""A laid-out graph as PDF where there is no `dot`: graphviz-pure gives the places, matplotlib's PDF writer paints."""

from __future__ import annotations

import io
import re
from typing import Any

from ...errors import MissingPackageError

FONTS = ["Arial", "Helvetica", "Liberation Sans", "Arimo", "DejaVu Sans"]


def paint(laid_out: dict[str, Any]) -> bytes:
    """The PDF file of what graphviz-pure writes for -Tjson: polygons, curves, ellipses and texts, in points."""
    try:
        from matplotlib import font_manager, rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingPackageError("draw", "", "a PDF is painted by Graphviz's `dot`, or by matplotlib, and neither is installed",
                                  "pip install 'tinygrad-act[plot]', or draw an .svg or .png") from None
    left, bottom, right, top = map(float, laid_out["bb"].split(","))
    pad = 15.0
    width, height = right - left + 2 * pad, top - bottom + 2 * pad
    fonts = [name for name in FONTS if name in font_manager.get_font_names()]
    with rc_context({"font.family": "sans-serif", "font.sans-serif": fonts, "pdf.fonttype": 42, "text.parse_math": False}):
        figure = Figure(figsize=(width / 72, height / 72), facecolor=laid_out.get("bgcolor", "#ffffff"))
        axes = figure.add_axes((0, 0, 1, 1), xlim=(left - pad, right + pad), ylim=(bottom - pad, top + pad))
        axes.axis("off")
        brush = Brush(axes)
        things = [laid_out, *laid_out.get("objects", ()), *laid_out.get("edges", ())]
        for thing in things:
            for part in ("_draw_", "_hdraw_", "_tdraw_", "_ldraw_", "_hldraw_", "_tldraw_"):
                brush.reset()
                for step in thing.get(part, ()):
                    brush.do(step)
        out = io.BytesIO()
        figure.savefig(out, format="pdf", metadata={"Creator": "tinygrad_act", "CreationDate": None}, facecolor=figure.get_facecolor())
    return out.getvalue()


class Brush:
    """Carries out xdot's steps: each sets something (a colour, a style, a font) or paints with what is set."""

    def __init__(self, axes: Any) -> None:
        self.axes = axes
        self.reset()

    def reset(self) -> None:
        self.line, self.fill, self.width, self.dashes, self.size, self.bold = "#000000", "#ffffff", 1.0, "-", 12.0, False

    def do(self, step: dict[str, Any]) -> None:
        kind = step["op"]
        if kind in "cC" and step.get("grad", "none") == "none":
            setattr(self, "line" if kind == "c" else "fill", step["color"])
        elif kind == "S":
            self.style(step["style"])
        elif kind == "F":
            self.size, self.bold = float(step["size"]), False
        elif kind == "t":
            self.bold = bool(step["fontchar"] & 1)
        elif kind == "T":
            self.text(step)
        elif kind in "eE":
            self.ellipse(step["rect"], kind == "E")
        else:
            self.outline(step["points"], kind)

    def style(self, style: str) -> None:
        if found := re.fullmatch(r"setlinewidth\(([\d.]+)\)", style):
            self.width = float(found[1])
        elif style in ("solid", "dashed", "dotted"):
            self.dashes = {"solid": "-", "dashed": "--", "dotted": ":"}[style]

    def text(self, step: dict[str, Any]) -> None:
        from matplotlib.font_manager import FontProperties
        from matplotlib.textpath import TextPath

        (x, y), font = step["pt"], FontProperties(weight="bold" if self.bold else "normal", size=self.size)
        wide = float(TextPath((0, 0), step["text"], prop=font).get_extents().width) if step["text"].strip() else 0.0
        size = self.size * min(1.0, step["width"] / wide if wide else 1.0)         # the fonts here may be wider than those it measured
        x += {"l": 0, "c": -0.5, "r": -1}[step["align"]] * step["width"]
        self.axes.text(x, y, step["text"], fontsize=size, color=self.line, ha="left", va="baseline",
                       fontweight="bold" if self.bold else "normal")

    def ellipse(self, rect: list[float], filled: bool) -> None:
        from matplotlib.patches import Ellipse

        x, y, w, h = rect
        self.axes.add_patch(Ellipse((x, y), 2 * w, 2 * h, **self.look(filled)))

    def outline(self, points: list[list[float]], kind: str) -> None:
        """A polygon (P, p), a line (L) or Bezier curves (b, B); capitals are filled."""
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        curve = kind in "bB"
        codes = [Path.MOVETO] + [Path.CURVE4 if curve else Path.LINETO] * (len(points) - 1)
        if kind in "pP":
            points, codes = [*points, points[0]], [*codes, Path.CLOSEPOLY]
        self.axes.add_patch(PathPatch(Path(points, codes), **self.look(kind in "PB")))

    def look(self, filled: bool) -> dict[str, Any]:
        return {"facecolor": self.fill if filled else "none", "edgecolor": self.line, "linewidth": self.width,
                "linestyle": self.dashes}
