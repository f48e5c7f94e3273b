"""Without mpmath, what is measured against it cannot be run: those files are left out, and the header says so."""

from __future__ import annotations

import importlib.util
from pathlib import Path

NEEDS = ("mpmath", "tests.activations.units", "tests.activations.reference")
FOUND = importlib.util.find_spec("mpmath") is not None
collect_ignore = [] if FOUND else [p.name for p in Path(__file__).parent.glob("test_*.py") if any(n in p.read_text() for n in NEEDS)]


def pytest_report_header() -> str:
    return "" if FOUND else f"mpmath is not installed: {', '.join(collect_ignore)} are left out"
