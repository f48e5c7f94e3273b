"""Optimizer: groups of parameters with their options, and what is remembered for each parameter.

A subclass says how one parameter moves (`update`). It works on arrays, in place, so nothing is recorded; each change is
marked, so that a backward pass which would have needed the old value says so.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import backend, dtypes
from ..errors import ArgumentError, GraphError
from ..grad_mode import enable_grad
from ..graph import changes
from ..tensor import Tensor, wrap


class Optimizer:
    """The base of all optimizers.

    `params` has Tensors, (name, Tensor) pairs, or dicts: groups {"params": ..., option: value} with options of their own.
    `param_groups` and `state` are open to be read and changed, as in PyTorch.

    Raises:
        ArgumentError: no parameters, one in two groups, or what is no Tensor.
        GraphError: one that is not a leaf.
    """

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        if isinstance(params, (Tensor, str)) or not isinstance(params, Iterable):
            raise ArgumentError(self.name, type(params).__name__, "the parameters come as an iterable of Tensors or of dicts",
                                "pass model.parameters(), or [x] for one tensor")
        groups = list(params)
        if not groups:
            raise ArgumentError(self.name, "", "it was given no parameters to optimize",
                                "an iterator such as model.parameters() can be used up only once")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    @property
    def name(self) -> str:
        """The name of its class, as errors say it."""
        return type(self).__name__

    # -------------------------------------------------------------------------------------------- groups
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize further parameters, with options of their own where the dict has them."""
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise ArgumentError(self.name, type(param_group).__name__, 'a group is a dict with "params"')
        given = param_group["params"]
        if isinstance(given, set):
            raise ArgumentError(self.name, "a set", "its order changes from run to run", "pass a list")
        given = [given] if isinstance(given, Tensor) else list(given)
        names = [p[0] for p in given if isinstance(p, tuple)]
        params = [p[1] if isinstance(p, tuple) else p for p in given]
        if names and len(names) < len(params):
            raise ArgumentError(self.name, "parameters with and without names", "all of a group or none must have one")
        self._check(params)
        group = {**param_group, "params": params, **({"param_names": names} if names else {})}
        self.param_groups.append({**group, **{k: v for k, v in self.defaults.items() if k not in group}})

    def _check(self, params: list[Any]) -> None:
        for p in params:
            if not isinstance(p, Tensor):
                raise ArgumentError(self.name, type(p).__name__, "only Tensors can be optimized")
            if p.node is not None:
                raise GraphError(self.name, f"a tensor of shape {p.shape}", "it is the result of an op, not a leaf: its change "
                                 "would be lost", "optimize the leaf, or make one with .detach().requires_grad_()")
        if len(set(map(id, params))) < len(params):
            warnings.warn(f"{self.name}: a group has a parameter twice, which will be moved twice", UserWarning, stacklevel=4)
        if {id(p) for p in params} & {id(p) for group in self.param_groups for p in group["params"]}:
            raise ArgumentError(self.name, "", "a parameter is in more than one group", "each can have only one set of options")

    # -------------------------------------------------------------------------------------------- the step
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient. `closure` computes the loss anew (with backward) and returns it."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            options = self.options(group)
            for p in group["params"]:
                if p.grad is not None:
                    array = p.array
                    self.update(backend.namespace(array), array, p.grad.array, self.state[p], **options)
                    changes.mark(array, self.name)
        return loss

    def options(self, group: dict[str, Any]) -> dict[str, Any]:
        """The keyword arguments of `update`. Python numbers, for a NumPy one would promote the arrays."""
        return {k: float(group[k]) if isinstance(default, float) else group[k] for k, default in self.defaults.items()}

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *args: Any, **options: Any) -> None:
        """Change the array x by its gradient g, both of the library F, in place. `g` is not to be changed."""
        raise NotImplementedError(f"{self.name} has no update(): define it")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or set them to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad = wrap(backend.namespace(p.array).zeros_like(p.grad.array))

    # -------------------------------------------------------------------------------------------- saving
    def state_dict(self) -> dict[str, Any]:
        """{"state": {number: what is remembered}, "param_groups": [options with the numbers]}; see `ta.save`."""
        number = {id(p): i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        groups = [{**group, "params": [number[id(p)] for p in group["params"]]} for group in self.param_groups]
        return {"state": {number[id(p)]: dict(s) for p, s in self.state.items() if id(p) in number},
                "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over state and options. The parameters must be grouped as they were.

        What is remembered of a parameter moves to its device and takes its dtype.
        """
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= state_dict.keys():
            given = f"a dict of {list(state_dict)[:8]}" if isinstance(state_dict, Mapping) else type(state_dict).__name__
            raise ArgumentError(f"{self.name}.load_state_dict", given, 'a state_dict has "state" and "param_groups"',
                                "pass what an optimizer's state_dict() returned")
        groups = state_dict["param_groups"]
        sizes, ours = ([len(g["params"]) for g in gs] for gs in (groups, self.param_groups))
        if sizes != ours:
            raise ArgumentError(f"{self.name}.load_state_dict", f"groups of {sizes} parameters",
                                f"this optimizer has groups of {ours}", "make it with the same parameters first")
        params = {number: p for group, mine in zip(groups, self.param_groups, strict=True)
                  for number, p in zip(group["params"], mine["params"], strict=True)}
        self.state = defaultdict(dict)
        for number, remembered in state_dict["state"].items():
            if number in params:
                p = params[number]
                self.state[p] = {k: _count(v) if k == "step" else _like(v, p) for k, v in remembered.items()}
        self.param_groups = [{**mine, **group, "params": mine["params"]}
                             for group, mine in zip(groups, self.param_groups, strict=True)]

    def __repr__(self) -> str:
        lines = [f"{self.name} ("]
        for i, group in enumerate(self.param_groups):
            options = sorted((k, v) for k, v in group.items() if k not in ("params", "param_names"))
            lines += [f"Parameter Group {i}", *(f"    {k}: {v}" for k, v in options)]
        return "\n".join([*lines, ")"])


def _count(value: Any) -> Tensor:
    """A number of steps, on the CPU, where it is read at each step."""
    array = value.array if isinstance(value, Tensor) else float(value)
    return wrap(backend.namespace(a := backend.asarray(array, dtypes.float32, "cpu")).copy(a))


def _like(value: Any, p: Tensor) -> Any:
    """A copy of a remembered tensor on p's device and, if it is floating, in p's dtype."""
    if not isinstance(value, Tensor):
        return value
    array = backend.asarray(value.array, p.dtype if value.array.dtype.kind not in "biu" else None, p.device)
    return wrap(backend.namespace(array).copy(array))


def check_options(name: str, **ranges: tuple[Any, bool]) -> None:
    """`check_options("SGD", lr=(lr, lr >= 0))`: an error for the first that is out of its range."""
    for option, (value, fits) in ranges.items():
        if not fits:
            raise ArgumentError(name, f"{option}={value}", "the value is out of its range")
