"""Parameters that move all by one call are where they would be, had each moved by itself, to the bit: whatever happens in between."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import backend, nn, optim
from tinygrad_act.backend import compiler
from tinygrad_act.backend.config import config

from . import paths

ELEMENTWISE = [(name, options) for name, options in paths.ALL if getattr(optim, name).elementwise]
SHAPES = ((3, 2), (70,), (), (2, 64), (0,), (65, 20))


@pytest.fixture(autouse=True)
def all_is_large() -> Iterator[None]:
    """So that the kernels have these small arrays too."""
    with config(large=32):
        yield


def compiled() -> bool:
    return backend.current() == "numpy" and compiler.compiler() is not None and config.kernels == "auto"


def settled() -> None:
    """Wait until what is being compiled is there."""
    if compiled():
        from tinygrad_act.backend import execute
        execute._background.submit(lambda: None).result()


def by_table(optimizer: Any) -> bool:
    """Have all its parameters moved by calls of C?"""
    return all(getattr(run.columns, "inner", None) is not None for _, _, runs in optimizer._runs.values() for run in runs)


Happening = Callable[[int, Any, list[Any]], None]


def both(make: Callable[..., Any], steps: int, happening: Happening, dtype: str = "float32", shapes: Any = SHAPES) -> tuple[Any, Any]:
    """Two optimizers of the same parameters, one of which moves each by itself, compared after each step."""
    pair = []
    for foreach in (None, False):
        rng = np.random.default_rng(0)
        params = [nn.Parameter(ta.tensor(rng.normal(size=s), dtype=getattr(ta, dtype))) for s in shapes]
        pair.append((params, make(params, foreach=foreach), rng))
    for step in range(steps):
        for params, optimizer, rng in pair:
            for p in params:
                p.grad = ta.tensor(rng.normal(size=p.shape), dtype=p.dtype)
            happening(step, optimizer, params)
            optimizer.step()
            settled()
        (ours, a, _), (theirs, b, _) = pair
        for p, q in zip(ours, theirs, strict=True):
            assert p.tolist() == q.tolist(), step
            remembered = [{k: v.tolist() for k, v in o.state.get(x, {}).items()} for o, x in ((a, p), (b, q))]
            assert remembered[0] == remembered[1], step
    return pair[0][1], pair[1][1]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(("name", "options"), ELEMENTWISE, ids=str)
def test_every_optimizer(name: str, options: dict[str, Any], dtype: str) -> None:
    def schedule(step: int, optimizer: Any, params: list[Any]) -> None:
        optimizer.param_groups[0]["lr"] *= 0.7 if step < 5 else 1
    together, _ = both(lambda params, **more: getattr(optim, name)(params, **options, **more), 7, schedule, dtype)
    assert not compiled() or dtype == "float16" or by_table(together)


def _replaced(step: int, optimizer: Any, params: list[Any]) -> None:
    if step == 4:
        params[1].data = ta.ones(70)


def _turned(step: int, optimizer: Any, params: list[Any]) -> None:
    params[0].data = ta.arange(6.0).reshape(2, 3).T if step == 4 else params[0].data


def _missing(step: int, optimizer: Any, params: list[Any]) -> None:
    for i, p in enumerate(params):
        if (step + i) % 5 == 3:
            p.grad = None


def _loaded(step: int, optimizer: Any, params: list[Any]) -> None:
    if step == 4:
        optimizer.load_state_dict(optimizer.state_dict())


def _another_group(step: int, optimizer: Any, params: list[Any]) -> None:
    if step == 3:
        params.append(nn.Parameter(ta.ones(33)))
        params[-1].grad = ta.ones(33)
        optimizer.add_param_group({"params": params[-1], "lr": 0.5})


def _options(step: int, optimizer: Any, params: list[Any]) -> None:
    optimizer.param_groups[0] |= {"lr": [0.1, 0, ta.tensor(0.2), 0.5, np.float64(0.3), 1, -0.0][step % 7], "weight_decay": 0.1 * (step > 3),
                                  "maximize": step > 5}


def _remembered(step: int, optimizer: Any, params: list[Any]) -> None:
    state = optimizer.state[params[1]]
    for name in list(state):
        if step == 3 and name != "step":
            state[name] = ta.full((70,), 0.25)
        if step == 5:
            state[name].fill_(3.0)
        if step == 6:
            state[name].data = state[name].clone() * 2
        if step == 7:
            optimizer.state.pop(params[1], None)


def _gradients_of_another_layout(step: int, optimizer: Any, params: list[Any]) -> None:
    if step % 2:
        params[3].grad = params[3].grad.T.contiguous().T
        params[1].grad = ta.arange(140.0)[::2]


def _gradients_in_the_parameters_memory(step: int, optimizer: Any, params: list[Any]) -> None:
    if step == 3:
        params[1].grad = params[1].detach()
    if step > 3:
        memory = ta.arange(100.0)
        params[1].data, params[1].grad = memory[:70], memory[10:80]


def _a_gradient_of_another_dtype(step: int, optimizer: Any, params: list[Any]) -> None:
    if step % 3 == 1 and compiled():                            # laid end to end, elsewhere, all are promoted
        params[1].grad.data = ta.arange(70.0, dtype=ta.float64)


def _kernels_off(step: int, optimizer: Any, params: list[Any]) -> None:
    config.kernels = ("auto", "tiles", "off")[step % 3]


HAPPENINGS = [_replaced, _turned, _missing, _loaded, _another_group, _options, _remembered, _gradients_of_another_layout,
              _gradients_in_the_parameters_memory, _a_gradient_of_another_dtype, _kernels_off]


@pytest.mark.parametrize("name", ["SGD", "momentum", "Adam"])
@pytest.mark.parametrize("happening", HAPPENINGS, ids=lambda f: f.__name__.strip("_"))
def test_whatever_happens_in_between(happening: Happening, name: str) -> None:
    def make(params: list[Any], **more: Any) -> Any:
        return optim.SGD(params, lr=0.1, momentum=0.9, **more) if name == "momentum" else getattr(optim, name)(params, lr=0.1, **more)
    with config(kernels=config.kernels):
        both(make, 9, happening)


def test_parameters_in_one_memory_move_in_their_order() -> None:
    found = []
    for foreach in (None, False):
        memory = ta.arange(200.0)
        params = [memory[:150].detach().requires_grad_(), memory[50:].detach().requires_grad_(), nn.Parameter(ta.ones(40))]
        optimizer = optim.Adam(params, lr=0.1, foreach=foreach)
        for _ in range(4):
            for p in params:
                p.grad = p.detach() * 2
            optimizer.step()
            settled()
        found.append([memory.tolist(), *[p.tolist() for p in params]])
    assert found[0] == found[1]


def test_an_update_that_does_more_is_called_for_each_parameter() -> None:
    class Damped(optim.SGD):
        elementwise = True

        def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], **options: Any) -> None:
            super().update(F, x, g * 0.5, state, **options)

    class Normed(optim.SGD):                             # not elementwise any more, and does not say so
        def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], **options: Any) -> None:
            super().update(F, x, g / F.sqrt(F.sum(g * g)), state, **options)
    nothing: Happening = lambda step, optimizer, params: None
    together, _ = both(lambda params, **more: Damped(params, lr=0.1, **more), 4, nothing)
    assert together._refuses or not compiled()
    both(lambda params, **more: Normed(params, lr=0.1, momentum=0.5, **more), 4, nothing, shapes=SHAPES[:4])
    assert Damped.elementwise and not Normed.elementwise and optim.AdamW.elementwise


def test_an_update_that_fails_says_why() -> None:
    class Wrong(optim.SGD):
        elementwise = True

        def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], **options: Any) -> None:
            raise KeyError("of the user's own")
    p = nn.Parameter(ta.ones(3))
    p.grad = ta.ones(3)
    with pytest.raises(KeyError, match="of the user's own"):
        Wrong([p]).step()


def test_a_step_keeps_no_gradient() -> None:
    import gc
    import weakref
    p = nn.Parameter(ta.ones(300))
    optimizer = optim.Adam([p])
    for _ in range(3):
        p.grad = ta.ones(300)
        optimizer.step()
        settled()
    gradient = weakref.ref(p.grad)
    optimizer.zero_grad()
    gc.collect()
    assert gradient() is None


def test_dtypes_that_were_unpickled_are_the_same_dtypes() -> None:
    p = pickle.loads(pickle.dumps(nn.Parameter(ta.ones(300))))
    optimizer = optim.SGD([p], lr=0.5)
    for _ in range(3):
        p.grad = ta.ones(300)
        optimizer.step()
        settled()
    assert p.tolist() == [-0.5] * 300
    if compiled():
        (table,) = [run.columns for run in optimizer._runs[0][2]]
        given = p.grad.array, p.grad.array
        assert by_table(optimizer) and not table.call(id(given))                # one too many
        assert table.call(id(given[:1])) and p.tolist() == [-1.0] * 300
