"""A run that was interrupted, anywhere and by anything, ends bit for bit where an uninterrupted one ends."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn, optim, train
from tinygrad_act.errors import FileError, TrainingError

from . import recipe

STEPS = recipe.EPOCHS * 7                                       # 13 batches an epoch, two a step


class Crash(train.Callback):
    """Raise after a given step, as a power cut would end it."""

    last = True                                                 # the step's checkpoint is written

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, run: train.Run) -> None:
        if run.step == self.step:
            raise KeyboardInterrupt


def whole(**more: Any) -> str:
    given = recipe.parts()
    return recipe.digest(given["model"], train.fit(**given, **more))


@pytest.mark.parametrize("step", [1, 6, 7, 8, 13, 14, STEPS - 1])
def test_resumed_run_ends_where_a_whole_one_ends(step: int, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train.fit(**recipe.parts(), callbacks=[train.Checkpoint(tmp_path, every_steps=1), Crash(step)], resume=tmp_path, log_every=3)
    ta.manual_seed(99)                                           # whatever else was drawn since
    given = recipe.parts()
    ta.rand(7)
    history = train.fit(**given, callbacks=[train.Checkpoint(tmp_path)], resume=tmp_path, log_every=3)
    assert recipe.digest(given["model"], history) == whole(log_every=3)


def test_checkpoints_every_few_steps_lose_those_few(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train.fit(**recipe.parts(), callbacks=[train.Checkpoint(tmp_path, every_steps=5), Crash(14)], resume=tmp_path)
    assert ta.load(tmp_path / "last.safetensors")["step"] == 10  # of step 14, the epoch's end was not reached
    given = recipe.parts()
    history = train.fit(**given, callbacks=[train.Checkpoint(tmp_path)], resume=tmp_path / "last.safetensors")
    assert recipe.digest(given["model"], history) == whole()


def test_killed_again_and_again_it_ends_where_a_whole_run_ends(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    command = [sys.executable, str(Path(recipe.__file__)), str(tmp_path / "killed")]
    expected = subprocess.run([*command[:2], str(tmp_path / "whole")], capture_output=True, text=True, check=True).stdout
    log, kills = tmp_path / "killed" / "log.jsonl", 0
    while kills < 4:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        seen = log.stat().st_size if log.exists() else 0
        while process.poll() is None and not (log.exists() and log.stat().st_size > seen):
            time.sleep(0.001)
        if process.poll() is not None:
            process.communicate()
            break
        time.sleep(0.004 * kills)                                # at another place each time, once an epoch has been written
        process.kill()
        process.communicate()
        kills += 1
    assert kills
    last = subprocess.run(command, capture_output=True, text=True, check=False)
    assert last.returncode == 0, last.stderr
    assert last.stdout == expected
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4], "the log has each epoch once"
    assert not list((tmp_path / "killed").glob(".*.part")), "what the killed ones were writing is cleared away"


def test_a_run_stopped_within_an_epoch_finishes_it_when_resumed(tmp_path: Path) -> None:
    class Stop(train.Callback):
        def on_step(self, run: train.Run) -> None:
            if run.step == 9:
                run.stop("enough for today")

    history = train.fit(**recipe.parts(), callbacks=[Stop(), train.Checkpoint(tmp_path, every_steps=1)])
    assert history["step"] == [7]
    given = recipe.parts()
    assert recipe.digest(given["model"], train.fit(**given, resume=tmp_path)) == whole()


def test_with_nothing_there_yet_it_begins(tmp_path: Path) -> None:
    given = recipe.parts()
    assert len(train.fit(**given, resume=tmp_path / "not yet")) == recipe.EPOCHS


def test_a_finished_run_is_resumed_for_more_epochs(tmp_path: Path) -> None:
    train.fit(**{**recipe.parts(), "epochs": 2}, callbacks=[train.Checkpoint(tmp_path)])
    given = recipe.parts()
    history = train.fit(**given, resume=tmp_path)
    assert recipe.digest(given["model"], history) == whole()


def test_an_optimizer_with_state_and_early_stopping_go_on(tmp_path: Path) -> None:
    def run(epochs: int, **more: Any) -> Any:
        given = {**recipe.parts(), "epochs": epochs}
        stopping = train.EarlyStopping("val_accuracy", patience=2, restore_best=True)
        return given["model"], train.fit(**given, callbacks=[stopping, train.Checkpoint(tmp_path / more.pop("to"), best=False)], **more)

    model, history = run(12, to="whole")
    run(3, to="parts")
    resumed, parts = run(12, to="parts", resume=tmp_path / "parts")
    # Putting the best weights back happens at the end of each part, after the checkpoint was written.
    assert recipe.digest(resumed, parts) == recipe.digest(model, history)


@pytest.mark.parametrize("first", [True, False])
def test_a_checkpoint_has_the_state_of_callbacks_given_after_it(first: bool, tmp_path: Path) -> None:
    """And a run that was stopped early stays stopped."""
    def epochs(most: int, folder: Path) -> int:
        callbacks = [train.Checkpoint(folder), train.EarlyStopping(patience=3, min_delta=100.0)]
        return len(train.fit(**{**recipe.parts(), "epochs": most}, callbacks=callbacks if first else callbacks[::-1], resume=folder))

    assert epochs(9, tmp_path / "whole") == 4
    assert epochs(2, tmp_path / "parts") == 2
    assert epochs(9, tmp_path / "parts") == 4
    assert epochs(9, tmp_path / "parts") == 4


def test_layers_that_were_freed_on_the_way_learn_on(tmp_path: Path) -> None:
    class Free(train.Callback):
        def on_epoch(self, run: train.Run) -> None:
            next(run.model.parameters()).requires_grad_()

    def run(epochs: int, folder: Path) -> str:
        given = {**recipe.parts(), "epochs": epochs}
        next(given["model"].parameters()).requires_grad_(False)
        return recipe.digest(given["model"], train.fit(**given, callbacks=[Free(), train.Checkpoint(folder)], resume=folder))

    expected = run(4, tmp_path / "whole")
    run(2, tmp_path / "parts")
    assert run(4, tmp_path / "parts") == expected


def test_an_epoch_that_is_resumed_keeps_the_modes_it_had(tmp_path: Path) -> None:
    class Freeze(train.Callback):
        seen: list[bool]

        def on_start(self, run: train.Run) -> None:
            self.seen = []

        def on_step_start(self, run: train.Run) -> None:
            if run.step == 2:
                run.model.eval()
            self.seen.append(run.model.training)

    freeze = Freeze()
    with pytest.raises(KeyboardInterrupt):
        train.fit(**recipe.parts(), callbacks=[freeze, train.Checkpoint(tmp_path, every_steps=1), Crash(4)])
    assert freeze.seen == [True, True, False, False]
    train.fit(**{**recipe.parts(), "epochs": 1}, callbacks=[freeze], resume=tmp_path)
    assert freeze.seen == [False] * 3


def test_damaged_or_foreign_checkpoints_are_refused_and_change_nothing(tmp_path: Path) -> None:
    train.fit(**{**recipe.parts(), "epochs": 1}, callbacks=[train.Checkpoint(tmp_path)])
    path = tmp_path / "last.safetensors"
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileError, match="cut short"):
        train.fit(**recipe.parts(), resume=cut)
    with pytest.raises(FileError, match="no training run"):
        train.fit(**recipe.parts(), resume=tmp_path / "best.safetensors")
    given = recipe.parts()
    given["model"] = nn.Sequential(nn.Linear(6, 3))
    given["optimizer"] = optim.Adam(given["model"].parameters())
    given["scheduler"] = None
    before = given["model"][0].weight.tolist()
    with pytest.raises(TrainingError, match="does not fit this run"):
        train.fit(**given, resume=tmp_path)
    assert given["model"][0].weight.tolist() == before
    other = recipe.parts(batch=10)
    before = other["model"].out.weight.tolist()
    with pytest.raises(TrainingError, match="does not fit this run"):
        train.fit(**other, resume=tmp_path)
    assert other["model"].out.weight.tolist() == before


def test_best_weights_are_those_of_the_best_epoch(tmp_path: Path) -> None:
    given = recipe.parts()
    history = train.fit(**given, callbacks=[train.Checkpoint(tmp_path, monitor="val_loss")])
    given["model"].load_state_dict(ta.load(tmp_path / "best.safetensors"))
    found = train.evaluate(given["model"], given["validation"], given["loss"])
    assert found["loss"] == min(history["val_loss"])
