"""Where a benchmark's table stands in the docs, between the marks of its name, and what it was measured with."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")

DOCS = Path(__file__).parents[2] / "docs"


def _split(page: str, name: str) -> tuple[str, str, str]:
    """The page up to the table, the table, and the page from its end; refused where a mark is missing, so that nothing is lost."""
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    head, found, rest = (DOCS / page).read_text(encoding="utf-8").partition(begin)
    table, also, tail = rest.partition(end)
    if not found or not also:
        raise SystemExit(f"docs/{page} has no {(end if found else begin).strip()}")
    return head + begin, table, end + tail


def read(page: str, name: str) -> str:
    """What stands between `<!-- name:begin -->` and `<!-- name:end -->` of docs/<page>."""
    return _split(page, name)[1]


def put(page: str, name: str, text: str) -> None:
    """Write the text there instead."""
    head, _, tail = _split(page, name)
    (DOCS / page).write_text(f"{head}{text}\n{tail}", encoding="utf-8")


def processor() -> str:
    """Its name and its widest vectors, as far as the system tells."""
    text = CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else ""
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    wide = next((f", {name}" for name, flag in (("AVX-512", " avx512f "), ("AVX2", " avx2 ")) if flag in text), "")
    return (found[1].strip() if found else platform.processor() or platform.machine()) + wide


def measured_with() -> str:
    """The versions and the machine, as every table begins."""
    return (f"Python {platform.python_version()}, NumPy {version('numpy')}, PyTorch {version('torch')} (CPU, eager), "
            f"{os.cpu_count()} cores ({processor()})")
