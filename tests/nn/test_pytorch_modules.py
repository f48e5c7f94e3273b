"""PyTorch's own samples for modules (its `module_db`), in float64: result, gradients, buffers, state_dict, repr; misuse.

They are part of PyTorch, but importing them takes the package expecttest as well.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import TinygradActError

from ..ops.against_torch import read, torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    samples = pytest.importorskip("torch.testing._internal.common_modules", exc_type=ImportError,
                                  reason="PyTorch's samples need the package expecttest")

# Why a module of ours is not compared.
SKIPPED: dict[str, str] = {
    "nn.CELU": "PyTorch rounds 1 / alpha to float32",
}
MODULES = [m for m in samples.module_db if m.name not in SKIPPED and hasattr(ta.nn, m.name.removeprefix("nn."))]
CASES = [(m, training) for m in MODULES for training in ((True, False) if m.train_and_eval_differ else (True,))]

each_module = pytest.mark.parametrize("info", MODULES, ids=[m.name.removeprefix("nn.") for m in MODULES])
each_case = pytest.mark.parametrize(("info", "training"), CASES, ids=[
    f"{m.name.removeprefix('nn.')}-{'train' if training else 'eval'}" for m, training in CASES])
pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning"), pytest.mark.filterwarnings("ignore::FutureWarning")]


def convert(x: Any, made: dict[int, Any] | None = None) -> Any:
    """What is given to PyTorch's module, as ours takes it: tensors, dtypes, packed sequences, and functions by name.

    One that is given twice (`made` has what stands for each) is one here too: its gradients add up.
    """
    if isinstance(x, torch.Tensor):
        t = ta.asarray(np.array(read(x)), requires_grad=x.requires_grad)
        return t if made is None else made.setdefault(id(x), t)
    if isinstance(x, torch.nn.utils.rnn.PackedSequence):
        return ta.nn.utils.rnn.PackedSequence(*map(convert, x))
    if isinstance(x, torch.dtype):
        return ta.dtypes.as_dtype(str(x))
    if isinstance(x, (list, tuple)):
        return type(x)([convert(part, made) for part in x])
    if isinstance(x, dict):
        return {k: convert(v, made) for k, v in x.items()}
    if isinstance(x, torch.nn.TransformerEncoderLayer):                      # the one that a TransformerEncoder copies
        return ta.nn.TransformerEncoderLayer(
            x.self_attn.embed_dim, x.self_attn.num_heads, x.linear1.out_features, x.dropout.p, convert(x.activation),
            x.norm1.eps, x.self_attn.batch_first, x.norm_first, x.linear1.bias is not None)
    return getattr(ta.nn.functional, x.__name__) if callable(x) else x


def tensors(x: Any) -> list[Any]:
    """The tensors in a result or in arguments, in order."""
    if isinstance(x, (torch.Tensor, ta.Tensor)):
        return [x]
    parts = x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else ()
    return [t for part in parts for t in tensors(part)]


def pairs(info: Any, training: bool) -> Iterator[tuple[Any, Any, Any]]:
    """Each sample: PyTorch's module, ours with the same weights (once there are any), and the arguments for forward."""
    torch.manual_seed(0)
    for sample in info.module_inputs_func(info, device="cpu", dtype=torch.float64, requires_grad=True, training=training):
        if sample.forward_input is None:
            continue
        made = sample.constructor_input
        theirs = info.module_cls(*made.args, **made.kwargs).to(torch.float64).train(training)
        ours = getattr(ta.nn, info.name.removeprefix("nn."))(*convert(made.args), **convert(made.kwargs))
        ours = ours.to(ta.float64).to(ta.backend.current_device()).train(training)
        if not waits(theirs):
            same_weights(ours, theirs)
        yield theirs, ours, sample


def waits(theirs: Any) -> bool:
    """Is it a lazy module before its first input?"""
    return any(map(torch.nn.parameter.is_lazy, theirs.parameters()))


def same_weights(ours: Any, theirs: Any) -> None:
    ours.load_state_dict({k: ta.tensor(read(v.clone())) for k, v in theirs.state_dict().items()})


def near(ours: Any, theirs: Any, what: str) -> None:
    assert ours.shape == tuple(theirs.shape), f"{what}: shape {ours.shape}, PyTorch's is {tuple(theirs.shape)}"
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch."), f"{what}: {ours.dtype}, PyTorch's is {theirs.dtype}"
    np.testing.assert_allclose(read(ours), read(theirs), 1e-9, 1e-9, err_msg=what)


def run(module: Any, arguments: Any, keywords: Any) -> Any:
    return module(*arguments, **keywords)


def backward(outputs: list[Any], tensor: Callable[[np.ndarray], Any]) -> None:
    """From the sum of the outputs, each weighted with noise: nothing cancels."""
    floats = [t for t in outputs if t.requires_grad]
    total = sum(((t * tensor(np.random.default_rng(i).uniform(0.5, 1.5, tuple(t.shape)))).sum() for i, t in enumerate(floats)), 0.0)
    if floats:
        total.backward()


@each_case
def test_module_computes_what_pytorchs_does(info: Any, training: bool) -> None:
    for theirs, ours, sample in pairs(info, training):
        given = sample.forward_input
        for t in tensors((given.args, given.kwargs)):
            if t.requires_grad:
                t.retain_grad()                                              # some samples are results of an op
        made: dict[int, Any] = {}
        arguments, keywords = convert(given.args, made), convert(given.kwargs, made)
        if waits(theirs):
            run(theirs, given.args, given.kwargs)
            run(ours, arguments, keywords)
            same_weights(ours, theirs)
        expected, results = run(theirs, given.args, given.kwargs), run(ours, arguments, keywords)
        what = f"{ours} of {[tuple(t.shape) for t in tensors(given.args)]}"
        assert len(tensors(results)) == len(tensors(expected)), what
        for a, b in zip(tensors(results), tensors(expected), strict=True):
            near(a, b, what)
        backward(tensors(expected), torch.tensor)
        backward(tensors(results), lambda v: ta.tensor(v, device=ta.backend.current_device()))
        leaves = [*zip(tensors((arguments, keywords)), tensors((given.args, given.kwargs)), strict=True)]
        mine = dict(ours.named_parameters())
        leaves += [(mine[name], p) for name, p in theirs.named_parameters()]
        for a, b in leaves:
            if b.grad is not None or a.grad is not None:
                assert a.grad is not None, f"{what}: a leaf of shape {a.shape} has no gradient"
                near(a.grad, b.grad if b.grad is not None else torch.zeros_like(b), f"a gradient in {what}")
        assert list(ours.state_dict()) == list(theirs.state_dict())
        for name, b in theirs.state_dict().items():                          # also what forward changed: running means
            near(ours.state_dict()[name], b, f"{name} of {what}")


@each_module
def test_module_prints_as_pytorchs(info: Any) -> None:
    for theirs, ours, _ in pairs(info, True):
        assert repr(ours) == repr(theirs)


@each_module
def test_module_refuses_what_pytorchs_refuses(info: Any) -> None:
    if info.module_error_inputs_func is None:
        return
    for sample in info.module_error_inputs_func(info, device="cpu", dtype=torch.float64, requires_grad=False, training=True):
        made = sample.module_error_input.constructor_input
        given = sample.module_error_input.forward_input
        with pytest.raises(TinygradActError):
            ours = getattr(ta.nn, info.name.removeprefix("nn."))(*convert(made.args), **convert(made.kwargs))
            if any(True for _ in ours.parameters()):                         # PyTorch's is made in float64
                ours = ours.to(ta.float64)
            run(ours, convert(given.args), convert(given.kwargs))
