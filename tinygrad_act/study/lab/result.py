"""What an experiment returns: rows of numbers, shown as a table and a figure, and written into files."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ...files import write_aside
from ..figures import figure_class, save_figure
from ..present import Page, Shown, Table


class Column(NamedTuple):
    """A column of a table: the figure's name in the rows, its heading, and how it is written."""

    key: str
    heading: str = ""
    text: Callable[[Any], str] = str


class Columns(NamedTuple):
    """One table of a result: its columns, of which those after the first `left` are numbers, its title, and which rows it has."""

    columns: Sequence[Column]
    title: str = ""
    left: int = 1
    rows: Callable[[Mapping[str, Any]], bool] = lambda row: True


@dataclass(repr=False)
class Result(Shown):
    """`rows` are the figures, a dict each; `curves` what is drawn besides; `notes` what to read from them.

    >>> result = ta.study.lab.gelu_forms(seeds=1, epochs=0)
    >>> result.name, result.settings["seed"]
    ('gelu_forms', 0)
    """

    name: str
    claim: str
    measures: str
    settings: dict[str, Any]
    rows: list[dict[str, Any]]
    tables: Sequence[Columns]
    draw: Callable[[Any, Result], None]
    notes: list[str] = field(default_factory=list)
    curves: dict[str, Any] = field(default_factory=dict)
    size: tuple[float, float] = (8.0, 4.5)
    seconds: float = 0.0

    def page(self) -> Page:
        """Claim, tables and notes."""
        page = Page(f"{self.name}: {self.claim}", [self.measures])
        for table in self.tables:
            cells = [tuple(_cell(column, row) for column in table.columns) for row in self.rows if table.rows(row)]
            page.parts.append(Table([c.heading or c.key.replace("_", " ") for c in table.columns], cells, title=table.title,
                                    right=tuple(range(table.left, len(table.columns)))))
        return Page(page.title, [*page.parts, *self.notes])

    def table(self, width: int | None = None) -> str:
        """The tables as text of `width` columns, by default as wide as the terminal; `markdown()`, `html()`, `latex()` likewise."""
        return self.text(width)

    def figure(self, path: str | os.PathLike[str] | None = None) -> Any:
        """The plot; with `path`, also in a file of its kind.

        Returns: the matplotlib figure. Raises: MissingPackageError without matplotlib.
        """
        figure = figure_class(f"lab.{self.name}")(figsize=self.size, layout="constrained")
        self.draw(figure, self)
        if path is not None:
            save_figure(figure, path)
        return figure

    def json(self) -> str:
        """All figures (NaN and infinities as null), with the settings that give them again."""
        return json.dumps(clean({"experiment": self.name, "claim": self.claim, "measures": self.measures, "settings": self.settings,
                                 "rows": self.rows, "curves": self.curves, "notes": self.notes, "seconds": round(self.seconds, 3)}),
                          indent=1, ensure_ascii=False)

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write name.json, name.md and name.png into the folder, which is made if need be; each whole or not at all."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        return [write_aside(folder / f"{self.name}.json", self.json().encode()),
                write_aside(folder / f"{self.name}.md", self.markdown().encode()),
                _png(self, folder / f"{self.name}.png")]


def _png(result: Result, path: Path) -> Path:
    result.figure(path)
    return path


def _cell(column: Column, row: Mapping[str, Any]) -> str:
    value = row.get(column.key)
    return "" if value is None else column.text(value)


def clean(value: Any) -> Any:
    """For JSON: no NaN, names instead of functions and modules."""
    if isinstance(value, Mapping):
        return {str(k): clean(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    name = getattr(value, "__name__", "")
    return name or str(value)


# ------------------------------------------------------------------------------------------------ numbers as text
def factor(x: float) -> str:
    """`0.213`, `12.3`, `2e-05`."""
    if not math.isfinite(x):
        return "–" if x != x else str(x)                 # nothing to say: it overflowed, or there is no theory
    if x and not 1e-3 <= abs(x) < 100:
        return f"{x:.0e}"
    return f"{x:.3f}" if abs(x) < 10 else f"{x:.1f}"


def power(x: float) -> str:
    """`2.1e-09`; near 1 as it is."""
    return factor(x) if not math.isfinite(x) or 0.01 <= abs(x) < 100 or x == 0 else f"{x:.1e}"


def percent(x: float) -> str:
    """`12.3%`."""
    return f"{100 * x:.1f}%" if math.isfinite(x) else factor(x)


def spread(pair: Sequence[float]) -> str:
    """A mean and its standard deviation."""
    mean, std = pair
    return f"{mean:.3f} ±{std:.3f}"


def percent_spread(pair: Sequence[float]) -> str:
    """Likewise of shares."""
    mean, std = pair
    return f"{100 * mean:.1f} ±{100 * std:.1f}%"


def mean_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (of the sample; 0 of one value)."""
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / max(len(values) - 1, 1))
