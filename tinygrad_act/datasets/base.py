"""What the data sets have in common: numbered samples of `data` and `targets`, a part to train on and a part to test on."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import _functions as ops
from ..errors import ArgumentError
from ..tensor import Tensor
from ..utils.data import Dataset
from .fetch import cache_folder, fetch


class Labelled(Dataset[tuple[Any, Any]]):
    """Sample i is `data[i]`, transformed, and its target.

    Args:
        root: the folder to keep the files in; the user's cache unless given.
        train: the part to train on, or else the part to test on.
        transform, target_transform: applied to each sample, and to each target, when it is asked for.
        download: fetch what is not there yet; False raises FetchError then.

    Attributes:
        data, targets: all samples and all targets, untransformed.
        classes: the classes' names, where the targets are classes.
    """

    source = ""                                          # a key of the table of sources, if it is fetched
    classes: tuple[str, ...] = ()
    data: Any
    targets: Any

    def __init__(self, root: Any = None, train: bool = True, transform: Callable[[Any], Any] | None = None,
                 target_transform: Callable[[Any], Any] | None = None, download: bool = True) -> None:
        if not isinstance(train, bool):
            raise ArgumentError(type(self).__name__, f"train={train!r}", "it is True or False: the part to train on, or to test on",
                                "the first argument is root, the folder")
        self.root = Path(root).expanduser() if root is not None else cache_folder()
        self.train, self.transform, self.target_transform, self.download = train, transform, target_transform, download
        self.data, self.targets = self._load()

    def _load(self) -> tuple[Any, Any]:
        """The data and targets of the part wanted."""
        raise NotImplementedError

    def _fetched(self, member: str) -> Path:
        return fetch(self.source, member, root=self.root, download=self.download)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class."""
        return {name: i for i, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        sample, target = self._sample(index)
        return (sample if self.transform is None else self.transform(sample),
                target if self.target_transform is None else self.target_transform(target))

    def _sample(self, index: int) -> tuple[Any, Any]:
        return self.data[index], self.targets[index].item()

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"    Number of datapoints: {len(self)}"]
        if self.source:
            lines.append(f"    Root location: {self.root}")
        lines.append(f"    Split: {'Train' if self.train else 'Test'}")
        for name in ("transform", "target_transform"):
            if getattr(self, name) is not None:
                lines.append(f"    {name}: {getattr(self, name)}")
        return "\n".join(lines)


class Gathered(Labelled):
    """One whose data is one tensor: a loader looks up a batch at once where nothing is transformed."""

    @property
    def can_gather(self) -> bool:
        """True if `gather` gives what collating the samples would."""
        return self.transform is None and self.target_transform is None

    @property
    def device(self) -> Any:
        """Where `gather` likes an index to be."""
        return self.data.device

    def gather(self, index: Any) -> list[Tensor]:
        """The batch of these samples."""
        return [self._batch(self.data[index]), self.targets[index].clone()]

    def _batch(self, data: Tensor) -> Tensor:
        """Entries of `data` as they are handed out, in memory of their own."""
        return data.clone()

    def _sample(self, index: int) -> tuple[Any, Any]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{type(self).__name__}: the index {index}: it has {len(self)} samples")
        return self._batch(self.data[index]), self.targets[index].item()


def split(n: int, train: int, part: bool, seed: int = 0) -> list[int]:
    """Which of n samples are in a part, for data that come undivided: `train` of them, by a fixed seed, or the others.

    The order is drawn too: such data often come sorted by class. Python promises the same numbers in every version.

    >>> sorted(split(5, 3, True) + split(5, 3, False))
    [0, 1, 2, 3, 4]
    """
    draw = random.Random(seed)
    keys = [draw.random() for _ in range(n)]
    order = sorted(range(n), key=keys.__getitem__)
    return order[:train] if part else order[train:]


def chosen(tensor: Tensor, indices: list[int]) -> Tensor:
    """The entries at these indices."""
    return tensor[ops.tensor(indices, device=tensor.device)]
