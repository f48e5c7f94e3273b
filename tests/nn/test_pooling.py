"""Layers of pooling, padding and resizing: as the functions they keep settings for, by hand-worked figures and by differences.

PyTorch's own samples for these layers are in test_pytorch_modules.py; what stands here runs without it too.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.autograd import gradcheck, gradgradcheck
from tinygrad_act.errors import ArgumentError, ShapeError

LINES, IMAGES, VOLUMES = (2, 2, 6), (1, 2, 6, 4), (1, 1, 4, 4, 2)
# layer, the shape of its input, the shape of its result
LAYERS: list[tuple[Any, tuple[int, ...], tuple[int, ...]]] = [
    (nn.MaxPool1d(2), LINES, (2, 2, 3)), (nn.MaxPool2d(3, 2, 1), IMAGES, (1, 2, 3, 2)), (nn.MaxPool2d((6, 4)), IMAGES, (1, 2, 1, 1)),
    (nn.MaxPool3d(2), VOLUMES, (1, 1, 2, 2, 1)), (nn.MaxPool2d(2, 1, dilation=2), IMAGES, (1, 2, 4, 2)),
    (nn.AvgPool1d(3, 1, 1), LINES, (2, 2, 6)), (nn.AvgPool2d(3, 2, 1, count_include_pad=False), IMAGES, (1, 2, 3, 2)),
    (nn.AvgPool3d(2), VOLUMES, (1, 1, 2, 2, 1)), (nn.AvgPool2d(4, 3, ceil_mode=True), IMAGES, (1, 2, 2, 1)),
    (nn.LPPool1d(2, 2), LINES, (2, 2, 3)), (nn.LPPool2d(2, 2), IMAGES, (1, 2, 3, 2)), (nn.LPPool3d(4, 2), VOLUMES, (1, 1, 2, 2, 1)),
    (nn.AdaptiveAvgPool1d(4), LINES, (2, 2, 4)), (nn.AdaptiveAvgPool2d((None, 3)), IMAGES, (1, 2, 6, 3)),
    (nn.AdaptiveAvgPool3d(3), VOLUMES, (1, 1, 3, 3, 3)), (nn.AdaptiveMaxPool1d(4), LINES, (2, 2, 4)),
    (nn.AdaptiveMaxPool2d(4), IMAGES, (1, 2, 4, 4)), (nn.AdaptiveMaxPool3d(1), VOLUMES, (1, 1, 1, 1, 1)),
    (nn.ConstantPad2d((1, 0, -1, 2), 0.5), IMAGES, (1, 2, 7, 5)), (nn.ZeroPad3d(1), VOLUMES, (1, 1, 6, 6, 4)),
    (nn.ReflectionPad1d((3, 2)), LINES, (2, 2, 11)), (nn.ReplicationPad2d((1, 2, 3, 0)), IMAGES, (1, 2, 9, 7)),
    (nn.CircularPad2d(2), IMAGES, (1, 2, 10, 8)), (nn.ReflectionPad3d(1), VOLUMES, (1, 1, 6, 6, 4)),
    (nn.Upsample(scale_factor=2), LINES, (2, 2, 12)), (nn.Upsample(size=(4, 7), mode="bilinear"), IMAGES, (1, 2, 4, 7)),
    (nn.Upsample(scale_factor=1.5, mode="bicubic"), IMAGES, (1, 2, 9, 6)), (nn.UpsamplingBilinear2d(scale_factor=2), IMAGES, (1, 2, 12, 8)),
    (nn.Upsample(scale_factor=2, mode="trilinear"), VOLUMES, (1, 1, 8, 8, 4)), (nn.UpsamplingNearest2d(5), IMAGES, (1, 2, 5, 5)),
    (nn.PixelShuffle(2), (1, 4, 3, 2), (1, 1, 6, 4)), (nn.PixelUnshuffle(2), IMAGES, (1, 8, 3, 2)), (nn.ChannelShuffle(2), IMAGES, IMAGES),
    (nn.Unfold(2, padding=1), IMAGES, (1, 8, 35)), (nn.Fold((6, 4), 2), (1, 8, 15), (1, 2, 6, 4)),
]
each = pytest.mark.parametrize(("layer", "shape", "result"), LAYERS, ids=[repr(layer) for layer, _, _ in LAYERS])


def numbers(shape: tuple[int, ...]) -> Any:
    """Positive and far apart, in no order: no maximum is near a tie."""
    values = np.random.default_rng(len(shape)).permutation(int(np.prod(shape))) + 1.0
    return ta.tensor((values / 8).reshape(shape).tolist(), dtype=ta.float64, requires_grad=True)


@each
def test_gradients_agree_with_differences(layer: Any, shape: tuple[int, ...], result: tuple[int, ...]) -> None:
    x = numbers(shape)
    assert layer(x).shape == result
    assert gradcheck(layer, (x,))
    if x.array.size < 50:
        assert gradgradcheck(layer, (x,))


@each
def test_one_node_and_no_state(layer: Any, shape: tuple[int, ...], result: tuple[int, ...]) -> None:
    x = numbers(shape)
    node = layer(x).node
    assert node.edges[0] is x and not layer.state_dict()


@each
def test_without_a_batch(layer: Any, shape: tuple[int, ...], result: tuple[int, ...]) -> None:
    if isinstance(layer, (nn.Upsample, nn.ChannelShuffle)):                 # these need one
        return
    x = numbers(shape)
    np.testing.assert_array_equal(*[ta.backend.to_host(t.array) for t in (layer(x)[0], layer(x[0]))])


def test_max_pool_by_a_loop() -> None:
    rng = np.random.default_rng(0)
    for kernel, stride, padding, dilation in itertools.product((2, 3), (1, 2), (0, 1), (1, 2)):
        x = rng.integers(0, 5, (2, 7, 8)).astype("float64")
        y, where = nn.MaxPool2d(kernel, stride, padding, dilation, return_indices=True)(ta.tensor(x.tolist()))
        for c, i, j in np.ndindex(*y.shape):
            cells = [(a, b) for a in range(i * stride - padding, i * stride - padding + dilation * kernel, dilation)
                     for b in range(j * stride - padding, j * stride - padding + dilation * kernel, dilation) if 0 <= a < 7 and 0 <= b < 8]
            best = max(cells, key=lambda cell: x[c][cell])                  # the first of equal ones
            assert (y[c, i, j].item(), where[c, i, j].item()) == (x[c][best], best[0] * 8 + best[1])


def test_what_pooling_takes_unpooling_puts_back() -> None:
    pool, unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
    x = numbers((1, 1, 4, 6))
    y, where = pool(x)
    back = unpool(y, where, output_size=x.shape)
    assert (back != 0).sum().item() == 6 and ((back == x) | (back == 0)).all().item()
    assert repr(unpool) == "MaxUnpool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))"


def test_folding_what_was_unfolded_counts_the_patches_over_each_pixel() -> None:
    x = ta.ones(1, 1, 3, 4)
    counts = nn.Fold((3, 4), 2)(nn.Unfold(2)(x))
    assert counts.tolist() == [[[[1, 2, 2, 1], [2, 4, 4, 2], [1, 2, 2, 1]]]]


def test_shuffling_undoes_unshuffling() -> None:
    x = numbers(IMAGES)
    assert nn.PixelShuffle(2)(nn.PixelUnshuffle(2)(x)).tolist() == x.tolist()


def test_figures_by_hand() -> None:
    x = ta.tensor([[[1.0, 2.0, 3.0]]])
    assert nn.Upsample(size=5, mode="linear", align_corners=True)(x).tolist() == [[[1, 1.5, 2, 2.5, 3]]]
    assert nn.Upsample(scale_factor=2, mode="linear")(x).tolist() == [[[1, 1.25, 1.75, 2.25, 2.75, 3]]]
    assert nn.AvgPool1d(2, 1, 1)(x).tolist() == [[[0.5, 1.5, 2.5, 1.5]]]
    assert nn.AvgPool1d(2, 1, 1, count_include_pad=False)(x).tolist() == [[[1, 1.5, 2.5, 3]]]
    assert nn.ReflectionPad1d(2)(x).tolist() == [[[3, 2, 1, 2, 3, 2, 1]]]
    assert nn.CircularPad1d((3, 1))(x).tolist() == [[[1, 2, 3, 1, 2, 3, 1]]]


def test_misuse() -> None:
    with pytest.raises(ShapeError, match="MaxPool2d|max_pool2d"):
        nn.MaxPool2d(2)(ta.ones(4))
    with pytest.raises(ArgumentError, match="4 of them"):
        nn.ReflectionPad2d((1, 2))
    with pytest.raises(ShapeError, match="ReflectionPad1d"):
        nn.ReflectionPad1d(1)(ta.ones(2, 2, 2, 2))
    with pytest.raises(ArgumentError, match="must be a Tensor"):
        nn.AvgPool2d(2)([[1.0]])
