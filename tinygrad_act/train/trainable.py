"""trainable_summary: what of a model learns, and how much that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..nn import Module
from ..nn.summarise import columns


@dataclass
class Row:
    """Of one part: how many numbers it holds, and how many of them learn."""

    name: str
    kind: str
    parameters: int
    trainable: int


class TrainableSummary(list[Row]):
    """The parts, and the totals `parameters`, `trainable` and `share`. `str` is a table; the package rich prints it coloured."""

    parameters, trainable, gradient_bytes = 0, 0, 0

    @property
    def share(self) -> float:
        """How much of all numbers learns, from 0 to 1."""
        return self.trainable / self.parameters if self.parameters else 0.0

    @property
    def total(self) -> str:
        """The line below the table."""
        return f"{self.trainable:,} of {self.parameters:,} numbers learn ({self.share:.2%}); gradients take {self.gradient_bytes / 1e6:.3g} MB"

    def _cells(self) -> list[tuple[str, str, str, str, str]]:
        return [(row.name or "(itself)", row.kind, f"{row.parameters:,}", f"{row.trainable:,}",
                 "all" if row.trainable == row.parameters else f"{row.trainable / row.parameters:.2%}" if row.trainable else "frozen") for row in self]

    def __str__(self) -> str:
        rows = [("part", "kind", "numbers", "learning", ""), *self._cells()]
        lines = columns(rows, left=2)
        rule = "-" * max(len(self.total), *map(len, lines))
        return "\n".join([lines[0], rule, *lines[1:], rule, self.total])

    def __rich__(self) -> Any:
        from rich.table import Table

        table = Table(caption=self.total)
        for head in ("part", "kind", "numbers", "learning", ""):
            table.add_column(head, justify="left" if head in ("part", "kind") else "right")
        for row, cells in zip(self, self._cells(), strict=True):
            table.add_row(*cells, style=None if row.trainable else "dim")
        return table


def trainable_summary(model: Module, depth: int = 1) -> TrainableSummary:
    """What of `model` learns, part by part down to `depth`; a parameter that several parts share counts for the first.

    >>> model = ta.nn.Sequential(ta.nn.Linear(64, 64), ta.nn.ReLU(), ta.nn.Linear(64, 10))
    >>> _ = ta.tune.freeze(model, "0")
    >>> print(ta.train.trainable_summary(model))
    part  kind    numbers  learning
    -------------------------------------------------------------
    0     Linear    4,160         0  frozen
    2     Linear      650       650     all
    -------------------------------------------------------------
    650 of 4,810 numbers learn (13.51%); gradients take 0.0026 MB
    """
    parts = dict(model.named_modules())
    rows: dict[str, Row] = {}
    out = TrainableSummary()
    for name, p in model.named_parameters():
        path = name.split(".")[:-1][:depth]
        part = ".".join(path)
        row = rows.setdefault(part, Row(part, type(parts.get(part, model)).__name__, 0, 0))
        row.parameters += p.numel()
        row.trainable += p.numel() * p.requires_grad
        out.parameters += p.numel()
        out.trainable += p.numel() * p.requires_grad
        out.gradient_bytes += p.array.nbytes * p.requires_grad
    out.extend(rows.values())
    return out
