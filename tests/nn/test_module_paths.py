"""PyTorch's module paths: what they hold there they hold here, and it is what stands under the short names."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import pytest

import tinygrad_act as ta
from tests.nn.beside_torch import refused, torch
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError

PLACES = ("activation", "batchnorm", "channelshuffle", "container", "conv", "distance", "dropout", "flatten", "fold", "instancenorm", "lazy", "linear", "loss",
          "module", "normalization", "padding", "pixelshuffle", "pooling", "rnn", "sparse", "transformer", "upsampling", "utils")
BASES = {"batchnorm": ["_BatchNorm", "_NormBase"], "instancenorm": ["_InstanceNorm"], "conv": ["_ConvNd", "_ConvTransposeNd"], "dropout": ["_DropoutNd"],
         "loss": ["_Loss", "_WeightedLoss"], "pooling": ["_AdaptiveAvgPoolNd", "_AdaptiveMaxPoolNd", "_LPPoolNd", "_MaxPoolNd", "_MaxUnpoolNd"]}


@pytest.mark.parametrize("place", PLACES)
def test_a_path_has_the_classes_that_pytorchs_has(place: str) -> None:
    ours = importlib.import_module(f"tinygrad_act.nn.modules.{place}")
    theirs = importlib.import_module(f"{torch().__name__}.nn.modules.{place}")
    own = {n for n, v in vars(theirs).items() if isinstance(v, type) and v.__module__ == theirs.__name__ and hasattr(nn, n)}
    held = {n for n in ours.__all__ if hasattr(torch().nn, n)}
    assert held == own
    assert all(getattr(ours, n) is getattr(nn, n) is getattr(nn.modules, n) for n in own)


def test_no_path_of_pytorchs_with_classes_of_ours_is_missing() -> None:
    for info in pkgutil.iter_modules(torch().nn.modules.__path__):
        theirs = importlib.import_module(f"torch.nn.modules.{info.name}")
        if any(isinstance(v, type) and v.__module__ == theirs.__name__ and hasattr(nn, n) for n, v in vars(theirs).items()):
            assert info.name in PLACES


@pytest.mark.parametrize(("place", "name"), [(place, name) for place, names in BASES.items() for name in names])
def test_the_bases_have_the_classes_below_them_that_pytorchs_have(place: str, name: str) -> None:
    ours, theirs = (getattr(importlib.import_module(f"{library}.nn.modules.{place}"), name) for library in ("tinygrad_act", torch().__name__))
    for n in nn.__all__:
        kind, other = getattr(nn, n), getattr(torch().nn, n, None)
        if isinstance(kind, type) and isinstance(other, type) and not n.startswith("Lazy"):
            assert issubclass(kind, ours) == issubclass(other, theirs), n


def test_a_listings_imports_run() -> None:
    from tinygrad_act.nn.modules.loss import _Loss, _WeightedLoss
    from tinygrad_act.nn.modules.module import Module
    from tinygrad_act.optim.adamw import AdamW

    from tinygrad_act.autograd import Variable
    from tinygrad_act.autograd.variable import Variable as Same
    from tinygrad_act.nn.modules.utils import _pair, _single, _triple
    from tinygrad_act.optim.lr_scheduler import _LRScheduler
    from tinygrad_act.optim.optimizer import Optimizer
    from tinygrad_act.optim.sgd import SGD
    from tinygrad_act.utils.data.dataloader import DataLoader, default_collate
    from tinygrad_act.utils.data.dataset import Dataset
    from tinygrad_act.utils.data.sampler import Sampler

    assert Variable is Same and Module is nn.Module and AdamW is ta.optim.AdamW and issubclass(AdamW, Optimizer) and SGD is ta.optim.SGD
    assert (DataLoader, Dataset, Sampler) == (ta.utils.data.DataLoader, ta.utils.data.Dataset, ta.utils.data.Sampler) and callable(default_collate)
    assert (_single(1), _pair(2), _triple((1, 2, 3)), _pair([1, 2])) == ((1,), (2, 2), (1, 2, 3), (1, 2))

    class Constant(_LRScheduler):
        def get_lr(self) -> list[float]:
            return [0.5 for _ in self.base_lrs]

    class Both(_Loss):
        def forward(self, x: Any, y: Any) -> Any:
            return nn.functional.mse_loss(x, y, reduction=self.reduction) + nn.functional.l1_loss(x, y, reduction=self.reduction)

    scheduler = Constant(SGD([ta.zeros(1, requires_grad=True)], lr=1.0))
    assert scheduler.get_last_lr() == [0.5] and isinstance(ta.optim.lr_scheduler.StepLR(scheduler.optimizer, 1), _LRScheduler)
    assert Both(reduction="sum")(ta.zeros(2), ta.full((2,), 2.0)).item() == 12.0
    assert _WeightedLoss(ta.ones(2)).weight.shape == (2,) and issubclass(_WeightedLoss, _Loss)


@pytest.mark.parametrize("kind", [k for k in dir(ta.optim) if isinstance(getattr(ta.optim, k), type) and k != "Optimizer"])
def test_optimizers_have_a_path_each(kind: str) -> None:
    torch()
    try:
        importlib.import_module(f"torch.optim.{kind.lower()}")
    except ImportError:
        pytest.skip("PyTorch has no such path")
    assert getattr(importlib.import_module(f"tinygrad_act.optim.{kind.lower()}"), kind) is getattr(ta.optim, kind)


def test_a_prefix_is_taken_off() -> None:
    def state(t: Any) -> Any:
        return t.nn.Sequential(t.nn.DataParallel(t.nn.Linear(1, 1)), t.nn.BatchNorm1d(1)).state_dict()
    for prefix in ("0.", "0.module.", "other."):
        ours, theirs = state(ta), state(torch())
        ta.nn.modules.utils.consume_prefix_in_state_dict_if_present(ours, prefix)
        torch().nn.modules.utils.consume_prefix_in_state_dict_if_present(theirs, prefix)
        assert set(ours) == set(theirs)


# ------------------------------------------------------------------------------------------------ DataParallel and others
def test_data_parallel_wraps_and_calls() -> None:
    inner = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    model, x = nn.DataParallel(inner, device_ids=None), ta.ones(2, 2)
    assert model.module is inner and list(model.state_dict()) == [f"module.{k}" for k in inner.state_dict()]
    assert list(model.state_dict()) == list(torch().nn.DataParallel(torch().nn.Sequential(torch().nn.Linear(2, 3), torch().nn.BatchNorm1d(3))).state_dict())
    model.eval()
    assert not inner.training and bool((model(x) == inner(x)).all())
    model(x).sum().backward()
    assert inner[0].weight.grad is not None
    inner.load_state_dict({k.removeprefix("module."): v for k, v in model.state_dict().items()})
    refused(ArgumentError, "it wraps a Module", nn.DataParallel, ta.relu)


def test_a_module_is_converted_as_a_whole_by_type() -> None:
    ours, theirs = nn.BatchNorm1d(2), torch().nn.BatchNorm1d(2)
    assert ours.type(ta.float64) is ours
    theirs.type(torch().float64)
    assert {k: str(v.dtype) for k, v in ours.state_dict().items()} == {k: str(v.dtype).removeprefix("torch.") for k, v in theirs.state_dict().items()}
    assert nn.Linear(1, 1).type("torch.DoubleTensor").weight.dtype == ta.float64
    refused(ArgumentError, "parameters that learn", nn.Linear(1, 1).type, ta.int64)


def test_sharing_memory_leaves_things_as_they_are() -> None:
    model, x = nn.Linear(1, 1), ta.ones(2)
    assert model.share_memory() is model and x.share_memory_() is x


def test_the_old_name_of_clipping_warns() -> None:
    p = ta.zeros(2, requires_grad=True)
    p.grad = ta.tensor([3.0, 4.0])
    with pytest.warns(FutureWarning, match="clip_grad_norm_"):
        assert nn.utils.clip_grad_norm([p], 1.0).item() == 5.0
    assert abs(p.grad.norm().item() - 1.0) < 1e-4


def test_data_parallel_moves_the_network_and_what_it_is_given_to_the_gpu() -> None:
    if not ta.cuda.is_available():
        pytest.skip("there is no GPU")
    model = nn.DataParallel(nn.Linear(2, 1).cpu(), device_ids=[0], output_device="cpu")
    assert model.module.weight.is_cuda and model(ta.ones(3, 2, device="cpu")).is_cpu
    assert nn.DataParallel(nn.Linear(2, 1))(input=ta.ones(3, 2, device="cpu")).is_cuda
