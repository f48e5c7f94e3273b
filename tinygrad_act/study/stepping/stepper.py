"""Stepper: the backward pass as something to drive, a node at a time, forwards and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...backend import namespaces
from ...errors import ArgumentError
from ...grad_mode import mode, no_grad
from ...graph import Node, accumulate, make_seeds, reachable, walk, watchers
from ...tensor import Tensor, wrap
from ..explaining.statements import forward_formula, saved_arrays, statement
from ..labels import Labels
from ..present import Page, Shown, Table
from ..tape import Tape
from ..values import norm, number, parts, show
from .breakpoints import condition


class Stop(Shown):
    """The backward pass at one node: what came in, what its rules made of it, and what that was added to.

    number, total        this is stop `number` of `total`, from 1
    node, name           the node, and what it is called: `tanh`, `linear_2`
    module, line         where it was made; "" without a tape
    gradient             what came in (a list, for an op with several results)
    gradients            what it passes on: one for each input, None where there is none
    """

    def __init__(self, stepper: Stepper, number: int, node: Node, g: Any, gradients: Sequence[Any]) -> None:
        self._stepper, self.number, self.total = stepper, number, stepper.total
        self.node, self.gradient, self.gradients = node, g, tuple(gradients)
        self.name = stepper.labels(node)
        self.module, self.line = stepper.labels.module(node), stepper.labels.line(node)
        self.earlier = [len(stepper.sums.setdefault(edge, [])) if edge is not None else 0 for edge in node.edges]
        for i, (edge, part) in enumerate(zip(node.edges, self.gradients, strict=False)):
            if edge is not None and part is not None:
                self.earlier[i] = len(stepper.sums[edge])
                stepper.sums[edge].append(part)

    @property
    def norm(self) -> float:
        """Of the incoming gradient."""
        return norm(self.gradient)

    @property
    def formula(self) -> str:
        """What the node computes."""
        return forward_formula(self.node, self._stepper.labels).text

    @property
    def rules(self) -> dict[str, str]:
        """By input, what its rule makes of the incoming gradient g: printed from the rule itself."""
        return {s.input: s.rule.text for s in self._statements()}

    @property
    def saved(self) -> dict[str, Any]:
        """What the node kept for its rules, by name: arrays, numbers and shapes; its own result goes by `name`."""
        return saved_arrays(self.node, self._stepper.labels)

    @property
    def accumulated(self) -> list[tuple[str, int, Any]]:
        """For each gradient passed on: what it is added to, how many parts came there before it, and the sum with it."""
        found = []
        for i, edge in enumerate(self.node.edges):
            if edge is not None and i < len(self.gradients) and self.gradients[i] is not None:
                found.append((self._stepper.labels(edge), self.earlier[i], self._sum(edge, self.earlier[i] + 1)))
        return found

    def _sum(self, edge: Any, count: int) -> Any:
        first, *rest = self._stepper.sums[edge][:count]
        for part in rest:
            first = first + part
        return first

    def _statements(self) -> list[Any]:
        return [statement(self.node, i, self.gradient, self._stepper.labels)
                for i, edge in enumerate(self.node.edges) if edge is not None]

    def page(self) -> Page:
        """The stop as a heading, what came in, and a table of what goes out."""
        made = " ".join(filter(None, (f"in {self.module}" if self.module else "", f"at {self.line}" if self.line else "")))
        page = Page(f"{self.number}/{self.total}  {self.name}", [f"{self.name} = {self.formula}" + (f"\nmade {made}" if made else "")])
        came = show(self.gradient)
        page.parts.append(f"g, the gradient that came in: {came}" + ("" if "norm" in came else f"   (norm {number(self.norm)})"))
        if saved := self.saved:
            page.parts.append("saved: " + "; ".join(f"{k} = {show(v) if hasattr(v, 'dtype') and hasattr(v, 'shape') else v}"
                                                    for k, v in saved.items()))
        rows: list[Any] = []
        for i, s in zip([i for i, e in enumerate(self.node.edges) if e is not None], self._statements(), strict=True):
            before = self.earlier[i]
            summed = f"part {before + 1}, sum {show(self._sum(self.node.edges[i], before + 1))}" if before else "the first part"
            part = self.gradients[i] if i < len(self.gradients) else None
            rows.append((s.input, s.rule, show(part), "" if part is None else summed))
        page.parts.append(Table(("for", "rule", "gradient", "added up there"), rows))
        page.parts += [s.lines.table((), ()) for s in self._statements() if s.lines is not None]
        return page


class Stepper(Shown):
    """Drives the backward pass of `loss`, one node at a time.

    Args:
        loss: what `backward` would be called on; its graph is kept.
        tape: a `study.Tape` around forward: modules and lines to show, and modules to stop at.
        names: a module, or {name: tensor}, to call leaves and results by.
        gradient: as for `backward`, for a loss of more than one element.

    At the end the leaves have in `.grad` what `loss.backward()` gives them, to the bit; before the end, nothing of it,
    so a Stepper can be dropped anywhere. All stops are kept, and so are their gradients: `back` computes nothing.

    Hooks run as in `backward`: those of results at their node, those of leaves at the end. Going back does not undo what
    a hook did elsewhere.

    >>> x = ta.tensor([0.5, -1.0], requires_grad=True)
    >>> stepper = ta.study.Stepper((x * x).tanh().sum(), names={"x": x})
    >>> [stop.name for stop in stepper]
    ['sum', 'tanh', 'mul']
    >>> stepper.finished, stepper.back().rules
    (True, {'x': 'g * x'})
    """

    def __init__(self, loss: Tensor, tape: Tape | None = None, names: Mapping[str, Tensor] | Any = None, *,
                 gradient: Any = None) -> None:
        self.seeds = make_seeds((loss,), () if gradient is None else (gradient,), "Stepper", False)
        self.given = {id(g) for g in self.seeds.values()}
        if gradient is not None and isinstance(gradient, Tensor):
            self.given.add(id(gradient.array))
        self.loss = loss
        behind = reachable(list(self.seeds))
        self.known = dict.fromkeys(behind)               # in the order of the sweep
        self.leaves = list(dict.fromkeys(e for n in behind for e in n.edges if isinstance(e, Tensor))) or [loss]
        self.total = len(behind)
        self.labels = Labels(behind, names, tape)
        self.pending: dict[Any, Any] = {}
        self.sums: dict[Any, list[Any]] = {}             # edge -> the parts that came there, in order
        self.stops: list[Stop] = []
        self.position = 0                                # stops[position - 1] is the current one
        self.finished = False
        self.breakpoints: list[Any] = []
        self._sweep = walk(self.seeds, self.pending, retain_graph=True)
        self._complete = False
        self._retained: list[tuple[Node, Any]] = [(n, hook) for n in behind for hook in n.hooks or () if hasattr(hook, "tensor")]
        self._before: list[tuple[Tensor, Tensor | None, Any]] = []

    # -------------------------------------------------------------------------------------------------- driving
    @property
    def stop(self) -> Stop | None:
        """Where it stands; None before the first step."""
        return self.stops[self.position - 1] if self.position else None

    def step(self, count: int = 1) -> Stop | None:
        """Go on by one node (or `count`); None at the end, when the leaves have their gradients."""
        for _ in range(_count(count)):
            if self.position == len(self.stops) and not self._advance():
                self._finish()
                return None
            self.position += 1
        return self.stop

    def back(self, count: int = 1) -> Stop | None:
        """Return to the stop before (or `count` before); from the end, to the last one. None before the first.

        From the end this also gives the leaves the `.grad` they had.
        """
        for _ in range(_count(count)):
            if self.finished:
                self._undo()
            elif self.position:
                self.position -= 1
        return self.stop

    def run(self, until: Any = None) -> Stop | None:
        """Go on to the next stop where `until` or one of the breakpoints holds, else to the end (None).

        `until` is the name of an op, a module (with a tape) or a leaf; a Tensor: a result, or a leaf that is added to;
        the number of a stop; or a function of the stop, such as `study.norm_above(100)`.
        """
        tests = [condition(self, u) for u in ([] if until is None else [until]) + self.breakpoints]
        while (stop := self.step()) is not None:
            if any(test(stop) for test in tests):
                return stop
        return None

    def break_at(self, where: Any) -> None:
        """Stop there whenever `run` comes by; `where` is as for `run(until=)`. `breakpoints` is the list of them."""
        condition(self, where)                           # complain now
        self.breakpoints.append(where)

    def reset(self) -> None:
        """Back to before the first node, the leaves' `.grad` as they were."""
        self.back(self.position + 1)

    def __iter__(self) -> Iterator[Stop]:
        while (stop := self.step()) is not None:
            yield stop

    def __len__(self) -> int:
        return self.total

    def modules(self, node: Node) -> tuple[str, ...]:
        """The modules that were running when the node was made, outermost first."""
        result = self.labels.tape.results.get(node) if self.labels.tape else None
        return result.module if result else ()

    def interact(self, commands: Any = None, file: Any = None) -> None:
        """Drive it from a terminal: n(ext), b(ack), r(un), q(uit); h lists all commands."""
        from .interactive import interact

        interact(self, commands, file)

    # ------------------------------------------------------------------------------------------------ the engine
    def _advance(self) -> bool:
        """Run the sweep on by one node; False if there is none left."""
        if self._complete:
            return False
        kept = self._without_retained()
        before, mode.grad = mode.grad, False
        try:
            node, g, grads = next(self._sweep)
        except StopIteration:
            self._complete = True
            return False
        finally:
            mode.grad = before
            for hooks, hook in kept:
                hooks.append(hook)
        for watcher in watchers:
            watcher.backward(node, g, grads)
        self.stops.append(Stop(self, len(self.stops) + 1, node, g, grads))
        return True

    def _without_retained(self) -> list[tuple[list[Any], Any]]:
        """Take out the hooks by which retain_grad sets `.grad`: that is done at the end, with the leaves'."""
        taken = []
        for node, hook in self._retained:
            if node.hooks and hook in node.hooks:
                node.hooks.remove(hook)
                taken.append((node.hooks, hook))
        return taken

    def _finish(self) -> None:
        """Give the leaves their gradients, as `graph.backward` does."""
        if self.finished:
            return
        self.finished = True
        retained = [(hook, stop) for stop in self.stops for node, hook in self._retained if node is stop.node and hook.tensor() is not None]
        targets = [e for e in self.pending if isinstance(e, Tensor)]
        self._before = [(t, t._grad, None if t._grad is None else namespaces[type(t._grad.array)].copy(t._grad.array))
                        for t in (*targets, *[hook.tensor() for hook, _ in retained])]
        for hook, stop in retained:
            hook(wrap(namespaces[type(stop.gradient)].copy(stop.gradient)))
        given = self.given | {id(g) for stop in self.stops for g in (*parts(stop.gradient), *stop.gradients)}
        given |= {id(g) for g in self.pending.values()}          # the stops go on showing them
        with no_grad():
            for leaf in targets:
                accumulate(leaf, self.pending[leaf], given)

    def _undo(self) -> None:
        self.finished = False
        for t, handle, numbers in self._before:
            t._grad = handle
            if handle is not None:
                handle.array[...] = numbers
        self._before = []

    def page(self) -> Page:
        """Where it stands, with the stops around it."""
        state = "finished: the leaves have their gradients" if self.finished else f"at {self.position} of {self.total}"
        page = Page(f"Stepper: {state}")
        low = max(min(self.position - 3, len(self.stops) - 5), 0)
        rows = [("→" if s.number == self.position else "", str(s.number), s.name, s.module, show(s.gradient, 4))
                for s in self.stops[low:low + 5]]
        page.parts.append(Table(("", "stop", "node", "module", "gradient that came in"), rows, right=(1,)) if rows else
                          "step() goes to the first node, run(until=...) to one that you name.")
        return page


def _count(count: Any) -> int:
    """How many stops to go."""
    if not isinstance(count, int) or count < 0:
        raise ArgumentError("Stepper", f"count={count!r}", "it goes a whole number of stops", "step() goes on, back() returns")
    return count
