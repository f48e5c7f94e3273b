"""What the study tools call the nodes and leaves of a graph: by the user's names, else by op and number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import ArgumentError
from ..graph import PICK, Node
from ..tensor import Tensor
from .tape import Tape, check_tape


def pairs_of(names: Any) -> dict[str, Tensor]:
    """{name: tensor} of a module's parameters and buffers, or the mapping itself."""
    if names is None:
        return {}
    if hasattr(names, "named_parameters"):
        return {**dict(names.named_buffers()), **dict(names.named_parameters())}
    if not isinstance(names, Mapping):
        raise ArgumentError("study", f"a {type(names).__name__} for names", "names are those of a module, or a mapping",
                            "pass the module, or {\"w\": w}")
    return dict(names)


class Labels:
    """A name for each node (`tanh`, `linear_2`: the second made), for each leaf, and where a node was made.

    `nodes` are those of the graph in any order; `names` a module or {name: tensor}, leaves and results; `tape` gives
    lines and modules.
    """

    def __init__(self, nodes: Iterable[Node], names: Mapping[str, Tensor] | Any = None, tape: Tape | None = None) -> None:
        check_tape("study", tape)
        self.tape, self.names = tape, pairs_of(names)
        self.text: dict[Any, str] = {}
        for name, tensor in self.names.items():
            self.text.setdefault(tensor.node or tensor, name)
        ordered = sorted(nodes, key=lambda node: node.time)
        total, seen = Counter(n.op.name for n in ordered if n.op is not PICK), Counter[str]()
        for node in ordered:
            if node.op is PICK:
                continue
            seen[node.op.name] += 1
            name = node.op.name if total[node.op.name] == 1 else f"{node.op.name}_{seen[node.op.name]}"
            self.text.setdefault(node, name)
        leaves = dict.fromkeys(e for node in ordered for e in node.edges if isinstance(e, Tensor) and e not in self.text)
        for i, leaf in enumerate(leaves, 1):
            self.text[leaf] = f"leaf_{i}" if len(leaves) > 1 else "leaf"

    def __call__(self, x: Any) -> str:
        """The name of a node, a leaf or a Tensor."""
        if isinstance(x, Tensor) and x.node is not None:
            x = x.node
        if x in self.text:
            return self.text[x]
        if isinstance(x, Node):
            return f"{self(x.edges[0])}[{x.params['index']}]" if x.op is PICK else x.op.name
        return "constant" if isinstance(x, Tensor) else "nothing"

    def module(self, node: Node) -> str:
        """The dotted name of the innermost module that was running; "" without a tape of the model."""
        result = self.tape.results.get(node) if self.tape else None
        return result.module[-1] if result and result.module else ""

    def line(self, node: Node) -> str:
        """The user's line that called the op; "" without a tape."""
        result = self.tape.results.get(node) if self.tape else None
        return result.line if result else ""

    def layer(self, node: Node) -> str:
        """The module that made the node; without a tape the parameter nearest before it names the layer."""
        if module := self.module(node):
            return module
        known = {id(t): name for name, t in self.names.items()}
        seen, queue = {node}, [node]
        for current in queue:
            for edge in current.edges:
                if isinstance(edge, Tensor):
                    if id(edge) in known:
                        owner = known[id(edge)].rpartition(".")[0]
                        return owner if current is node or not owner else f"after {owner}"
                elif edge is not None and edge not in seen and len(seen) < 200:
                    seen.add(edge)
                    queue.append(edge)
        return ""
