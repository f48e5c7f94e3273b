"""How much each path from a tensor to the loss contributed to its gradient.

The chain rule is a sum over paths of products of local derivatives. A backward pass adds up at every fork and so never
sees a single path; here the sum is taken apart again, from the tensor towards the loss. There can be exponentially many
paths: those that are not told apart stay together in one entry, which says how many they are, so the parts always add up.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ... import backend
from ...errors import ArgumentError, GraphError
from ...graph import PICK, Node
from ...tensor import Tensor, wrap
from ..chain import Chain, plus, pull
from ..labels import Labels
from ..present import Page, Shown, Table
from ..tape import Tape
from ..values import count_text, host, norm, show

Link = tuple[Node, int, Any]             # through input i of this node, and then the link below; None at the tensor


@dataclass(repr=False)
class Path(Shown):
    """One path, or several that were merged: `count` says how many.

    `names` are the nodes from the tensor to the loss (of merged paths those they share, and the loss), `value` what it
    adds to the gradient, `share` the part of the gradient that this is: the shares add up to 1.
    """

    names: list[str]
    count: int
    value: Tensor
    share: float
    merged: str = ""                     # what was merged, in words

    @property
    def norm(self) -> float:
        """Of the contribution."""
        return norm(self.value)

    def way(self) -> str:
        """The path as text."""
        names = self.names if len(self.names) <= 9 else [*self.names[:4], f"… {len(self.names) - 8} more …", *self.names[-4:]]
        return " → ".join(names)

    def page(self) -> Page:
        """The path, and what it contributes."""
        return Page(self.way(), [f"{show(self.value)}, {self.share:.1%} of the gradient" + (f"\n{self.merged}" if self.merged else "")])


@dataclass(repr=False)
class Paths(Shown):
    """The paths from a tensor to a loss, the largest contribution first; `count` is how many there are in all."""

    target: str
    loss: str
    gradient: Tensor
    items: list[Path]
    count: int

    def __iter__(self) -> Iterator[Path]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> Path:
        return self.items[i]

    def sum(self) -> Tensor:
        """The contributions added up: the gradient, to rounding."""
        total: Any = None
        for path in self.items:
            total = plus(total, path.value.array)
        return wrap(total if backend.is_array(total) else backend.asarray(total))

    def page(self) -> Page:
        """A table of the paths."""
        merged = sum(p.count > 1 or bool(p.merged) for p in self.items)
        head = f"{count_text(self.count)} path{'s' * (self.count != 1)} from {self.target} to {self.loss}"
        page = Page(f"{head}; the gradient is {show(self.gradient)}")
        rows: list[Any] = [(p.way() + (f"\n({p.merged})" if p.merged else ""), count_text(p.count), show(p.value), f"{p.share:.1%}")
                           for p in self.items]
        rows.append(("sum", count_text(self.count), show(self.sum()), f"{sum(p.share for p in self.items):.1%}"))
        page.parts.append(Table(("path", "paths", "contribution", "share"), rows, right=(1, 3)))
        if merged:
            page.parts.append(f"{merged} of the {len(self.items)} rows stand for several paths each, which were not told apart; "
                              "limit= allows more rows. Nothing is left out: the rows add up to the gradient.")
        return page


def paths(loss: Tensor, wrt: Tensor, *, limit: int = 32, names: Mapping[str, Tensor] | Any = None, tape: Tape | None = None,
          gradient: Any = None) -> Paths:
    """Take the gradient of `loss` with respect to `wrt` apart into the contributions of the paths between them.

    Args:
        limit: how many entries there may be. The largest ones are split first; paths beyond that stay merged.
        names, tape: as for `study.Stepper`.

    The graph is kept, and no `.grad` changes. Hooks are not run. Costs one backward pass, and for each entry one along
    its path; all gradients of the pass are in memory at once.

    Raises:
        GraphError: `loss` does not depend on `wrt` (`study.why` says why), or the graph was freed.

    >>> x = ta.tensor(3.0, requires_grad=True)
    >>> found = ta.study.paths(x * x + x.exp(), x, names={"x": x})
    >>> [(path.way(), round(path.value.item(), 3)) for path in found]
    [('x → exp → add', 20.086), ('x → mul (as a) → add', 3.0), ('x → mul (as b) → add', 3.0)]
    >>> found.sum(), found.count
    (tensor(26.0855), 3)
    """
    if limit < 1:
        raise ArgumentError("paths", f"limit={limit}", "there must be room for one entry")
    chain = chain_to(loss, wrt, gradient, "paths")
    return take_apart(chain, wrt, chain.labels(names, tape), limit)


def chain_to(loss: Tensor, wrt: Tensor, gradient: Any, op: str) -> Chain:
    """The sweep from `loss` to `wrt`, which it must depend on."""
    chain = Chain(loss, [wrt], gradient, op)
    if chain.of(wrt) is None:
        raise GraphError(op, f"a tensor of shape {wrt.shape}", "the loss does not depend on it", "study.why(tensor, loss) says why")
    return chain


def take_apart(chain: Chain, wrt: Tensor, labels: Labels, limit: int) -> Paths:
    """The paths of a sweep that led to `wrt`."""
    key, total, counts = wrt.node or wrt, chain.of(wrt), _counts(chain)
    if key is chain.root:
        items = [Path([labels(key)], 1, wrap(total), 1.0)]
        return Paths(labels(key), labels(key), wrap(total), items, 1)
    bundles, rest = _split(chain, counts, key, limit)
    entries = [(b.value, b.count, _names(b, chain, labels, key), b.merged(labels)) for b in bundles]
    if rest is not None:
        entries.append((rest[1], rest[2], [labels(key), "…", labels(chain.root)], f"{rest[0]:,} other uses of {labels(key)}"))
    whole = host(total)
    items = [Path(way, count, _tensor(value), _share(host(value), whole), merged) for value, count, way, merged in entries]
    items.sort(key=lambda p: -p.norm if math.isfinite(p.norm) else -math.inf)
    return Paths(labels(key), labels(chain.root), _tensor(total), items, counts.get(key, 0))


@dataclass
class Bundle:
    """All paths that leave the tensor by the links of `top`, and above that go any way: `count` of them."""

    top: Link
    value: Any
    count: int

    def climb(self, chain: Chain) -> None:
        """Follow the way up to where it forks: with no choice the value is the same."""
        while self.top[0] is not chain.root and len(chain.consumers[self.top[0]]) == 1:
            node, i = chain.consumers[self.top[0]][0]
            self.top = node, i, self.top

    def merged(self, labels: Labels) -> str:
        """What is merged, in words."""
        return f"{count_text(self.count)} ways on from {labels(self.top[0])}, merged" if self.count > 1 else ""


def _tensor(value: Any) -> Tensor:
    return wrap(value if backend.is_array(value) else backend.asarray(value))


def _counts(chain: Chain) -> dict[Any, int]:
    """For each node and leaf, how many paths lead from it to the loss."""
    counts: dict[Any, int] = {chain.root: 1}
    for node in chain.nodes:
        for edge, part in zip(node.edges, chain.parts[node], strict=False):
            if edge is not None and part is not None:
                counts[edge] = counts.get(edge, 0) + counts[node]
    return counts


def _split(chain: Chain, counts: dict[Any, int], key: Any, limit: int) -> tuple[list[Bundle], Any]:
    """The bundles, largest split first until there are `limit`; and what is beyond the limit, added up."""
    first = _bundles(chain, counts, [(node, i, None) for node, i in chain.consumers[key]])
    rest = None
    if len(first) > limit:
        first.sort(key=lambda b: -_weight(b.value))
        value: Any = None
        for b in first[limit - 1:]:
            value = plus(value, b.value)
        rest = len(first) - limit + 1, value, sum(b.count for b in first[limit - 1:])
        for b in first[:limit - 1]:
            b.climb(chain)
        return first[:limit - 1], rest
    number_of = itertools.count()
    heap = [(-_weight(b.value), next(number_of), b) for b in first]
    heapq.heapify(heap)
    done: list[Bundle] = []
    while heap:
        bundle = heapq.heappop(heap)[2]
        bundle.climb(chain)
        ways = chain.consumers.get(bundle.top[0], [])
        if bundle.count == 1 or len(done) + len(heap) + len(ways) > limit:
            done.append(bundle)
            continue
        for b in _bundles(chain, counts, [(node, i, bundle.top) for node, i in ways]):
            heapq.heappush(heap, (-_weight(b.value), next(number_of), b))
    return done, None


def _bundles(chain: Chain, counts: dict[Any, int], links: list[Link]) -> list[Bundle]:
    """A bundle for each link, with what came through it."""
    return [Bundle(link, _down(chain, link), counts[link[0]]) for link in links]


def _down(chain: Chain, link: Link) -> Any:
    """What the gradient that goes through the topmost link becomes at the tensor."""
    node, i, below = link
    g = _through(chain, node, i)
    while below is not None:
        node, i, below = below
        g = pull(node, g, i)
    return g


def _through(chain: Chain, node: Node, i: int) -> Any:
    """What the sweep passed on through input i of the node; of a pick, in its place."""
    return pull(node, chain.gradient[node], i) if node.op is PICK else chain.parts[node][i]


def _names(bundle: Bundle, chain: Chain, labels: Labels, key: Any) -> list[str]:
    upward: list[str] = []
    link: Any = bundle.top
    while link is not None:
        node, i, link = link
        twice = sum(e is node.edges[i] for e in node.edges) > 1 and i < len(getattr(node.op, "inputs", ()))
        upward.append(f"{labels(node)} (as {node.op.inputs[i]})" if twice else labels(node))     # x * x: by which hand
    names = [labels(key), *reversed(upward)]
    return names if bundle.top[0] is chain.root else [*names, "…", labels(chain.root)]


def _weight(value: Any) -> float:
    size = norm(value)
    return size if math.isfinite(size) else math.inf


def _share(value: Any, whole: Any) -> float:
    """The part of the gradient that this is, along the gradient."""
    square = float((whole * whole).sum())
    return float((value * whole).sum()) / square if square else 0.0
