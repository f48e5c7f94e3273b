"""What every plot needs: matplotlib, drawn without a window and saved whole or not at all, and colours that go together."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from ..errors import ArgumentError, MissingPackageError
from ..files import write_aside

# Told apart by the colour-blind too (Okabe and Ito), and in grey by their lightness; lines also differ by dashes.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444", "#8c564b")
DASHES = ("-", "--", ":", "-.")


def matplotlib_for(op: str) -> Any:
    """The package matplotlib.

    Raises:
        MissingPackageError: it is not installed; `op` is who needs it.
    """
    try:
        import matplotlib
    except ImportError:
        raise MissingPackageError(op, "", "plots are drawn by matplotlib, which is not installed",
                                  "pip install 'tinygrad-act[plot]'") from None
    return matplotlib


def figure_class(op: str) -> Any:
    """matplotlib's Figure, drawn without a window."""
    matplotlib_for(op)
    from matplotlib.figure import Figure

    return Figure


def save_figure(figure: Any, path: str | os.PathLike[str]) -> Path:
    """Write a figure in the format of the path's ending, whole or not at all."""
    content, kind = io.BytesIO(), Path(path).suffix.lstrip(".") or "png"
    if kind not in figure.canvas.get_supported_filetypes():
        raise ArgumentError("plot", str(path), f"matplotlib writes no {kind!r} files",
                            f"choose from {sorted(figure.canvas.get_supported_filetypes())}")
    figure.savefig(content, format=kind, dpi=150)
    return write_aside(path, content.getvalue())


def look(i: int, dashed: bool = False) -> dict[str, Any]:
    """Colour and dashes of the i-th line: dashes once the colours are used up, or (`dashed`) for each line its own, where lines lie on each other."""
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[(i if dashed else i // len(COLOURS)) % len(DASHES)]}
