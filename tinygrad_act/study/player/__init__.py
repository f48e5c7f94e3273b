"""The player: the forward and the backward pass as one HTML page, to be played node by node."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ...errors import ArgumentError
from ...files import write_aside
from ...graph import PICK
from ...tensor import Tensor
from ..drawing.draw import MOST_NODES, argument_names, modules_of, named, run, shape_line, tensors_of, with_gradients
from ..facts import bytes_text
from ..drawing.fold import fold as fold_scene
from ..labels import Labels, pairs_of
from ..drawing.scene import scene_of
from ..tape import Tape
from .arrays import Store
from .graph import Roomy, svg_of
from .items import Describer
from .page import page_text
from .passes import Passes
from .steps import arrivals, steps_of


class Player:
    """A page that plays both passes: `html` is its text, `path` the file it was written to, if any, `data` what it shows.

    In a notebook it shows itself.
    """

    def __init__(self, html: str, data: dict[str, Any], path: Path | None) -> None:
        self.html, self.data, self.path = html, data, path

    def _repr_html_(self) -> str:
        """For notebooks: the page in a frame of its own, which can reach neither the notebook nor the network."""
        return (f'<iframe title="{escape(self.data["title"])}" srcdoc="{escape(self.html)}" sandbox="allow-scripts" '
                'style="width:100%;height:760px;border:1px solid #8888;border-radius:6px"></iframe>')

    def __repr__(self) -> str:
        where = f" at {self.path}" if self.path else ""
        return f"<Player of {len(self.data['steps']):,} steps, {bytes_text(len(self.html.encode()))}{where}>"


def player(loss: Any, *inputs: Any, path: str | os.PathLike[str] | None = None, tape: Tape | None = None, names: Any = None,
           gradient: Any = None, fold: str | Sequence[str] = (), depth: int | None = None, limit: int = MOST_NODES,
           direction: str = "down", title: str = "") -> Player:
    """Write an HTML page that plays the forward and the backward pass of `loss`, node by node.

    Args:
        loss: a tensor, or a function or module to call with `inputs`, which is run once and recorded in full.
        path: where to write the page; also accepted as the last of `inputs`. Without one the page is in `.html`.
        tape: the `Tape(model, values=True)` that was on when the loss was made: it knows values, modules and lines. Without
            one, only values that some rule keeps are known. If a backward pass ran under it (gradients=True), the page
            shows that pass; else a sweep for the page alone, which frees nothing, runs no hook and sets no `.grad`.
        names: a module, or {name: tensor}, to call leaves and results by.
        gradient: what the backward pass starts with, as for `backward`; 1 without it.
        fold, depth, limit, direction: as for `study.draw`: a graph of more than `limit` nodes is folded, and the page says so.

    The page is one file without anything from the network, at most about 4 MB: of an array of more than 64 numbers it has
    exact figures and a heat map. It plays by buttons, slider or keys, in light and dark, on a phone and to a screen reader.

    Raises:
        GraphError: there is no graph, or a backward pass has freed what it kept.
        MissingPackageError: no layout program is installed (the extra `draw` brings one).

    >>> x = ta.tensor([0.5, -1.0], requires_grad=True)
    >>> page = ta.study.player((x * x).tanh().sum(), names={"x": x})
    >>> [step["phase"] for step in page.data["steps"]]
    ['start', 'forward', 'forward', 'forward', 'turn', 'backward', 'backward', 'backward', 'end']
    """
    if inputs and path is None and isinstance(inputs[-1], (str, os.PathLike)):
        inputs, path = inputs[:-1], inputs[-1]
    if path is not None and Path(path).suffix.lower() not in (".html", ".htm"):
        raise ArgumentError("player", f"path={str(path)!r}", "the player is an HTML page", "end the name in .html")
    if direction not in ("down", "right"):
        raise ArgumentError("player", f"direction={direction!r}", "a graph is drawn down or right", "pass one of these")
    if limit < 8:
        raise ArgumentError("player", f"limit={limit}", "a picture needs room for a few nodes", "pass limit >= 8")
    t, tape, given = recorded(loss, inputs, tape, names)
    words, ids = named_all(loss, given, tape, names)
    result = next((name for name, x in words.items() if x is t), "loss" if t.numel() == 1 else "result")
    passes = Passes(t, tape, gradient)
    kinds = {name or type(m).__name__: type(m).__name__ for name, m in modules_of(tape)}
    scene = scene_of({result: t}, passes.nodes[::-1], passes.results, ids, tape, kinds)
    fold_scene(scene, [fold] if isinstance(fold, str) else list(fold), depth, False, limit, kinds)
    svg, at, links = svg_of(scene, Roomy(scene, set(), False), direction)
    describer = Describer(scene, passes, Labels(passes.nodes, words, tape), at, Store())
    records = describer.records()
    steps = steps_of(describer, records)
    arrivals(describer, records)
    ops = sum(node.op is not PICK for node in passes.nodes)
    what = getattr(loss, "__name__", type(loss).__name__) if given else result
    title = title or f"{result if what == '<lambda>' else what}: {shape_line({result: t})}, {ops:,} ops"
    data = {"title": title, "notes": [*passes.notes, *scene.notes], "items": records, "links": links, "steps": steps, "taped": tape is not None}
    html = page_text(title, svg, data, describer.store)
    if path is not None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, html.encode())
    return Player(html, data, path)


def named_all(loss: Any, given: Sequence[Any], tape: Tape | None, names: Any) -> tuple[dict[str, Tensor], dict[int, tuple[str, str]]]:
    """What tensors are called, by name, and by id with the kind of thing they are: arguments, the model's, the user's names."""
    model = next((m for m in (names, loss, tape.model if tape else None) if hasattr(m, "named_parameters")), None)
    more = None if names is model else names
    arguments = argument_names(loss, given) if given else {}
    words = {arguments[id(x)][0]: x for x in given if id(x) in arguments}
    return {**words, **pairs_of(model), **pairs_of(more)}, {**arguments, **named(model), **named(more)}


def recorded(loss: Any, inputs: Sequence[Any], tape: Tape | None, names: Any) -> tuple[Tensor, Tape | None, Sequence[Any]]:
    """The tensor to play; of a function also the tape of its one run, and what it was called with."""
    if isinstance(loss, Tensor):
        if inputs:
            raise ArgumentError("player", f"a result and {len(inputs)} inputs", "a result is played as it is",
                                "pass the function with its inputs, and the path last")
        return loss, tape, ()
    if not callable(loss):
        raise ArgumentError("player", type(loss).__name__, "neither a tensor nor a function", "pass the loss, or a function and its inputs")
    model = next((m for m in (loss, names) if hasattr(m, "named_modules")), None)
    given = inputs
    tape = Tape(model, values=True)
    outputs = run(loss, given, tape)
    if all(x.node is None for x in outputs.values()):          # no parameter wants a gradient: then the inputs do
        tape, given = Tape(model, values=True), with_gradients(inputs)
        outputs = run(loss, given, tape)
    if len(outputs) != 1:
        raise ArgumentError("player", f"a function of {len(outputs)} results", "one result is played", "return the loss alone")
    return next(iter(outputs.values())), tape, given
