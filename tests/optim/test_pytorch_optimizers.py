"""Every optimizer goes PyTorch's way, for the options that PyTorch tests its own with: path, state, groups, errors."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import optim

from . import paths

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    samples = pytest.importorskip("torch.testing._internal.common_optimizers", exc_type=ImportError,
                                  reason="PyTorch's samples need the package expecttest")

OptimizerErrorEnum, optim_db = samples.OptimizerErrorEnum, samples.optim_db
DB = {info.optim_cls.__name__: info for info in optim_db if info.optim_cls.__name__ != "SparseAdam"}
SAMPLES = [(name, sample.kwargs) for name, info in DB.items() for sample in info.optim_inputs_func("cpu")]
SAMPLES += [(name, options) for name, options in paths.ALL if name in DB]


def both(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options for us and for PyTorch, tensors in float64."""
    theirs = {k: v.double() if isinstance(v, torch.Tensor) else v for k, v in options.items()}
    return paths.to_ours(theirs), theirs


@pytest.mark.parametrize("grouped", [False, True], ids=["one group", "two groups"])
@pytest.mark.parametrize(("name", "options"), SAMPLES, ids=str)
def test_the_path_and_the_state_are_pytorchs(name: str, options: dict[str, Any], grouped: bool) -> None:
    if name == "LBFGS" and grouped:
        pytest.skip("it has one group")
    mine, theirs = both(options)
    steps = 20 if name == "LBFGS" else 100                       # each of L-BFGS's is up to twenty
    ours, a = paths.path(ta, name, mine, steps, grouped=grouped)
    other, b = paths.path(torch, name, theirs, steps, grouped=grouped)
    near = {"rtol": 0.02, "atol": 0.02} if name == "Muon" else {"rtol": 1e-11, "atol": 1e-13}       # it iterates in bfloat16
    for p, q in zip(ours, other, strict=True):
        for x, y in zip(p, q, strict=True):
            np.testing.assert_allclose(x, y, **near)
    ours, other = a.state_dict(), paths.to_ours(b.state_dict())
    assert {k: set(v) for k, v in ours["state"].items()} == {k: set(v) for k, v in other["state"].items()}
    for key, state in other["state"].items():
        for k, v in state.items():
            if isinstance(v, ta.Tensor) and k not in ("t", "H_diag"):
                assert ours["state"][key][k].shape == v.shape and ours["state"][key][k].dtype == v.dtype, k
                np.testing.assert_allclose(ours["state"][key][k].tolist(), v.tolist(), **{**near, "rtol": max(near["rtol"], 1e-9)})
    for x, y in zip(ours["param_groups"], other["param_groups"], strict=True):
        assert list(map(str, sorted(x.items(), key=str))) == list(map(str, sorted(y.items(), key=str)))


@pytest.mark.parametrize("name", DB)
def test_a_run_of_pytorchs_goes_on_here(name: str) -> None:
    """The first half there, its state and parameters taken over, the second half here."""
    options, (starts, gradients) = paths.OPTIONS[name][-1], paths.starts_of(name)
    there = [torch.tensor(s, requires_grad=True) for s in starts]
    whole, first = getattr(torch.optim, name)(there, **options), []
    here: list[Any] = []
    for step in range(20):
        for lib, values, optimizer in ((torch, there, whole), *([(ta, here, first[0])] if here else [])):
            def closure(values: Any = values, optimizer: Any = optimizer) -> Any:
                optimizer.zero_grad()
                loss = paths.loss_of(values)
                loss.backward()
                return loss
            for v, g in zip(values, gradients[step], strict=False):
                v.grad = lib.tensor(g)
            optimizer.step(*[closure] * (name == "LBFGS"))
        if step == 9:
            here = [ta.tensor(v.detach().numpy().copy(), requires_grad=True) for v in there]
            first.append(getattr(optim, name)(here, **options))
            first[0].load_state_dict(paths.to_ours(whole.state_dict()))
    for x, y in zip(here, there, strict=True):
        np.testing.assert_allclose(x.tolist(), y.detach().numpy(), rtol=0.02 if name == "Muon" else 1e-10, atol=0.02 if name == "Muon" else 1e-12)


# Limits of PyTorch's that are none here: what its many-tensors-at-once ways and complex numbers cannot do.
ALLOWED = ("Tensor", "complex", "sparse", "betas must be either", "float")


@pytest.mark.parametrize("name", DB)
def test_what_pytorch_refuses_is_refused(name: str) -> None:
    for sample in DB[name].optim_error_inputs_func("cpu", torch.float32):
        given = sample.optimizer_error_input
        if any(word in sample.error_regex for word in ALLOWED) and "1-element" not in sample.error_regex:
            continue
        assert sample.error_on is OptimizerErrorEnum.CONSTRUCTION_ERROR
        params = [ta.ones(2, 2, requires_grad=True)] if given.params is None else _params(given.params)
        kind = (ValueError, TypeError) if sample.error_type is not UserWarning else UserWarning
        with pytest.raises(kind):
            getattr(optim, name)(params, **paths.to_ours(given.kwargs))


def _params(params: Any, seen: dict[int, Any] | None = None) -> Any:
    seen = {} if seen is None else seen
    if isinstance(params, torch.Tensor):
        return seen.setdefault(id(params), ta.tensor(params.detach().numpy(), requires_grad=True))
    if isinstance(params, dict):
        return {k: _params(v, seen) if k == "params" else v for k, v in params.items()}
    return type(params)(_params(p, seen) for p in params) if isinstance(params, (list, tuple)) else params


@pytest.mark.parametrize("name", DB)
def test_arguments_and_repr_are_pytorchs(name: str) -> None:
    import inspect
    ours, other = (inspect.signature(getattr(lib.optim, name).__init__).parameters for lib in (ta, torch))
    assert [(p.name, p.kind, p.default) for p in ours.values()] == [(p.name, p.kind, p.default) for p in other.values()]
    assert repr(getattr(optim, name)([ta.ones(2, 2, requires_grad=True)])) == repr(getattr(torch.optim, name)([torch.ones(2, 2, requires_grad=True)]))
