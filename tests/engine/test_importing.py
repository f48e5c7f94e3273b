"""What an import of the package does to the program, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(("before", "after"), [("pass", (True, 0)), ("gc.disable()", (False, 0)), ("gc.freeze()", (True, 1))])
def test_the_collector_of_cycles_is_after_the_import_as_it_was(before: str, after: tuple[bool, int]) -> None:
    code = f"import gc; {before}; import tinygrad_act; print(gc.isenabled(), gc.get_freeze_count() > 0)"
    assert said(code) == f"{after[0]} {after[1] > 0}"


def test_the_collector_is_as_it_was_when_the_import_fails() -> None:
    assert said("import gc, sys; sys.modules['numpy'] = None\n"
                "try:\n    import tinygrad_act\nexcept ImportError:\n    print(gc.isenabled())") == "True"


def test_a_cycle_made_before_the_import_is_still_found() -> None:
    assert said("import gc, weakref\nclass A: pass\na = A(); a.a = a; r = weakref.ref(a); del a\n"
                "import tinygrad_act; gc.collect(); print(r() is None)") == "True"


def said(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    return done.stdout.strip()
