"""The computation graph as a picture: forward, backward, and the graph of a gradient to any order."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...dtypes import is_floating
from ...errors import ArgumentError, GraphError
from ...grad_mode import enable_grad
from ...graph import Node, reachable
from ...ops.random import fork_rng
from ...tensor import Tensor
from ..facts import Gradients, any_kept, chosen, sweep
from ..labels import pairs_of
from ..tape import Tape, check_tape
from ..values import norm
from .dot import SMALL, Wording, dot_text
from .fold import fold
from .picture import Picture
from .scene import Scene, scene_of
from .theme import theme_of

MOST_NODES = 150                                 # drawn; a graph of more is folded
NEARLY_ZERO = 1e-6                               # the norm of a gradient of which nothing can be seen


def draw(what: Any, *inputs: Any, path: str | os.PathLike[str] | None = None, backward: bool = False,
         show: str | Iterable[str] = (), names: Any = None, tape: Tape | None = None, fold: str | Sequence[str] = (),
         depth: int | None = None, repeats: bool | int = True, limit: int = MOST_NODES, theme: str = "light",
         direction: str = "down", title: str = "") -> Any:
    """Draw the graph behind a result, or of a model called with `inputs`.

    Args:
        what: a tensor (or several, in a tuple, list or dict), or a module or function to call with `inputs`.
        path: where to write the picture (.svg, .png, .pdf or .dot); also accepted as the last of `inputs`.
        backward: draw the way back: each node's rule, and the gradients that flow.
        show: what to say of each node: "values", "gradients", "norms" (of gradients), "saved" (what rules keep, in
            bytes), "time", "line" (of yours, that called the op), or "all".
        names: a module, or a mapping of names to tensors, to label the leaves with.
        tape: the `Tape` that was on when the graph was made; a Tape(model) knows the modules. Without one, shapes and
            gradients come from a sweep for the picture alone, which frees nothing, runs no hook and changes no `.grad`.
        fold: names or classes of modules (patterns: "layers.*", "*Attention") to draw as one node each.
        depth: fold modules nested deeper than this.
        repeats: draw blocks of the same structure in a row once, "×6": from three on, from that number on, or (False) never.
        limit: fold a graph of more nodes than this, until it has no more; the picture says what was folded.
        theme: "light" or "dark". direction: "down" or "right".

    Returns:
        The path if there is one, else a `Picture`, which shows by itself in a notebook.

    Raises:
        GraphError: what is drawn was made by no recorded op. ArgumentError: no such format, theme, module, thing to show.
        MissingPackageError: no layout program is installed; the DOT text is saved beside `path`.

    >>> model = ta.nn.Sequential(ta.nn.Linear(3, 4), ta.nn.Tanh())
    >>> picture = ta.study.draw(model, ta.ones(2, 3))
    >>> picture
    <Picture of 6 nodes: linear, tanh>
    >>> x = ta.ones(2, requires_grad=True)
    >>> ta.study.draw(x.tanh().sum(), "out/tiny.dot").name
    'tiny.dot'
    """
    wanted, look = chosen(show), theme_of(theme)
    pairs_of(names)                               # refuses what has no names
    if direction not in ("down", "right"):
        raise ArgumentError("draw", f"direction={direction!r}", "a graph is drawn down or right", "pass one of these")
    if not isinstance(fold, str) and not (isinstance(fold, (list, tuple, set)) and all(isinstance(f, str) for f in fold)):
        raise ArgumentError("draw", f"fold={fold!r}", "modules are folded by name or class", 'pass a pattern such as "layers.*", or a list of them')
    if not isinstance(repeats, int) or not isinstance(depth, int | None):
        raise ArgumentError("draw", f"repeats={repeats!r}, depth={depth!r}", "these are whole numbers", "pass repeats=True, False or from how many "
                            "on, and depth= how many modules deep")
    check_tape("draw", tape)
    if not isinstance(limit, int) or limit < 8:
        raise ArgumentError("draw", f"limit={limit!r}", "a picture needs room for a few nodes", "pass limit >= 8")
    if inputs and path is None and isinstance(inputs[-1], (str, os.PathLike)):
        inputs, path = inputs[:-1], inputs[-1]
    if isinstance(what, (Tensor, tuple, list, dict)):
        if inputs:
            raise ArgumentError("draw", f"a result and {len(inputs)} inputs", "a result is drawn as it is", "pass the model with its inputs")
        outputs = tensors_of(what, "result")
    elif callable(what):
        given: Sequence[Any] = inputs
        model = next((m for m in (what, names) if hasattr(m, "named_modules")), None)
        tape = Tape(model, values="values" in wanted)
        outputs = run(what, given, tape)
        if all(t.node is None for t in outputs.values()):      # no parameter wants a gradient: then the inputs do
            tape, given = Tape(model, values="values" in wanted), with_gradients(inputs)
            outputs = run(what, given, tape)
        names = {**argument_names(what, given), **named(what), **named(names)}
        title = title or getattr(what, "__name__", type(what).__name__)
    else:
        raise ArgumentError("draw", type(what).__name__, "neither a tensor nor a model", "pass a result, or a model and its inputs")
    picture = compose(outputs, names, tape, wanted, backward, title, look, direction,
                      lambda scene, kinds: fold_scene(scene, [fold] if isinstance(fold, str) else list(fold), depth, repeats, limit, kinds))
    return picture if path is None else picture.save(path)


def to_dot(result: Tensor, *, names: Any = None, tape: Tape | None = None) -> str:
    """The DOT text of the graph behind `result`: that of `draw`.

    >>> ta.study.to_dot(ta.ones(2, requires_grad=True).tanh()).startswith("digraph")
    True
    """
    return str(draw(result, names=names, tape=tape).dot)


fold_scene = fold


def with_gradients(inputs: Sequence[Any]) -> list[Any]:
    """Handles on the floating inputs that want a gradient, so that ops on them are recorded."""
    return [x.detach().requires_grad_() if isinstance(x, Tensor) and is_floating(x.dtype) else x for x in inputs]


def argument_names(model: Callable[..., Any], inputs: Sequence[Any]) -> dict[int, tuple[str, str]]:
    """What the model's forward, or the function, calls its inputs."""
    try:
        names = list(inspect.signature(getattr(model, "forward", model)).parameters)
    except (TypeError, ValueError):
        return {}
    return {id(x): (name, "input") for name, x in zip(names, inputs, strict=False) if isinstance(x, Tensor)}


def run(model: Callable[..., Any], inputs: Sequence[Any], tape: Tape) -> dict[str, Tensor]:
    """Call the model under the tape. Its buffers, and the random numbers, are afterwards what they were."""
    tape.given += tensors_of(list(inputs), "").values()
    buffers = [(b, b.array) for b in model.buffers()] if hasattr(model, "buffers") else []
    for b, _ in buffers:
        b.array = b.detach().clone().array             # what forward changes in place is the copy
    try:
        with enable_grad(), fork_rng(), tape:
            return tensors_of(model(*inputs), "result")
    finally:
        for b, array in buffers:
            b.array = array


def tensors_of(x: Any, name: str) -> dict[str, Tensor]:
    """The tensors in a nest of tuples, lists and dicts, by a name that says where."""
    if isinstance(x, Tensor):
        return {name: x}
    pairs = x.items() if isinstance(x, dict) else enumerate(x) if isinstance(x, (tuple, list)) else ()
    return {k: t for i, part in pairs for k, t in tensors_of(part, f"{name}[{i!r}]").items()}


def compose(outputs: dict[str, Tensor], names: Any, tape: Tape | None, show: set[str], backward: bool, title: str, theme: Any,
            direction: str, folded: Callable[[Scene, dict[str, str]], None]) -> Picture:
    """Find the nodes and what is known of them, fold, word, and write the DOT text."""
    drawn = {name: t for name, t in outputs.items() if t.node is not None}
    if not drawn:
        shapes = ", ".join(str(t.shape) for t in outputs.values()) or "no tensor"
        raise GraphError("draw", f"a tensor of shape {shapes}" if outputs else shapes, "it was made by no recorded op, so it has no graph",
                         "give it an input that requires a gradient, outside no_grad")
    nodes = reachable([t.node for t in drawn.values()])
    results, gradients, notes = known(drawn, nodes, tape, show, backward)
    kinds = {name or type(m).__name__: type(m).__name__ for name, m in modules_of(tape)}
    scene = scene_of(drawn, nodes, results, named(names), tape, kinds)
    if "values" in show and not any_kept(results):
        notes.append("values of results are not known: draw what was made under a Tape(values=True)")
    if backward:
        only_what_flows(scene)
        scene.notes.append("g is the gradient that comes in; a rule makes of it the gradient for each input")
    unit = [item.node.op.name for item in scene.items.values() if item.node is not None]
    folded(scene, kinds)
    scene.notes[:0] = notes
    title = title or f"{', '.join(drawn)}: {shape_line(drawn)}"
    title = f"{title}, {'the way back' if backward else 'forward'}: {len(unit):,} ops"
    places: dict[Any, int] = {}
    for item in scene.items.values():
        places[item.place] = places.get(item.place, 0) + 1
    alone = frozenset(item.place for item in scene.items.values() if item.kind in SMALL and item.place and places[item.place] == 1
                      and not any(other != item.place and other[:len(item.place)] == item.place for other in places))
    wording = Wording(scene, show, backward, gradients, alone)
    text, alts = dot_text(scene, wording, theme, title, direction)
    return Picture(text, title, alts, tuple(scene.notes), tuple(dict.fromkeys(unit)))


def only_what_flows(scene: Scene) -> None:
    """Take out the inputs and constants that no gradient goes to."""
    still = {k for k, item in scene.items.items() if item.leaf is not None and not item.leaf.requires_grad and item.kind != "result"}
    scene.items = {k: item for k, item in scene.items.items() if k not in still}
    scene.into = {k: [link for link in links if link.source not in still] for k, links in scene.into.items()}


def shape_line(outputs: Mapping[str, Tensor]) -> str:
    return ", ".join("×".join(map(str, t.shape)) or "scalar" for t in outputs.values())


def known(outputs: Mapping[str, Tensor], nodes: Sequence[Node], tape: Tape | None, show: set[str], backward: bool
          ) -> tuple[dict[Node, Any], Gradients | None, list[str]]:
    """Shapes and all that a tape noted; the gradients if they are wanted; and what must be said about them."""
    results = dict(tape.results) if tape else {}
    wanted = backward or bool(show & {"gradients", "norms"})
    taped = {n: tape.sweeps[n] for n in nodes if n in tape.sweeps} if tape else {}
    notes: list[str] = []
    problem = ""
    if not all(n in results for n in nodes) or (wanted and not taped):
        found, sweeps, problem = sweep(list(outputs.values()), nodes, wanted and not taped)
        results = {**found, **results}
        taped = taped or sweeps
    if problem:
        missing = sum(n not in results for n in nodes)
        what = [f"the shapes of {missing:,} results"] * bool(missing) + ["gradients"] * (wanted and not taped)
        notes.append(f"{' and '.join(what)} are not known: {problem}")
    if not wanted:
        return results, None, notes
    if not (tape and tape.sweeps) and taped:
        single = len(outputs) == 1 and all(t.numel() == 1 for t in outputs.values())
        whole = "the result" if single else "the sum of all numbers in the results"
        notes.append(f"gradients are those of {whole}, from a sweep for this picture; backward() has not run under a Tape(gradients=True)")
    leaves = [e for n in nodes for e in n.edges if isinstance(e, Tensor)]
    if leaves and all(leaf.grad is None for leaf in leaves):
        notes.append("no .grad is set: backward() has not run, or zero_grad() has")
    elif leaves and not any(leaf.grad is not None and leaf.grad.any().item() for leaf in leaves):
        notes.append("every .grad is zero: backward() has not run since zero_grad()")
    gradients = Gradients(taped)
    if gradients.leaves and all(norm(g) < NEARLY_ZERO for g in gradients.leaves.values()):
        notes.append("all gradients of leaves are zero, or nearly: what is drawn does not depend on them; draw a loss")
    return results, gradients, notes


def modules_of(tape: Tape | None) -> list[tuple[str, Any]]:
    """The modules that a tape knows, by dotted name."""
    model = tape.model if tape else None
    return model if isinstance(model, list) else list(model.named_modules()) if model is not None else []


def named(names: Any) -> dict[int, tuple[str, str]]:
    """{id of a tensor: (its name, the kind of thing it is)} of a module's parameters and buffers, or of a mapping."""
    if hasattr(names, "named_parameters"):
        return ({id(t): (name, "parameter") for name, t in names.named_parameters()}
                | {id(t): (name, "constant") for name, t in names.named_buffers()})
    if names is None or not isinstance(names, Mapping):
        return {}
    if names and isinstance(next(iter(names)), int):
        return dict(names)
    return {id(t): (name, "parameter" if t.requires_grad else "input") for name, t in names.items()}
