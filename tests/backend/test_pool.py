"""The pool of C's threads: each call is made once, whoever else asks meanwhile, after a fork, and where there is no pool."""

from __future__ import annotations

import ctypes
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
    pool.ranges(functions("rowsums", "d").add_rows, (place(y), place(v), place(index), None, len(v), WIDTH), ROWS, v.size, ROWS // PARTS)
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


WHO = """
#include <pthread.h>
#include <time.h>
void who(char** arrays, long gate, long from, long to) {           /* parts that begin a share wait, some seconds, till all those are under way */
    long *y = (long*)*arrays, threads = y[0], *order = y + 1, *by = y + 2, end = time(0) + 10;
    long place = __atomic_fetch_add(order, 1, __ATOMIC_SEQ_CST);
    by[2 * from] = (long)pthread_self(), by[2 * from + 1] = place;
    if (from % gate == 0) while (__atomic_load_n(order, __ATOMIC_SEQ_CST) < threads && time(0) < end) ;
}
"""


@pytest.mark.parametrize("count", [2, 3, 5])
def test_each_thread_begins_with_its_own_share_which_is_the_same_in_every_job(count: int) -> None:
    who, parts = compiler.library(WHO).who, 4 * count
    who.argtypes, who.restype = [ctypes.c_void_p] + [ctypes.c_long] * 3, None
    jobs = []
    for _ in range(3):
        y = np.zeros(2 + 2 * parts, np.int64)
        y[0] = count
        with config(threads=count):
            pool.ranges(who, (place(y), 4), parts, pool.WORTH, 1)
        threads, order = y[2:].reshape(parts, 2).T
        assert set(order[::4]) == set(range(count))              # what each thread did first was the first part of a share
        jobs.append(tuple(threads[::4]))
    assert len(set(jobs)) == 1 and len(set(jobs[0])) == count


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
