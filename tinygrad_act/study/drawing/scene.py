"""What a picture of a graph consists of, before it is folded, worded and laid out: items, links between them, places."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...activations import catalogue
from ...graph import PICK, Node
from ...tensor import Tensor
from ..tape import Result, Tape

Frame = tuple[str, Any]                          # a box around items: ("layers.0", 2) is its third call
Place = tuple[Frame, ...]                        # the boxes around an item, outermost first


@dataclass
class Item:
    """A thing in the picture. `structure` is what it has in common with those that look the same."""

    key: str
    kind: str                                    # see theme.SHAPES
    structure: Any
    place: Place = ()
    node: Node | None = None                     # of an op
    leaf: Tensor | None = None                   # of a tensor that no op made
    name: str = ""                               # of a leaf or of what is folded
    inside: list[Item] = field(default_factory=list)       # the ops and leaves that were folded into it


@dataclass(frozen=True)
class Link:
    """A result that goes from one item into another."""

    source: str
    target: str
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    slot: str = ""                               # what the op calls this input
    index: int = 0                               # of the input
    made: Any = None                             # the node or leaf it is the result of
    count: int = 1


@dataclass
class Scene:
    """Items in the order of time, the links into each, and what the boxes are called."""

    items: dict[str, Item] = field(default_factory=dict)
    into: dict[str, list[Link]] = field(default_factory=dict)
    frames: dict[Frame, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    results: Mapping[Node, Result] = field(default_factory=dict)
    repeated: dict[Frame, str] = field(default_factory=dict)       # boxes drawn once for many, and what to say of it

    def links(self) -> Iterable[Link]:
        """All of them."""
        return (link for links in self.into.values() for link in links)


def key(x: Any) -> str:
    """The key of what made a tensor; a pick shows as the op whose result it is."""
    if isinstance(x, Node) and x.op is PICK:
        x = x.edges[0]
    return f"n{id(x)}"


def scene_of(outputs: Mapping[str, Tensor], nodes: Sequence[Node], results: Mapping[Node, Result],
             names: Mapping[int, tuple[str, str]], tape: Tape | None, kinds: Mapping[str, str]) -> Scene:
    """The scene of the graph behind `outputs`: `nodes`, last first, as `graph.reachable` gives them.

    `names` has the name and kind of leaves by id, `kinds` the classes of modules by name; the tape knows what the model
    was called with.
    """
    scene = Scene(results=results)
    for node in reversed(nodes):
        if node.op is not PICK:
            add_node(scene, node, names, tape, kinds)
    for name, t in outputs.items():
        item = Item(f"r{id(t)}{name}", "result", ("result", t.shape), name=name, leaf=t)
        scene.items[item.key] = item
        scene.into[item.key] = [Link(key(t.node), item.key, tuple(t.shape), str(t.dtype), made=t.node)]
    settle_leaves(scene)
    return scene


def add_node(scene: Scene, node: Node, names: Mapping[int, tuple[str, str]], tape: Tape | None,
             kinds: Mapping[str, str]) -> None:
    """An op, and the leaves that go into it."""
    result = scene.results.get(node)
    shape = (result.shape, result.dtype) if result else ()
    record = catalogue.get(node.op.name)
    is_activation = record is not None and record.forward is getattr(node.op, "forward", None)
    item = Item(key(node), "activation" if is_activation else "op", (node.op.name, settings_text(node), shape),
                place_of(scene.results, node), node)
    scene.items[item.key] = item
    into = scene.into[item.key] = []
    for frame in item.place:
        scene.frames.setdefault(frame, frame_label(frame, kinds))
    constants = result.inputs if result else ()
    for i, edge in enumerate(node.edges):
        if edge is None and i < len(constants):
            edge = constants[i]
        if edge is None:
            continue
        slot = slot_name(node, i)
        if isinstance(edge, Tensor):
            add_leaf(scene, edge, names, tape, slot, bool(result and result.rule is not None))
            into.append(Link(key(edge), item.key, tuple(edge.shape), str(edge.dtype), slot, i, edge))
        else:
            made = scene.results.get(edge)
            into.append(Link(key(edge), item.key, made.shape if made else None, made.dtype if made else "", slot, i, edge))


def add_leaf(scene: Scene, leaf: Tensor, names: Mapping[int, tuple[str, str]], tape: Tape | None, slot: str,
             in_rule: bool) -> None:
    """A tensor that no op made: a parameter, an input (what the model was called with, or came of it) or a constant."""
    if key(leaf) in scene.items:
        return
    name, kind = names.get(id(leaf), ("", ""))
    source = tape.source(leaf) if tape else None
    if source is leaf:
        kind = "input"
    elif not kind and source is not None and source.dtype == leaf.dtype:
        name, kind = f"from {names.get(id(source), ('input',))[0]}", "input"
    elif not kind and leaf.requires_grad:
        kind = "parameter" if name or _is_parameter(leaf) else "input"
    elif not kind:
        kind = "constant" if (tape and tape.given) or in_rule or not leaf.ndim else "input"
    if not name:
        name = slot if kind != "input" and len(slot) > 1 and "[" not in slot else kind
    scene.items[key(leaf)] = Item(key(leaf), kind, ("leaf", kind, tuple(leaf.shape), str(leaf.dtype)), leaf=leaf, name=name)


def _is_parameter(leaf: Tensor) -> bool:
    from ...nn.parameter import Parameter  # where there is one, nn has been imported already

    return isinstance(leaf, Parameter)


def slot_name(node: Node, i: int) -> str:
    """What the op calls its input of that number."""
    inputs = getattr(node.op, "inputs", ())
    if getattr(node.op, "variadic", False):
        return f"{inputs[-1] if inputs else ''}[{i}]"
    return inputs[i] if i < len(inputs) else ""


def settings_text(node: Node) -> str:
    """The settings of an op that are not its defaults, and the Python numbers among its inputs, in a few words."""
    defaults = getattr(node.op, "defaults", {})
    params = node.params if isinstance(node.params, dict) else {}
    public = public_settings(node.op.name)
    shown = [f"{k}={v:.6g}" if isinstance(v, float) else f"{k}={v}" for k, v in params.items() if (public is None or k in public)
             and isinstance(v, (int, float, str, tuple, list, bool)) and v != defaults.get(k, object())]
    return ", ".join(shown)


@functools.cache
def public_settings(name: str) -> frozenset[str] | None:
    """The arguments of the public function of that name; None if there is none: the op is called by its settings."""
    for module in ("tinygrad_act.nn.functional", "tinygrad_act"):
        function = getattr(sys.modules.get(module), name, None)           # what ran is imported
        if inspect.isfunction(function):
            return frozenset(inspect.signature(function).parameters)
    return None


def place_of(results: Mapping[Node, Result], node: Node) -> Place:
    """The boxes around a node: its modules."""
    result = results.get(node)
    return tuple(zip(result.module, result.calls or (0,) * len(result.module), strict=True)) if result else ()


def order_of(results: Mapping[Node, Result], node: Node) -> int:
    """0 for an op of the forward pass, 1 for one of a backward rule, 2 for one of a rule of such an op, ..."""
    order, result = 0, results.get(node)
    while result is not None and result.rule is not None:
        order += 1
        result = results.get(result.rule)
    return order


def frame_label(frame: Frame, kinds: Mapping[str, str]) -> str:
    """`layers.0: Linear`; from the second call of a module on, which it is."""
    name, call = frame
    kind = kinds.get(name, "")
    text = f"{name}: {kind}" if kind and kind != name else name
    return f"{text}, call {call + 1}" if call else text


def class_in(label: str) -> str:
    """The class that a box's label names."""
    return label.partition(": ")[2].partition(",")[0]


def common(places: Sequence[Place]) -> Place:
    """The boxes around all of them."""
    shared = places[0]
    for place in places[1:]:
        same = 0
        while same < min(len(shared), len(place)) and shared[same] == place[same]:
            same += 1
        shared = shared[:same]
    return shared


def settle_leaves(scene: Scene) -> None:
    """Put each parameter and constant into the innermost box around all that read it."""
    readers: dict[str, list[Place]] = {}
    for link in scene.links():
        readers.setdefault(link.source, []).append(scene.items[link.target].place)
    for item in scene.items.values():
        if item.leaf is not None and item.kind in ("parameter", "constant"):
            item.place = common(readers[item.key])
