"""The benchmark commands run: every candidate that is installed does its work once. Nothing is timed here."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "benchmarks"


@pytest.fixture
def speed(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE / "speed"))
    import report

    return report


def test_the_command_that_times_everything_runs_in_its_short_form(tmp_path: Path, speed: Any) -> None:
    pytest.importorskip("torch")
    names = ["small_op", "mlp_tiny", "relu 10⁴"]
    command = [sys.executable, str(HERE / "speed" / "run.py"), *names, "--short", "--json", str(tmp_path / "out.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "out.json").read_text())
    assert [row["workload"] for row in results["rows"]] == names
    for row in results["rows"]:
        for name in ("torch", "tinygrad_act", *["tinygrad_act compiled"] * (row["workload"] == "mlp_tiny")):
            found = row["candidates"][name]
            assert found["seconds"] > 0 and found["spread"][0] <= found["ratio"] <= found["spread"][1]
        assert row["candidates"]["torch"]["ratio"] == 1
    table = speed.networks(results["rows"][:2])
    assert table.count("\n") == 3 and "MLP 2-16-16-1" in table and "wanted" in table
    assert "`relu`" in speed.activations(results["rows"][2:])


def test_the_short_form_is_short_and_does_not_write_the_page(speed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import run

    assert run.SHORT_SIZES.keys() <= run.WORKLOADS.keys()
    monkeypatch.setattr(sys, "argv", ["run.py", "--short", "--write"])
    with pytest.raises(SystemExit):
        run.main()


def test_an_exponent_is_read_off_the_larger_sizes(speed: Any) -> None:
    sizes = [1, 2, 4, 8, 16, 32]
    assert speed.exponent(sizes, [5.0, 5.0, 5.0, 64.0, 256.0, 1024.0]) == pytest.approx(2)


def test_a_page_is_made_of_what_was_measured(speed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    import page

    for where, name, file in ((page, "DOCS", ""), (speed, "DATA", "speed.json"), (speed, "IMAGES", "")):
        monkeypatch.setattr(where, name, tmp_path / file)
    (tmp_path / "speed.md").write_text("before\n<!-- speed:begin -->\n<!-- speed:end -->\nafter\n")
    cell = {"seconds": 1e-3, "ratio": 0.5, "spread": [0.4, 0.6]}
    rows = [{"workload": w, "what": w, "threads": 1, "sizes": {}, "candidates": {"torch": cell | {"ratio": 1.0}, "tinygrad_act": cell}}
            for w in ("cnn", "relu 10⁴")]
    sweep = {"title": "CNN: batch", "size": "batch", "values": [1, 2, 4], "seconds": {"torch": [1, 2, 4], "tinygrad_act": [1, 1, 1]}}
    speed.speed_page({"rows": rows, "memory": {"cnn": {"torch": {"step": 2_000_000, "process": 6_000_000}, "tinygrad_act": {"step": 1_000_000, "process": 2_000_000}},
                       "lstm": {"torch": {"step": 1, "process": 2}, "tinygrad_act": {"error": "why"}}}, "sweeps": [sweep]})
    text = (tmp_path / "speed.md").read_text()
    assert text.startswith("before") and text.endswith("after\n") and "**0.50** (0.40 to 0.60)" in text and "| 0.00 | 1.00 |" in text
    assert "1 | 2 | 0.50 | 2 | 6 | 0.33 |" in text and " failed | failed |" in text and text.count(page.processor()) == 1
    assert (tmp_path / "speed.png").stat().st_size > 1000 and math.isclose(json.loads((tmp_path / "speed.json").read_text())["rows"][0]["candidates"]["tinygrad_act"]["ratio"], 0.5)


@pytest.mark.parametrize("text", ["no marks", "<!-- speed:begin -->\nno end", "<!-- speed:end -->"])
def test_a_page_without_its_marks_is_left_as_it_is(speed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    import page

    monkeypatch.setattr(page, "DOCS", tmp_path)
    (tmp_path / "speed.md").write_text(text)
    with pytest.raises(SystemExit, match=r"docs/speed\.md has no <!-- speed:(begin|end) -->"):
        page.put("speed.md", "speed", "a table")
    assert (tmp_path / "speed.md").read_text() == text


def test_the_networks_train_in_both_libraries_and_replays_give_the_same_bits(speed: Any) -> None:
    torch = pytest.importorskip("torch")
    import networks

    import tinygrad_act as ta

    def losses(lib: Any, name: str, compiled: bool = False) -> list[float]:
        lib.manual_seed(0)
        step = networks.NETWORKS[name].make(lib)
        step = lib.compile(step) if compiled else step
        return [0.0 if loss is None else loss.item() for loss in [step() for _ in range(4)]]

    for name in networks.NETWORKS:
        ours = losses(ta, name)
        assert all(map(math.isfinite, ours + losses(torch, name))), name
        assert losses(ta, name, compiled=True) == ours, name
