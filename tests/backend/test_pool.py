"""The pool of C's threads: each call is made once, whoever else asks meanwhile, after a fork, and where there is no pool."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinygrad_act.backend import compiler, config, pool
from tinygrad_act.backend.direct import functions
from tinygrad_act.backend.layout import place

pytestmark = pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler")
ROWS, WIDTH, PARTS = 400, 100, 20


def counted() -> Any:
    """Rows of ones, three added to each place, in parts for the pool."""
    y, v, index = np.zeros((ROWS, WIDTH)), np.ones((3 * ROWS, WIDTH)), np.repeat(np.arange(ROWS), 3)
    pool.ranges(functions("rowsums", "d").add_rows, (place(y), place(v), place(index), None, len(v), WIDTH), ROWS, ROWS // PARTS, v.size)
    return y


def test_each_call_is_made_once_by_any_number_of_threads() -> None:
    for count in (1, 2, 5, 100, 3, 1):
        with config(threads=count):
            assert (counted() == 3).all()


def test_several_threads_of_pythons_may_ask_at_once() -> None:
    wrong: list[Any] = []

    def ask() -> None:
        wrong.extend([None for _ in range(30) if not (counted() == 3).all()])

    with config(threads=3):
        asking = [threading.Thread(target=ask) for _ in range(4)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
    assert not wrong


def test_a_child_has_a_pool_of_its_own() -> None:
    """Forked while another thread is at work, so that the parent's locks may be held."""
    code = """
import os, threading
from tests.backend.test_pool import config, counted
config.threads = 4
done = False
def ask():
    while not done: counted()
other = threading.Thread(target=ask)
other.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        os._exit(0 if all((counted() == 3).all() for _ in range(5)) else 1)
    assert os.waitpid(child, 0)[1] == 0
done = True
other.join()
"""
    subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", code], cwd=Path(__file__).parents[2], timeout=60, check=True)


def test_without_a_pool_the_calls_are_made_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def none(source: str) -> Any:
        asked.append(source)
        raise compiler.CompileError("no")

    counted()                                                # its functions are there
    monkeypatch.setattr(pool, "_library", None)
    monkeypatch.setattr(compiler, "library", none)
    pool._compiled.cache_clear()
    try:
        assert all((counted() == 3).all() for _ in range(3))
    finally:
        pool._compiled.cache_clear()
    assert asked == [pool.source()]                            # once: a compiler that fails takes its time


def test_the_pool_hears_of_threads_before_any_rule_is_compiled() -> None:
    code = "from tinygrad_act.backend import config, pool; pool.start(); config.threads = 3; print(pool.available(1 << 20))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True)
    assert done.stdout == "3\n"
