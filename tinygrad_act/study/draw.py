"""The computation graph as a picture: what led to a result, with shapes on the edges."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..activations import catalogue
from ..dtypes import get_default_dtype
from ..errors import GraphError, MissingPackageError
from ..grad_mode import no_grad
from ..graph import PICK, Node, reachable, walk
from ..tensor import Tensor, wrap
from .layout import render
from .tape import Result, Tape

# Told apart by shape as well as by colour, so that the picture also reads in grey.
STYLES = {
    "activation": {"shape": "box", "style": "filled,rounded,bold", "fillcolor": "#f6c85f", "penwidth": "2"},
    "op": {"shape": "box", "style": "filled,rounded", "fillcolor": "#eef1f5"},
    "parameter": {"shape": "cylinder", "style": "filled", "fillcolor": "#a8d5ba"},
    "input": {"shape": "ellipse", "style": "filled", "fillcolor": "#b8d4f0"},
    "result": {"shape": "doubleoctagon", "style": "filled", "fillcolor": "#e9b8b0"},
}
MOST_NODES = 2000


def draw(result: Tensor, path: str | os.PathLike[str], *, names: Mapping[str, Tensor] | Any = None,
         tape: Tape | None = None) -> Path:
    """Draw the graph behind `result` into `path` (.svg, .png, .pdf or .dot) and return the path.

    `names` is a module, or a mapping of names to tensors, to label the leaves with. Shapes come from `tape` if the
    graph was made inside `with Tape()`, otherwise from one sweep over the graph, which must not have been freed.

    >>> x = ta.ones(2, requires_grad=True)
    >>> ta.study.draw(x.tanh().sum(), "out/tiny.dot").name
    'tiny.dot'
    """
    return render(to_dot(result, names=names, tape=tape), path)


def to_dot(result: Tensor, *, names: Mapping[str, Tensor] | Any = None, tape: Tape | None = None) -> str:
    """The DOT text of the graph behind `result`."""
    try:
        import graphviz
    except ImportError:
        raise MissingPackageError("draw", "", "the package graphviz is not installed",
                                  "pip install 'tinygrad-act[draw]'") from None
    if result.node is None:
        raise GraphError("draw", f"a tensor of shape {result.shape}", "it was made by no recorded op, so it has no graph",
                         "give it an input that requires a gradient, outside no_grad")
    nodes = reachable([result.node])
    if len(nodes) > MOST_NODES:
        raise GraphError("draw", f"a graph of {len(nodes):,} nodes", f"more than {MOST_NODES:,} cannot be read in a picture",
                         "draw a smaller part: one step, or fewer layers")
    results = {**shapes_by_sweep(result, nodes, tape), **(tape.results if tape else {})}
    labels = {id(t): name for name, t in named(names).items()}
    dot = graphviz.Digraph(graph_attr={"rankdir": "LR", "fontname": "Helvetica", "nodesep": "0.25", "ranksep": "0.45"},
                           node_attr={"fontname": "Helvetica", "fontsize": "12"},
                           edge_attr={"fontname": "Helvetica", "fontsize": "10", "color": "#555555"})
    for node in reversed(nodes):
        if node.op is not PICK:
            dot.node(key(node), **node_look(node))
        for edge in node.edges if node.op is not PICK else ():
            if edge is not None:
                if isinstance(edge, Tensor):
                    dot.node(key(edge), **leaf_look(edge, labels.get(id(edge))))
                dot.edge(key(edge), key(node), label=size(edge, results))
        for constant in results[node].inputs if node in results else ():
            if constant is not None:
                dot.node(key(constant), **leaf_look(constant, None))
                dot.edge(key(constant), key(node), label=shape_text(constant.shape))
    dot.node("result", label=f"result\\n{shape_text(result.shape)}", **STYLES["result"])
    dot.edge(key(result.node), "result", label=shape_text(result.shape))
    return str(dot.source)


def node_look(node: Node) -> dict[str, str]:
    name = node.op.name
    settings = ", ".join(f"{k}={v}" for k, v in (node.params or {}).items() if isinstance(v, (int, float, str, tuple, bool)))
    label = f"{name}\\n{settings[:40]}" if settings else name
    record = catalogue.get(name)
    if record is not None and record.forward is getattr(node.op, "forward", None):
        return {"label": label, "tooltip": record.formula, **STYLES["activation"]}
    return {"label": label, **STYLES["op"]}


def leaf_look(leaf: Tensor, name: str | None) -> dict[str, str]:
    kind = "input" if name is None else "parameter"
    dtype = "" if leaf.dtype == get_default_dtype() else f" {leaf.dtype}"
    return {"label": f"{name or 'input'}\\n{shape_text(leaf.shape)}{dtype}", **STYLES[kind]}


def size(edge: Any, results: Mapping[Node, Result]) -> str:
    if isinstance(edge, Tensor):
        return shape_text(edge.shape)
    return shape_text(results[edge].shape) if edge in results else ""


def shape_text(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "scalar"


def key(x: Any) -> str:
    """A node of the picture; a pick shows as the op whose result it is."""
    if isinstance(x, Node) and x.op is PICK:
        x = x.edges[0]
    return f"n{id(x)}"


def named(names: Any) -> dict[str, Tensor]:
    """{name: tensor} of a module's parameters, or the mapping itself."""
    if names is None:
        return {}
    return dict(names.named_parameters()) if hasattr(names, "named_parameters") else dict(names)


@no_grad()
def shapes_by_sweep(result: Tensor, nodes: Sequence[Node], tape: Tape | None) -> dict[Node, Result]:
    """A node's gradient has the shape of its result: one sweep that keeps the graph tells all of them."""
    if tape is not None and all(n in tape.results for n in nodes):
        return {}
    seed = wrap(result.array) * 0 + 1
    found: dict[Node, Result] = {}
    for node, g, _ in walk({result.node: seed.array}, {}, retain_graph=True):
        if not isinstance(g, list):
            found[node] = Result(g.shape, str(g.dtype))
    return found
