"""Silero VAD: where in a recording somebody speaks (Silero Team, github.com/snakers4/silero-vad), for 16,000 samples a second."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self

from .. import _functions as ops
from .. import nn
from ..errors import ShapeError
from ..nn.functional import pad
from ..nn.rest import at_rest
from ..tensor import Tensor
from .files import filled, read_state
from .sources import fetched

RATE = 16_000                                            # samples a second
CHUNK, CONTEXT = 512, 64                                 # samples it looks at, and how many of those before it sees too
BLOCK = 512                                              # chunks whose spectra are made at once


class SileroVAD(nn.Module):
    """The probability of speech in each 32 ms of a recording.

    A Fourier transform as a convolution, four convolutions with ReLU over its magnitudes, an LSTM cell that remembers
    what came before, and one number out.

    Call: `p, state = model(x, state=None)` with x (N, 576), a chunk of 512 samples and the 64 before it; p is (N, 1), and
    the state (2, N, 128) goes into the call for the next chunk. `probabilities(wave)` does that for a whole recording.

    >>> model = SileroVAD()
    >>> p, state = model(ta.zeros(1, 576))
    >>> p.shape, state.shape, model.probabilities(ta.zeros(16000)).shape
    ((1, 1), (2, 1, 128), (32,))
    """

    def __init__(self) -> None:
        super().__init__()
        self.stft_conv = nn.Conv1d(1, 258, kernel_size=256, stride=128, bias=False)
        self.stft_conv.weight.requires_grad = False      # sines and cosines, not learned
        self.conv1 = nn.Conv1d(129, 128, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(128, 64, kernel_size=3, stride=2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, kernel_size=3, stride=2, padding=1)
        self.conv4 = nn.Conv1d(64, 128, kernel_size=3, padding=1)
        self.lstm_cell = nn.LSTMCell(128, 128)
        self.final_conv = nn.Conv1d(128, 1, kernel_size=1)
        self.relu = nn.ReLU()

    def features(self, x: Tensor) -> Tensor:
        """(N, 576) samples to (N, 128): all that comes before the memory."""
        if x.ndim != 2 or x.shape[1] != CONTEXT + CHUNK:
            raise ShapeError("SileroVAD", f"samples of shape {x.shape}", f"they are (N, {CONTEXT + CHUNK}): {CHUNK}, and the {CONTEXT} "
                             "before them", "probabilities(wave) cuts a whole recording")
        spectrum = self.stft_conv(pad(x.unsqueeze(1), (0, 64), mode="reflect"))
        real, imaginary = spectrum.chunk(2, 1)
        y = (real * real + imaginary * imaginary).sqrt()
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            y = self.relu(conv(y))
        found: Tensor = y.squeeze(-1)
        return found

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.step(self.features(x), state)

    def step(self, features: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What comes after: one step of the memory, (N, 128) and the state, to probabilities (N, 1) and the next state."""
        h, c = self.lstm_cell(features, None if state is None else (state[0], state[1]))
        p = self.final_conv(self.relu(h).unsqueeze(-1)).sigmoid()
        return p.squeeze(-1), ops.stack([h, c])

    def probabilities(self, wave: Tensor) -> Tensor:
        """The probability of speech in each 512 samples of a recording (samples,) from -1 to 1, the last ones filled up with zeros."""
        if wave.ndim != 1 or not len(wave):
            raise ShapeError("SileroVAD", f"a wave of shape {wave.shape}", "it is (samples,), and has one at least",
                             "take one channel: wave.mean(0)")
        chunks = pad(wave, (CONTEXT, -len(wave) % CHUNK)).unfold(0, CONTEXT + CHUNK, CHUNK)
        found, state = [], None
        with at_rest(self):
            for i in range(0, len(chunks), BLOCK):
                for row in self.features(chunks[i:i + BLOCK]).split(1):
                    p, state = self.step(row, state)
                    found.append(p)
        return ops.cat(found).squeeze(1)

    def speech(self, wave: Tensor, threshold: float = 0.5, shortest: float = 0.25, pause: float = 0.1) -> list[tuple[float, float]]:
        """From when to when somebody speaks, in seconds.

        Args:
            wave: as for `probabilities`.
            threshold: the probability from which it is speech; it ends below `threshold` - 0.15.
            shortest: speech of fewer seconds is none.
            pause: fewer seconds without speech do not end it.
        """
        found: list[list[int]] = []
        last, quiet = 0, int(pause * RATE)
        speaking = False
        for i, p in enumerate(self.probabilities(wave).tolist()):
            at = i * CHUNK
            if p >= threshold and not speaking:
                if not found or at - last >= quiet:
                    found.append([at, at])
                speaking = True
            elif speaking and p < threshold - 0.15:
                speaking, last = False, at
                found[-1][1] = at
        if speaking:
            found[-1][1] = len(wave)
        return [(a / RATE, b / RATE) for a, b in found if b - a >= shortest * RATE]

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """One with these weights, in evaluation mode.

        Raises:
            ShapeError: names or shapes that do not fit.
        """
        return filled(cls(), state)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """From a file of weights."""
        return cls.from_state(read_state(path))


def silero_vad(*, root: Any = None, download: bool = True) -> SileroVAD:
    """Silero VAD, pretrained: 309,633 parameters. By pip (11.3 MB), once.

    Raises:
        FetchError, MissingPackageError, FileError: as `datasets.fetch`.
    """
    return SileroVAD.from_file(fetched("silero-vad", root=root, download=download))
