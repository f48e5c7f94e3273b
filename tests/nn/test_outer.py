"""The functions of networks that PyTorch has in `torch` itself: called as there, they give what they give there."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.nn.beside_torch import near, refused, torch
from tinygrad_act.errors import ArgumentError, ShapeError


def made(t: Any) -> Any:
    """Tensors of one library, of numbers that are the same in the other."""
    random = np.random.default_rng(0)
    tensor = t.tensor if t is ta else t.from_numpy

    def make(*shape: int, positive: bool = False, below: int = 0) -> Any:
        x = random.integers(0, below, shape) if below else random.normal(size=shape)
        return tensor(np.abs(x) + 0.1 if positive else x)
    return make


# name -> (library, maker of tensors) -> the result
CASES: dict[str, Any] = {
    "adaptive_avg_pool1d": lambda t, x: t.adaptive_avg_pool1d(x(2, 3, 8), 4),
    "adaptive_max_pool1d": lambda t, x: t.adaptive_max_pool1d(x(2, 3, 8), 4),
    "avg_pool1d": lambda t, x: t.avg_pool1d(x(2, 3, 8), 3, 2, 1, False, False),
    "max_pool1d": lambda t, x: t.max_pool1d(x(2, 3, 8), 3, 2, 1),
    "max_pool1d_with_indices": lambda t, x: t.max_pool1d_with_indices(x(2, 3, 8), 3, 2, 1),
    "max_pool2d": lambda t, x: t.max_pool2d(x(2, 3, 8, 8), (3, 2), 2, 1, ceil_mode=True),
    "max_pool3d": lambda t, x: t.max_pool3d(x(2, 3, 4, 4, 4), 2),
    "batch_norm, training": lambda t, x: t.batch_norm(x(4, 3), x(3), x(3), x(3), x(3, positive=True), True, 0.1, 1e-5, True),
    "batch_norm, evaluating": lambda t, x: t.batch_norm(x(4, 3), x(3), x(3), x(3), x(3, positive=True), False, 0.1, 1e-5, True),
    "instance_norm": lambda t, x: t.instance_norm(x(4, 3, 5), x(3), x(3), x(3), x(3, positive=True), True, 0.1, 1e-5, True),
    "group_norm": lambda t, x: t.group_norm(x(4, 6, 5), 2, x(6), x(6), 1e-3, True),
    "layer_norm": lambda t, x: t.layer_norm(x(4, 6), (6,), x(6), x(6), 1e-3, True),
    "rms_norm": lambda t, x: t.rms_norm(x(4, 6), (6,), x(6), 1e-3),
    "bilinear": lambda t, x: t.bilinear(x(4, 2), x(4, 3), x(5, 2, 3), x(5)),
    "channel_shuffle": lambda t, x: t.channel_shuffle(x(1, 4, 2, 2), 2),
    "pixel_shuffle": lambda t, x: t.pixel_shuffle(x(1, 4, 2, 2), 2),
    "pixel_unshuffle": lambda t, x: t.pixel_unshuffle(x(1, 1, 4, 4), 2),
    "cosine_similarity": lambda t, x: t.cosine_similarity(x(4, 3), x(4, 3), -1, 1e-6),
    "pairwise_distance": lambda t, x: t.pairwise_distance(x(4, 3), x(4, 3), 1.0, keepdim=True),
    "embedding": lambda t, x: t.embedding(x(5, 3), x(2, 4, below=5)),
    "embedding, padding": lambda t, x: t.embedding(x(5, 3), x(2, 4, below=5), 1, True, False),
    "constant_pad_nd": lambda t, x: t.constant_pad_nd(x(2, 3), (1, 2, 0, 1), 0.5),
    "dropout": lambda t, x: t.dropout(x(4, 3), 0.5, False),
    "dropout of all": lambda t, x: t.dropout(x(4, 3), 1.0, True),
    "alpha_dropout": lambda t, x: t.alpha_dropout(x(4, 3), 0.5, False),
    "feature_dropout": lambda t, x: t.feature_dropout(x(4, 3), 0.5, False),
    "feature_alpha_dropout": lambda t, x: t.feature_alpha_dropout(x(4, 3), 0.5, False),
    "dropout_": lambda t, x: t.dropout_(x(4, 3) * 1.0, 1.0, True),
    **{f"binary_cross_entropy_with_logits, {r}": lambda t, x, r=r: t.binary_cross_entropy_with_logits(x(4), x(4, positive=True), x(4), x(4, positive=True), r)
       for r in range(3)},
    "cosine_embedding_loss": lambda t, x: t.cosine_embedding_loss(x(4, 3), x(4, 3), x(4, below=2) * 2 - 1, 0.5, 0),
    "ctc_loss": lambda t, x: t.ctc_loss(x(5, 2, 4).log_softmax(2), x(2, 2, below=3) + 1, (5, 4), (2, 1), 0, 2, True),
    "hinge_embedding_loss": lambda t, x: t.hinge_embedding_loss(x(4), x(4, below=2) * 2 - 1, 0.5, 2),
    "kl_div": lambda t, x: t.kl_div(x(4, 3), x(4, 3), 2, log_target=True),
    "margin_ranking_loss": lambda t, x: t.margin_ranking_loss(x(4), x(4), x(4, below=2) * 2 - 1, 0.5, 0),
    "poisson_nll_loss": lambda t, x: t.poisson_nll_loss(x(4), x(4, positive=True), True, True, 1e-8, 1),
    # without a reduction
    "binary_cross_entropy_with_logits": lambda t, x: t.binary_cross_entropy_with_logits(x(4), x(4, positive=True)),
    "cosine_embedding_loss of pairs": lambda t, x: t.cosine_embedding_loss(x(4, 3), x(4, 3), x(4, below=2) * 2 - 1),
    "ctc_loss of each": lambda t, x: t.ctc_loss(x(5, 2, 4).log_softmax(2), x(2, 2, below=3) + 1, (5, 4), (2, 1)),
    "hinge_embedding_loss of each": lambda t, x: t.hinge_embedding_loss(x(4), x(4, below=2) * 2 - 1),
    "kl_div of each": lambda t, x: t.kl_div(x(4, 3), x(4, 3, positive=True)),
    "margin_ranking_loss of each": lambda t, x: t.margin_ranking_loss(x(4), x(4), x(4, below=2) * 2 - 1),
    "triplet_margin_loss of each": lambda t, x: t.triplet_margin_loss(x(4, 3), x(4, 3), x(4, 3)),
    "triplet_margin_loss": lambda t, x: t.triplet_margin_loss(x(4, 3), x(4, 3), x(4, 3), 1.0, 1.0, 1e-6, True, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_it_gives_what_pytorchs_gives(name: str) -> None:
    theirs, ours = CASES[name](torch(), made(torch())), CASES[name](ta, made(ta))
    for a, b in zip(*(r if isinstance(r, tuple) else (r,) for r in (ours, theirs)), strict=True):
        near(a, b, name)


def test_all_of_nn_functional_that_torch_has_is_here() -> None:
    """But embedding_bag, whose results there are four, three of which no listing reads."""
    F = ta.nn.functional
    assert {n for n in F.__all__ if hasattr(torch(), n) and not hasattr(ta, n)} == {"embedding_bag"}


def test_names_of_arguments_are_pytorchs() -> None:
    names = [n for n in ta.nn.outer.__all__ if n.removesuffix("_") not in ("feature_dropout",)]
    for name in names:
        schemas = torch()._C._jit_get_schemas_for_operator(f"aten::{name}")
        theirs = [["input" if a.name == "self" else a.name for a in s.arguments] for s in schemas]
        assert list(inspect.signature(getattr(ta, name)).parameters) in theirs, name


def test_in_place_dropouts_change_their_input() -> None:
    for name in ("dropout_", "alpha_dropout_", "feature_dropout_", "feature_alpha_dropout_"):
        x = ta.ones(4, 3)
        assert getattr(ta, name)(x, 1.0, True) is x and bool((x == 0).all()), name
    x = ta.ones(64, 8, 3)
    ta.feature_dropout_(x, 0.5, True)
    assert bool(((x == 0).all(-1) | (x == 2).all(-1)).all()) and 0 < int((x == 0).sum()) < x.numel()


def test_gradients_flow_through_them() -> None:
    table = ta.ones(3, 2, requires_grad=True)
    ta.dropout(ta.layer_norm(ta.embedding(table, ta.tensor([0, 2, 2])) * ta.tensor([1.0, 3.0]), (2,)), 0.0, True).square().sum().backward()
    assert table.grad is not None and table.grad.shape == (3, 2) and not bool(table.grad[1].any())


def test_misuse_is_refused_in_their_names() -> None:
    refused(ArgumentError, "kl_div: reduction=7", ta.kl_div, ta.ones(1), ta.ones(1), 7)
    refused(ShapeError, "feature_dropout: an input of shape", ta.feature_dropout, ta.ones(3), 0.5, True)
    refused(ArgumentError, "p=2", ta.feature_dropout, ta.ones(3, 1), 2, True)
