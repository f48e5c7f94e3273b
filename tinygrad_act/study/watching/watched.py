"""Layers: what `study.watch` saw, as a table, as heat maps of histograms over the steps, and as JSON."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import ArgumentError
from ...files import write_aside
from ..figures import COLOURS, figure_class, save_figure
from ..present import Page, Shown, Table
from ..values import shape_text
from .histogram import SOFT

TALL = 12                                 # layers of a figure, unless they are named
WIDE = 50.0                               # values beyond: an axis that is logarithmic far from 0
RARE = 0.0005                             # bins with a smaller share in every step are not shown at the edges
DECADES = (0.1, 1.0, 10.0, 100.0, 1e3, 1e4)


class Layers(list[Any], Shown):
    """A LayerStatistics for each layer, in the order of the model; see `study.watch`."""

    __repr__ = Shown.__repr__

    def index_of(self, layer: Any) -> int:
        """The place of this very one."""
        return next(i for i, each in enumerate(self) if each is layer)

    def __getitem__(self, key: Any) -> Any:
        """A layer by its place or its name."""
        if not isinstance(key, str):
            return super().__getitem__(key)
        found = [layer for layer in self if layer.name == key]
        if not found:
            raise ArgumentError("Layers", repr(key), f"the layers are {[layer.name for layer in self]}")
        return found[0]

    def page(self) -> Page:
        """The table: figures over all steps, and of saturated and dead also those of the last."""
        steps = sorted({s.step for layer in self for s in layer.steps})
        rows = [_row(layer) for layer in self if layer.count]
        silent = [layer.name for layer in self if not layer.count]
        page = Page(f"{len(rows)} layers, {len(steps)} step{'s' * (len(steps) > 1)} watched" + (f", {steps[0]} to {steps[-1]}" if len(steps) > 1 else ""))
        page.parts.append(Table(("layer", "module", "output", "mean ±std", "gradient", "saturated", "dead/of"), rows,
                                right=(3, 4, 5, 6)))
        if len(steps) > 1:
            page.parts.append("Mean, std and gradient (root mean square) are over all steps; saturated and dead units of one step's examples: first → last.")
        if silent:
            page.parts.append(f"Never called: {', '.join(silent)}.")
        return page

    def table(self, width: int | None = None) -> str:
        """The table as text of `width` columns, by default as wide as the terminal."""
        return self.text(width)

    def state(self) -> list[dict[str, Any]]:
        """All of it in dicts, lists, texts and numbers (NaN and infinities as None)."""
        return [{"layer": layer.name, "kind": layer.kind, "shape": list(layer.shape), **_state(layer),
                 "steps": [{"step": s.step, **_state(s)} for s in layer.steps]} for layer in self]

    def json(self) -> str:
        """The same as JSON."""
        return json.dumps(self.state(), indent=1)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the JSON into a file."""
        return write_aside(path, self.json().encode())

    def figure(self, layers: Sequence[str] | None = None, path: str | os.PathLike[str] | None = None) -> Any:
        """Heat maps over the steps: on the left the values, in the middle the magnitudes of the gradients (powers of ten), each
        column a step, the darker the more; on the right the shares of saturated outputs and of dead units.

        Args:
            layers: their names; by default all, or 12 of them evenly spread.
            path: a file to save it in.

        Returns: the matplotlib figure. Raises: MissingPackageError without matplotlib; ArgumentError for a name that is none.
        """
        seen = [layer for layer in self if layer.values is not None]
        if layers is not None:
            chosen = [self[name] for name in layers]
        else:
            chosen = [seen[round(i * (len(seen) - 1) / (TALL - 1))] for i in range(TALL)] if len(seen) > TALL else seen
        chosen = [layer for layer in chosen if layer.values is not None]
        if not chosen:
            raise ArgumentError("Layers.figure", "no histograms", "no step was watched, or histograms=False", "call the model inside the block")
        figure = figure_class("Layers.figure")(figsize=(10, 1.0 + 1.55 * len(chosen)), layout="constrained")
        axes = figure.subplots(len(chosen), 3, squeeze=False, sharex=True, width_ratios=(4, 4, 2.4))
        for row, layer in zip(axes, chosen, strict=True):
            _heat(row[0], layer, "values")
            _heat(row[1], layer, "gradients")
            _shares(row[2], layer)
            row[0].set_ylabel(f"{layer.name}\n{layer.kind}", fontsize=8)
        for ax, title in zip(axes[0], ("values", "magnitude of gradients", "saturated, dead"), strict=True):
            ax.set_title(title, fontsize=10)
        for ax in axes[-1][:2]:
            ax.set_xlabel("step")
            ax.xaxis.get_major_locator().set_params(integer=True)
        if len(chosen) < len(seen) and layers is None:
            figure.suptitle(f"{len(chosen)} of {len(seen)} layers; name others in figure(layers=[...])", fontsize=9)
        if path is not None:
            save_figure(figure, path)
        return figure


# ------------------------------------------------------------------------------------------------------ in words
def _row(layer: Any) -> tuple[str, ...]:
    first, last = layer.steps[0], layer.steps[-1]
    saturated = [f"{s.saturated:.0%}" for s in (first, last) if s.saturated is not None]
    dead = [str(s.dead) for s in (first, last) if s.dead is not None]
    change = ["→".join(both if len(layer.steps) > 1 else both[:1]) for both in (saturated, dead)]
    gradient = f"{layer.gradient_rms:.1e}" if layer.gradient_count else ""
    return (layer.name, layer.kind, shape_text(layer.shape), f"{layer.mean:+.2g} ±{layer.std:.2g}", gradient,
            change[0], change[1] + (f"/{last.units}" if last.units else ""))


def _state(figures: Any) -> dict[str, Any]:
    numbers = {name: value if math.isfinite(value) else None for name, value in figures.figures().items()}
    histograms = {name: h.state() for name in ("values", "gradients") if (h := getattr(figures, name)) is not None}
    return {**numbers, **histograms}


# ---------------------------------------------------------------------------------------------------- in pictures
def _heat(ax: Any, layer: Any, of: str) -> None:
    """A column a step, the bins that are anywhere filled from below to above, zeros at the bottom."""
    steps = [s for s in layer.steps if getattr(s, of) is not None]
    ax.tick_params(labelsize=7)
    if not steps:
        ax.text(0.5, 0.5, "none", ha="center", va="center", transform=ax.transAxes, fontsize=8, color="#777777")
        ax.set_yticks([])
        return
    histograms = [getattr(s, of) for s in steps]
    logarithmic, total = histograms[0].logarithmic, [max(h.total, 1) for h in histograms]
    filled = [i for i in range(len(histograms[0].counts)) if any(h.counts[i] > RARE * n for h, n in zip(histograms, total, strict=True))]
    low, high = (filled[0], filled[-1] + 1) if filled else (0, 1)
    edges = histograms[0].edges[low:high + 1]
    wide = not logarithmic and max(-edges[0], edges[-1]) > WIDE
    heights = [math.asinh(e / SOFT) for e in edges] if wide else list(edges)
    rows = [[h.counts[i] / n / (heights[i - low + 1] - heights[i - low]) for h, n in zip(histograms, total, strict=True)] for i in range(low, high)]
    zeros = [h.zeros / n for h, n in zip(histograms, total, strict=True)]
    if any(zeros):
        bottom = heights[0] - 0.07 * (heights[-1] - heights[0])
        heights, rows = [bottom, *heights], [[z / (heights[1] - heights[0]) for z in zeros], *rows]
    ax.pcolormesh(_ends([s.step for s in steps]), heights, rows, cmap="Blues", vmin=0, vmax=2 * _typical(rows), rasterized=True)
    if logarithmic:
        _powers(ax, edges, zeros=any(zeros), bottom=heights[0])
    elif wide:
        ticks = [s * d for s in (-1, 1) for d in DECADES if edges[0] <= s * d <= edges[-1]] + [0.0] * (edges[0] <= 0 <= edges[-1])
        ax.set_yticks([math.asinh(t / SOFT) for t in ticks], [f"{t:g}" for t in ticks])


def _typical(rows: list[list[float]]) -> float:
    """The density of a bin that is filled well, so that one full bin (ReLU's zeros) does not make all others pale."""
    filled = sorted(v for row in rows for v in row if v > 0)
    return filled[int(0.8 * len(filled))] if filled else 1.0


def _powers(ax: Any, edges: Sequence[float], zeros: bool, bottom: float) -> None:
    """Marks at a few whole powers of ten, and one for 0."""
    low, high = math.ceil(edges[0]), math.floor(edges[-1])
    every = max(1, (high - low) // 4 + 1)
    ticks, names = [float(k) for k in range(low, high + 1, every)], [f"1e{k}" for k in range(low, high + 1, every)]
    if zeros:
        ticks, names = [bottom + 0.03 * (edges[-1] - edges[0]), *ticks], ["0", *names]
    ax.set_yticks(ticks, names)


def _ends(steps: Sequence[int]) -> list[float]:
    """Where the columns meet."""
    if len(steps) == 1:
        return [steps[0] - 0.5, steps[0] + 0.5]
    inner = [(a + b) / 2 for a, b in itertools.pairwise(steps)]
    return [steps[0] - (inner[0] - steps[0]), *inner, steps[-1] + (steps[-1] - inner[-1])]


def _shares(ax: Any, layer: Any) -> None:
    steps = [s for s in layer.steps if s.saturated is not None]
    ax.tick_params(labelsize=7)
    if not steps:
        ax.axis("off")
        return
    marker = "o" if len(steps) == 1 else None
    at = [s.step for s in steps]
    ax.plot(at, [100 * s.saturated for s in steps], color=COLOURS[1], label="saturated", marker=marker)
    ax.plot(at, [100 * (s.dead or 0) / (s.units or 1) for s in steps], color=COLOURS[6], linestyle="--", label="dead", marker=marker)
    ax.tick_params(labelbottom=True)
    ax.set_ylim(-4, 104)
    ax.set_yticks([0, 50, 100], ["0 %", "50 %", "100 %"])
    ax.grid(alpha=0.3)
    ax.legend(fontsize=7, loc="best", framealpha=0.6)
