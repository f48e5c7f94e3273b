"""GradScaler: the loss times a large number, so that gradients in float16 do not vanish, and steps left out when they overflow."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from .. import _functions as ops
from .. import cuda, dtypes
from ..changes import changes
from ..errors import ArgumentError, TrainingError
from ..grad_mode import no_grad
from ..tensor import Tensor

READY, UNSCALED, STEPPED = "ready", "unscaled", "stepped"


class GradScaler:
    """Scales the loss, and so the gradients, by a number that is found out: it grows while all goes well, and falls when a
    gradient is infinite or NaN, in which case the optimizer's step is left out.

        for x, target in data:
            optimizer.zero_grad()
            with ta.autocast("cuda"):
                loss = criterion(model(x), target)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)                       # only to look at the gradients, or to clip them
            scaler.step(optimizer)
            scaler.update()

    Args:
        device: "cuda" or "cpu". Without a GPU, "cuda" switches it off with a warning.
        init_scale: the first number.
        growth_factor, growth_interval: it grows by this after so many steps without a gap.
        backoff_factor: it falls by this when a step is left out.
        enabled: False makes it hand everything through.

    Raises:
        ArgumentError: a factor that does not grow or fall; gradients in float16 (the parameters must be float32).
        TrainingError: methods in a wrong order.

    >>> w = ta.ones(1, requires_grad=True)
    >>> optimizer, scaler = ta.optim.SGD([w], lr=0.5), ta.amp.GradScaler("cpu", init_scale=8.0)
    >>> scaler.scale((w * ta.inf).sum()).backward(); scaler.step(optimizer); scaler.update()
    >>> w, scaler.get_scale()
    (tensor([1.], requires_grad=True), 4.0)
    """

    def __init__(self, device: str = "cuda", init_scale: float = 2.0**16, growth_factor: float = 2.0, backoff_factor: float = 0.5,
                 growth_interval: int = 2000, enabled: bool = True) -> None:
        if device not in ("cpu", "cuda"):
            raise ArgumentError("GradScaler", f"device={device!r}", 'it is "cpu" or "cuda"')
        if enabled and device == "cuda" and not cuda.is_available():
            warnings.warn("GradScaler: CUDA is not available, so it is switched off", UserWarning, stacklevel=2)
            enabled = False
        if enabled and not (growth_factor > 1 and backoff_factor < 1):
            raise ArgumentError("GradScaler", f"growth_factor={growth_factor}, backoff_factor={backoff_factor}", "the first is above 1, the second below")
        self._enabled, self._init_scale, self._init_growth_tracker = enabled, float(init_scale), 0
        self._growth_factor, self._backoff_factor, self._growth_interval = growth_factor, backoff_factor, growth_interval
        self._scale: Tensor | None = None                    # made where the first loss is
        self._growth_tracker: Tensor | None = None
        self._stages: dict[int, str] = {}                    # id of an optimizer -> where it is
        self._found: dict[int, dict[str, Tensor]] = {}       # id of an optimizer -> {device: 1 where a gradient was not finite}

    def _start(self, device: Any) -> Tensor:
        if self._scale is None:
            self._scale = ops.full((), self._init_scale, dtype=dtypes.float32, device=device)
            self._growth_tracker = ops.full((), self._init_growth_tracker, dtype=dtypes.int32, device=device)
        return self._scale

    def _need(self, what: str) -> Tensor:
        if self._scale is None:
            raise TrainingError(f"GradScaler.{what}", "", "nothing has been scaled yet", "call scaler.scale(loss).backward() first")
        return self._scale

    def scale(self, outputs: Any) -> Any:
        """A tensor, or each in a list, tuple or other iterable, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._start(outputs.device).to(outputs.device)
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else scaled
        raise ArgumentError("GradScaler.scale", f"a {type(outputs).__name__}", "it takes a Tensor or an iterable of them")

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of the optimizer's parameters by the scale, in place, and see whether all are finite."""
        if not self._enabled:
            return
        scale = self._need("unscale_")
        stage = self._stages.get(id(optimizer), READY)
        if stage != READY:
            raise TrainingError("GradScaler.unscale_", "", "it was called for this optimizer already" if stage == UNSCALED else
                                "the optimizer has stepped already", "call it once, between backward and step; update() ends the round")
        inverse = scale.double().reciprocal().float()
        found: dict[str, Tensor] = {}
        with no_grad():
            for p in [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]:
                if p.grad.dtype == dtypes.float16:
                    raise ArgumentError("GradScaler.unscale_", "a gradient in float16", "it cannot be unscaled without loss",
                                        "keep the parameters in float32 and compute under ta.autocast")
                g = p.grad.detach()
                bad = (~ops.isfinite(g).all()).float()
                known = found.get(str(g.device))
                found[str(g.device)] = bad if known is None else ops.maximum(known, bad)
                g.array[...] = (g * inverse.to(g.device)).to(g.dtype).array
                changes.mark(g.array, "GradScaler.unscale_")
        self._found[id(optimizer)] = found
        self._stages[id(optimizer)] = UNSCALED

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Unscale, unless that is done, and step, unless a gradient is infinite or NaN. Returns what the step returns."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs or args:
            raise ArgumentError("GradScaler.step", "a closure", "it would compute gradients that are not scaled", "call step without one")
        self._need("step")
        if self._stages.get(id(optimizer)) == STEPPED:
            raise TrainingError("GradScaler.step", "", "the optimizer has stepped already", "update() ends the round")
        if self._stages.get(id(optimizer), READY) == READY:
            self.unscale_(optimizer)
        found = self._found[id(optimizer)]
        if not found:
            raise TrainingError("GradScaler.step", "", "no parameter of the optimizer has a gradient", "call scaler.scale(loss).backward() first")
        result = None if any(float(f.item()) for f in found.values()) else optimizer.step(**kwargs)
        self._stages[id(optimizer)] = STEPPED
        return result

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Move the scale by what was found since the last update, or set it."""
        if not self._enabled:
            return
        scale, tracker = self._need("update"), self._growth_tracker
        assert tracker is not None
        with no_grad():
            if new_scale is not None:
                if isinstance(new_scale, Tensor) and (new_scale.array.size != 1 or new_scale.requires_grad):
                    raise ArgumentError("GradScaler.update", f"new_scale of shape {new_scale.shape}", "it is one number, which needs no gradient")
                self._scale = (new_scale.detach().to(scale.device).float().reshape(()) if isinstance(new_scale, Tensor) else
                               ops.full((), float(new_scale), dtype=dtypes.float32, device=scale.device))
            else:
                found = [f.to(scale.device) for own in self._found.values() for f in own.values()]
                if not found:
                    raise TrainingError("GradScaler.update", "", "no gradients were looked at since the last update", "call step(optimizer) first")
                self._moved(scale, tracker, sum(found[1:], found[0]) > 0)
        self._stages, self._found = {}, {}

    def _moved(self, scale: Tensor, tracker: Tensor, bad: Tensor) -> None:
        """Down if a gradient was not finite, up after enough steps; without reading a number back from the device."""
        count = tracker + 1
        full = count == self._growth_interval
        grown = scale * self._growth_factor
        grown = ops.where(ops.isfinite(grown), grown, scale)
        self._scale = ops.where(bad, scale * self._backoff_factor, ops.where(full, grown, scale))
        self._growth_tracker = ops.where(bad | full, ops.zeros_like(count), count)

    # -------------------------------------------------------------------------------------------- what it knows
    def get_scale(self) -> float:
        """The scale; 1 if it is not enabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else float(self._scale.item())

    def get_growth_factor(self) -> float:
        """By what it grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Have it grow by this."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """By what it falls."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Have it fall by this."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """After how many steps without a gap it grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Have it grow after so many."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Does it scale?"""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know; empty if it is not enabled."""
        if not self._enabled:
            return {}
        return {"scale": self.get_scale(), "growth_factor": self._growth_factor, "backoff_factor": self._backoff_factor,
                "growth_interval": self._growth_interval,
                "_growth_tracker": self._init_growth_tracker if self._growth_tracker is None else int(self._growth_tracker.item())}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take it back."""
        if not self._enabled:
            return
        if not state_dict:
            raise ArgumentError("GradScaler.load_state_dict", "an empty dict", "it was saved by a GradScaler that was not enabled")
        self._init_scale, self._init_growth_tracker = float(state_dict["scale"]), int(state_dict["_growth_tracker"])
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        if self._scale is not None:
            device, self._scale = self._scale.device, None
            self._start(device)
