"""What the page says of each thing in the drawing: what it computes, its rules, its arrays, its gradients and where they add up."""

from __future__ import annotations

import linecache
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ... import backend
from ...graph import FREED, PICK, Node
from ...tensor import Tensor
from .. import facts
from ..chain import plus
from ..drawing.dot import everything
from ..drawing.scene import Item, Scene, settings_text
from ..explaining.statements import forward_formula, saved_arrays, statement
from ..labels import Labels
from .arrays import Store
from .passes import MOST_PARTS, Passes

MOST = 12                                        # arrays, or ops, of a folded part that are shown one by one
Record = dict[str, Any]


class Describer:
    """Writes the page's records of the items of a scene; arrays go into `store`."""

    def __init__(self, scene: Scene, passes: Passes, labels: Labels, ids: Mapping[str, str], store: Store) -> None:
        self.scene, self.passes, self.labels, self.ids, self.store = scene, passes, labels, ids, store
        self.home: dict[Any, str] = {}           # node or leaf -> the id of the item that it is drawn in
        self.members: dict[str, list[Item]] = {}
        self.running: dict[Any, list[Any]] = {}
        for item in scene.items.values():
            inside = [*everything(item)][::-1] if item.inside else [item]
            members = self.members[ids[item.key]] = sorted(inside, key=made)
            for member in members:
                if member.kind != "result":
                    self.home.setdefault(member.node or member.leaf, ids[item.key])
        self.result = next((ids[item.key] for item in scene.items.values() if item.kind == "result"), "")
        self.consumers: dict[Any, list[Node]] = {}
        self.picks: dict[Node, dict[int, Node]] = {}             # of an op with several results, those that are used
        for node in passes.nodes:
            if node.op is PICK:
                self.picks.setdefault(node.edges[0], {})[node.params["index"]] = node
                continue
            for edge in node.edges:
                if edge is not None:
                    self.consumers.setdefault(edge, []).append(node)

    def home_of(self, x: Any) -> str:
        """The id of the item that a node, a pick or a leaf is drawn in."""
        return self.home.get(x.edges[0] if isinstance(x, Node) and x.op is PICK else x, "")

    def records(self) -> dict[str, Record]:
        """By id, for all items."""
        return {self.ids[item.key]: self.record(item) for item in self.scene.items.values()}

    def record(self, item: Item) -> Record:
        """Of one item."""
        found: Record = {"kind": item.kind, "name": self.name(item), "where": [self.scene.frames[frame] for frame in item.place]}
        if item.inside:
            return found | self.folded(item)
        return found | (self.op(item.node) if item.node is not None else self.leaf(item))

    def name(self, item: Item) -> str:
        nodes = [m.node for m in self.members[self.ids[item.key]] if m.node is not None]
        if item.kind == "folded" and len(nodes) > 1:
            return f"{self.labels(nodes[0])} … {self.labels(nodes[-1])}"
        if item.inside or (item.leaf is not None and item.kind != "parameter"):
            return item.name
        return self.labels(item.node or item.leaf)

    # ------------------------------------------------------------------------------------------------------ of an op
    def op(self, node: Node) -> Record:
        """What it computes from what, what it keeps, what came in, what its rules made of that."""
        variant, derivative = facts.alternative_of(node), facts.derivative_of(node)
        return {"op": node.op.name, "computes": forward_formula(node, self.labels).text, "settings": settings_text(node),
                "formula": facts.formula_of(node), "derivative": f"f′ = {derivative}" if derivative else "", "variant": variant,
                "line": line_record(self.labels.line(node)),
                "inputs": [self.input(node, i) for i in range(len(node.edges)) if self.source(node, i) is not None],
                "values": self.results(node), "saved": self.saved(node), "freed": node.saved is FREED,
                "arrived": self.arrived(node), "out": self.outgoing(node)}

    def source(self, node: Node, i: int) -> Any:
        """What input i came from: a node, a leaf, a constant that the tape noted, or None."""
        if node.edges[i] is not None:
            return node.edges[i]
        noted = self.passes.results[node].inputs if node in self.passes.results else ()
        return noted[i] if i < len(noted) else None

    def input(self, node: Node, i: int) -> Record:
        source = self.source(node, i)
        name = self.labels(source) if node.edges[i] is not None else self.constant_name(source)
        return {"name": name, "from": self.home_of(source), "value": self.add(self.passes.value(source))}

    def constant_name(self, t: Tensor) -> str:
        item = self.scene.items.get(f"n{id(t)}")
        return item.name if item is not None else "constant"

    def results(self, node: Node) -> list[Record]:
        """Its result, or several."""
        name, value = self.labels(node), self.passes.value(node)
        if isinstance(value, list):
            return [{"name": f"{name}[{i}]", "value": self.add(v)} for i, v in enumerate(value)]
        if value is None and (picks := self.picks.get(node)):
            return [{"name": f"{name}[{i}]", "value": self.add(self.passes.value(picks[i]))} for i in sorted(picks)]
        return [{"name": name, "value": self.add(value)}]

    def saved(self, node: Node) -> list[Record]:
        """What the rules read."""
        found: list[Record] = []
        for name, value in saved_arrays(node, self.labels).items():
            several = isinstance(value, tuple) and any(map(backend.is_array, value))
            for i, part in enumerate(value if several else (value,)):
                label = f"{name}[{i}]" if several else name
                if backend.is_array(part):
                    found.append({"name": label, "value": self.add(part), "bytes": facts.bytes_text(part.nbytes)})
                elif part is not None:
                    found.append({"name": label, "text": facts.cut(str(part))})
        return found

    def arrived(self, node: Node) -> list[Record]:
        """The gradient that came in, with the parts that it is the sum of; one for each result."""
        g = self.passes.gradient.get(node)
        if not isinstance(g, list):
            return [self.total("g", node, g)] if g is not None else []
        picks = self.picks.get(node, {})
        return [self.total(f"g[{i}]", picks.get(i), part) for i, part in enumerate(g) if part is not None]

    def total(self, name: str, edge: Any, g: Any) -> Record:
        """A gradient and what was added up to it."""
        arrivals = self.passes.arrivals.get(edge, ()) if edge is not None else ()
        drawn = arrivals if len(arrivals) <= MOST else [*arrivals[:MOST // 2], *arrivals[-MOST // 2:]]
        parts = [{"from": self.home_of(node), "name": self.labels(node), "part": self.add(self.passes.parts[node][i])} for node, i in drawn]
        return {"name": name, "gradient": self.add(g), "parts": parts, "count": len(arrivals),
                "seed": edge is self.passes.loss.node}

    def outgoing(self, node: Node) -> list[Record]:
        """For each input that wants a gradient: the rule, what it made, and what that was added to."""
        found = []
        g = self.passes.gradient.get(node)
        for i, edge in enumerate(node.edges):
            if edge is None:
                continue
            said = statement(node, i, g, self.labels) if g is not None else None
            part = self.passes.parts[node][i] if node in self.passes.parts else None
            row: Record = {"name": self.labels(edge), "to": self.home_of(edge), "part": self.add(part),
                           "rule": short_rule(node, i) if node.saved is FREED else said.rule.text if said else "", "source": said.source if said else "",
                           "local": said.local.text if said and said.local else ""}
            if part is not None:
                arrivals = self.passes.arrivals[edge]
                number = next(k for k, a in enumerate(arrivals, 1) if a[0] is node and a[1] == i)
                row |= {"number": number, "of": len(arrivals)}
                if number > 1 and len(arrivals) <= MOST_PARTS:
                    row["sum"] = self.add(self.sums(edge)[number - 1])
            found.append(row)
        return found

    def sums(self, edge: Any) -> list[Any]:
        """The running sums at an edge, computed once."""
        if edge not in self.running:
            self.running[edge] = self.passes.sums(edge)
        return self.running[edge]

    # ----------------------------------------------------------------------------------------- of leaves, and what is folded
    def leaf(self, item: Item) -> Record:
        """A parameter, input, constant or the result."""
        leaf = item.leaf
        assert leaf is not None
        if item.kind == "result":
            return {"values": [{"name": item.name, "value": self.add(leaf.array)}],
                    "arrived": [self.total("g", leaf.node, self.seed())]}
        total = self.sums(leaf)
        return {"values": [{"name": self.name(item), "value": self.add(leaf.array)}], "wants": leaf.requires_grad,
                "arrived": [self.total("gradient", leaf, total[-1])] if total else []}

    def seed(self) -> Any:
        """What the backward pass starts with: of the loss's gradient, what no op of the graph passed to it."""
        return self.passes.gradient.get(self.passes.loss.node)

    def folded(self, item: Item) -> Record:
        """What goes in and comes out, both ways, and the first of what is inside."""
        own = self.ids[item.key]
        members = self.members[own]
        nodes = [m.node for m in members if m.node is not None]
        sources = unique(self.source(n, i) for n in nodes for i in range(len(n.edges)))
        inputs = [e for e in sources if e is not None and self.home_of(e) not in ("", own)]
        results = list(self.leaving(own, nodes))
        targets = unique(e for n in nodes for e, part in zip(n.edges, self.passes.parts.get(n, ()), strict=False)
                         if e is not None and part is not None and self.home_of(e) != own)
        leaves = [m.leaf for m in members if m.leaf is not None and m.leaf.requires_grad]
        return {"ops": len(nodes), "counts": Counter(n.op.name for n in nodes).most_common(8), "leaves": len(leaves),
                "inside": [{"name": self.labels(n), "computes": facts.cut(forward_formula(n, self.labels).text),
                            "value": self.first(self.passes.value(n)), "gradient": self.first(self.passes.gradient.get(n))} for n in nodes[:MOST]],
                "held": [{"name": self.labels(x), "value": self.add(x.array), "gradient": self.add(self.final(x))} for x in leaves[:MOST]],
                "inputs": [{"name": self.named(e), "from": self.home_of(e), "value": self.first(self.passes.value(e))} for e in inputs[:MOST]],
                "values": [{"name": self.labels(x), "value": self.first(self.passes.value(x))} for x in results[:MOST]],
                "arrived": [self.total(f"g of {self.labels(x)}", x, g) for x in results[:MOST] if (g := self.came_to(x)) is not None],
                "out": [{"name": self.labels(e), "to": self.home_of(e), "part": self.first(self.given(own, e)), "rule": ""} for e in targets[:MOST]]}

    def leaving(self, own: str, nodes: list[Node]) -> Iterable[Any]:
        """The results that something outside reads; of an op with several, its picks."""
        for node in nodes:
            for x in self.picks[node].values() if node in self.picks else (node,):
                if x is self.passes.loss.node or any(self.home_of(c) != own for c in self.consumers.get(x, ())):
                    yield x

    def came_to(self, x: Node) -> Any:
        """The gradient at a node or a pick."""
        if x.op is not PICK:
            return self.passes.gradient.get(x)
        whole = self.passes.gradient.get(x.edges[0])
        return whole[x.params["index"]] if isinstance(whole, list) else None

    def given(self, own: str, edge: Any) -> Any:
        """The sum of what the folded item passed on to `edge`."""
        total = None
        for node, i in self.passes.arrivals[edge]:
            if self.home_of(node) == own:
                total = plus(total, self.passes.parts[node][i])
        return total

    def final(self, leaf: Tensor) -> Any:
        sums = self.sums(leaf)
        return sums[-1] if sums else None

    def named(self, x: Any) -> str:
        return self.constant_name(x) if isinstance(x, Tensor) and not x.requires_grad else self.labels(x)

    def first(self, x: Any) -> int | None:
        """The number of an array, or of the first of several."""
        return self.add(next((part for part in x if part is not None), None) if isinstance(x, (list, tuple)) else x)

    def add(self, x: Any) -> int | None:
        return self.store.add(x)


def made(item: Item) -> int:
    """When it was: leaves come first, in their order."""
    return item.node.time if item.node is not None else -1


def unique(things: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(things))


def short_rule(node: Node, i: int) -> str:
    """The rule of a node whose kept arrays are freed, in the op's own names for its inputs."""
    names: Any = getattr(node.op, "inputs", ("",))
    lines = (line.partition(" ← ") for line in facts.rules_text(node))
    return next((text for to, _, text in lines if names[min(i, len(names) - 1)] in to.split(", ")), "")


def line_record(line: str) -> dict[str, str] | None:
    """`train.py:12 in step` and what stands there."""
    if not line or line == "unknown line":
        return None
    place = line.partition(" in ")[0]
    file, _, number = place.rpartition(":")
    return {"place": facts.line_text(line), "code": linecache.getline(file, int(number)).strip() if number.isdigit() else ""}
