"""The gallery: a page for each activation, made from its record. What can be computed is computed, what is written in the
record or in the rule is shown as it stands there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["gallery"]


def gallery(names: Sequence[str] | str = (), out: str | os.PathLike[str] = "gallery", *, format: str = "html", cost: bool = True,
            progress: Callable[[str, int, int], object] | None = None) -> Path:
    """Write a page for each activation, and an index; returns the path of the index.

    The folder is written aside and then moved in, in the place of the gallery that was there.

    Args:
        names: of the catalogue, of PyTorch or of classes, one or several; all if there are none.
        out: the folder.
        format: "html", for a browser, without a network; or "markdown", for GitHub, with the pictures beside the pages.
        cost: measure what each costs beside ReLU (HTML only), about a quarter of a second each.
        progress: called with the name of what is made next, how many are done, and how many there are.

    Raises:
        ArgumentError: there is no such activation or format.
        FileError: the folder holds something that is not a gallery.
        MissingPackageError: matplotlib is not installed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     index = ta.study.gallery("relu", folder + "/gallery", cost=False)
    ...     sorted(path.name for path in index.parent.iterdir())
    ['gallery.css', 'gallery.js', 'index.html', 'relu.html']
    """
    from .build import write             # with what draws, prints and measures: only when pages are made

    return write(names, out, format, cost, progress)
