"""A speaker encoder: speech as a vector that is near those of the same voice (Wan et al. 2017, arXiv:1710.10467; Resemblyzer)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Self

from .. import _functions as ops
from .. import dtypes, nn
from ..errors import ArgumentError, ShapeError
from ..nn.functional import pad
from ..nn.rest import at_rest
from ..tensor import Tensor
from .files import filled, read_state, shape_of
from .sources import fetched

RATE = 16_000                                            # samples a second
WINDOW, HOP = 400, 160                                   # samples of a frame, and from one to the next: 25 and 10 ms
PARTIAL = 160                                            # frames of a part of an utterance
LOUDNESS = -30.0                                         # dB below full scale, to which quiet speech is raised
UNUSED = (r"similarity_(weight|bias)$",)                 # of the loss that it was trained with


class MelSpectrogram(nn.Module):
    """The power in each of some bands of pitch, every 10 ms: (..., samples) to (..., frames, bands).

    Windows of 25 ms (Hann's), a Fourier transform as a matrix product, and triangles that are evenly spaced and of equal
    area on Slaney's mel scale: what librosa.feature.melspectrogram gives for 16,000 samples a second.

    >>> MelSpectrogram()(ta.zeros(1600)).shape
    (11, 40)
    """

    basis: Tensor
    filters: Tensor

    def __init__(self, bands: int = 40) -> None:
        super().__init__()
        self.bands, half = bands, WINDOW // 2 + 1
        hann = [0.5 - 0.5 * math.cos(2 * math.pi * t / WINDOW) for t in range(WINDOW)]
        turn = [2 * math.pi * t / WINDOW for t in range(WINDOW)]
        rows = [[w * f(turn[k * t % WINDOW]) for t, w in enumerate(hann)] for f in (math.cos, math.sin) for k in range(half)]
        self.register_buffer("basis", ops.tensor(rows, dtype=dtypes.float32), persistent=False)
        self.register_buffer("filters", ops.tensor(mel_filters(bands, half), dtype=dtypes.float32), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        frames = pad(wave, (WINDOW // 2, WINDOW // 2)).unfold(-1, WINDOW, HOP)
        real, imaginary = (frames @ self.basis.mT).chunk(2, -1)
        return (real * real + imaginary * imaginary) @ self.filters.mT

    def extra_repr(self) -> str:
        return f"bands={self.bands}"


def mel_filters(bands: int, frequencies: int) -> list[list[float]]:
    """For each band, how much each frequency from 0 to half the sampling rate counts: a triangle of area 1."""
    linear, step = 200 / 3, math.log(6.4) / 27           # of Slaney's scale: hertz a mel up to 1,000, then by a factor
    top = 15 + math.log(RATE / 2 / 1000) / step
    mels = [top * i / (bands + 1) for i in range(bands + 2)]
    edges = [linear * m if m < 15 else 1000 * math.exp(step * (m - 15)) for m in mels]
    places = [RATE / 2 * k / (frequencies - 1) for k in range(frequencies)]
    return [[max(0.0, min((f - low) / (middle - low), (high - f) / (high - middle))) * 2 / (high - low) for f in places]
            for (low, middle), (_, high) in zip(pairwise(edges), pairwise(edges[1:]), strict=False)]


class SpeakerEncoder(nn.Module):
    """Spectrograms to voices: an LSTM, its last state through a dense layer with ReLU, of length 1.

    Call: (N, frames, bands) to (N, embedding). `embed(wave)` does it for a recording.

    Args:
        bands, hidden, layers, embedding: the sizes.

    >>> model = SpeakerEncoder(hidden=8, layers=1, embedding=4)
    >>> model.embed(ta.sin(ta.arange(20000) * 0.1)).shape
    (4,)
    """

    def __init__(self, bands: int = 40, hidden: int = 256, layers: int = 3, embedding: int = 256) -> None:
        super().__init__()
        self.mel = MelSpectrogram(bands)
        self.lstm = nn.LSTM(bands, hidden, layers, batch_first=True)
        self.linear = nn.Linear(hidden, embedding)
        self.relu = nn.ReLU()

    def forward(self, mels: Tensor) -> Tensor:
        _, (hidden, _) = self.lstm(mels)
        return unit(self.relu(self.linear(hidden[-1])))

    def partials(self, wave: Tensor, rate: float = 1.3, min_coverage: float = 0.75) -> Tensor:
        """A recording's spectrogram in parts of 1.6 s that overlap, (parts, 160, bands).

        Args:
            wave: (samples,), 16,000 a second, from -1 to 1.
            rate: parts a second.
            min_coverage: how much of the last part must be there for it to count; the rest is silence.
        """
        if wave.ndim != 1 or not len(wave):
            raise ShapeError("SpeakerEncoder", f"a wave of shape {wave.shape}", "it is (samples,), and has one at least",
                             "take one channel: wave.mean(0)")
        step = round(RATE / rate / HOP) if rate > 0 else 0
        if not 0 < step <= PARTIAL or not 0 < min_coverage <= 1:
            raise ArgumentError("SpeakerEncoder", f"rate={rate}, min_coverage={min_coverage}", "a part every 10 ms to 1.6 s "
                                f"({RATE / HOP / PARTIAL} to {RATE / HOP:g} a second), and a share above 0 and up to 1")
        frames = -(-(len(wave) + 1) // HOP)
        starts = list(range(0, max(1, frames - PARTIAL + step + 1), step))
        if len(starts) > 1 and (len(wave) - starts[-1] * HOP) / (PARTIAL * HOP) < min_coverage:
            starts.pop()
        end = (starts[-1] + PARTIAL) * HOP
        mel = self.mel(pad(wave, (0, max(0, end - len(wave)))))
        return ops.stack([mel[i:i + PARTIAL] for i in starts])

    def embed(self, wave: Tensor, rate: float = 1.3, min_coverage: float = 0.75) -> Tensor:
        """The voice of a recording, (embedding,), of length 1: the mean of its parts'. No gradient.

        The package Resemblyzer raises quiet speech first (`louder`) and cuts long silences out.
        """
        with at_rest(self):
            return unit(self(self.partials(wave, rate, min_coverage)).mean(0))

    def embed_speaker(self, waves: Sequence[Tensor], rate: float = 1.3, min_coverage: float = 0.75) -> Tensor:
        """The voice of several recordings of one speaker: the mean of theirs, of length 1."""
        if not waves:
            raise ArgumentError("embed_speaker", "no recordings", "one is needed at least")
        return unit(ops.stack([self.embed(wave, rate, min_coverage) for wave in waves]).mean(0))

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """One with these weights, in evaluation mode; its sizes are read off them.

        Raises:
            ShapeError, MissingKeyError: they are of another network.
        """
        gates, bands = shape_of(state, "lstm.weight_ih_l0", "SpeakerEncoder", 2)
        layers = sum(name.startswith("lstm.weight_ih_l") for name in state)
        return filled(cls(bands, gates // 4, layers, shape_of(state, "linear.weight", "SpeakerEncoder", 2)[0]), state, unused=UNUSED)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """From a file of weights, or a checkpoint of the training that has them as `model_state`."""
        return cls.from_state(read_state(path))


def unit(x: Tensor) -> Tensor:
    """Vectors of length 1."""
    return x / x.norm(dim=-1, keepdim=True)


def louder(wave: Tensor, target: float = LOUDNESS) -> Tensor:
    """A recording raised to so many dB below full scale, if it is quieter.

    >>> louder(ta.tensor([0.001, -0.001]))
    tensor([ 0.0316, -0.0316])
    """
    factor = 10 ** (target / 20) / (wave * wave).mean().sqrt()
    return wave * factor.clamp(min=1.0)


def resemblyzer(*, root: Any = None, download: bool = True) -> SpeakerEncoder:
    """Resemblyzer's speaker encoder, pretrained: 1,423,616 parameters. By pip (15.7 MB), once.

    Raises:
        FetchError, MissingPackageError, FileError: as `datasets.fetch`.
    """
    return SpeakerEncoder.from_file(fetched("resemblyzer", root=root, download=download))
