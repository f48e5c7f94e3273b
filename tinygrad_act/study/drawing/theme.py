"""How the kinds of things in a picture look: told apart by shape, so that it also reads in grey, and by colour."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...errors import ArgumentError

# Kind -> Graphviz's attributes that are the same in every theme.
SHAPES = {
    "activation": {"shape": "box", "style": "filled,rounded,bold", "penwidth": "2.2"},
    "op": {"shape": "box", "style": "filled,rounded", "penwidth": "1"},
    "parameter": {"shape": "cylinder", "style": "filled"},
    "input": {"shape": "ellipse", "style": "filled", "margin": "0.05,0.03"},
    "constant": {"shape": "note", "style": "filled"},
    "result": {"shape": "doubleoctagon", "style": "filled", "margin": "0.05,0.03"},
    "module": {"shape": "box3d", "style": "filled", "margin": "0.18,0.09"},
    "folded": {"shape": "folder", "style": "filled,dashed", "margin": "0.18,0.09"},
}


@dataclass(frozen=True)
class Theme:
    """Colours: of the paper, of text, of quiet text, of lines and of each kind."""

    background: str
    text: str
    quiet: str
    line: str
    cluster: str
    fills: dict[str, str] = field(default_factory=dict)


THEMES = {
    "light": Theme("#ffffff", "#1b1f24", "#4d5661", "#6b7480", "#f6f7f9", {
        "activation": "#f6c85f", "op": "#e7eaef", "parameter": "#a8d5ba", "input": "#b8d4f0", "constant": "#fbfbfb",
        "result": "#eeb4ab", "module": "#d5cdea", "folded": "#ececec"}),
    "dark": Theme("#14181d", "#f0f3f6", "#b4bdc8", "#8c97a4", "#1c222a", {
        "activation": "#6e500d", "op": "#303841", "parameter": "#1f5c3b", "input": "#1d4a7a", "constant": "#1a1f25",
        "result": "#7d332a", "module": "#4a3f72", "folded": "#262c33"}),
}


def theme_of(name: str) -> Theme:
    """The theme of that name."""
    if name not in THEMES:
        raise ArgumentError("draw", f"theme={name!r}", "there is no such theme", f"choose one of {sorted(THEMES)}")
    return THEMES[name]
