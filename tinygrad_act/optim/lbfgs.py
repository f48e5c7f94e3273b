"""L-BFGS: Newton's steps with the curvature read off the last gradients (Nocedal, Mathematics of Computation 35, 1980)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ..backend import namespaces
from ..changes import changes
from ..errors import ArgumentError
from ..grad_mode import enable_grad
from ..tensor import Tensor, wrap
from .line_search import Point, strong_wolfe
from .optimizer import Optimizer
from .options import AT_LEAST_0, LIMITS, Limit, plain

# Of the state, what is one tensor or number, and what is a list with one of them for each remembered step.
SINGLE = ("d", "t", "H_diag", "prev_flat_grad", "prev_loss")
LISTS = ("old_dirs", "old_stps", "ro")


class LBFGS(Optimizer):
    """Minimise by steps along -H g, with H g from the last `history_size` steps and changes of the gradient.

    One `step(closure)` makes up to `max_iter` of them, each with one evaluation of `closure` (which computes the loss with
    its gradients, and returns it) or, with line_search_fn="strong_wolfe", as many as the line search takes; at most
    `max_eval`, by default a quarter more. It ends where no gradient exceeds tolerance_grad, or the loss or all parameters
    move by less than tolerance_change. For full batches, smooth functions; one group only. It reads numbers from the device.

    >>> x = ta.tensor([3.0, -2.0], requires_grad=True)
    >>> optimizer = ta.optim.LBFGS([x], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((x - ta.tensor([1.0, 2.0])) ** 2 * ta.tensor([1.0, 10.0])).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure); x
    tensor(164., grad_fn=<sumBackward>)
    tensor([1., 2.], requires_grad=True)
    """

    limits: ClassVar[Mapping[str, Limit]] = {**LIMITS, **dict.fromkeys(("max_iter", "max_eval", "history_size"), AT_LEAST_0),
              "line_search_fn": (lambda v: v in (None, "strong_wolfe"), 'it is "strong_wolfe" or None')}
    numbers = frozenset()

    def __init__(self, params: Any, lr: float | Tensor = 1, max_iter: int = 20, max_eval: int | None = None,
                 tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
                 line_search_fn: str | None = None) -> None:
        super().__init__(params, {"lr": lr, "max_iter": max_iter,
                                  "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                                  "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
                                  "history_size": history_size, "line_search_fn": line_search_fn})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """The one group there can be."""
        if self.param_groups:
            raise ArgumentError("LBFGS", "a second group", "all parameters have the same options", "pass them as one list")
        super().add_param_group(param_group)

    # ------------------------------------------------------------------------------------ parameters as one vector
    @property
    def _params(self) -> list[Tensor]:
        params: list[Tensor] = self.param_groups[0]["params"]
        return params

    def _gradient(self, F: Any) -> Any:
        return F.cat([(F.zeros_like(p.array) if p.grad is None else p.grad.array).reshape(-1) for p in self._params])

    def _set(self, arrays: list[Any], t: float = 0.0, d: Any = None) -> None:
        """The parameters are `arrays`, plus t times the vector d."""
        start = 0
        for p, array in zip(self._params, arrays, strict=True):
            end = start + array.size
            p.array[...] = array if d is None else array + t * d[start:end].reshape(array.shape)
            changes.mark(p.array, "LBFGS")
            start = end

    # ------------------------------------------------------------------------------------------------- the step
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Up to `max_iter` moves; the loss before them, as the closure returned it."""
        if closure is None:
            raise ArgumentError("LBFGS.step", "", "it evaluates the loss several times",
                                "pass a closure that computes it, calls backward and returns it")
        F, options = namespaces[type(self._params[0].array)], self.options(self.param_groups[0])
        state = self.state[self._params[0]]
        memory = Memory(F, state, int(options["history_size"]))
        closure = enable_grad()(closure)
        loss = closure()
        state["func_evals"] = state.get("func_evals", 0) + 1
        state.setdefault("n_iter", 0)
        g = self._gradient(F)
        if not _largest(F, g) <= options["tolerance_grad"]:
            self._iterate(F, closure, float(loss), g, memory, state, **options)
            memory.save(state)
        return loss

    def _iterate(self, F: Any, closure: Callable[[], Any], loss: float, g: Any, memory: Memory, state: dict[str, Any], *,
                 lr: float, max_iter: int, max_eval: int, tolerance_grad: float, tolerance_change: float, history_size: int,
                 line_search_fn: str | None) -> None:
        evaluations = 1
        for i in range(max_iter):
            state["n_iter"] += 1
            d = memory.direction(g)
            before = memory.prev_loss = loss
            t = memory.t = min(1.0, 1 / F.sum(F.abs(g)).item()) * lr if state["n_iter"] == 1 else lr
            slope = F.sum(g * d).item()
            if slope > -tolerance_change:
                break
            used = 0
            if line_search_fn:
                point, used = self._search(F, closure, Point(0.0, loss, g, slope), t, d, max_eval - evaluations)
                t, loss, g = point[:3]
                memory.t = t
                done = _largest(F, g) <= tolerance_grad
            else:
                self._set([p.array for p in self._params], t, d)
                done = False
                if i + 1 < max_iter:                          # what comes after the last move is the next step's
                    loss, used = float(closure()), 1
                    g = self._gradient(F)
                    done = _largest(F, g) <= tolerance_grad
            evaluations += used
            state["func_evals"] += used
            if evaluations >= max_eval or done or abs(loss - before) < tolerance_change or \
                    _largest(F, t * d) <= tolerance_change:
                break

    def _search(self, F: Any, closure: Callable[[], Any], start: Point, t: float, d: Any, most: int) -> tuple[Point, int]:
        """Go where the line search says."""
        home = [F.copy(p.array) for p in self._params]

        def at(t: float) -> Point:
            self._set(home, t, d)
            loss = float(closure())
            g = self._gradient(F)
            return Point(t, loss, g, F.sum(g * d).item())
        point, used = strong_wolfe(at, t, start, _largest(F, d), max_ls=most)
        self._set(home, point.t, d)
        return point, used


class Memory:
    """The last steps and changes of the gradient, which is all that is known of the curvature."""

    t: Any
    d: Any
    prev_flat_grad: Any
    prev_loss: Any

    def __init__(self, F: Any, state: dict[str, Any], size: int) -> None:
        self.F, self.size = F, size
        for name in SINGLE:
            v = state.get(name)
            setattr(self, name, v.array if isinstance(v, Tensor) and name not in ("t", "prev_loss") else plain(v))
        self.old_dirs, self.old_stps, self.ro = ([v.array for v in state.get(name) or ()] for name in LISTS)
        self.al: list[Any] | None = state.get("al")

    def direction(self, g: Any) -> Any:
        """-H g by the two-loop recursion, after g and the last step have been remembered; -g at first."""
        F = self.F
        if self.prev_flat_grad is None:
            self.d, self.H_diag = -g, 1
        else:
            y, s = g - self.prev_flat_grad, self.t * self.d
            ys = F.sum(y * s)
            if ys.item() > 1e-10:
                if len(self.ro) == self.size:
                    for past in (self.old_dirs, self.old_stps, self.ro):
                        past.pop(0)
                for past, new in ((self.old_dirs, y), (self.old_stps, s), (self.ro, F.asarray(1 / ys))):
                    past.append(new)
                self.H_diag = ys / F.sum(y * y)
            al: list[Any] = [None] * self.size
            q = -g
            for i in reversed(range(len(self.ro))):
                al[i] = F.sum(self.old_stps[i] * q) * self.ro[i]
                q -= al[i] * self.old_dirs[i]
            q *= self.H_diag
            for i, ro in enumerate(self.ro):
                q += (al[i] - F.sum(self.old_dirs[i] * q) * ro) * self.old_stps[i]
            self.d, self.al = q, [None if a is None else wrap(F.asarray(a)) for a in al]
        self.prev_flat_grad = g
        return self.d

    def save(self, state: dict[str, Any]) -> None:
        """Into the optimizer's state, under PyTorch's names."""
        for name in SINGLE:
            value = getattr(self, name)
            state[name] = value if isinstance(value, (int, float)) and type(value) in (int, float) else wrap(self.F.asarray(value))
        for name in LISTS:
            state[name] = [wrap(a) for a in getattr(self, name)]
        if self.al is not None:
            state["al"] = self.al


def _largest(F: Any, x: Any) -> float:
    value: float = F.amax(F.abs(x)).item()
    return value
