"""Where arrays live: choosing a backend, moving between devices, and what is said when there is no GPU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import backend
from tinygrad_act.backend import strict
from tinygrad_act.errors import ArgumentError, DeviceError, MissingPackageError

ROOT = Path(__file__).parents[2]
HEAVY = ("cupy", "matplotlib", "graphviz", "scipy", "rich", "ml_dtypes", "torch", "safetensors", "sklearn", "numba")


def python(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT,
                          env={**os.environ, "TINYGRAD_ACT_BACKEND": "", **environment}, check=False)
    return (done.stdout + done.stderr).strip()


@pytest.fixture
def on_numpy() -> Iterator[None]:
    with backend.use("numpy"):
        yield


def test_importing_costs_numpy_and_nothing_else() -> None:
    assert python(f"import sys, tinygrad_act; print([m for m in {HEAVY} if m in sys.modules])") == "[]"


SLOW = ("argparse", "dataclasses", "difflib", "hashlib", "json", "pathlib", "random", "shutil", "subprocess", "tempfile", "urllib")
PARTS = ("autograd", "backend.compiler", "backend.execute", "cuda", "datasets", "linalg", "nn", "optim", "replay", "study", "symbols")


def test_importing_reads_no_slow_module_of_pythons_and_no_part_that_can_wait() -> None:
    """What NumPy itself has imported is there anyway, and is not counted."""
    code = f"import sys, numpy; before = set(sys.modules); import tinygrad_act; print([m for m in {SLOW} if m in sys.modules.keys() - before], "
    assert python(f"{code}[m for m in {PARTS} if 'tinygrad_act.' + m in sys.modules])") == "[] []"


def test_networks_do_without_parts_that_few_programs_name() -> None:
    parts = ("tinygrad_act.autograd", "tinygrad_act.distributed", "tinygrad_act.nn.parallel", "tinygrad_act.nn.summarise", "dataclasses", "difflib")
    code = "import sys, numpy.random; before = set(sys.modules); import tinygrad_act as ta; ta.nn.Linear(2, 2)(ta.randn(1, 2)).sum().backward(); "
    assert python(f"{code}print([m for m in {parts} if m in sys.modules.keys() - before])") == "[]"


def test_what_waits_is_one_thing_to_threads_that_ask_for_it_at_once() -> None:
    assert python("""
import threading, tinygrad_act as ta
together, found = threading.Barrier(4), []
def ask():
    together.wait()
    found.append((ta.nn.summary, ta.linalg.norm, ta.Function, ta.autograd.gradcheck, ta.cuda, ta.nn.parallel))
threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(found), len(set(found)))""") == "4 1"


def test_the_environment_variable_chooses_the_backend() -> None:
    assert python("import tinygrad_act as ta; print(ta.ones(2).device)", TINYGRAD_ACT_BACKEND="strict") == "strict"
    assert "there is no such backend" in python("import tinygrad_act", TINYGRAD_ACT_BACKEND="abacus")


def test_use_is_for_good_or_for_a_block(on_numpy: None) -> None:
    with backend.use("strict"):
        assert ta.ones(2).device == ta.tensor([1.0]).device == "strict"
        with backend.use("numpy"):
            assert ta.zeros(2).device == "cpu"
        assert backend.current() == "strict"
    assert backend.current() == "numpy"
    backend.use("strict")
    assert ta.zeros(2).device == "strict"
    with pytest.raises(ArgumentError, match="choose from"):
        backend.use("abacus")


def test_moving_copies_and_is_differentiable(on_numpy: None) -> None:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    y = x.to("strict")
    assert y.device == "strict"
    assert y.to("strict") is y
    assert x.cpu() is x
    (y * y).cpu().sum().backward()
    assert x.grad.device == "cpu"
    assert x.grad.tolist() == [2.0, 4.0]


def test_two_devices_in_one_op_name_both_and_the_remedy(on_numpy: None) -> None:
    a, b = ta.ones(3), ta.ones(3, device="strict")
    for op in (lambda: a + b, lambda: a @ b, lambda: ta.cat([a, b]), lambda: ta.where(a > 0, a, b), lambda: b * a.sum()):
        with pytest.raises(DeviceError, match=r"(?s)(?=.*cpu)(?=.*strict).*\.to\(device\)"):
            op()


@pytest.mark.parametrize(("name", "error"), [("tpu", DeviceError), ("cuda:x", DeviceError), (1.5, ArgumentError)])
def test_devices_that_are_none(name: Any, error: Any) -> None:
    with pytest.raises(error, match="cuda"):
        backend.Device(name)


def test_a_device_equals_its_own_text() -> None:
    assert backend.Device("cuda:1") == "cuda:1" == backend.Device("cuda", 1) == backend.Device(1)
    assert backend.Device("cuda") == "cuda:0"
    assert len({backend.Device("cpu"), backend.Device("cpu:0"), backend.Device("cuda:1")}) == 2
    assert repr(backend.Device("cuda:1")) == "device(type='cuda', index=1)"


def test_without_cupy_the_error_names_what_to_install() -> None:
    said = python("import sys; sys.modules['cupy'] = None\n"
                  "import tinygrad_act as ta\nprint(ta.cuda.is_available(), ta.cuda.device_count())\nta.cuda.empty_cache()\nta.cuda.manual_seed_all(0)\nta.ones(2, device='cuda')")
    assert said.startswith("False 0")
    assert MissingPackageError.__name__ in said
    assert "tinygrad-act[cuda12]" in said
    assert "tinygrad-act[cuda13]" in said


def test_with_cupy_but_no_gpu_the_error_says_that() -> None:
    if importlib.util.find_spec("cupy") and ta.cuda.is_available():
        pytest.skip("there is a GPU")
    said = python("""
import sys; sys.path.insert(0, 'tests/backend')
import fake_cupy; fake_cupy.install()
def none(): raise OSError('cudaErrorNoDevice')
sys.modules['cupy'].cuda.runtime.getDeviceCount = none
import tinygrad_act as ta
print(ta.cuda.is_available())
ta.tensor([1.0]).cuda()""")
    assert said.startswith("False")
    assert "DeviceError" in said
    assert "finds no GPU (cudaErrorNoDevice)" in said


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_nothing_crosses_in_a_training_step(optimizer: str) -> None:
    """Forward, backward and the step; what crosses is what the user's code asks for."""
    with backend.use("strict"):
        ta.manual_seed(0)
        model = ta.nn.Sequential(ta.nn.Linear(4, 8), ta.nn.GELU(), ta.nn.Linear(8, 3))
        settings = {"lr": 0.1, "momentum": 0.9} if optimizer == "SGD" else {"lr": 0.1}
        step = getattr(ta.optim, optimizer)(model.parameters(), **settings)
        x, target = ta.randn(16, 4), ta.tensor([0, 1, 2, 0] * 4)
        losses = []
        for _ in range(2):
            strict.transfers.clear()
            loss = ta.nn.functional.cross_entropy(model(x), target)
            step.zero_grad()
            loss.backward()
            step.step()
            assert not strict.transfers
            losses.append(loss.item())
            assert strict.transfers == {"to_host": 1}
        assert losses[1] < losses[0]
