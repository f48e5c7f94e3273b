"""What PyTorch's listings set and ask at their beginning: it is accepted and kept, and what it says of this library is true."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, DeviceError


def test_a_listings_head_runs() -> None:
    code = """
import tinygrad_act as torch
import tinygrad_act.backends.cudnn as cudnn
from tinygrad_act.backends import cuda, mps
cudnn.benchmark, cudnn.deterministic = True, True
torch.backends.cudnn.enabled = False
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
torch.use_deterministic_algorithms(True, warn_only=True)
torch.set_float32_matmul_precision("high")
device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
torch.set_default_device("cpu")
assert torch.zeros(1).device == "cpu" and torch.backends.cudnn.benchmark and not torch.backends.cudnn.enabled
assert mps is torch.backends.mps and not mps.is_built()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_libraries_that_are_not_used_are_not_available() -> None:
    b = ta.backends
    assert not any(m.is_available() for m in (b.cudnn, b.mps, b.mkl, b.mkldnn, b.openmp))
    assert b.cudnn.version() is None and not b.cudnn.is_acceptable(ta.ones(1))


def test_cudnns_switches_have_pytorchs_defaults_and_come_back_after_a_block() -> None:
    ours, names = ta.backends.cudnn, ("benchmark", "benchmark_limit", "deterministic", "enabled", "allow_tf32")
    before = {n: getattr(ours, n) for n in names}
    with pytest.raises(KeyError), ours.flags(benchmark=True, deterministic=True):
        assert ours.benchmark and ours.deterministic and not ours.enabled
        raise KeyError
    assert {n: getattr(ours, n) for n in names} == before
    theirs = pytest.importorskip("torch").backends.cudnn
    assert {n: getattr(theirs, n) for n in names if n != "benchmark_limit"} == {n: v for n, v in before.items() if n != "benchmark_limit"}


def test_the_precision_of_products_is_kept_and_checked() -> None:
    matmul = ta.backends.cuda.matmul
    try:
        assert ta.get_float32_matmul_precision() == "highest" and not matmul.allow_tf32
        ta.set_float32_matmul_precision("medium")
        assert matmul.allow_tf32
        matmul.allow_tf32 = False
        assert ta.get_float32_matmul_precision() == "highest"
        matmul.allow_tf32 = True
        assert ta.get_float32_matmul_precision() == "high"
    finally:
        ta.set_float32_matmul_precision("highest")
    with pytest.raises(ArgumentError, match="'fast': there is no such precision; choose from highest, high, medium"):
        ta.set_float32_matmul_precision("fast")
    with pytest.raises(AttributeError):
        matmul.allow_tf16 = True


def test_deterministic_algorithms_are_kept() -> None:
    assert not ta.are_deterministic_algorithms_enabled()
    try:
        ta.use_deterministic_algorithms(True, warn_only=True)
        assert ta.are_deterministic_algorithms_enabled() and ta.is_deterministic_algorithms_warn_only_enabled()
    finally:
        ta.use_deterministic_algorithms(False)
    assert not ta.is_deterministic_algorithms_warn_only_enabled()
    wrong: Any = 1
    with pytest.raises(ArgumentError, match="mode=1"):
        ta.use_deterministic_algorithms(wrong)


def test_the_default_device_is_where_tensors_are_made() -> None:
    other = "cuda:0" if ta.cuda.is_available() else "strict"
    with ta.backend.use(ta.backend.current()):               # and afterwards as before
        ta.set_default_device(other)
        assert ta.get_default_device() == other
        assert all(x.device == other for x in (ta.tensor([1.0]), ta.zeros(1), ta.rand(1), ta.arange(2), ta.nn.Linear(1, 1).weight))
        assert ta.zeros(1, device="cpu").device == "cpu"
        ta.set_default_device(None)
        assert ta.zeros(1).device == ta.device("cpu") == ta.get_default_device()
        with pytest.raises(DeviceError, match="no such device"):
            ta.set_default_device("tpu")
        if not ta.cuda.is_available():
            with pytest.raises(ta.errors.TinygradActError):
                ta.set_default_device("cuda")
        assert ta.get_default_device() == "cpu"


# ------------------------------------------------------------------------------------------------- memory formats
def test_memory_formats_are_accepted_and_change_nothing() -> None:
    x = ta.arange(16.0).reshape(1, 2, 2, 4)
    for form in (ta.channels_last, ta.contiguous_format, ta.preserve_format):
        for y in (x.to(memory_format=form), x.contiguous(memory_format=form), x.clone(memory_format=form), x.float(memory_format=form)):
            assert y.tolist() == x.tolist() and y.stride() == x.stride()
        assert isinstance(form, ta.memory_format)
    model = ta.nn.Conv2d(2, 3, 1)
    assert model.to(memory_format=ta.channels_last) is model and model(x).shape == (1, 3, 2, 4)


def test_memory_formats_are_the_same_after_copies_and_pickles() -> None:
    for constant in (ta.channels_last, ta.strided):
        assert copy.deepcopy(constant) is constant and pickle.loads(pickle.dumps(constant)) is constant
    assert repr(ta.channels_last) == "tinygrad_act.channels_last" and isinstance(ta.strided, ta.layout)


def test_newaxis_and_the_type_of_dtypes() -> None:
    assert ta.ones(2)[:, ta.newaxis].shape == (2, 1)
    assert isinstance(ta.float32, ta.dtype) and isinstance(ta.zeros(1, dtype=ta.int64).dtype, ta.dtype) and not isinstance("float32", ta.dtype)


# ------------------------------------------------------------------------------------------------------- random
def test_the_random_module_has_the_packages_functions() -> None:
    for name in ("manual_seed", "seed", "initial_seed", "get_rng_state", "set_rng_state"):
        assert getattr(ta.random, name) is getattr(ta, name)


@pytest.mark.parametrize("enabled", [True, False])
def test_fork_rng_brings_the_generators_back(enabled: bool) -> None:
    ta.manual_seed(1)
    expected = ta.rand(3).tolist()
    ta.manual_seed(1)
    with ta.random.fork_rng(enabled=enabled):
        ta.rand(7)
    assert (ta.rand(3).tolist() == expected) == enabled


def test_fork_rng_brings_back_the_cpu_whatever_the_devices_and_after_an_error() -> None:
    with ta.backend.use("numpy"):
        ta.manual_seed(1)
        expected = ta.rand(3).tolist()
        ta.manual_seed(1)
        with pytest.raises(KeyError), ta.random.fork_rng(devices=[]):
            ta.manual_seed(5)
            raise KeyError
        assert ta.rand(3).tolist() == expected
