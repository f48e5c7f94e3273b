"""Padding, interpolation, patches and shuffles against PyTorch: modes, sizes, dtypes, layouts, edges, misuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta

from .against_torch import array, check, read, refuses, torch

ours, theirs = ta.nn.functional, torch.nn.functional
inf = float("inf")
pytestmark = pytest.mark.filterwarnings("ignore:Default grid_sample", "ignore:Since version 1.3.0")         # PyTorch's, of its past


def both(name: str, *inputs: Any, order: int = 2, **keywords: Any) -> Any:
    return check(getattr(ours, name), getattr(theirs, name), *inputs, order=order, **keywords)


# -------------------------------------------------------------------------------------------------- padding
BORDERS = [((2, 3, 5), p) for p in [(1, 2), (0, 4), (4, 0), (-1, 2), (-1, -2), (2, -3), (0, 0)]]
BORDERS += [((2, 3, 4, 5), p) for p in [(1, 2, 3, 1), (-1, 3, 2, -2), (0, 1, 1, 0), (4, 4, 3, 3)]]
BORDERS += [((1, 2, 3, 3, 4), p) for p in [(1, 2, 2, 1, 0, 2), (-1, 1, -1, 2, 1, 1)]]
BORDERS += [((2, 14), (12, 13)), ((3, 14, 2), (0, 0, 11, 12)), ((1, 1, 1), (0, 0))]


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize(("shape", "pad"), BORDERS, ids=str)
def test_borders(mode: str, shape: tuple[int, ...], pad: tuple[int, ...]) -> None:
    if mode != "constant" and len(pad) // 2 not in (len(shape) - 1, len(shape) - 2):
        return
    both("pad", array(*shape), pad, mode)


@pytest.mark.parametrize("value", [2.5, -0.5, inf, 0, None])
def test_borders_of_a_value(value: Any) -> None:
    both("pad", array(2, 3, 4), (1, 2, 0, 1, 2, 0), "constant", value)
    both("pad", array(2, 3), (1, 1, -2, 0), value=value)
    both("pad", array(5), (-5, 3), value=value)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "int32", "uint8", "bool"])
def test_borders_of_every_dtype(dtype: str) -> None:
    x = array(2, 3, 4).astype("float32").round().astype("int8").astype(dtype) if dtype == "bool" else array(2, 3, 4, low=0, dtype=dtype)
    for mode in ("constant", "circular") if dtype == "bool" else ("constant", "reflect", "replicate", "circular"):
        both("pad", x, (1, 2), mode, order=1)
    if dtype in ("int32", "uint8"):
        both("pad", x, (1, 2), value=1.7)


def test_borders_around_nothing() -> None:
    both("pad", np.zeros((0, 2, 3)), (1, 1), "replicate")
    both("pad", np.zeros((0, 3)), (1, 1))
    both("pad", np.zeros((2, 0)), (1, 1))
    both("pad", array(), ())


def test_borders_of_transposed_images() -> None:
    for mode in ("constant", "reflect", "circular"):
        check(lambda x, mode=mode: ours.pad(x.permute(0, 3, 1, 2), (1, 2, 2, 1), mode),
              lambda x, mode=mode: theirs.pad(x.permute(0, 3, 1, 2), (1, 2, 2, 1), mode), array(2, 4, 5, 3))


LINE = np.zeros((1, 2, 5))


@pytest.mark.parametrize(("x", "more", "says"), [
    (LINE, ((5, 0), "reflect"), "a reflect border may not be longer than 4"),
    (LINE, ((6, 0), "circular"), "a circular border may not be longer than 5"),
    (LINE, ((-3, -2), "reflect"), "nothing is left"),
    (LINE, ((-3, -3),), "more is cut off"),
    (LINE, ((-6, 3),), "more is cut off"),
    (LINE, ((1,),), "two for each axis"),
    (LINE, ((1,) * 8,), "at most 6"),
    (LINE, (1,), "pad is a tuple"),
    (LINE, ((1.0, 1),), "must be an int"),
    (LINE, ((1, 1), "mirror"), "choose from"),
    (LINE, ((1, 1), "reflect", 2.0), "only constant borders"),
    (LINE.astype("uint8"), ((1, 1), "constant", -1), "cannot hold it|unsigned"),
    (np.zeros((2, 1, 0)), ((1, 1), "replicate"), "nothing is there to copy"),
])
def test_misused_borders(x: np.ndarray, more: tuple[Any, ...], says: str) -> None:
    if more[-1] == -1:                                       # stored as everywhere here: from the end
        np.testing.assert_array_equal(ta.backend.to_host(ours.pad(ta.tensor([1], dtype=ta.uint8), (1, 0), value=-1).array), [255, 1])
        return
    refuses(ours.pad, theirs.pad, x, *more, says=says)


# -------------------------------------------------------------------------------------------- interpolation
MODES = {1: ["nearest", "nearest-exact", "linear", "area"], 2: ["nearest", "nearest-exact", "bilinear", "bicubic", "area"],
         3: ["nearest", "nearest-exact", "trilinear", "area"]}
CASES = [(n, mode) for n in (1, 2, 3) for mode in MODES[n]]
SHAPES = {1: (2, 2, 7), 2: (2, 2, 6, 5), 3: (1, 2, 4, 3, 5)}


@pytest.mark.parametrize("align", [None, True])
@pytest.mark.parametrize(("n", "mode"), CASES)
def test_to_a_size(n: int, mode: str, align: bool | None) -> None:
    if align and "linear" not in mode and mode != "bicubic":
        return
    for size in (1, 2, 5, 9, 14, tuple([m * 2 for m in SHAPES[n][2:]]), tuple([3, 11, 4][:n])):
        both("interpolate", array(*SHAPES[n]), size, mode=mode, align_corners=align, order=2 if n < 3 else 1)


@pytest.mark.parametrize("recompute", [None, True])
@pytest.mark.parametrize(("n", "mode"), CASES)
def test_by_a_factor(n: int, mode: str, recompute: bool | None) -> None:
    for factor in (2, 3, 0.5, 1.3, 0.7, 1.0, 2.6):
        wrong = mode == "nearest" and n != 2 and factor in (1.3, 2.6)       # PyTorch's gradient goes where nothing came from
        both("interpolate", array(*SHAPES[n]), scale_factor=factor, mode=mode, recompute_scale_factor=recompute, order=0 if wrong else 1)
    if n == 2:
        both("interpolate", array(*SHAPES[n]), scale_factor=(2.0, 0.6), mode=mode, order=1)
        if mode in ("bilinear", "bicubic"):
            both("interpolate", array(*SHAPES[n]), scale_factor=1.7, mode=mode, align_corners=True, order=1)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest_picks_the_same_elements_at_every_size(mode: str) -> None:
    x = np.arange(37.0).reshape(1, 1, 37)
    for size in range(1, 120):
        both("interpolate", x, size, mode=mode, order=0)
    for factor in np.linspace(0.11, 4, 60):
        both("interpolate", x, scale_factor=float(factor), mode=mode, order=0)


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_antialiased(mode: str, align: bool) -> None:
    for size in ((3, 2), (11, 4), 5, (1, 17)):
        both("interpolate", array(1, 2, 9, 8), size, mode=mode, antialias=True, align_corners=align)
    both("interpolate", array(1, 2, 9, 8), scale_factor=0.4, mode=mode, antialias=True, order=1)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_interpolated_floats_come_out_as_they_went_in(dtype: str) -> None:
    for mode in ("nearest", "bilinear", "area"):
        both("interpolate", array(2, 3, 4, 4, dtype=dtype), scale_factor=2, mode=mode, order=1)


def test_other_interpolations() -> None:
    both("interpolate", np.arange(12, dtype="uint8").reshape(1, 1, 3, 4), scale_factor=2)
    both("interpolate", np.zeros((0, 3, 4, 4)), scale_factor=2, mode="bilinear")
    x = array(1, 2, 4, 4)
    with pytest.warns(UserWarning, match="deprecated"):
        check(ours.upsample, lambda *a, **k: theirs.upsample(*a, **k), x, scale_factor=2, mode="bilinear", align_corners=True)
    check(lambda t: ours.interpolate(t.permute(0, 3, 1, 2), scale_factor=2, mode="bilinear"),
          lambda t: theirs.interpolate(t.permute(0, 3, 1, 2), scale_factor=2, mode="bilinear"), array(2, 5, 4, 3))
    check(ours.interpolate, theirs.interpolate, array(20, 20, 15, 15), scale_factor=2, mode="bilinear", order=1)


IMAGE = np.zeros((1, 2, 5, 5))


@pytest.mark.parametrize(("x", "more", "says"), [
    (IMAGE, {}, "exactly one"),
    (IMAGE, {"size": 3, "scale_factor": 2}, "exactly one"),
    (IMAGE, {"size": (3, 3, 3)}, "one for each axis"),
    (IMAGE, {"scale_factor": (3, 3, 3)}, "one for each axis"),
    (IMAGE, {"size": 2.5}, "must be an int"),
    (IMAGE, {"size": 0}, "at least 1"),
    (IMAGE, {"scale_factor": 0.1}, "at least 1"),
    (IMAGE, {"scale_factor": -1}, "above 0"),
    (IMAGE, {"size": 3, "mode": "linear"}, "for this input choose from"),
    (IMAGE[0], {"size": 3, "mode": "bilinear"}, "4 axes"),
    (IMAGE[0, 0], {"size": 3}, "3 to 5 axes"),
    (IMAGE, {"size": 3, "mode": "best"}, "choose from"),
    (IMAGE, {"size": 3, "align_corners": True}, "align_corners"),
    (IMAGE, {"size": 3, "antialias": True}, "antialias"),
    (IMAGE, {"size": 3, "recompute_scale_factor": True}, "no scale_factor"),
    (IMAGE.astype("int64"), {"size": 3, "mode": "bilinear"}, "float"),
    (np.zeros((1, 2, 0, 5)), {"size": 3}, "at least 1"),
])
def test_misused_interpolation(x: np.ndarray, more: dict[str, Any], says: str) -> None:
    refuses(ours.interpolate, theirs.interpolate, x, says=says, **more)


# ------------------------------------------------------------------------------------------ patches, shuffles
PATCHES = [(2, 1, 0, 1), (3, 1, 1, 2), (2, 2, 0, 1), ((2, 3), (1, 2), (1, 0), (2, 1)), (1, 1, 2, 2), (3, 2, 5, 3)]


@pytest.mark.parametrize("patches", PATCHES, ids=str)
def test_patches_there_and_back(patches: tuple[Any, ...]) -> None:
    x = array(2, 3, 6, 7)
    columns = both("unfold", x, *patches)
    both("unfold", x[0], *patches, order=1)
    both("fold", array(*columns.shape), (6, 7), *patches)
    both("fold", array(*columns.shape[1:]), (6, 7), *patches, order=1)


def test_patches_of_other_kinds() -> None:
    both("unfold", array(2, 3, 4, 4, dtype="float16"), 2, order=1)
    both("unfold", np.zeros((0, 3, 4, 4)), 2)
    both("fold", np.zeros((0, 12, 9)), 4, 2)
    check(lambda x: ours.unfold(x.permute(0, 3, 1, 2), 2), lambda x: theirs.unfold(x.permute(0, 3, 1, 2), 2), array(2, 4, 5, 3))


@pytest.mark.parametrize(("name", "x", "more", "says"), [
    ("unfold", IMAGE, (6,), "no patch fits; here kernel_size can be at most \\(5, 5\\)"),
    ("unfold", IMAGE, (2, 1, -1), "at least 0"),
    ("unfold", IMAGE[0, 0], (2,), "it must be \\(N, C, H, W\\)"),
    ("unfold", np.zeros((2, 0, 4, 4)), (2,), "only the batch"),
    ("fold", np.zeros((2, 12, 8)), (4, 2), "9 is the number of patches, 3 \\* 3"),
    ("fold", np.zeros((2, 11, 9)), (4, 2), "a multiple of 4"),
    ("pixel_shuffle", np.zeros((7, 2, 2)), (2,), "7 channels are not a multiple of 4"),
    ("pixel_shuffle", np.zeros((2, 2)), (2,), "\\(\\*, C, H, W\\)"),
    ("pixel_shuffle", IMAGE, (0,), "at least 1"),
    ("pixel_unshuffle", IMAGE, (2,), "must be multiples of 2"),
    ("channel_shuffle", np.zeros((1, 5, 2)), (2,), "5 channels"),
    ("channel_shuffle", np.zeros((4, 2)), (2,), "C, H, W"),
])
def test_misused_patches_and_shuffles(name: str, x: np.ndarray, more: tuple[Any, ...], says: str) -> None:
    refuses(getattr(ours, name), getattr(theirs, name), x, *more, says=says)


def test_shuffles() -> None:
    for shape in ((8, 2, 3), (2, 8, 2, 3), (2, 1, 8, 2, 3), (0, 8, 2, 2)):
        both("pixel_shuffle", array(*shape), 2, order=2 if shape[0] else 0)          # PyTorch's gradient of nothing has the wrong shape
    for shape in ((2, 4, 6), (3, 2, 4, 6)):
        both("pixel_unshuffle", array(*shape), 2)
    assert ours.pixel_unshuffle(ta.zeros(0, 2, 4, 4), 2).shape == (0, 8, 2, 2)
    for shape, groups in (((2, 6, 3), 3), ((2, 6, 2, 2), 2), ((1, 4, 2, 2, 2), 4)):
        both("channel_shuffle", array(*shape), groups)
    both("pixel_shuffle", np.arange(8, dtype="int64").reshape(8, 1, 1), 2)


# --------------------------------------------------------------------------------------------------- sampling
@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("border", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_reading_at_positions(mode: str, border: str, align: bool) -> None:
    grid = array(2, 3, 4, 2, low=-2.5, high=2.5)
    both("grid_sample", array(2, 3, 5, 4), grid, mode, border, align, order=1 if mode == "bicubic" else 2)
    both("grid_sample", array(1, 2, 1, 3), array(1, 2, 2, 2), mode, border, align, order=1)
    both("grid_sample", array(0, 2, 3, 3), array(0, 2, 2, 2), mode, border, align, order=0)
    if mode != "bicubic":
        both("grid_sample", array(1, 2, 3, 5, 4), array(1, 2, 2, 3, 3, low=-1.5, high=1.5), mode, border, align, order=1)


@pytest.mark.parametrize("border", ["zeros", "border", "reflection"])
def test_reading_at_the_edges(border: str) -> None:
    line = np.array([-3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
    grid = np.stack(np.meshgrid(line, line), -1)[None]
    for mode, align in (("bilinear", False), ("bilinear", True), ("nearest", True), ("bicubic", False)):
        both("grid_sample", array(1, 2, 4, 5), grid, mode, border, align, order=1)
        both("grid_sample", array(1, 2, 4, 5, dtype="float32"), grid.astype("float32"), mode, border, align, order=1)


@pytest.mark.parametrize("align", [False, True])
def test_turned_and_moved_grids(align: bool) -> None:
    both("affine_grid", array(2, 2, 3), (2, 5, 3, 4), align)
    both("affine_grid", array(2, 3, 4), (2, 1, 2, 3, 4), align)
    both("affine_grid", array(1, 2, 3, dtype="float32"), (1, 1, 1, 1), align)


SIZES = [(28, 28), (7, 9), (32, 31), (1, 5), (2, 3), (100, 13), (5, 7, 6), (3, 4, 8), (12, 11, 13)]


def _transformed(lib: Any, theta: Any, x: Any, align: bool) -> Any:
    return lib.grid_sample(x, lib.affine_grid(theta, tuple(x.shape), align), align_corners=align)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_transform_that_changes_nothing_has_the_gradient_of_pytorch(sizes: tuple[int, ...], align: bool, dtype: str) -> None:
    """Each sample lies on an element, or beside it by rounding, which says to which side the gradient looks."""
    theta, x = np.eye(len(sizes), len(sizes) + 1)[None].astype(dtype), array(1, 1, *sizes, dtype=dtype, seed=3)
    near = {"float32": 1e-5, "float64": 1e-12}[dtype] * max(sizes)
    check(lambda theta, x: _transformed(ours, theta, x, align) ** 2, lambda theta, x: _transformed(theirs, theta, x, align) ** 2,
          theta, x, order=1, rtol=near, atol=near)
    grids = [read(lib.affine_grid(make(theta), (1, 1, *sizes), align)) for lib, make in ((ours, ta.tensor), (theirs, torch.tensor))]
    np.testing.assert_array_equal(*grids)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("align", [False, True])
def test_positions_are_rounded_as_pytorch_rounds_them(align: bool, dtype: str) -> None:
    """Of an image of 0 and 1 in turns a sample is where it lies between them."""
    grid = array(1, 40, 50, 2, low=-0.9, high=0.9, dtype=dtype)
    for n in (3, 28, 29, 100):
        x = np.broadcast_to(np.arange(n, dtype=dtype) % 2, (1, 1, 1, n)).copy()
        both("grid_sample", x, np.stack([grid[..., 0], 0 * grid[..., 0]], -1), "bilinear", "border", align, order=0, rtol=0, atol=0)
        volume, places = x[None], np.stack([grid[..., 0], *[0 * grid[..., 0]] * 2], -1)[None]
        both("grid_sample", volume, places, "bilinear", "border", align, order=0, rtol=0, atol=0)


@pytest.mark.parametrize("border", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align", [False, True])
def test_the_second_derivative_of_many_samples(align: bool, border: str) -> None:
    both("grid_sample", array(2, 3, 6, 7), array(2, 9, 8, 2, low=-1.5, high=1.5), "bilinear", border, align)


def test_infinities_outside_are_not_read() -> None:
    x, grid = np.full((1, 1, 2, 2), np.inf), np.array([[[[3.0, 3.0], [-1.0, -1.0]]]])
    both("grid_sample", x, grid, align_corners=False, order=0)
    many = np.full((1, 20, 20, 2), 3.0)
    assert not read(ours.grid_sample(ta.tensor(x), ta.tensor(many), align_corners=False)).any()


def test_halves_know_each_element_of_a_large_image() -> None:
    x = np.arange(10000).reshape(1, 1, 100, 100) % 7
    grid = ours.affine_grid(ta.tensor([[[1.0, 0, 0], [0, 1, 0]]]), (1, 1, 100, 100), True).half()
    np.testing.assert_array_equal(read(ours.grid_sample(ta.tensor(x).half(), grid, "nearest", align_corners=True)), x)


@pytest.mark.parametrize(("name", "x", "more", "says"), [
    ("grid_sample", IMAGE, (np.zeros((1, 2, 2, 3)),), "they must be \\(N, C, H, W\\) and"),
    ("grid_sample", IMAGE, (np.zeros((2, 2, 2, 2)),), "they must be"),
    ("grid_sample", IMAGE, (np.zeros((1, 2, 2, 2)), "best"), "choose from"),
    ("grid_sample", IMAGE, (np.zeros((1, 2, 2, 2)), "nearest", "wrap"), "choose from"),
    ("grid_sample", np.zeros((1, 2, 0, 5)), (np.zeros((1, 2, 2, 2)),), "nothing to read"),
    ("grid_sample", np.zeros((1, 2, 3, 4, 5)), (np.zeros((1, 2, 2, 2, 3)), "bicubic"), "it is for images"),
    ("grid_sample", IMAGE, (np.zeros((1, 2, 2, 2), "float32"),), "dtypes differ"),
    ("affine_grid", np.zeros((2, 2, 3)), ((3, 1, 4, 4),), "they must be"),
    ("affine_grid", np.zeros((2, 3, 4)), ((2, 1, 4, 4),), "they must be"),
    ("affine_grid", np.zeros((2, 2, 3), "int64"), ((2, 1, 4, 4),), "floating"),
])
def test_misused_sampling(name: str, x: np.ndarray, more: tuple[Any, ...], says: str) -> None:
    refuses(getattr(ours, name), getattr(theirs, name), x, *more, says=says)
