"""Dropout and its kin: what is dropped, what is kept, and that mean and variance stay."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.ops.against_torch import array, refuses, torch
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError, DTypeError, ShapeError

F, theirs = nn.functional, torch.nn.functional
ALPHA = ["alpha_dropout", "feature_alpha_dropout"]
CHANNELS = {"dropout1d": (3, 4, 5), "dropout2d": (3, 4, 2, 5), "dropout3d": (3, 4, 2, 5, 1), "feature_alpha_dropout": (3, 4, 5)}
NAMES = ["dropout", *CHANNELS, "alpha_dropout"]
MODULES = {"dropout": "Dropout", "dropout1d": "Dropout1d", "dropout2d": "Dropout2d", "dropout3d": "Dropout3d", "alpha_dropout": "AlphaDropout",
           "feature_alpha_dropout": "FeatureAlphaDropout"}


def values(name: str, p: float, shape: tuple[int, ...], library: Any, module: Any) -> np.ndarray:
    library.manual_seed(0)
    return np.array(getattr(module, name)(library.ones(shape, dtype=library.float64), p, True).tolist())


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("name", NAMES)
def test_values_are_pytorchs(name: str, p: float) -> None:
    """Of ones, what is kept and what is dropped each become one number."""
    shape = (40, 40, *CHANNELS.get(name, (0, 0, 3))[2:])
    ours, pytorchs = values(name, p, shape, ta, F), values(name, p, shape, torch, theirs)
    np.testing.assert_allclose(np.unique(ours.round(9)), np.unique(pytorchs.round(9)), 1e-8)
    dropped = (ours == ours.min()).mean()
    assert abs(dropped - p) < 0.03


@pytest.mark.parametrize("name", CHANNELS)
def test_whole_channels_are_dropped(name: str) -> None:
    y = values(name, 0.5, CHANNELS[name], ta, F)
    y = y.reshape(*y.shape[:2], -1)
    assert (y == y[..., :1]).all() and len(np.unique(y)) == 2


@pytest.mark.parametrize(("name", "shape"), [("dropout1d", (6, 5)), ("dropout3d", (6, 2, 2, 2))])
def test_channels_without_a_batch(name: str, shape: tuple[int, ...]) -> None:
    y = values(name, 0.5, shape, ta, F).reshape(shape[0], -1)
    assert (y == y[:, :1]).all() and len(np.unique(y)) == 2


@pytest.mark.parametrize("name", NAMES)
def test_gradients_pass_where_values_do(name: str) -> None:
    x = ta.tensor(array(*CHANNELS.get(name, (50,))), requires_grad=True)
    ta.manual_seed(1)
    y = getattr(F, name)(x, 0.5, True)
    y.sum().backward()
    ta.manual_seed(1)
    again = getattr(F, name)(ta.tensor(array(*x.shape)) + 1, 0.5, True)
    np.testing.assert_allclose(x.grad.tolist(), (again - y).tolist(), 1e-6, 1e-9)      # it is linear in x


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    ta.manual_seed(0)
    y = np.array(F.alpha_dropout(ta.randn(200, 200), 0.3, True).tolist())
    assert abs(y.mean()) < 0.02 and abs(y.std() - 1) < 0.02


@pytest.mark.parametrize("name", NAMES)
def test_nothing_happens_in_evaluation_or_for_p_0(name: str) -> None:
    x = ta.ones(*CHANNELS.get(name, (5,)))
    assert getattr(F, name)(x, 0.5, False) is x and getattr(F, name)(x, 0.0, True) is x
    assert getattr(nn, MODULES[name])(0.5).eval()(x) is x


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_dropped_for_p_1(name: str) -> None:
    x = ta.tensor(array(*CHANNELS.get(name, (5,))), requires_grad=True)
    y = getattr(F, name)(x, 1.0, True)
    y.sum().backward()
    assert not y.any() and not x.grad.any()


@pytest.mark.parametrize("name", NAMES)
def test_in_place(name: str) -> None:
    x = ta.ones(*CHANNELS.get(name, (50,)))
    assert getattr(F, name)(x, 0.5, True, True) is x
    assert (x != 1).any()
    leaf = ta.ones(*x.shape, requires_grad=True)
    middle = leaf * 1
    ta.manual_seed(3)
    y = getattr(nn, MODULES[name])(0.5, inplace=True)(middle)
    assert y is middle
    y.sum().backward()
    assert set(np.unique(leaf.grad.tolist())) == {0.0, max(np.unique(leaf.grad.tolist()))}


@pytest.mark.parametrize(("name", "shape"), [("dropout1d", (6, 5)), ("dropout3d", (6, 2, 2, 2))])
def test_in_place_without_a_batch(name: str, shape: tuple[int, ...]) -> None:
    x = ta.ones(*shape)
    assert getattr(F, name)(x, 0.5, True, True) is x and (x == 0).any()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_dtype_stays(dtype: str) -> None:
    x = ta.ones(20, 20, dtype=dtype)
    for name in ("dropout", *ALPHA):
        assert getattr(F, name)(x, 0.5, True).dtype == x.dtype


def test_what_is_dropped_is_0_though_it_be_infinite() -> None:
    y = F.dropout(ta.full((100,), float("inf")), 0.5)
    assert not y.isnan().any() and (y == 0).any()


def test_empty() -> None:
    assert F.dropout(ta.zeros(0, 3)).shape == F.dropout1d(ta.zeros(0, 3, 2)).shape[:2] == (0, 3)


@pytest.mark.filterwarnings("ignore:dropout")
def test_as_pytorch_dropout2d_takes_three_axes_for_one_pixel_axis() -> None:
    with pytest.warns(UserWarning, match="dropout1d"):
        F.dropout2d(ta.ones(2, 3, 4), training=False)
    y = values("dropout2d", 0.5, (6, 8, 5), ta, F)
    assert (y == y[..., :1]).all()
    with pytest.warns(UserWarning, match="use dropout"):
        F.dropout3d(ta.ones(2, 3, 4), training=False)


def test_a_mask_of_channels_is_all_that_is_kept() -> None:
    x = ta.ones(3, 4, 5, 6, requires_grad=True)
    (mask,) = (a for a in F.dropout2d(x).grad_fn.saved if ta.backend.is_array(a))
    assert mask.shape == (3, 4, 1, 1)


@pytest.mark.filterwarnings("ignore:dropout")
def test_refusals() -> None:
    for name in NAMES:
        x = array(*CHANNELS.get(name, (5,)))
        for p in (-0.1, 1.5):
            refuses(*[functools.partial(getattr(m, name), p=p, training=True) for m in (F, theirs)], x, says="probability")
            with pytest.raises(ArgumentError, match="probability"):
                getattr(nn, MODULES[name])(p)
    refuses(lambda x: F.dropout(x), lambda x: theirs.dropout(x), np.ones(3, "int64"), says="float")
    for name, shape in (("dropout1d", (4,)), ("dropout1d", (2, 3, 4, 5)), ("dropout2d", (4,)), ("feature_alpha_dropout", (4,))):
        refuses(*[functools.partial(getattr(m, name), training=True) for m in (F, theirs)], array(*shape))
    with pytest.raises(ShapeError, match="two axes"):
        F.feature_alpha_dropout(ta.ones(4), training=True)
    with pytest.raises(DTypeError):
        F.alpha_dropout(ta.ones(4, dtype="int64"), training=True)
