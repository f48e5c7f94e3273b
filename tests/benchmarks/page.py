"""Where a benchmark's table stands in the docs: between the marks of its name."""

from __future__ import annotations

from pathlib import Path

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
