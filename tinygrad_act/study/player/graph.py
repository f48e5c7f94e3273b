"""The drawing of `study.draw` as SVG for a page: colours by name, things with ids, and room for numbers in every node."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import fields
from typing import Any

from ..drawing.dot import Wording, dot_text
from ..drawing.layout import lay_out
from ..drawing.scene import Item, Scene
from ..drawing.theme import THEMES, Theme

ROOM = "000000000000000000"                      # as wide as what the page puts there; twice, for the height
SVG = "http://www.w3.org/2000/svg"


class Roomy(Wording):
    """Labels with two lines left free at the end."""

    def lines(self, item: Item) -> list[tuple[str, str]]:
        return [*super().lines(item), ("formula", ROOM), ("formula", ROOM)]

    def alt(self, item: Item) -> str:
        return super().alt(item).replace(f", {ROOM}", "")


def colours() -> dict[str, str]:
    """{name of a colour of a theme: one that stands for it in the SVG}."""
    names = [f.name for f in fields(Theme) if f.name != "fills"] + list(THEMES["light"].fills)
    return {name: f"#0102{i + 16:02x}" for i, name in enumerate(names)}


def variables(theme: str) -> str:
    """The theme's colours as CSS."""
    look = THEMES[theme]
    named = {f.name: getattr(look, f.name) for f in fields(Theme) if f.name != "fills"} | look.fills
    return "".join(f"--{name}:{colour};" for name, colour in named.items())


def svg_of(scene: Scene, wording: Wording, direction: str) -> tuple[str, dict[str, str], dict[str, tuple[str, str]]]:
    """The SVG text, {key of an item: its id} and {id of a link: the ids of its ends}."""
    marks = colours()
    kinds = THEMES["light"].fills
    stand_in = Theme(**{name: colour for name, colour in marks.items() if name not in kinds}, fills={kind: marks[kind] for kind in kinds})
    notes, scene.notes = scene.notes, []                 # the page says them
    try:
        text, sentences = dot_text(scene, wording, stand_in, " ", direction)
    finally:
        scene.notes = notes
    root = ET.fromstring(lay_out(text, "svg"))
    ids = dict(zip(scene.items, sentences, strict=True))
    links = {f"e{i}": (ids[link.source], ids[link.target]) for i, link in enumerate(scene.links())}
    unplaced: dict[str, list[str]] = {}
    for name, ends in links.items():
        unplaced.setdefault("->".join(ends), []).append(name)
    for group in root.iter(f"{{{SVG}}}g"):
        kind = group.get("class")
        title = group.findtext(f"{{{SVG}}}title", "")
        if kind == "node":
            settle_node(group, title, sentences[title])
        elif kind == "edge":
            group.set("id", unplaced[title].pop(0))
        elif kind in ("graph", "cluster"):
            group.attrib.pop("id", None)
        if kind == "graph":
            for part in group.findall(f"{{{SVG}}}text") + group.findall(f"{{{SVG}}}polygon"):
                group.remove(part)                       # the title, and the paper
        if (found := group.find(f"{{{SVG}}}title")) is not None:
            group.remove(found)
    names = {colour: f"var(--{name})" for name, colour in marks.items()}
    for part in root.iter():
        for attribute in ("fill", "stroke"):
            if part.get(attribute) in names:
                part.set(attribute, names[part.attrib[attribute]])
        part.attrib.pop("font-family", None)
    root.attrib.pop("width", None), root.attrib.pop("height", None)
    root.set("id", "graph")
    root.set("role", "group")
    ET.register_namespace("", SVG)
    return re.sub(r">\n+<", "><", ET.tostring(root, encoding="unicode")), ids, links


def settle_node(group: Any, name: str, sentence: str) -> None:
    """Give a node its id and its sentence, take it out of graphviz's link, and put a place for numbers into its room."""
    for child in list(group):
        for link in child.iter(f"{{{SVG}}}a"):
            group.extend(list(link))
            group.remove(child)
    texts = group.findall(f"{{{SVG}}}text")
    room = [t for t in texts if t.text == ROOM][-2:]
    places = [(float(t.get("x", 0)), float(t.get("y", 0))) for t in room]
    for part in room:
        group.remove(part)
    for part in group:
        if part.tag.endswith("text"):
            part.tail = " "                              # between words
        elif not part.tag.endswith("title"):
            part.set("class", "shape")
    if places:
        ET.SubElement(group, f"{{{SVG}}}g", {"class": "room", "transform": f"translate({places[0][0]:.1f} {places[0][1]:.1f})"})
    group.set("id", name)
    group.set("role", "button")
    group.set("tabindex", "-1")
    group.set("aria-label", sentence)
