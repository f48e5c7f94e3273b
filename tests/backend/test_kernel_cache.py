"""Compiled kernels are kept, found again, and never loaded where they were damaged or could be another's."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import compiler, config
from tinygrad_act.backend.config import rows
from tinygrad_act.symbols import c, cuda

ROOT = Path(__file__).parents[2]
F = ta.backend.namespace(np.zeros(1))
needs_compiler = pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler")


@pytest.fixture(autouse=True)
def on_numpy() -> Any:
    """As the executor: whatever the suite runs on, this file runs on NumPy."""
    with ta.backend.use("numpy"), np.errstate(all="ignore"):
        yield


def text_of(rule: Any) -> str:
    kernel, _ = cuda.lifted(rule, [np.dtype("float32")], {}, c.Text)
    text = c.source(kernel, "rule", compiler.vector_functions())
    assert text is not None
    return text


@needs_compiler
def test_a_library_is_kept_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = text_of(lambda F, x: x * 0.111)
    with config(cache=tmp_path / "cache"):
        assert not compiler.known(text)
        compiler.library(text)
        (kept,) = (tmp_path / "cache" / "kernels").iterdir()                 # and nothing that was set aside
        assert compiler.known(text) and stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
        monkeypatch.setattr(compiler, "_build", lambda *_: pytest.fail("it is there"))
        compiler.library(text)


@needs_compiler
def test_what_another_user_could_have_written_is_not_loaded(tmp_path: Path) -> None:
    text = text_of(lambda F, x: x * 0.222)
    with config(cache=tmp_path):
        compiler.library(text)
        (kept,) = (tmp_path / "kernels").iterdir()
        kept.chmod(0o722)
        with pytest.raises(compiler.CompileError, match="another user"):
            compiler.library(text)
        (tmp_path / "kernels").chmod(0o777)                                  # then it is not this folder that is used
        with pytest.warns(UserWarning, match="another user could write"):
            assert compiler.folder() == compiler._temporary()
        (tmp_path / "kernels").chmod(0o700)
        tmp_path.chmod(0o777)
        assert compiler.folder() == compiler._temporary()
        tmp_path.chmod(0o700)
    link = tmp_path / "link"
    link.symlink_to(kept)
    assert not compiler.mine(link)


@needs_compiler
def test_what_does_not_compile_says_so(tmp_path: Path) -> None:
    with config(cache=tmp_path), pytest.raises(compiler.CompileError, match="error"):
        compiler.library("void rule(void) { undefined(); } int x = y;")
    assert not [p for p in (tmp_path / "kernels").iterdir() if p.suffix == ".so"]


def test_a_compiler_that_does_not_work_is_told_of(tmp_path: Path) -> None:
    broken = tmp_path / "cc"
    broken.write_bytes(b"#!/bin/sh\nprintf 'd\\351sol\\351' >&2; exit 1\n")            # in the letters of Latin-1
    broken.chmod(0o755)
    code = ("import tinygrad_act as ta; from tinygrad_act.backend.config import rows\n"
            "print(ta.tanh(ta.ones(10_000)).sum().item() > 7000, dict(rows())['compiler'])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
                          env={**os.environ, "CC": str(broken), "TINYGRAD_ACT_CACHE": str(tmp_path / "cache"), "TINYGRAD_ACT_BACKEND": "numpy"})
    assert "True" in done.stdout and "fails, so rules run in tiles" in done.stdout


def damaged(kept: bytes, how: str) -> bytes:
    middle = len(kept) // 2
    return {"cut to a word": b"\x7fELF", "cut to nothing": b"", "cut": kept[:5000], "cut by a byte": kept[:-1], "longer": kept + b"\0",
            "overwritten": kept[:middle] + np.random.default_rng(0).bytes(500) + kept[middle + 500:], "a bit": kept[:middle] + bytes([kept[middle] ^ 1]) + kept[middle + 1:],
            "another's": b""}[how]


@needs_compiler
@pytest.mark.parametrize("how", ["cut to a word", "cut to nothing", "cut", "cut by a byte", "longer", "overwritten", "a bit", "another's"])
def test_a_library_that_was_damaged_is_made_again(tmp_path: Path, how: str) -> None:
    text, other = (f"int answer(void) {{ return {42 + k}; }} // {how}" for k in (0, 1))
    with config(cache=tmp_path):
        place, another = compiler._place(text), compiler._place(other)
        compiler._build(text, place)                                         # nothing is loaded yet
        compiler._build(other, another)
        kept = place.read_bytes()
        place.write_bytes(damaged(kept, how) if how != "another's" else another.read_bytes())
        assert " there, 1 damaged: made again" in dict(rows())["kernels kept in"]
        assert compiler.library(text).answer() == 42
        assert place.read_bytes() == kept and compiler.library(other).answer() == 43
        assert "damaged" not in dict(rows())["kernels kept in"]


@needs_compiler
def test_training_goes_on_where_the_whole_cache_was_damaged(tmp_path: Path) -> None:
    code = ("import tinygrad_act as ta; x = ta.linspace(-2, 2, 40_000, requires_grad=True)\n"
            "ta.nn.functional.gelu(x).sum().backward(); print(x.grad.sum().item())")
    run = [sys.executable, "-W", "error", "-c", code]
    environment = {**os.environ, "TINYGRAD_ACT_CACHE": str(tmp_path), "TINYGRAD_ACT_BACKEND": "numpy"}
    first = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT, env=environment).stdout
    for path in (tmp_path / "kernels").iterdir():
        path.write_bytes(path.read_bytes()[:5000])
    assert subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT, env=environment).stdout == first


@needs_compiler
def test_where_kernels_cannot_be_kept_it_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    a_file = tmp_path / "file"
    a_file.write_text("")
    for wrong, why in (("/proc/nope", "No such file"), (open_to_all, "another user could write"), (a_file, "Not a directory")):
        with config(cache=wrong):
            with pytest.warns(UserWarning, match=f"{Path(wrong)}.*{why}.*compiled anew in each process.*TINYGRAD_ACT_CACHE") as told:
                assert compiler.folder() == compiler._temporary()
            assert told[0].filename == __file__
            compiler.folder()                                                # a second warning would be an error
            monkeypatch.setattr(compiler, "_told", set())
            with pytest.raises(UserWarning, match="compiled anew"):          # as here the first is one, and once
                compiler.folder()
            compiler.folder()
            found = dict(rows())["kernels kept in"]
            assert str(compiler._temporary()) in found and why in found


@needs_compiler
def test_without_any_folder_to_write_to_rules_run_in_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise FileNotFoundError("No usable temporary directory found")
    monkeypatch.setattr(compiler, "_temporary", nowhere)
    with config(cache=tmp_path / "\0"), pytest.warns(UserWarning):
        assert not compiler.known("int x;")
        with pytest.raises(compiler.CompileError, match="No usable"):
            compiler.library("int x;")
        assert "No usable" in dict(rows())["kernels kept in"]
