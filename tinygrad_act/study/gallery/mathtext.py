"""LaTeX formulas as SVG, by matplotlib's mathtext: outlines that need no font and no network, in the colour of the text."""

from __future__ import annotations

import html
import re
from typing import Any

from ..figures import matplotlib_for

SIZE = 32.0                                     # in which the outlines are measured; shown as 1 em
# What LaTeX has and mathtext has not, or writes with braces only.
WORDS = {"tfrac": r"\frac", "dfrac": r"\frac", "display": r"\dfrac", "le": r"\leq", "ge": r"\geq", "ne": r"\neq", "lVert": r"\Vert", "rVert": r"\Vert", "lvert": r"|",
         "rvert": r"|", "land": r"\wedge", "lor": r"\vee", "lnot": r"\neg", "textstyle": "", "mathbin": ""}
TOKENS = re.compile(r"\\[a-zA-Z]+|\\.|[{}]|\s+|.")
ARGUMENTS = {r"\frac": 2, r"\dfrac": 2, r"\sqrt": 1}


def plain(latex: str) -> str:
    """The formula as mathtext reads it: `\\tfrac12` with braces, names that it knows.

    >>> plain(r"\\tfrac12\\,[x \\le \\sqrt2]")
    '\\\\frac{1}{2}\\\\,[x \\\\leq \\\\sqrt{2}]'
    """
    tokens = TOKENS.findall(latex)
    out: list[str] = []
    while tokens:
        if tokens[0] == r"\frac":
            tokens[0] = r"\display"                # of full size; those within something are small, and so is \tfrac
        out.append(_next(tokens))
    return "".join(out)


def _next(tokens: list[str]) -> str:
    """The first of the tokens with its arguments, each in braces."""
    token = tokens.pop(0)
    if token == "{":
        return "{" + _group(tokens) + "}"
    if token[0] == "\\" and token[1:] in WORDS:
        token = WORDS[token[1:]]
        if token[-1:].isalpha() and tokens and tokens[0][0].isalnum():
            token += " "
    for _ in range(ARGUMENTS.get(token.strip(), 0)):
        while tokens and tokens[0].isspace():
            tokens.pop(0)
        argument = _next(tokens) if tokens else ""
        token = token.strip() + (argument if argument.startswith("{") else f"{{{argument}}}")
    return token


def _group(tokens: list[str]) -> str:
    out = ""
    while tokens and tokens[0] != "}":
        out += _next(tokens)
    if tokens:
        tokens.pop(0)
    return out


def svg(latex: str, label: str) -> str:
    """The formula as an SVG that stands on the line of the text around it; `label` is what a screen reader says.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    path = _outline(latex)
    box = path.get_extents()
    pad = 0.06 * SIZE
    left, bottom, width, height = box.x0 - pad, box.y0 - pad, box.width + 2 * pad, box.height + 2 * pad
    sizes = f'width="{width / SIZE:.3f}em" height="{height / SIZE:.3f}em" style="vertical-align:{bottom / SIZE:.3f}em"'
    return (f'<svg class="math" role="img" aria-label="{html.escape(label)}" viewBox="{left:.2f} {-bottom - height:.2f} {width:.2f} {height:.2f}" '
            f'{sizes}><path fill="currentColor" d="{_data(path)}"/></svg>')


def _outline(latex: str) -> Any:
    with matplotlib_for("gallery").rc_context({"mathtext.fontset": "cm"}):
        from matplotlib.textpath import TextPath

        return TextPath((0, 0), f"${plain(latex)}$", size=SIZE)


def _data(path: Any) -> str:
    """The outline as SVG writes one; y goes down there."""
    letters = {path.MOVETO: "M", path.LINETO: "L", path.CURVE3: "Q", path.CURVE4: "C", path.CLOSEPOLY: "Z"}
    out = []
    for points, code in path.iter_segments(simplify=False, curves=True):
        if code == path.CLOSEPOLY:
            out.append("Z")
            continue
        numbers = [f"{-v:.1f}" if i % 2 else f"{v:.1f}" for i, v in enumerate(points)]
        out.append(letters[code] + " ".join(n.rstrip("0").rstrip(".") if "." in n else n for n in numbers))
    return "".join(out)
