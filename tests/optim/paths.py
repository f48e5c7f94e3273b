"""Paths of the optimizers of two libraries side by side: the same starts, the same gradients or the same loss."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_act as ta

rng = np.random.default_rng(0)
STARTS = [rng.normal(size=s) for s in ((3, 2), (4,), (), (2, 2), (0,))]
MATRICES = [rng.normal(size=s) for s in ((3, 2), (2, 4), (5, 3))]
GRADIENTS = [[[np.random.default_rng(100 * t + i).normal(size=s.shape) for i, s in enumerate(starts)] for t in range(100)]
             for starts in (STARTS, MATRICES)]

# Beside PyTorch's own samples (tests/optim/test_pytorch_optimizers.py), for a suite without it: name -> options
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "SGD": [{"lr": 0.05}, {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}, {"momentum": 0.9, "nesterov": True}],
    "Adam": [{}, {"amsgrad": True, "betas": (0.4, 0.95), "weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "AdamW": [{}, {"amsgrad": True, "maximize": True, "eps": 1e-3}],
    "NAdam": [{}, {"weight_decay": 0.1, "momentum_decay": 0.01, "decoupled_weight_decay": True}],
    "RAdam": [{}, {"betas": (0.9, 0.95), "weight_decay": 0.1}],
    "Adamax": [{}, {"weight_decay": 0.1, "maximize": True}],
    "Adagrad": [{}, {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.1}],
    "Adadelta": [{}, {"rho": 0.8, "weight_decay": 0.1}],
    "RMSprop": [{}, {"momentum": 0.5, "centered": True, "weight_decay": 0.1}, {"centered": True}],
    "Rprop": [{}, {"etas": (0.4, 1.3), "step_sizes": (1e-3, 0.1)}],
    "ASGD": [{}, {"t0": 10, "lambd": 0.1, "alpha": 0.6, "weight_decay": 0.1}],
    "Adafactor": [{}, {"eps": (1e-5, 1e-2), "d": 1.5, "weight_decay": 0.1}],
    "Muon": [{}, {"nesterov": False, "adjust_lr_fn": "match_rms_adamw"}],
    "Lion": [{}, {"weight_decay": 0.1}], "LAMB": [{}, {"weight_decay": 0.1}], "LARS": [{}, {"weight_decay": 0.1, "momentum": 0.5}],
    "LBFGS": [{"lr": 0.1}, {"line_search_fn": "strong_wolfe"}],
}
ALL = [(name, options) for name, each in OPTIONS.items() for options in each]


def starts_of(name: str) -> tuple[list[Any], list[Any]]:
    """Where an optimizer starts, and the gradients it meets: Muon moves matrices, Adafactor divides by a size."""
    if name == "Muon":
        return MATRICES, GRADIENTS[1]
    return (STARTS[:-1] if name == "Adafactor" else STARTS), GRADIENTS[0]


def loss_of(values: list[Any]) -> Any:
    """A bowl with another bottom for each tensor."""
    loss = 0
    for i, v in enumerate(values):
        loss = loss + ((v - 0.3 * i) ** 2).sum() * (i + 1) + ((v - 0.3 * i) ** 4).sum() * 0.1
    return loss


def path(lib: Any, name: str, options: dict[str, Any], steps: int = 100, reload_at: int | None = None, grouped: bool = False,
         dtype: str = "float64") -> tuple[list[list[Any]], Any]:
    """The parameters after each step, and the optimizer; the second has no gradient now and then."""
    starts, gradients = starts_of(name)
    values = [lib.tensor(s, dtype=getattr(lib, dtype), requires_grad=True) for s in starts]

    def make() -> Any:
        return getattr(lib.optim, name)([{"params": values[:1], "lr": 0.03}, {"params": values[1:]}] if grouped else values, **options)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = loss_of(values)
        loss.backward()
        return loss
    optimizer, found = make(), []
    for step in range(steps):
        if name == "LBFGS":
            optimizer.step(closure)
        else:
            for i, (v, g) in enumerate(zip(values, gradients[step], strict=False)):
                v.grad = None if i == 1 and step % 7 == 3 else lib.tensor(g, dtype=v.dtype)
            optimizer.step()
        found.append([np.array(v.detach().tolist()) for v in values])
        if step == reload_at:
            state = optimizer.state_dict()
            optimizer = make()
            optimizer.load_state_dict(state)
    return found, optimizer


def same(a: list[list[Any]], b: list[list[Any]]) -> bool:
    """Equal to the last bit?"""
    return all((x == y).all() for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True))


def to_ours(value: Any) -> Any:
    """PyTorch's tensors, within whatever they stand in, as ours."""
    if isinstance(value, dict):
        return {k: to_ours(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(to_ours, value))
    return ta.tensor(value.detach().numpy().copy()) if hasattr(value, "detach") and not isinstance(value, ta.Tensor) else value
