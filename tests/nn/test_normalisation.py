"""The modules: running statistics over training and evaluation, state_dict, settings, starts, and what they refuse.

(What they compute is held to PyTorch's own samples in test_pytorch_modules.py.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.ops.against_torch import array, torch
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError, IndexingError, ShapeError

MODULES: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = [
    ("BatchNorm1d", (4,), {}, (6, 4)), ("BatchNorm1d", (4,), {"momentum": None}, (6, 4, 3)), ("BatchNorm2d", (4,), {"affine": False}, (3, 4, 2, 2)),
    ("BatchNorm2d", (4,), {"track_running_stats": False}, (3, 4, 2, 2)), ("BatchNorm3d", (4,), {"momentum": 0.4, "eps": 0.01}, (3, 4, 2, 1, 2)),
    ("BatchNorm1d", (4,), {"bias": False}, (6, 4)), ("InstanceNorm1d", (4,), {}, (3, 4, 5)),
    ("InstanceNorm2d", (4,), {"affine": True, "track_running_stats": True}, (3, 4, 5, 2)), ("InstanceNorm3d", (4,), {"affine": True}, (4, 5, 2, 2)),
    ("LayerNorm", (4,), {}, (6, 4)), ("LayerNorm", ([3, 4],), {"bias": False}, (6, 3, 4)), ("LayerNorm", (4,), {"elementwise_affine": False}, (4,)),
    ("GroupNorm", (2, 4), {}, (3, 4, 5)), ("GroupNorm", (2, 4), {"affine": False}, (3, 4)), ("RMSNorm", (4,), {}, (6, 4)),
    ("RMSNorm", ((3, 4),), {"eps": 0.1}, (2, 3, 4)), ("LocalResponseNorm", (3,), {"alpha": 0.5}, (2, 5, 3)),
]
each = pytest.mark.parametrize(("name", "given", "settings", "shape"), MODULES, ids=[f"{m[0]}-{i}" for i, m in enumerate(MODULES)])


def both(name: str, given: Any, settings: dict[str, Any]) -> tuple[Any, Any]:
    """PyTorch's module and ours, with weights that are not what they start with."""
    theirs, ours = getattr(torch.nn, name)(*given, **settings).double(), getattr(nn, name)(*given, **settings).double()
    for i, p in enumerate(theirs.parameters()):
        p.data.copy_(torch.tensor(array(*p.shape, seed=i)))
    ours.load_state_dict({k: ta.tensor(v.detach().numpy()) for k, v in theirs.state_dict().items()})
    return theirs, ours.to(ta.backend.current_device())


@each
def test_three_batches_and_evaluation_are_pytorchs(name: str, given: Any, settings: Any, shape: Any) -> None:
    theirs, ours = both(name, given, settings)
    for step in range(5):
        if step == 3:
            theirs.eval(), ours.eval()
        x = array(*shape, seed=step)
        leaf, other = ta.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        y, z = ours(leaf), theirs(other)
        (y * y).sum().backward()
        (z * z).sum().backward()
        np.testing.assert_allclose(y.tolist(), z.tolist(), 1e-9, 1e-9)
        np.testing.assert_allclose(leaf.grad.tolist(), other.grad.tolist(), 1e-8, 1e-8)
        for (key, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
            np.testing.assert_allclose(a.tolist(), b.tolist(), 1e-9, 1e-9, err_msg=key)


@each
def test_keys_dtypes_and_text_are_pytorchs(name: str, given: Any, settings: Any, shape: Any) -> None:
    theirs, ours = getattr(torch.nn, name)(*given, **settings), getattr(nn, name)(*given, **settings)
    described = [[(k, tuple(v.shape), str(v.dtype).removeprefix("torch."), v.tolist()) for k, v in m.state_dict().items()] for m in (ours, theirs)]
    assert described[0] == described[1]
    assert repr(ours) == repr(theirs)


def test_num_batches_tracked_is_an_int64_that_counts_and_stays_one() -> None:
    m = nn.BatchNorm1d(2).double()
    m(ta.ones(3, 2, dtype="float64"))
    m.eval()(ta.ones(3, 2, dtype="float64"))
    assert m.num_batches_tracked.dtype == ta.int64 and m.num_batches_tracked.item() == 1
    m.reset_running_stats()
    assert m.num_batches_tracked.item() == 0 and m.running_var.tolist() == [1.0, 1.0]


def test_running_statistics_move_without_a_graph_too() -> None:
    m = nn.BatchNorm1d(2)
    with ta.no_grad():
        m(ta.tensor([[1.0, 2.0], [3.0, 6.0]]))
    assert m.running_mean.tolist() == pytest.approx([0.2, 0.4]) and not m.running_mean.requires_grad


@pytest.mark.parametrize(("call", "says"), [
    (lambda: nn.BatchNorm1d(3)(ta.ones(1, 3)), "more than one value"),
    (lambda: nn.BatchNorm2d(3)(ta.ones(2, 4, 2, 2)), "4 channels, and num_features is 3"),
    (lambda: nn.BatchNorm2d(3)(ta.ones(2, 3)), "N, C, H, W"),
    (lambda: nn.BatchNorm1d(3)(ta.ones(2, 3, 2, 2)), "N, C, L"),
    (lambda: nn.InstanceNorm2d(3, affine=True)(ta.ones(2, 4, 2, 2)), "num_features is 3"),
    (lambda: nn.InstanceNorm1d(3)(ta.ones(2, 3, 1)), "more than one value"),
    (lambda: nn.LayerNorm(3)(ta.ones(2, 4)), "normalized_shape"),
    (lambda: nn.GroupNorm(2, 4)(ta.ones(2, 6, 3)), "weight of shape"),
    (lambda: nn.Bilinear(2, 3, 4)(ta.ones(5, 2), ta.ones(5, 4)), "last sizes are 2 and 4"),
])
def test_shapes_that_do_not_fit(call: Any, says: str) -> None:
    with pytest.raises(ShapeError, match=says):
        call()


def test_settings_that_cannot_be() -> None:
    for call in (lambda: nn.GroupNorm(3, 4), lambda: nn.Bilinear(0, 1, 1), lambda: nn.Embedding(3, 2, padding_idx=3),
                 lambda: nn.EmbeddingBag(3, 2, padding_idx=-4), lambda: nn.BatchNorm1d(2)(3.0), lambda: nn.Embedding.from_pretrained(ta.ones(3))):
        with pytest.raises(ArgumentError):
            call()
    with pytest.raises(ShapeError, match="a table"):
        nn.Embedding(3, 2, _weight=ta.ones(2, 2))
    with pytest.raises(IndexingError):
        nn.Embedding(3, 2)(ta.tensor([3]))


# ------------------------------------------------------------------------------------- the tables, and two inputs
def test_embedding_starts_normal_with_a_row_of_zeros() -> None:
    ta.manual_seed(0)
    m = nn.Embedding(500, 40, padding_idx=-1)
    values = np.array(m.weight.tolist())
    assert m.padding_idx == 499 and not values[-1].any()
    assert abs(values[:-1].std() - 1) < 0.02 and abs(values.mean()) < 0.02


@pytest.mark.parametrize("kind", ["Embedding", "EmbeddingBag"])
def test_from_pretrained_shares_the_table_and_freezes_it(kind: str) -> None:
    table = ta.tensor([[1.0, 2.0], [3.0, 4.0]])
    frozen, free = getattr(nn, kind).from_pretrained(table), getattr(nn, kind).from_pretrained(table, freeze=False)
    assert not frozen.weight.requires_grad and free.weight.requires_grad
    table[0, 0] = 9.0
    assert frozen.weight[0, 0].item() == 9.0


@pytest.mark.parametrize(("kind", "given", "settings"), [
    ("Embedding", (3, 2), {}), ("Embedding", (3, 2), {"padding_idx": -1, "max_norm": 1.0, "norm_type": 1.0, "scale_grad_by_freq": True, "sparse": True}),
    ("EmbeddingBag", (3, 2), {}), ("EmbeddingBag", (3, 2), {"mode": "sum", "max_norm": 1.0, "norm_type": 1.0, "padding_idx": 0}),
    ("Bilinear", (2, 3, 4), {"bias": False}), ("CosineSimilarity", (), {}), ("PairwiseDistance", (1.0,), {})])
def test_text_is_pytorchs(kind: str, given: Any, settings: Any) -> None:
    assert repr(getattr(nn, kind)(*given, **settings)) == repr(getattr(torch.nn, kind)(*given, **settings))


def test_bilinear_starts_as_pytorchs() -> None:
    ta.manual_seed(0)
    for p in nn.Bilinear(25, 30, 40).parameters():
        values = np.array(p.tolist())
        assert abs(values).max() <= 0.2 and abs(values.std() - 0.2 / 3**0.5) < 0.02


def test_meta_acon_normalises_its_two_layers_if_asked() -> None:
    """As the authors' code: β = σ(bn2(fc2(bn1(fc1(mean))))), then ACON-C."""
    ours = nn.MetaACON(8, batch_norm=True).double()
    x = array(5, 8, 3, 2)
    p = {k: torch.tensor(np.array(v.tolist())) for k, v in ours.state_dict().items()}
    hidden = torch.nn.functional.batch_norm(torch.tensor(x).mean((2, 3)) @ p["w1"].T + p["b1"], None, None, training=True)
    beta = torch.sigmoid(torch.nn.functional.batch_norm(hidden @ p["w2"].T + p["b2"], None, None, training=True))[..., None, None]
    d = torch.tensor(x)                                        # p1 - p2 is 1, p2 is 0
    np.testing.assert_allclose(ours(ta.tensor(x)).tolist(), (d * torch.sigmoid(beta * d)).tolist(), 1e-9, 1e-9)
    assert ours(ta.tensor(x[:, :, 0, 0])).shape == (5, 8)
