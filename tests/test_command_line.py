"""`python -m tinygrad_act`: what it prints, at 80 columns and into a pipe, and the status it ends with."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import tinygrad_act as ta
from tinygrad_act import cli
from tinygrad_act.activations import catalogue
from tinygrad_act.cli import doctor

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, encoding="utf-8",
                          env={**os.environ, "PYTHONIOENCODING": "utf-8"})


def test_version_and_help() -> None:
    assert python("-m", "tinygrad_act", "--version").stdout == f"tinygrad_act {ta.__version__}\n"
    found = python("-m", "tinygrad_act", "--help")
    assert found.returncode == 0 and all(command.name in found.stdout for command in cli.COMMANDS)
    none = python("-m", "tinygrad_act")
    assert none.returncode == 2 and "required: COMMAND" in none.stderr


@pytest.mark.parametrize("command", [c.name for c in cli.COMMANDS])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0 and len(text.splitlines()) > 6 and max(map(len, text.splitlines())) <= 120


def test_plain_imports_do_not_pay_for_commands() -> None:
    code = "import sys, tinygrad_act; print([m for m in ('tinygrad_act.cli', 'argparse', 'rich', 'matplotlib', 'tinygrad_act.study') if m in sys.modules])"
    assert python("-c", code).stdout == "[]\n"
    code = "import sys, tinygrad_act.cli as c; c.parser(); print([m for m in ('rich', 'matplotlib', 'tinygrad_act.study') if m in sys.modules])"
    assert python("-c", code).stdout == "[]\n"
    code = "import sys, tinygrad_act.study; print([m for m in ('rich', 'matplotlib', 'tinygrad_act.nn', 'tinygrad_act.study.lab') if m in sys.modules])"
    assert python("-c", code).stdout == "[]\n"


def test_the_catalogue_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    assert cli.main(["activations"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert all(f" {name} " in text for name in catalogue)


def test_one_activation_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["activations", "hardtanh", "softmax"]) == 0
    text = capsys.readouterr().out
    for part in ("hard_tanh: A line", "f(x)  = min(max(x, a), b)", "⠁", "Zero-centred", "hard_tanh_backward", "straight_through", "softmax:", "doi.org"):
        assert part in text, part


def test_misuse_ends_with_2_and_names_what_is_near(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for arguments, said in ((["activations", "reluu"], "did you mean relu"), (["gallery", "tahn", "--out", str(tmp_path / "g")], "tanh"),
                            (["datasets", "--fetch", "mnits"], "did you mean MNIST"), (["datasets", "--fetch", "CIFAR10"], "is put there by hand")):
        assert cli.main(arguments) == 2
        assert said in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_failures_end_with_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("")
    assert cli.main(["gallery", "relu", "--format", "markdown", "--out", str(tmp_path)]) == 1
    assert "not a gallery" in capsys.readouterr().err


def test_gallery(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert cli.main(["gallery", "relu", "elu", "--no-cost", "--open", "--out", str(tmp_path / "g")]) == 0
    assert capsys.readouterr().out == f"2 pages and an index: {tmp_path / 'g' / 'index.html'}\n"
    assert opened == [(tmp_path / "g" / "index.html").as_uri()]


def test_doctor_reports_every_part(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import numpy as np

    monkeypatch.setenv("TINYGRAD_ACT_CACHE", str(tmp_path / "none"))
    assert cli.main(["doctor"]) == 0
    text = capsys.readouterr().out
    for part in (np.__version__, ta.__version__, "BLAS", "subnormals", "CuPy", "rich", "OMP_NUM_THREADS", *(title for title, _ in doctor.PARTS)):
        assert part in text, part


def test_doctor_knows_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {(d.lower().replace("_", "-"), extra) for package in doctor.PACKAGES for d in package.distributions for extra in package.extras.split()}
    for extra, needs in extras.items():
        if extra not in ("all", "test", "dev"):
            for need in needs:
                name = need.partition(">")[0].partition(";")[0].strip().lower().replace("_", "-")
                assert any(n == name and (e == extra or n.startswith("cupy")) for n, e in named), f"{extra} brings {name}: doctor does not list it"


def test_datasets_are_listed_and_fetched(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    asked: list[tuple[str, bool]] = []
    real = ta.datasets.fetch

    def fetch(source: str, member: str, *, root: str, download: bool = True) -> object:
        asked.append((source, download))
        return real(source, member, root=root, download=False) if not download else None

    monkeypatch.setattr(ta.datasets, "fetch", fetch)
    assert cli.main(["datasets", "--fetch", "mnist", "FilmSnippets", "--root", str(tmp_path)]) == 0
    assert {source for source, download in asked if download} == {"mnist", "film-snippets"}
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines()[:-2])) <= 80
    line = next(line for line in text.splitlines() if line.strip().startswith("MNIST"))
    assert "11.5 MB, npm" in line and line.rstrip().endswith("no")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    found = subprocess.run(f"{sys.executable} -m tinygrad_act activations | head -n 2", cwd=ROOT, shell=True, capture_output=True, text=True,
                           timeout=60, check=False, executable="/bin/bash", env={**os.environ, "PYTHONIOENCODING": "utf-8"})
    assert found.returncode == 0 and found.stderr == ""


def test_a_terminal_without_greek_gets_question_marks() -> None:
    found = subprocess.run([sys.executable, "-m", "tinygrad_act", "activations", "elu"], cwd=ROOT, capture_output=True, text=True, timeout=60,
                           check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert found.returncode == 0 and "f?(x) = 1 if x > 0 else ?" in found.stdout


def test_lab_lists_and_runs_experiments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    pytest.importorskip("matplotlib")
    assert cli.main(["lab"]) == 0
    assert "gradient_depth" in capsys.readouterr().out
    assert cli.main(["lab", "gradient_depth", "activations=relu,tanh", "initialisations=kaiming", "depth=4", "width=8", "nets=1", "--out", str(tmp_path / "o")]) == 0
    assert "relu" in capsys.readouterr().out and len(list((tmp_path / "o").iterdir())) >= 3
    for wrong, words in ((["no_such"], "gradient_depth"), (["gradient_depth", "depth"], "NAME=VALUE"), (["gradient_depth", "deep=3"], "depth"), (["gradient_depth", "depth=3,4"], "one value")):
        assert cli.main(["lab", *wrong]) == 2
        assert words in capsys.readouterr().err
