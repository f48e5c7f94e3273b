"""What the package offers by name: all of it meant, PyTorch's unless listed here as its own, and none without a line of documentation."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

import tinygrad_act as ta

PARTS = {"activations", "amp", "autograd", "backend", "backends", "cuda", "datasets", "distributed", "distributions", "errors", "func", "interop", "linalg", "nn", "optim",
         "pretrained", "random", "study", "testing", "train", "tune", "utils"}
DTYPES = {"bfloat16", "bool", "double", "float", "float16", "float32", "float64", "half", "int", "int16", "int32", "int64",
          "int8", "long", "short", "uint8"}

# Of each module that has PyTorch's name: what PyTorch's has not.
OWN: dict[str, set[str]] = {
    "": {"Elementwise", "Function", "Op", "activations", "backend", "datasets", "errors", "interop", "one_hot", "pretrained", "study", "train", "tune"},
    "amp": {"get_autocast_dtype", "is_autocast_enabled"},
    "autograd": {"is_anomaly_enabled", "is_grad_enabled", "once_differentiable"},
    "autograd.functional": set(), "autograd.variable": set(), "backends": set(), "backends.cuda": set(), "backends.cudnn": set(), "backends.mkl": set(),
    "backends.mkldnn": set(), "backends.mps": set(), "backends.openmp": set(), "cuda.amp": set(), "func": set(), "random": set(), "testing": set(),
    "nn.modules": {r.module for r in ta.activations.catalogue.values()}, "nn.modules.utils": set(), "nn.utils.stateless": set(), "utils.data.dataloader": set(),
    "cuda": set(), "linalg": set(), "nn.init": set(), "nn.utils": set(), "nn.utils.parametrizations": set(), "nn.utils.parametrize": set(), "nn.utils.rnn": set(),
    "optim": {"LAMB", "LARS", "Lion"},
    "optim.lr_scheduler": set(), "optim.swa_utils": set(),
    "distributions": set(), "distributions.constraints": set(), "distributions.transforms": set(), "distributions.kl": set(), "distributions.utils": set(),
    "distributed": set(), "nn.parallel": set(), "nn.parameter": set(), "utils": set(), "utils.checkpoint": set(), "utils.data": set(), "utils.data.distributed": set(),
    "nn": {"Activation", "LearnedPositionalEncoding", "RotaryPositionalEncoding", "SinusoidalPositionalEncoding", "summary", *(r.module for r in ta.activations.catalogue.values())},
    "nn.functional": set(ta.activations.catalogue),
}
# Those that PyTorch does not have.
MORE = ["activations", "backend", "datasets", "errors", "pretrained", "study", "train", "tune", "tune.lora", "backends.switches", "formats", "nn.outer"]
# Written in a module that lists its names, and not among them: parts of what is.
INNER = {"nn.utils.stateless": {"call_with"}, "distributions.utils": {"shape_of", "sum_rightmost"}, "utils.checkpoint": {"Run", "Slot"}}
# What a Tensor has beside PyTorch's methods: its place in the graph.
ATTRIBUTES = {"array", "hooks", "post_hooks", "inference", "node", "view_of", "views"}


def module(name: str) -> Any:
    return importlib.import_module(f"tinygrad_act.{name}".rstrip("."))


def test_dir_lists_what_is_offered() -> None:
    assert dir(ta) == sorted(ta.__all__) == sorted(set(ta.__all__))
    assert {n for n in ta.__all__ if n != "bfloat16" and isinstance(getattr(ta, n), types.ModuleType)} == PARTS
    assert set(ta.__all__) >= DTYPES - ({"bfloat16"} if importlib.util.find_spec("ml_dtypes") is None else set())
    assert all(getattr(ta, n) == ta.empty(0, dtype=n).dtype for n in DTYPES - {"bfloat16"}), "a dtype hides behind another name"


def test_without_ml_dtypes_bfloat16_is_an_attribute_that_is_not_there() -> None:
    code = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name == "ml_dtypes": raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Without())
from importlib.machinery import PathFinder
real = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name == "ml_dtypes" else real(name, *rest)
import tinygrad_act as ta
assert "bfloat16" not in dir(ta) and not hasattr(ta, "bfloat16")
try: ta.bfloat16
except AttributeError as e: assert "pip install 'tinygrad-act[bfloat16]'" in str(e), e
from tinygrad_act import *
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("name", [*OWN, *MORE])
def test_names_are_public_and_there(name: str) -> None:
    for n in module(name).__all__:
        assert not n.startswith("_")
        if n != "bfloat16":                                # of an optional package
            assert hasattr(module(name), n)


@pytest.mark.parametrize("name", [n for n in (*OWN, *MORE) if n])
def test_nothing_public_is_left_out(name: str) -> None:
    m = module(name)
    written = {n for n, v in vars(m).items() if getattr(v, "__module__", "") == m.__name__ and not n.startswith("_")
               and (inspect.isfunction(v) or inspect.isclass(v))}
    assert written <= set(m.__all__) | INNER.get(name, set())


@pytest.mark.parametrize("name", OWN)
def test_names_are_pytorchs(name: str) -> None:
    pytest.importorskip("torch")
    theirs = importlib.import_module(f"torch.{name}".rstrip("."))
    ours = module(name).__all__
    assert {n for n in ours if not hasattr(theirs, n)} <= OWN[name], "say in OWN that they are meant"


def test_methods_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    assert {n for n in dir(ta.Tensor) if not n.startswith("_") and not hasattr(torch.Tensor, n)} <= ATTRIBUTES


def documented() -> Iterator[tuple[str, Any]]:
    """(dotted name, what stands there) for every module, function, class and method that is offered."""
    for name in (*OWN, *MORE):
        m = module(name)
        yield m.__name__, m
        for n in m.__all__:
            value = getattr(m, n) if n != "bfloat16" else None
            if isinstance(value, type):
                yield f"{m.__name__}.{n}", value
                yield from methods(f"{m.__name__}.{n}", value)
            elif callable(value):
                yield f"{m.__name__}.{n}", value
    for name, record in ta.activations.catalogue.items():
        yield f"the record {name}", record


def methods(place: str, kind: type) -> Iterator[tuple[str, Any]]:
    for n in dir(kind):
        value = inspect.getattr_static(kind, n)
        if not n.startswith("_") and isinstance(value, (types.FunctionType, property, staticmethod, classmethod)):
            yield f"{place}.{n}", getattr(kind, n)


def test_everything_public_is_documented() -> None:
    bare = sorted({place for place, value in documented() if not (inspect.getdoc(value) or "").strip()})
    assert not bare, f"{len(bare)} names have no docstring: {bare}"
