"""Optimizer: groups of parameters with their options, and what is remembered for each parameter.

A subclass says how one parameter moves (`update`). It works on arrays, in place, so nothing is recorded; each change is
marked, so that a backward pass which would have needed the old value says so.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from .. import backend
from ..changes import changes
from ..errors import ArgumentError, GraphError
from ..grad_mode import enable_grad
from ..tensor import Tensor
from . import saving
from .hooks import Hooked, around_step
from .options import LIMITS, NO_EFFECT, PLAIN, Limit, check, plain
from .runs import Run, arrange, same

__all__ = ["Optimizer"]


class Optimizer(Hooked):
    """The base of all optimizers.

    `params` has Tensors, (name, Tensor) pairs, or dicts: groups {"params": ..., option: value} with options of their own.
    `param_groups` and `state` are open to be read and changed, as in PyTorch. To add up gradients over several batches, call
    `backward` for each and `step` and `zero_grad` once: a batch of 8 in four parts of 2 is

    >>> w = ta.zeros(3, requires_grad=True)
    >>> optimizer = ta.optim.SGD([w], lr=0.5)
    >>> for part in ta.arange(24.0).reshape(8, 3).split(2):
    ...     loss = ((part @ w - 1) ** 2).mean() / 4                  # the mean over all is the mean of equal parts' means
    ...     loss.backward()                                          # adds to w.grad
    >>> optimizer.step(); optimizer.zero_grad(); w
    tensor([10.5000, 11.5000, 12.5000], requires_grad=True)

    An optimizer of one's own says in `update` how a parameter moves, or does all of `step` itself:

    >>> class Signs(ta.optim.Optimizer):
    ...     def __init__(self, params, lr=0.1):
    ...         super().__init__(params, {"lr": lr})
    ...     def update(self, F, x, g, state, *, lr):
    ...         x -= lr * F.sign(g)
    >>> (w * w).sum().backward(); Signs([w], lr=10).step(); w
    tensor([0.5000, 1.5000, 2.5000], requires_grad=True)

    Raises:
        ArgumentError: no parameters, one in two groups, what is no Tensor, an option out of its range.
        GraphError: a parameter that is not a leaf.
    """

    # update works number by number, whatever the shape, and looks at nothing but its arguments: see runs.py. Whoever overrides
    # update says so anew.
    elementwise = False
    numbers: frozenset[str] = frozenset({"step"})     # what of the state is a number, and no array like the parameter
    limits: ClassVar[Mapping[str, Limit]] = LIMITS    # what the options may be

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self._start()
        self.defaults = defaults
        self.state: dict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        check(self.name, defaults, self.limits)
        if isinstance(params, (Tensor, str)) or not isinstance(params, Iterable):
            raise ArgumentError(self.name, type(params).__name__, "the parameters come as an iterable of Tensors or of dicts",
                                "pass model.parameters(), or [x] for one tensor")
        groups = list(params)
        if not groups:
            raise ArgumentError(self.name, "", "it was given no parameters to optimize",
                                "an iterator such as model.parameters() can be used up only once")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A step of a subclass's own gets the hooks round it; an update of its own is not taken for what it overrides."""
        super().__init_subclass__(**kwargs)
        if "update" in cls.__dict__ and "elementwise" not in cls.__dict__:
            cls.elementwise = False
        if "step" in cls.__dict__:
            cls.step = around_step(cls.step)      # type: ignore[method-assign]

    def _start(self) -> None:
        self._start_hooks()
        self._runs: dict[int, tuple[list[Tensor], bool, list[Run]]] = {}      # number of the group -> how it is walked through
        self._refuses = False                     # does update do what cannot be asked? See asked.py

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
        if any(("param_names" in group) != bool(names) for group in self.param_groups):
            raise ArgumentError(self.name, "groups with and without names", "the parameters of all groups or of none have names")
        self._check(params)
        group = {**param_group, "params": params, **({"param_names": names} if names else {})}
        group |= {k: v for k, v in self.defaults.items() if k not in group}
        check(self.name, group, self.limits)
        self.param_groups.append(group)

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
    @around_step
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient. `closure` computes the loss anew (with backward) and returns it."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for i, group in enumerate(self.param_groups):
            params = [p for p in group["params"] if p._grad is not None]
            self._move(i, params, group.get("foreach") is not False, self.options(group))
        return loss

    def _move(self, index: int, params: list[Tensor], together: bool, options: dict[str, Any]) -> None:
        """Move parameters of one group, by the runs of the step before if nothing has changed."""
        known, way, runs = self._runs.get(index, ([], together, []))
        if way is not together or not same(params, known):
            runs = arrange(self, params, together)
        queue, done = runs[::-1], []
        flush: Any = None                         # what moves by columns does that itself, for less
        try:
            while queue:
                run = queue.pop()
                numbers = run.read() if run.current() else None
                if numbers is None:
                    rest = [p for r in [run, *queue[::-1]] for p in r.params]
                    queue = arrange(self, rest, together)[::-1]
                    continue
                if flush is None and run.columns is None:
                    flush = backend.flushing()
                    flush.__enter__()
                run.move(numbers, options)
                changes.mark_entries(run.entries, self.name)
                done.append(run)
        finally:
            if flush is not None:
                flush.__exit__()
        self._runs[index] = (params, together, done)

    def options(self, group: dict[str, Any]) -> dict[str, Any]:
        """The keyword arguments of `update`: what the group says, as Python's numbers."""
        return {k: v if type(v := group[k]) in PLAIN else plain(v) for k in self.defaults if k not in NO_EFFECT}

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *args: Any, **options: Any) -> None:
        """Change the array x by its gradient g, both of the library F, in place. `g` is not to be changed.

        `state` is empty at first. What is put there is kept: arrays like x, to be changed in place, and under the names in
        `numbers` Python's numbers. Where `update` is elementwise, `F.change` makes one pass over the memory of all it does.
        """
        raise NotImplementedError(f"{self.name} has no update(): define it")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or set them to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                g = p._grad
                if set_to_none or g is None:
                    p._grad = None
                elif g.requires_grad:
                    p.grad = g.detach() * 0
                else:
                    g.array[...] = 0
                    changes.mark(g.array, "zero_grad")

    # -------------------------------------------------------------------------------------------- saving
    def state_dict(self) -> dict[str, Any]:
        """{"state": {number: what is remembered}, "param_groups": [options with the numbers]}; see `ta.save`."""
        self._call_hooks("_state_dict_pre")
        packed: dict[str, Any] = self._passed_on("_state_dict_post", saving.pack(self.state, self.param_groups))
        return packed

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over state and options. The parameters must be grouped as they were.

        What is remembered of a parameter moves to its device and takes its dtype.
        """
        if isinstance(state_dict, Mapping):
            state_dict = self._passed_on("_load_state_dict_pre", dict(state_dict))
        self.state, self.param_groups = saving.unpack(self.name, state_dict, self.param_groups, self.defaults, self.numbers)
        self._runs = {}
        self._call_hooks("_load_state_dict_post")

    def __getstate__(self) -> dict[str, Any]:
        """As in PyTorch: not the hooks, which need not be picklable."""
        return {k: v for k, v in self.__dict__.items() if k not in self._hook_names and k not in ("_runs", "_refuses")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __repr__(self) -> str:
        lines = [f"{self.name} ("]
        for i, group in enumerate(self.param_groups):
            lines += [""] if i else []
            lines += [f"Parameter Group {i}", *(f"    {k}: {v}" for k, v in sorted(group.items()) if k != "params")]
        return "\n".join([*lines, ")"])


def decay(maximize: bool, weight_decay: float, lr: float | None = None) -> dict[str, Any]:
    """What `decayed` is to do, as settings of a rule: add weight_decay x to the gradient, or, given `lr`, shrink x instead."""
    add = shrink = None
    if lr is None:
        add = weight_decay or None
    elif weight_decay:
        shrink = 1 - lr * weight_decay
    return {"uphill": bool(maximize), "add": add, "shrink": shrink}


def decayed(x: Any, g: Any, *, uphill: bool, add: float | None, shrink: float | None) -> tuple[Any, Any]:
    """x, and the gradient to go against: see `decay`."""
    g = -g if uphill else g
    return x if shrink is None else x * shrink, g if add is None else g + add * x
