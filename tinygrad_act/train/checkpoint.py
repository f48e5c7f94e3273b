"""Checkpoints: the whole state of a training run in one file, from which it goes on bit for bit."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, FileError, TinygradActError, TrainingError
from ..interop.safetensors import load, save
from ..ops.random import generator_states, set_generator_states
from .callback import Best, Callback
from .history import History

if TYPE_CHECKING:
    from .loop import Run

LAST, BEST = "last.safetensors", "best.safetensors"


class Checkpoint(Callback):
    """Write `folder/last.safetensors`, all that `fit(resume=folder)` needs, and `folder/best.safetensors`, the weights
    of the best epoch (a state_dict: `model.load_state_dict(ta.load(path))`).

    Both are written aside and moved in: at any moment, also when the process is killed or the disk is full, what stands
    there is whole.

    Args:
        every_steps: write `last` also after every so many steps; else after each epoch.
        monitor: the figure that says which epoch is best ("val_loss", or "loss" without validation data).
        mode: "min", "max", or "auto", which knows that losses and errors are to be small.
        best: False writes no `best`.
    """

    last = True                           # what it writes must have the others' state after this step, not before

    def __init__(self, folder: str | os.PathLike[str], *, every_steps: int | None = None, monitor: str | None = None,
                 mode: str = "auto", best: bool = True) -> None:
        if every_steps is not None and every_steps < 1:
            raise ArgumentError("Checkpoint", f"every_steps={every_steps}", "it is a number of steps, from 1 up")
        self.folder, self.every_steps, self.best = Path(folder), every_steps, Best(monitor, mode) if best else None

    def on_start(self, run: Run) -> None:
        """Make the folder; clear away what a killed process was writing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in (LAST, BEST):
            for part in self.folder.glob(f".{name}.*.part"):
                part.unlink(missing_ok=True)

    def on_step(self, run: Run) -> None:
        """Write `last`, if it is time."""
        if self.every_steps and run.step % self.every_steps == 0:
            save(state_of(run), self.folder / LAST)

    def on_epoch(self, run: Run) -> None:
        """Write `best` if this epoch was, and `last`."""
        if self.best is not None and self.best.improved(run.history[-1]):
            save(run.model.state_dict(), self.folder / BEST)
        save(state_of(run), self.folder / LAST)

    def state_dict(self) -> dict[str, Any]:
        """The best figure so far."""
        return {} if self.best is None else {"best": self.best.value}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        if self.best is not None:
            self.best.value = state.get("best")


def state_of(run: Run) -> dict[str, Any]:
    """Everything that decides how `run` goes on: numbers, texts and tensors."""
    version, words, gauss = random.getstate()
    return {
        "kinds": _kinds(run), "model": dict(run.model.state_dict()), "optimizer": run.optimizer.state_dict(),
        "scheduler": None if run.scheduler is None else run.scheduler.state_dict(),
        "scaler": run.scaler.state_dict(),
        "modes": {name: m.training for name, m in run.model.named_modules()},
        "learns": {name: p.requires_grad for name, p in run.model.named_parameters()},
        "epoch": run.epoch, "step": run.step, "batch": run.batch, "exhausted": run.exhausted, "seconds": run.elapsed() if run.batch else 0.0,
        "averages": run.averages.state_dict(), "history": list(run.history), "steps": run.history.steps,
        "data": run.data.state_dict() if hasattr(run.data, "state_dict") else None,
        "random": generator_states(), "python_random": [version, list(words), gauss],
        "callbacks": [[type(c).__name__, c.state_dict()] for c in run.callbacks],
    }


def _kinds(run: Run) -> dict[str, Any]:
    """What must be the same for the rest to mean the same."""
    return {"optimizer": type(run.optimizer).__name__, "scheduler": None if run.scheduler is None else type(run.scheduler).__name__,
            "accumulate": run.accumulate}


def resume_from(run: Run, path: str | os.PathLike[str]) -> bool:
    """Load a Checkpoint's file, or its folder's, into `run`; False if there is none yet.

    Raises:
        FileError: it is damaged or no checkpoint.
        TrainingError: it is of another model, optimizer or data. The model is then as it was.
    """
    path = Path(path)
    if path.is_dir() or (not path.exists() and path.suffix != ".safetensors"):
        path = path / LAST
    if not path.exists():
        return False
    state = load(path)
    if not isinstance(state, dict) or not {"model", "optimizer", "averages", "random"} <= state.keys():
        raise FileError("resume", str(path), "it holds no training run", f"pass the {LAST} that a Checkpoint wrote")
    before = {name: t.clone() for name, t in run.model.state_dict().items()}
    try:
        restore(run, state)
    except (TinygradActError, KeyError, TypeError, ValueError, IndexError) as error:
        run.model.load_state_dict(before)
        raise TrainingError("resume", str(path), f"it does not fit this run ({error})",
                            "build the model, optimizer, scheduler and data as they were, or start in another folder") from error
    return True


def restore(run: Run, state: Mapping[str, Any]) -> None:
    """Put `run` where `state_of` found it. The random numbers come last: nothing after that may draw any."""
    if dict(state["kinds"]) != _kinds(run):
        raise TrainingError("resume", f"{state['kinds']}", f"this run has {_kinds(run)}")
    if state["data"] is not None:
        if not hasattr(run.data, "load_state_dict"):
            raise TrainingError("resume", f"data: a {type(run.data).__name__}", "it cannot be set to a position", "pass a DataLoader")
        run.data.load_state_dict(state["data"])
    run.model.load_state_dict(state["model"])
    run.optimizer.load_state_dict(state["optimizer"])
    if run.scheduler is not None:
        run.scheduler.load_state_dict(state["scheduler"])
    if state.get("scaler"):
        run.scaler.load_state_dict(state["scaler"])
    for name, module in run.model.named_modules():
        module.training = state["modes"].get(name, module.training)
    for name, p in run.model.named_parameters():                 # layers may have been frozen or freed on the way
        p.requires_grad_(state.get("learns", {}).get(name, p.requires_grad))
    run.epoch, run.step, run.batch, run.seconds = state["epoch"], state["step"], state["batch"], state["seconds"]
    run.exhausted = state["exhausted"]
    run.averages.load_state_dict(state["averages"])
    run.history = History(state["history"], state.get("steps", ()))
    saved = list(state["callbacks"])
    for callback in run.callbacks:
        place = next((i for i, (name, _) in enumerate(saved) if name == type(callback).__name__), None)
        if place is not None:
            callback.load_state_dict(saved.pop(place)[1])
    version, words, gauss = state["python_random"]
    random.setstate((version, tuple(words), gauss))
    set_generator_states(state["random"])
