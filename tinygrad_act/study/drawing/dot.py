"""A scene as DOT text: each item worded, each box a cluster, in the colours of a theme."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

from ...errors import MissingPackageError
from .. import facts
from ..facts import Gradients
from ..values import norm, number, shape_text
from .scene import Item, Link, Place, Scene, order_of, settings_text, slot_name
from .theme import SHAPES, Theme

FONT = "Helvetica"
ORDERS = {1: "first", 2: "second", 3: "third"}
COMMUTE = {"add", "mul", "maximum", "minimum", "eq", "ne"}
SMALL = ("op", "activation")


@dataclass
class Wording:
    """What to say of items, and the text of them: lines for the node, and a sentence for those who cannot see it."""

    scene: Scene
    show: set[str]
    backward: bool
    gradients: Gradients | None = None
    single: frozenset[Place] = frozenset()       # boxes around one op only, which are not drawn: the op says their name

    def lines(self, item: Item) -> list[tuple[str, str]]:
        """(kind of line, text): `name`, `formula` or `fact`."""
        if item.kind in ("module", "folded"):
            return self.folded(item)
        return self.of_op(item) if item.node is not None else self.of_leaf(item)

    def alt(self, item: Item) -> str:
        """The node as a sentence."""
        kind = {"op": "op", "activation": "activation", "module": "module, folded", "folded": "folded"}.get(item.kind, item.kind)
        around = " in ".join(label for frame in reversed(item.place) if (label := self.scene.frames.get(frame)))
        lines = [text for _, text in self.lines(item)]
        if item.kind not in ("module", "folded"):
            kind = f"{kind} {lines[0]}" if lines[0] != kind else kind
            lines = lines[1:]
        return ", ".join([kind, *lines]) + (f"; in {around}" if around else "")

    def of_op(self, item: Item) -> list[tuple[str, str]]:
        node = item.node
        assert node is not None
        result = self.scene.results.get(node)
        used = facts.alternative_of(node)
        out = [("name", f"{node.op.name}{' backward' if self.backward else ''}")]
        if self.single and item.place in self.single:
            out.append(("fact", inner_name(self.scene, item.place)))
        if self.backward:
            out += [("formula", line) for line in facts.rules_text(node)]
            if derivative := facts.derivative_of(node):
                out.append(("formula", f"f′ = {facts.cut(derivative)}"))
        elif text := facts.formula_of(node):
            out.append(("formula", facts.cut(text)))
        numbers = [f"{slot_name(node, i)} = {v:.6g}" for i, v in enumerate(result.numbers) if v is not None
                   ] if result and getattr(node.op, "elementwise", False) else []
        if said := ", ".join(filter(None, [*numbers, settings_text(node)])):
            out.append(("fact", facts.cut(said)))
        if result is not None and result.rule is not None:
            order = order_of(self.scene.results, node)
            what = "sum of parts" if result.sums else f"rule of {result.rule.op.name}"
            out.append(("fact", f"{ORDERS.get(order, f'{order}th')} derivative, {what}"))
        if used:
            out.append(("fact", f"its rule: {used}"))
        return out + [("fact", line) for line in self.shown(item)]

    def shown(self, item: Item) -> list[str]:
        """What `show` asks for of an op."""
        node, out = item.node, []
        result = self.scene.results.get(node) if node is not None else None
        if "values" in self.show and (value := facts.value_of(node, self.scene.results)) is not None:
            out.append(f"value {facts.short(value)}")
        out += self.gradient_lines(node)
        if node is not None and ("saved" in self.show or self.backward):
            out.append(facts.kept_text(node))
        if "time" in self.show and result is not None and result.seconds:
            out.append(f"forward {facts.time_text(result.seconds)}")
        done = self.gradients.sweeps.get(node) if self.gradients and node is not None else None
        if "time" in self.show and done is not None and done.seconds:
            out.append(f"backward {facts.time_text(done.seconds)}")
        if "line" in self.show and result is not None and result.line:
            out.append(facts.line_text(result.line))
        return out

    def gradient_lines(self, x: Any) -> list[str]:
        """The gradient of a node's result or of a leaf, as far as it is known and asked for."""
        g = self.gradients.of(x) if self.gradients else None
        if g is None:
            return []
        return [f"gradient {facts.short(g)}"] * ("gradients" in self.show) + [f"‖gradient‖ {number(norm(g), 3)}"] * ("norms" in self.show)

    def of_leaf(self, item: Item) -> list[tuple[str, str]]:
        leaf = item.leaf
        assert leaf is not None
        name = item.name
        for frame in reversed(item.place):                     # in the box of `layers.0`, `layers.0.weight` is `weight`
            if name.startswith(f"{frame[0]}."):
                name = name.removeprefix(f"{frame[0]}.")
                break
        if self.backward and item.kind == "result":
            g = self.gradients.of(leaf.node) if self.gradients else None
            out = [("name", f"gradient of {name}"), ("formula", "where it starts" + (f": {facts.short(g)}" if g is not None else ""))]
        elif self.backward:
            out = [("name", f"{name}.grad" if leaf.requires_grad else name)]
            if not leaf.requires_grad:
                out.append(("formula", "wants no gradient"))
        else:
            out = [("name", name)]
        out.append(("fact", f"{shape_text(leaf.shape)} {leaf.dtype}"))
        if item.kind == "constant" and "values" not in self.show and (text := facts.uniform(leaf)):
            out.append(("fact", text))
        if "values" in self.show and not (self.backward and item.kind != "result"):
            out.append(("fact", f"value {facts.short(leaf)}"))
        out += [("fact", line) for line in self.gradient_lines(leaf)]
        if leaf.requires_grad and item.kind != "result" and (self.backward or self.gradients) and leaf.grad is None:
            out.append(("fact", ".grad is None"))
        return out

    def folded(self, item: Item) -> list[tuple[str, str]]:
        """What is in it: how many ops, which activations, how many parameters."""
        inside = list(everything(item))
        ops = [i for i in inside if i.node is not None]
        parameters = [i.leaf for i in inside if i.kind == "parameter" and i.leaf is not None]
        out = [("name", item.name)]
        activations = Counter(i.node.op.name for i in ops if i.kind == "activation" and i.node)
        if activations:
            out.append(("formula", ", ".join(name + (f" ×{n}" if n > 1 else "") for name, n in activations.most_common(5))))
        counted = [f"{len(ops):,} op{'s' * (len(ops) != 1)}"] if ops and "ops in a row" not in item.name else []
        if parameters:
            size = sum(p.numel() for p in parameters)
            counted.append(f"{len(parameters):,} parameter{'s' * (len(parameters) != 1)} ({size:,} numbers)")
        if counted:
            out.append(("fact", ", ".join(counted)))
        if item.kind == "folded" and ops:
            most = Counter(i.node.op.name for i in ops if i.node).most_common(4)
            out.append(("fact", ", ".join(f"{name} ×{n:,}" for name, n in most)))
        if "saved" in self.show:
            arrays = {id(a): a for i in ops if i.node for _, a in facts.kept(i.node)}
            out.append(("fact", f"keeps {facts.bytes_text(sum(a.nbytes for a in arrays.values()))}"))
        if "time" in self.show:
            spent = sum((self.scene.results[i.node].seconds for i in ops if i.node and i.node in self.scene.results), 0.0)
            out.append(("fact", f"forward {facts.time_text(spent)}"))
        return out

    def of_link(self, link: Link) -> str:
        """Shape and element type, which input it is where that matters, how many where there are several."""
        text = f"{shape_text(link.shape)} {link.dtype}".strip()
        target = self.scene.items[link.target]
        if target.node is not None and link.slot and target.node.op.name not in COMMUTE and self.ambiguous(link):
            text = f"{link.slot}: {text}"
        if link.count > 1:
            text += f" ({link.count:,} times)"
        if self.backward and "norms" in self.show and self.gradients is not None and target.node is not None:
            g = self.gradients.part(target.node, link.index)
            text += f"\n‖part‖ {number(norm(g), 3)}" if g is not None else ""
        return text

    def ambiguous(self, link: Link) -> bool:
        """Do several results of ops go into the target?"""
        into = self.scene.into[link.target]
        return sum(self.scene.items[other.source].leaf is None for other in into) > 1


def everything(item: Item) -> Iterable[Item]:
    """The ops and leaves folded into an item, each once."""
    stack = list(item.inside)
    while stack:
        part = stack.pop()
        if part.inside:
            stack += part.inside
        else:
            yield part


def dot_text(scene: Scene, wording: Wording, theme: Theme, title: str, direction: str) -> tuple[str, dict[str, str]]:
    """The DOT text of a scene, and for each of its nodes the sentence that describes it."""
    try:
        import graphviz
    except ImportError:
        raise MissingPackageError("draw", "", "the package graphviz is not installed",
                                  "pip install 'tinygrad_act[draw]'".replace("_", "-")) from None
    head = [label_line("name", title, theme, "left")] + [label_line("fact", note, theme, "left") for note in scene.notes]
    dot = graphviz.Digraph("graph", graph_attr={
        "rankdir": "TB" if direction == "down" else "LR", "fontname": FONT, "fontsize": "13", "fontcolor": theme.text, "charset": "utf-8",
        "bgcolor": theme.background, "nodesep": "0.3", "ranksep": "0.42", "label": f"<{''.join(head)}>", "labelloc": "t", "labeljust": "l",
        "pad": "0.2"},
        node_attr={"fontname": FONT, "fontsize": "12", "fontcolor": theme.text, "color": theme.line, "height": "0.35", "margin": "0.13,0.06"},
        edge_attr={"fontname": FONT, "fontsize": "9.5", "fontcolor": theme.quiet, "color": theme.line, "arrowsize": "0.7"})
    short = {k: f"n{i}" for i, k in enumerate(scene.items)}
    boxes: dict[Place, Any] = {(): dot}
    crowd = Counter(item.place[:i] for item in scene.items.values() for i in range(1, len(item.place) + 1))
    groups: dict[Place, list[Item]] = {}
    for item in scene.items.values():
        place = item.place
        while place and crowd[place] < 2:
            place = place[:-1]
        for i in range(len(place) + 1):
            groups.setdefault(place[:i], [])
        groups[place].append(item)
    for k, place in enumerate(sorted(groups, key=len)):
        if place:
            boxes[place] = graphviz.Digraph(f"cluster_{k}", graph_attr={
                "label": f"<{label_line('fact', inner_name(scene, place), theme, 'left')}>", "labeljust": "l", "color": theme.line,
                "bgcolor": theme.cluster if len(place) % 2 else theme.background, "style": "rounded,dashed" if place[-1] in scene.repeated else "rounded",
                "penwidth": "2" if place[-1] in scene.repeated else "0.8"})
        for item in groups[place]:
            boxes[place].node(short[item.key], label=html(wording.lines(item), theme), fillcolor=theme.fills[item.kind],
                              tooltip=wording.alt(item), **SHAPES[item.kind])
    for place in sorted((p for p in boxes if p), key=len, reverse=True):
        boxes[place[:-1]].subgraph(boxes[place])
    for link in scene.links():
        ends = (short[link.target], short[link.source]) if wording.backward else (short[link.source], short[link.target])
        text = wording.of_link(link)
        dot.edge(*ends, label="\n".join(f" {line} " for line in text.split("\n")) if text else "")
    return str(dot.source), {short[k]: wording.alt(item) for k, item in scene.items.items()}


def inner_name(scene: Scene, place: Place) -> str:
    """What a box is called in the box around it: `norm1: LayerNorm` in `layers.0`."""
    label = scene.frames[place[-1]]
    for name, _ in reversed(place[:-1]):
        if label.startswith(f"{name}."):
            return label.replace(f"{name}.", "")
    return label


def html(lines: Iterable[tuple[str, str]], theme: Theme) -> str:
    return f"<{''.join(label_line(kind, text, theme) for kind, text in lines)}>"


def label_line(kind: str, text: str, theme: Theme, align: str = "center") -> str:
    """One line of a label: names bold, formulas plain, facts small and quiet."""
    text = escape(text, quote=False)
    styled = {"name": f"<b>{text}</b>", "formula": f'<font point-size="11">{text}</font>',
              "fact": f'<font point-size="9.5" color="{theme.quiet}">{text}</font>'}[kind]
    return f'{styled}<br align="{align}"/>'
