"""Shared by all tests: which backend the suite runs on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))       # a plain checkout runs, nothing installed


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", default="numpy", choices=("numpy", "strict", "cupy"), help="where the suite runs")


def pytest_configure(config: pytest.Config) -> None:
    import tinygrad_act as ta

    ta.backend.use(config.getoption("--backend"))
