"""The picture of an activation, by matplotlib: f, f' and f'' one above the other, with the kinks marked.

Colours are names of a style sheet, so that one picture serves light and dark: inside a page it takes the page's, and by
itself it asks what the reader prefers.
"""

from __future__ import annotations

import io
import re
from typing import Any

from ..figures import figure_class, matplotlib_for
from .curves import Curves, Kink

# A colour that stands in for a name while matplotlib draws: name -> (stand-in, light, dark).
COLOURS = {"ink": ("#010101", "#1b1f24", "#f0f3f6"), "quiet": ("#020202", "#57606a", "#a9b4c0"), "grid": ("#030303", "#dfe3e8", "#333b45"),
           "paper": ("#040404", "#ffffff", "#14181d"), "c1": ("#050505", "#0969b5", "#6cb6ff"), "c2": ("#060606", "#b3500a", "#ffa657"),
           "c3": ("#070707", "#17753a", "#63d386"), "c4": ("#080808", "#8a3ba8", "#dcb3f2")}
INK, QUIET, GRID, PAPER, *SERIES = (standing for standing, _, _ in COLOURS.values())
STROKES = ("-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (6, 2, 1.2, 2)))
TITLES = ("f", "f′", "f″")
WIDTH = 4.7                                      # of the picture in inches: lettering of 9 points is readable on a phone


def figure(curves: Curves, name: str, alone: bool = False) -> str:
    """The picture as SVG; `alone` for a file of its own, else for a page that has the style sheet.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    Figure = figure_class("gallery")
    look: Any = {"svg.fonttype": "none", "svg.hashsalt": name, "font.size": 9, "axes.edgecolor": QUIET, "axes.linewidth": 0.8, "text.color": INK,
            "xtick.color": QUIET, "ytick.color": QUIET, "axes.labelcolor": INK, "grid.color": GRID, "path.simplify_threshold": 0.05,
            "axes.spines.top": False, "axes.spines.right": False, "axes.unicode_minus": True, "lines.linewidth": 1.8}
    out = io.StringIO()
    with matplotlib_for("gallery").rc_context(look):
        heights = [2.0, 1.2, 1.2] + [2.6] * (curves.sheet is not None)
        drawing: Any = Figure(figsize=(WIDTH, 1.28 * sum(heights)), layout="constrained")
        drawing.get_layout_engine().set(h_pad=0.06)
        axes = drawing.subplots(len(heights), 1, gridspec_kw={"height_ratios": heights}, squeeze=False)[:, 0]
        for order in range(3):
            _panel(axes[order], curves, order)
        if curves.sheet is not None:
            _contours(axes[3], *curves.sheet)
        drawing.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return themed(out.getvalue(), f"{name}: f, its first and its second derivative", alone)


def _panel(axes: Any, curves: Curves, order: int) -> None:
    axes.axhline(0, color=QUIET, linewidth=0.6)
    axes.axvline(0, color=QUIET, linewidth=0.6)
    axes.grid(True, linewidth=0.6)
    axes.set_xlim(*curves.domain)
    many = len(curves.outputs) > 1
    for k, (label, pieces) in enumerate(zip(curves.outputs, curves.lines[order], strict=True)):
        for i, (xs, ys) in enumerate(pieces):
            axes.plot(xs, ys, color=SERIES[k if many else order], linestyle=STROKES[k], label=label if i == 0 and many else None)
    for kink in curves.kinks:
        if curves.domain[0] < kink.at < curves.domain[1]:
            _mark(axes, kink, order)
    axes.set_ylabel(TITLES[order], rotation=0, labelpad=10, fontsize=11, style="italic", family="serif")
    axes.margins(y=0.1)
    if len({y for pieces in curves.lines[order] for _, ys in pieces for y in ys}) == 1:
        axes.set_ylim(-1, 1)                     # of a constant nothing else says how high to draw
    if many and order == 0:
        axes.legend(frameon=False, ncols=len(curves.outputs), loc="best", handlelength=2.4)
    if order < 2:
        axes.tick_params(labelbottom=False)
    else:
        axes.set_xlabel(curves.along)


def _mark(axes: Any, kink: Kink, order: int) -> None:
    """A dotted line at a kink; where the curve jumps, rings at both ends and a dot at what is taken."""
    axes.axvline(kink.at, color=INK, linewidth=0.9, linestyle=(0, (1, 2)))
    if order > 1:
        return
    taken, beside = ((kink.value, kink.values), (kink.slope, kink.slopes))[order]
    if kink.jumps[order]:
        axes.plot([kink.at] * 2, beside, linestyle="", marker="o", markersize=5, markerfacecolor=PAPER, markeredgecolor=SERIES[order], zorder=3)
    if any(kink.jumps) or order == 0:
        axes.plot([kink.at], [taken], linestyle="", marker="o", markersize=5, color=SERIES[order], zorder=4)


def _contours(axes: Any, grid: list[float], rows: list[list[float]]) -> None:
    lines = axes.contour(grid, grid, rows, levels=10, colors=[SERIES[0]], linewidths=1.1)
    axes.clabel(lines, fontsize=8, inline_spacing=2)
    axes.grid(True, linewidth=0.6)
    axes.set_xlabel("b, the gate's input")
    axes.set_ylabel("a", rotation=0, labelpad=10)
    axes.set_title("y over a and b: lines of equal value (negative: dashed)", fontsize=9)


def themed(svg: str, label: str, alone: bool) -> str:
    """matplotlib's SVG with the style sheet's colours, named for a screen reader, without what only fills it."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.S)
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), tag[0]), svg)
    svg = re.sub(r"font-family: '[^;\"]*?((sans-)?serif)([;\"])", r"font-family: \1\3", svg)
    for name, (standing, light, _) in COLOURS.items():
        svg = svg.replace(standing, f"var(--{name}, {light})" if alone else f"var(--{name})")
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = re.sub(r"(?<=>)\s+(?=<)", "", svg)
    svg = re.sub(r"\s+", " ", re.sub(r' transform="rotate\(-0 [^"]*"', "", svg))
    while (less := re.sub(r"<g>((?:<(?:path|use|text)\b[^>]*?(?:/>|>[^<]*</text>))*)</g>", r"\1", svg)) != svg:
        svg = less                               # groups that say nothing
    for i, name in enumerate(dict.fromkeys(re.findall(r"\b[mp][0-9a-f]{10}\b", svg))):
        svg = svg.replace(name, f"i{i}")         # matplotlib's depend on where things lie in memory
    styles = dict.fromkeys(re.findall(r' style="([^"]*)"', svg))
    classes = {text: f"m{i}" for i, text in enumerate(styles)}
    svg = re.sub(r' style="([^"]*)"', lambda m: f' class="{classes[m[1]]}"', svg)
    head, rest = svg.split(">", 1)
    head = re.sub(r' (width|height|version|xmlns:xlink)="[^"]*"', "", head)
    rules = "".join(f".{name}{{{text.replace('; ', ';').replace(': ', ':')}}}" for text, name in classes.items())
    style = f"<style>{style_of('svg') if alone else ''}{rules}</style>"
    return f'{head} role="img" aria-label="{label}">\n<title>{label}</title>{style}{rest}'.replace("xlink:href", "href").rstrip() + "\n"


def style_of(selector: str) -> str:
    """The colours as a style sheet: light, and dark for who prefers it."""
    light, dark = ("".join(f"--{name}:{each[i]};" for name, each in COLOURS.items()) for i in (1, 2))
    return f"{selector}{{{light}}}@media(prefers-color-scheme:dark){{{selector}{{{dark}}}}}"
