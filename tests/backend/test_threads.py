"""Parts of one computation in several threads: their results in order, their errors, and BLAS as it was."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import threads
from tinygrad_act.errors import ArgumentError


def test_results_come_in_the_order_of_the_jobs() -> None:
    names = threads.run([lambda i=i: (i, threading.current_thread().name) for i in range(3)])
    assert [i for i, _ in names] == [0, 1, 2] and len({name for _, name in names}) == 3
    assert names[0][1] == threading.current_thread().name


def test_the_first_error_is_raised_and_blas_is_as_before() -> None:
    before = threads.available()

    def fail() -> None:
        raise ValueError("no")

    for jobs in ([fail, int], [int, fail], [lambda: threads.run([int, fail]), int]):
        with pytest.raises(ValueError, match="no"):
            threads.run(jobs)                                                # type: ignore[arg-type]
    assert threads.available() == before and threads._inside == 0


def test_infinities_are_no_warnings_in_any_thread() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = threads.run([lambda: np.float32(3e38) * np.float32(10), lambda: np.array([1.0]) / 0])
    assert np.isinf(found[0]) and np.isinf(found[1]).all()


@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_by_several_threads_is_the_same_each_time(groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, w = (ta.tensor(rng.standard_normal(s), requires_grad=True, device="cpu") for s in ((7, 4, 20, 20), (6, 4 // groups, 3, 3)))

    def run(count: int) -> list[Any]:
        monkeypatch.setattr(threads, "available", lambda: count)
        monkeypatch.setattr(type(ta.backend.namespace(x.array)), "span", 20000)
        x.grad = w.grad = None
        y = ta.conv2d(x, w, groups=groups)
        (y * y).sum().backward()
        return [t.array.copy() for t in (y, x.grad, w.grad)]

    once, alone = run(3), run(1)
    for a, b, c in zip(once, run(3), alone, strict=True):
        assert (a == b).all()                                                # bit for bit
        np.testing.assert_allclose(a, c, rtol=1e-12, atol=1e-12)


def test_the_number_of_threads_is_pytorchs_to_ask_and_set() -> None:
    before = ta.get_num_threads()
    try:
        ta.set_num_threads(1)
        assert ta.get_num_threads() == 1
        with threads._products_in_one_thread():
            ta.set_num_threads(2)                            # while one is computing: from the next on
        assert ta.get_num_threads() in (1, 2)                # 1 where NumPy has another BLAS than OpenBLAS
    finally:
        ta.set_num_threads(before)
    for wrong in (0, -1, 1.5, True, "2"):
        with pytest.raises(ArgumentError, match="1 or more"):
            ta.set_num_threads(wrong)                                        # type: ignore[arg-type]


@pytest.mark.parametrize(("given", "found"), [(None, "20"), ("9", "9")])
def test_openblas_waits_for_a_short_time_unless_it_was_told_how_long(given: str | None, found: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_THREAD_TIMEOUT"} | ({"OPENBLAS_THREAD_TIMEOUT": given} if given else {})
    code = "import sys; import tinygrad_act.before_numpy; import os; print(os.environ['OPENBLAS_THREAD_TIMEOUT'])"
    first = "import ast, sys, tinygrad_act; print(list(m for m in sys.modules if m in ('tinygrad_act.before_numpy', 'numpy'))[0])"
    for text, wanted in ((code, found), (first, "tinygrad_act.before_numpy")):
        done = subprocess.run([sys.executable, "-c", text], env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == wanted


@pytest.mark.parametrize(("first", "said"), [("tinygrad_act", "busily for 2^20 ticks"), ("numpy, tinygrad_act", "as they did: NumPy was imported first")])
def test_the_doctor_knows_who_came_first(first: str, said: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_THREAD_TIMEOUT"}
    text = f"import {first}; from tinygrad_act.backend.config import rows; print(dict(rows())[\"OpenBLAS's threads wait\"])"
    done = subprocess.run([sys.executable, "-c", text], env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said
