"""Figures written down: CSV, JSON lines, TensorBoard's events, Weights & Biases; statistics of layers; progress."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tinygrad_act import train
from tinygrad_act.errors import ArgumentError, FileError

from . import recipe


def run(*callbacks: train.Callback, **more: Any) -> train.History:
    return train.fit(**{**recipe.parts(), "epochs": 2, **more}, callbacks=callbacks)


def test_csv_has_a_line_an_epoch(tmp_path: Path) -> None:
    history = run(train.CSVLog(tmp_path / "logs" / "epochs.csv"))
    with (tmp_path / "logs" / "epochs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(r["val_accuracy"]) for r in rows] == history["val_accuracy"]


def test_csv_of_steps(tmp_path: Path) -> None:
    run(train.CSVLog(tmp_path / "steps.csv", kind="step"), log_every=3)
    lines = (tmp_path / "steps.csv").read_text().splitlines()
    assert lines[0] == "epoch,step,lr,loss"
    assert [line.split(",")[1] for line in lines[1:]] == ["3", "6", "9", "12"]


def test_json_lines_hold_every_kind_of_row_and_no_nan(tmp_path: Path) -> None:
    log = train.JSONLog(tmp_path / "log.jsonl")
    run(log, train.Statistics(every=7), log_every=7)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [r["kind"] for r in rows] == ["layers", "parameters", "step", "epoch", "layers", "parameters", "step", "epoch"] or {
        r["kind"] for r in rows} == {"layers", "parameters", "step", "epoch"}
    log.on_log(None, "odd", {"loss": float("nan")})                    # type: ignore[arg-type]
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])["loss"] is None


def test_a_new_run_begins_a_new_log_and_a_resumed_one_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    run(train.JSONLog(path), train.Checkpoint(tmp_path))
    run(train.JSONLog(path), train.Checkpoint(tmp_path))
    assert len(path.read_text().splitlines()) == 2
    path.write_text(path.read_text() + '{"written after": "the checkpoint"}\n')
    # The checkpoint of epoch 2 is written after that epoch's row, for the log comes first.
    run(train.JSONLog(path), train.Checkpoint(tmp_path), epochs=3, resume=tmp_path)
    assert [json.loads(line)["epoch"] for line in path.read_text().splitlines()] == [1, 2, 3]
    path.unlink()
    with pytest.raises((FileError, RuntimeError), match="missing or shorter"):
        run(train.JSONLog(path), epochs=4, resume=tmp_path)


def test_statistics_name_layers_and_parameters() -> None:
    statistics = train.Statistics(every=5)
    run(statistics)
    layers, parameters = statistics.rows[:2]
    assert {"act/mean", "act/saturated", "act/dead", "hidden/std", "out/gradient_rms"} <= layers.keys()
    assert parameters["hidden.weight/share"] == pytest.approx(parameters["hidden.weight/gradient"] / parameters["hidden.weight/norm"])
    with pytest.raises(ArgumentError, match="every=0"):
        train.Statistics(every=0)


def test_tensorboard_reads_back_what_was_written(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    history = run(train.TensorBoard(tmp_path, histograms=True))
    events = accumulator.EventAccumulator(str(tmp_path))
    events.Reload()
    found = [e.value for e in events.Scalars("epoch/val_loss")]
    assert found == pytest.approx(history["val_loss"], rel=1e-6)
    assert "hidden.weight" in events.Tags()["histograms"]


def test_weights_and_biases_writes_an_offline_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    run(train.WandB("tests", tmp_path))
    assert list(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))


def test_progress_says_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    run(progress=True)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert len(lines) == 2
    assert "val_accuracy" in lines[0]
