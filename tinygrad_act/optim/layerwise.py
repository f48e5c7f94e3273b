"""Steps scaled for each parameter by its length: LAMB, LARS, Adafactor; and Muon, which turns them into rotations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from .. import dtypes
from ..errors import ArgumentError
from ..tensor import Tensor
from .optimizer import Optimizer
from .options import AT_LEAST_0, LIMITS, Limit

EPS = {d.name: float(dtypes.finfo(d).eps) for d in (dtypes.float32, dtypes.float64)}     # asked now: NumPy 2.0 warns while subnormals are flushed


def _length(F: Any, x: Any) -> Any:
    return F.sqrt(F.sum(x * x))


def _trust(F: Any, of_x: Any, of_move: Any) -> Any:
    """of_x / of_move, and 1 where either is 0. It stays on the device."""
    there = F.logical_and(of_x > 0, of_move > 0)
    return F.where(there, of_x / F.where(there, of_move, 1), 1)


class LAMB(Optimizer):
    """Adam's step, for each parameter as long as lr times the parameter (arXiv:1904.00962). Ours: PyTorch has none.

    u = m̂ / (√v̂ + eps) + weight_decay x; x ← x - lr ‖x‖ / ‖u‖ u. For large batches.

    >>> x = ta.tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = ta.optim.LAMB([x], lr=0.1)
    >>> x.sum().backward(); optimizer.step(); x
    tensor([2.6464, 3.6464], requires_grad=True)
    """

    def __init__(self, params: Any, lr: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-6,
                 weight_decay: float = 0, *, maximize: bool = False) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, betas: tuple[float, float], eps: float,
               weight_decay: float, maximize: bool) -> None:
        if maximize:
            g = -g
        if not state:
            state |= {"step": 0.0, "exp_avg": F.zeros_like(x), "exp_avg_sq": F.zeros_like(x)}
        step = state["step"] = state["step"] + 1
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m += (1 - betas[0]) * (g - m)
        v *= betas[1]
        v += (1 - betas[1]) * (g * g)
        move = m / (1 - betas[0] ** step) / (F.sqrt(v / (1 - betas[1] ** step)) + eps)
        if weight_decay:
            move = move + weight_decay * x
        x -= lr * _trust(F, _length(F, x), _length(F, move)) * move


class LARS(Optimizer):
    """SGD with momentum, for each parameter with a rate in proportion to ‖x‖ / ‖g‖ (arXiv:1708.03888). Ours: PyTorch has none.

    rate = lr trust_coefficient ‖x‖ / (‖g‖ + weight_decay ‖x‖); v ← momentum v + rate (g + weight_decay x); x ← x - v. Where x
    or g is zero, the rate is lr. For large batches.

    >>> x = ta.tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = ta.optim.LARS([x], lr=1.0, trust_coefficient=0.1)
    >>> x.sum().backward(); optimizer.step(); x
    tensor([2.6464, 3.6464], requires_grad=True)
    """

    limits: ClassVar[Mapping[str, Limit]] = {**LIMITS, "trust_coefficient": AT_LEAST_0}
    numbers = frozenset()

    def __init__(self, params: Any, lr: float | Tensor = 1e-3, momentum: float = 0.9, weight_decay: float = 0,
                 trust_coefficient: float = 1e-3, *, maximize: bool = False) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay,
                                  "trust_coefficient": trust_coefficient, "maximize": maximize})

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, momentum: float, weight_decay: float,
               trust_coefficient: float, maximize: bool) -> None:
        if maximize:
            g = -g
        if not state:
            state["momentum_buffer"] = F.zeros_like(x)
        of_x, of_g, v = _length(F, x), _length(F, g), state["momentum_buffer"]
        share = F.where(F.logical_and(of_x > 0, of_g > 0), trust_coefficient, 1)
        v *= momentum
        v += lr * share * _trust(F, of_x, F.where(of_g > 0, of_g + weight_decay * of_x, 0)) * (g + weight_decay * x)
        x -= v


class Adafactor(Optimizer):
    """Adam without momentum whose v of a matrix is the product of a row and a column, which is all it keeps (arXiv:1804.04235).

    As in PyTorch lr bounds the relative step min(lr, 1/√steps), is taken times the root mean square of x (at least eps[1]),
    and scales weight_decay, which shrinks x; steps above d in root mean square are cut; eps[0] None is the dtype's. `foreach` is
    accepted and changes nothing. Halves are computed in float32.

    >>> x = ta.tensor([[1.0, 1.0]], requires_grad=True)
    >>> optimizer = ta.optim.Adafactor([x], lr=0.1)
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([[0.9000, 0.9000]], requires_grad=True)
    """

    limits: ClassVar[Mapping[str, Limit]] = {**LIMITS, "beta2_decay": (lambda v: v <= 0, "it is a number, at most 0"),
              "d": (lambda v: v >= 1, "it is a number, at least 1"),
              "eps": (lambda v: (v[0] is None or v[0] >= 0) and v[1] >= 0, "they are two numbers, each at least 0")}

    def __init__(self, params: Any, lr: float | Tensor = 1e-2, beta2_decay: float = -0.8,
                 eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0, weight_decay: float = 0.0, *,
                 foreach: bool | None = None, maximize: bool = False) -> None:
        super().__init__(params, {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay,
                                  "foreach": foreach, "maximize": maximize})

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, beta2_decay: float,
               eps: tuple[float | None, float], d: float, weight_decay: float, maximize: bool) -> None:
        if maximize:
            g = -g
        if not state:
            state["step"] = 0.0
            if x.ndim > 1:
                state |= {"row_var": F.zeros_like(x[..., :1]), "col_var": F.zeros_like(x[..., :1, :])}
            else:
                state["variance"] = F.zeros_like(x)
        step = state["step"] = state["step"] + 1
        least = EPS.get(x.dtype.name, EPS["float32"]) if eps[0] is None else eps[0]
        share, squares = step ** beta2_decay, g * g
        pace = F.maximum(_length(F, x) / math.sqrt(max(x.size, 1)), eps[1]) * min(lr, 1 / math.sqrt(step))
        x *= 1 - lr * weight_decay
        if x.ndim > 1:
            rows, columns = state["row_var"], state["col_var"]
            rows += share * (F.mean(squares, -1, True) - rows)
            columns += share * (F.mean(squares, -2, True) - columns)
            v = rows * columns / F.maximum(F.mean(rows, -2, True), least)
        else:
            v = state["variance"]
            v += share * (squares - v)
        move = g / F.sqrt(F.maximum(v, least * least))
        x -= pace / F.maximum(_length(F, move) / (math.sqrt(max(x.size, 1)) * d), 1) * move


class Muon(Optimizer):
    """SGD with momentum whose step for a matrix is made orthogonal, all its singular values near 1, by Newton and Schulz's
    iteration (Jordan, kellerjordan.github.io/posts/muon; arXiv:2502.16982).

    For the matrices inside a network; leave embeddings, biases and the last layer to AdamW. adjust_lr_fn "original" (and None)
    scales lr by √max(1, rows / columns), "match_rms_adamw" by 0.2 √max(rows, columns). weight_decay shrinks x. PyTorch iterates in
    bfloat16, this in x's own dtype, so the two agree to two digits.

    >>> x = ta.eye(2).requires_grad_()
    >>> optimizer = ta.optim.Muon([x], lr=0.1, weight_decay=0.0)
    >>> (x * x).sum().backward(); optimizer.step(); x
    tensor([[0.8892, 0.0000],
            [0.0000, 0.8892]], requires_grad=True)
    """

    limits: ClassVar[Mapping[str, Limit]] = {**LIMITS, "adjust_lr_fn": (lambda v: v in (None, "original", "match_rms_adamw"),
                                         'it is "original", "match_rms_adamw" or None'),
              "ns_coefficients": (lambda v: len(v) == 3, "they are three numbers"),
              "ns_steps": (lambda v: type(v) is int and 0 <= v < 100, "it is an int from 0 to 99")}
    numbers = frozenset()

    def __init__(self, params: Any, lr: float | Tensor = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95,
                 nesterov: bool = True, ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
                 eps: float = 1e-7, ns_steps: int = 5, adjust_lr_fn: str | None = None) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
                                  "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps,
                                  "adjust_lr_fn": adjust_lr_fn})

    def _check(self, params: list[Any]) -> None:
        super()._check(params)
        for p in params:
            if p.ndim != 2:
                raise ArgumentError("Muon", f"a parameter of shape {p.shape}", "it moves matrices only",
                                    "give the others to an optimizer of their own, such as AdamW")

    def update(self, F: Any, x: Any, g: Any, state: dict[str, Any], *, lr: float, weight_decay: float, momentum: float,
               nesterov: bool, ns_coefficients: tuple[float, float, float], eps: float, ns_steps: int,
               adjust_lr_fn: str | None) -> None:
        if not state:
            state["momentum_buffer"] = F.zeros_like(x)
        m = state["momentum_buffer"]
        m += (1 - momentum) * (g - m)
        move = g + momentum * (m - g) if nesterov else m
        rows, columns = x.shape
        if rows > columns:
            move = F.permute(move, (1, 0))
        move = move / F.maximum(_length(F, move), eps)
        a, b, c = ns_coefficients
        for _ in range(ns_steps):
            gram = F.matmul(move, F.permute(move, (1, 0)))
            move = a * move + F.matmul(b * gram + c * F.matmul(gram, gram), move)
        if rows > columns:
            move = F.permute(move, (1, 0))
        scale = 0.2 * math.sqrt(max(rows, columns)) if adjust_lr_fn == "match_rms_adamw" else math.sqrt(max(1, rows / max(columns, 1)))
        x *= 1 - lr * weight_decay
        x -= lr * scale * move
