"""The smallest workloads as the other libraries write them: name of the library -> workload -> a function that makes a step.

Each makes what workloads.py makes for ours and PyTorch's: the same sizes, loss and optimizer.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

Step = Callable[[], Any]
RIVALS: dict[str, dict[str, Callable[[], Step]]] = {"micrograd": {}, "mygrad": {}, "autograd": {}, "tinygrad": {}, "jax": {}}
TINY = ((2, 16), (16, 16), (16, 1))


def rival(library: str, workload: str) -> Callable[..., Any]:
    """Enter a library's version of a workload."""
    def enter(make: Callable[[], Step]) -> Callable[[], Step]:
        RIVALS[library][workload] = make
        return make
    return enter


def numbers(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def weights() -> list[Any]:
    return [part for a, b in TINY for part in (numbers(a, b) / a ** 0.5, np.zeros(b, np.float32))]


# ---------------------------------------------------------------------------------------------------- micrograd
@rival("micrograd", "mlp_tiny")
def micrograd_mlp() -> Step:
    from micrograd.engine import Value
    from micrograd.nn import MLP

    random.seed(0)
    model = MLP(2, [16, 16, 1])                              # ReLU: it has no tanh
    x, y = numbers(32, 2).tolist(), numbers(32).tolist()

    def step() -> None:
        loss = sum(((model(list(map(Value, row))) - t) ** 2 for row, t in zip(x, y, strict=True)), Value(0.0)) * (1 / 32)
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 1e-3 * p.grad
    return step


# ------------------------------------------------------------------------------------------------------- MyGrad
@rival("mygrad", "small_op")
def mygrad_op() -> Step:
    import mygrad as mg

    x, a, b = (mg.tensor(np.linspace(-1, 1, 8, dtype=np.float32)) for _ in range(3))
    seed = np.ones(8, np.float32)

    def step() -> None:
        y = x
        for i in range(50):
            y = y * a if i % 3 == 0 else y + b if i % 3 == 1 else mg.tanh(y)
        y.backward(seed)
        for t in (x, a, b):
            t.null_grad()
    return step


@rival("mygrad", "mlp_tiny")
def mygrad_mlp() -> Step:
    import mygrad as mg

    ws = [mg.tensor(w) for w in weights()]
    x, y = numbers(32, 2), numbers(32, 1)

    def step() -> None:
        h = mg.tanh(x @ ws[0] + ws[1])
        h = mg.tanh(h @ ws[2] + ws[3])
        ((h @ ws[4] + ws[5] - y) ** 2).mean().backward()
        for w in ws:
            w.data -= np.float32(1e-3) * w.grad
            w.null_grad()
    return step


# ------------------------------------------------------------------------------------------------ HIPS autograd
@rival("autograd", "small_op")
def autograd_op() -> Step:
    import autograd.numpy as anp
    from autograd import make_vjp

    seed, leaves = np.ones(8, np.float32), tuple(np.linspace(-1, 1, 8, dtype=np.float32) for _ in range(3))

    def chain(leaves: Any) -> Any:
        x, a, b = leaves
        for i in range(50):
            x = x * a if i % 3 == 0 else x + b if i % 3 == 1 else anp.tanh(x)
        return x
    return lambda: make_vjp(chain)(leaves)[0](seed)


@rival("autograd", "mlp_tiny")
def autograd_mlp() -> Step:
    import autograd.numpy as anp
    from autograd import grad

    ws, x, y = weights(), numbers(32, 2), numbers(32, 1)

    def loss(ws: Any) -> Any:
        h = anp.tanh(anp.dot(x, ws[0]) + ws[1])
        h = anp.tanh(anp.dot(h, ws[2]) + ws[3])
        return anp.mean((anp.dot(h, ws[4]) + ws[5] - y) ** 2)
    gradient = grad(loss)

    def step() -> None:
        for w, g in zip(ws, gradient(ws), strict=True):
            w -= np.float32(1e-3) * g
    return step


# ----------------------------------------------------------------------------------------------------- tinygrad
@rival("tinygrad", "mlp_tiny")
def tinygrad_mlp() -> Step:
    from tinygrad import Tensor, TinyJit, nn

    Tensor.training = True
    ws = [Tensor(w).is_param_() for w in weights()]
    optimizer, x, y = nn.optim.SGD(ws, lr=1e-3), Tensor(numbers(32, 2)), Tensor(numbers(32, 1))

    @TinyJit
    def step() -> Any:
        optimizer.zero_grad()
        h = (x @ ws[0] + ws[1]).tanh()
        h = (h @ ws[2] + ws[3]).tanh()
        loss = ((h @ ws[4] + ws[5] - y) ** 2).mean().backward()
        optimizer.step()
        return loss.realize()
    return lambda: step().numpy()


# ---------------------------------------------------------------------------------------------------------- jax
@rival("jax", "mlp_tiny")
def jax_mlp() -> Step:
    import jax
    import jax.numpy as jnp

    x, y, state = jnp.asarray(numbers(32, 2)), jnp.asarray(numbers(32, 1)), [[jnp.asarray(w) for w in weights()]]

    def loss(ws: Any) -> Any:
        h = jnp.tanh(x @ ws[0] + ws[1])
        h = jnp.tanh(h @ ws[2] + ws[3])
        return jnp.mean((h @ ws[4] + ws[5] - y) ** 2)
    compiled = jax.jit(lambda ws: [w - 1e-3 * g for w, g in zip(ws, jax.grad(loss)(ws), strict=True)])

    def step() -> None:
        state[0] = compiled(state[0])
        jax.block_until_ready(state[0])
    return step
