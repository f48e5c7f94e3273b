"""Shared by all tests: which backend the suite runs on."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))       # a plain checkout runs, nothing installed

if "PYTEST_XDIST_WORKER" in os.environ:                  # a process a core: a second BLAS thread would only be in the way
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

with contextlib.suppress(ImportError):                   # the tests that need it say so themselves
    from hypothesis import settings

    settings.register_profile("suite", deadline=None, derandomize=True)       # a busy machine is no bug
    settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", default="numpy", choices=("numpy", "strict", "cupy"), help="where the suite runs")


def pytest_configure(config: pytest.Config) -> None:
    import tinygrad_act as ta

    try:
        ta.backend.use(config.getoption("--backend"))
    except ta.errors.TinygradActError as error:          # no CuPy, or no GPU
        raise pytest.UsageError(str(error)) from error


def pytest_collection_finish() -> None:
    """PyTorch, where tests compare with it, computes in one thread: the tensors are small, and handing over takes longer."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def pytest_report_header(config: pytest.Config) -> str:
    return f"tinygrad_act on {config.getoption('--backend')}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    """A test that meets an optional package that is not installed, or bfloat16 on CuPy, is skipped with what was said."""
    from tinygrad_act.errors import DTypeError, MissingPackageError

    try:
        return (yield)
    except MissingPackageError as error:
        pytest.skip(str(error))
    except AttributeError as error:                          # ta.bfloat16
        if not isinstance(error.__cause__, MissingPackageError):
            raise
        pytest.skip(str(error))
    except DTypeError as error:
        if "CuPy has no such element type" not in str(error):
            raise
        pytest.skip(str(error))
