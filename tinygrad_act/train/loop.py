"""fit: the training loop, and Run: what it knows while it runs."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import islice
from typing import Any

from .. import dtypes
from ..amp import GradScaler, autocast
from ..backend import Device
from ..errors import ArgumentError, TrainingError
from ..nn.rest import at_rest
from ..nn.utils import clip_grad_norm_
from ..tensor import Tensor
from .callback import Callback
from .history import History
from .metrics import Averages, Metric, metrics_of
from .trainable import trainable_summary


def predict(model: Any, batch: Any) -> tuple[Any, Any]:
    """A batch (input, ..., target) as (model(input, ...), target): how `fit` reads a batch unless told otherwise."""
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        given = f"a {type(batch).__name__}" + (f" of {len(batch)}" if isinstance(batch, (tuple, list, dict)) else "")
        raise ArgumentError("fit", given, "a batch is (input, ..., target)",
                            "pass forward=lambda model, batch: (output, target) for batches of another form")
    return model(*batch[:-1]), batch[-1]


def fit(model: Any, data: Iterable[Any], loss: Callable[[Any, Any], Tensor], optimizer: Any, *, epochs: int = 1,
        validation: Iterable[Any] | None = None, metrics: Mapping[str, Any] | Sequence[Any] = (), scheduler: Any = None,
        scheduler_every: str = "epoch", accumulate: int = 1, clip_norm: float | None = None,
        forward: Callable[[Any, Any], tuple[Any, Any]] = predict, device: Any = None, callbacks: Sequence[Callback] = (),
        progress: bool | None = None, log_every: int = 0, resume: str | os.PathLike[str] | None = None, amp: Any = None,
        trainable: bool = False, compile: bool = False) -> History:
    """Train `model` and return the figures of each epoch.

    Args:
        data, validation: iterables of batches (input, ..., target), such as a DataLoader.
        loss: called as loss(output, target); a scalar.
        metrics: a dict {name: function(output, target)}, or a list of functions, Metrics, or "accuracy", "rmse", "mae",
            "perplexity".
        scheduler: of the learning rate, stepped each "epoch" (one that asks for a figure is given the validation loss,
            or the training loss) or each "step", as `scheduler_every` says.
        accumulate: how many batches make one step of the optimizer; their gradients are averaged.
        clip_norm: the gradients' norm is cut to this before each step.
        forward: called as forward(model, batch), returns (output, target).
        device: where to move each batch; by default batches are used as they come.
        progress: a bar and a line an epoch; by default if the package rich is there.
        log_every: keep the loss of every so many steps in the history's `steps`, and send it to the callbacks' logs
            (reading it waits for a GPU).
        resume: a file that a Checkpoint wrote, or its folder. Training goes on from there, bit for bit as if it had not
            been interrupted; if nothing is there yet, it begins. (Random numbers from elsewhere than Python's `random` and our
            default generators are not put back: NumPy's global one, or one of a loader for validation.)
        amp: compute in this half under `ta.autocast`: ta.bfloat16, or ta.float16, for which the loss is scaled (GradScaler).
        trainable: print first what of the model learns, and how much that is.
        compile: record the forward and backward pass of a batch once and replay it (`ta.compile`): the same numbers, sooner.

    Raises:
        TrainingError: the loss of an epoch is NaN or infinite.

    >>> x = ta.linspace(-1, 1, 32).reshape(-1, 1)
    >>> data = ta.utils.data.DataLoader(ta.utils.data.TensorDataset(x, 3 * x), batch_size=8)
    >>> model = ta.nn.Linear(1, 1)
    >>> history = ta.train.fit(model, data, ta.nn.MSELoss(), ta.optim.SGD(model.parameters(), lr=0.3), epochs=20, progress=False)
    >>> round(model.weight.item(), 3)
    3.0
    """
    from .checkpoint import resume_from
    from .progress import progress_callbacks

    if isinstance(callbacks, Callback):
        callbacks = [callbacks]
    run = Run(model, data, loss, optimizer, epochs=epochs, validation=validation, metrics=metrics_of(metrics),
              scheduler=scheduler, scheduler_every=scheduler_every, accumulate=accumulate, clip_norm=clip_norm,
              forward=forward, device=device, callbacks=[*callbacks, *progress_callbacks(progress)], log_every=log_every, amp=amp,
              compile=compile)
    if trainable:
        sys.stdout.write(f"{trainable_summary(model)}\n")
    try:
        run.tell("on_start")
        if resume is not None and resume_from(run, resume):
            run.tell("on_resume")
        while run.epoch < epochs and not run.stopped:
            if run.train_epoch():
                run.end_epoch()
    finally:
        run.tell("on_end")
    return run.history


class Run:
    """A training run: what `fit` was given, and where it stands. Callbacks get it.

    `epoch` and `step` count what is finished, `batch` the batches of the epoch under way; `history` has the figures.
    """

    def __init__(self, model: Any, data: Iterable[Any], loss: Callable[[Any, Any], Tensor], optimizer: Any, *,
                 epochs: int = 1, validation: Iterable[Any] | None = None, metrics: Sequence[Metric] = (),
                 scheduler: Any = None, scheduler_every: str = "epoch", accumulate: int = 1,
                 clip_norm: float | None = None, forward: Callable[[Any, Any], tuple[Any, Any]] = predict,
                 device: Any = None, callbacks: Sequence[Callback] = (), log_every: int = 0, amp: Any = None,
                 compile: bool = False) -> None:
        if accumulate < 1 or epochs < 0:
            raise ArgumentError("fit", f"accumulate={accumulate}, epochs={epochs}", "a step has one batch at least, and "
                                "epochs are counted from 0")
        if scheduler_every not in ("epoch", "step"):
            raise ArgumentError("fit", f"scheduler_every={scheduler_every!r}", 'it is "epoch" or "step"')
        for name, given in (("data", data), ("validation", validation)):
            if hasattr(given, "__next__"):
                raise ArgumentError("fit", f"{name}: a {type(given).__name__}", "an iterator can be gone through only once",
                                    "pass a DataLoader or a list of batches")
        if isinstance(loss, type) or not callable(loss):
            raise ArgumentError("fit", f"loss: {loss!r}", "it is called as loss(output, target)",
                                "make it first, nn.MSELoss(), or pass a function")
        if isinstance(optimizer, type) or not hasattr(optimizer, "param_groups"):
            raise ArgumentError("fit", f"optimizer: {optimizer!r:.60}", "it is no optimizer", "make it first: ta.optim.Adam(model.parameters())")
        if wrong := [c for c in callbacks if not isinstance(c, Callback)]:
            raise ArgumentError("fit", f"callbacks: {wrong[0]!r:.60}", "it is no Callback", "make it first: ta.train.EarlyStopping()")
        if clip_norm is not None and not clip_norm > 0:
            raise ArgumentError("fit", f"clip_norm={clip_norm}", "a norm to cut to is above 0")
        self.model, self.data, self.loss, self.optimizer = model, data, loss, optimizer
        self.epochs, self.validation, self.metrics = epochs, validation, metrics
        self.scheduler, self.scheduler_every = scheduler, scheduler_every
        self.accumulate, self.clip_norm, self.forward, self.device = accumulate, clip_norm, forward, device
        self.callbacks, self.log_every = sorted(callbacks, key=lambda c: getattr(c, "last", False)), log_every
        self.precision, self.scaler = precision_of(model, device, amp)
        if compile and amp is not None:
            raise ArgumentError("fit", "compile=True with amp", "the scale of the loss changes from step to step", "choose one of the two")
        self.learn = learning(model, loss, forward, self.precision, None if amp is None else self.scaler)
        if compile:
            from ..replay import compile as replayed
            self.learn = replayed(self.learn)
        self.epoch = self.step = self.batch = 0
        self.exhausted = False                  # the epoch's last batch is known to be behind us
        self.averages = Averages(metrics)
        self.history = History()
        self.last_loss: Tensor | None = None
        self.stopped = ""                       # the reason, once there is one
        self.seconds = 0.0                      # of the epoch under way, before this process began it
        self._began = time.perf_counter()

    def tell(self, event: str, *args: Any) -> None:
        """Call every callback's method of this name."""
        for callback in self.callbacks:
            getattr(callback, event)(self, *args)

    def log(self, kind: str, row: Mapping[str, Any]) -> None:
        """Have figures written down by the callbacks that write."""
        self.tell("on_log", kind, row)

    def stop(self, reason: str) -> None:
        """End training after this step. An epoch that is cut short by it has no figures; a resumed run finishes it."""
        self.stopped = reason

    # --------------------------------------------------------------------------------------- an epoch
    def train_epoch(self) -> bool:
        """The epoch's steps: forward, backward, optimizer. A resumed epoch goes on where it was.

        Returns: whether it came to its end, or was cut short by `stop`.
        """
        if not self.batch:                      # else a resumed epoch has its modes already
            self.model.train()
        self._began = time.perf_counter()
        sampler: Any = getattr(self.data, "sampler", None)
        if hasattr(sampler, "set_epoch"):       # a DistributedSampler shuffles by it
            sampler.set_epoch(self.epoch)
        batches = self.remaining()
        while not self.stopped and (group := list(islice(batches, self.accumulate))):
            self.tell("on_step_start")
            self.optimizer.zero_grad()
            for batch in group:
                loss, output, target = self.learn(to_device(batch, self.device), len(group))
                self.last_loss = loss
                self.averages.add(loss, output, target)
            if self.clip_norm is not None:
                self.scaler.unscale_(self.optimizer)
                clip_grad_norm_(self.model.parameters(), self.clip_norm)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            if self.scheduler is not None and self.scheduler_every == "step":
                self.scheduler.step()
            self.step += 1
            self.batch += len(group)
            self.exhausted = len(group) < self.accumulate
            if self.log_every and self.step % self.log_every == 0:
                self.history.steps.append({"epoch": self.epoch + 1, "step": self.step, "lr": self.lr, "loss": loss.item()})
                self.log("step", self.history.steps[-1])
            self.tell("on_step")
        return not self.stopped or self.exhausted or self.batch == getattr(self.data, "__len__", lambda: -1)()

    def remaining(self) -> Iterator[Any]:
        """The batches of this epoch that are still to come."""
        if self.exhausted:
            return iter(())
        batches = iter(self.data)
        return batches if hasattr(self.data, "load_state_dict") else islice(batches, self.batch, None)

    def end_epoch(self) -> None:
        """Validate, note the figures, step the scheduler."""
        self.epoch += 1
        row = {"epoch": self.epoch, "step": self.step, "seconds": round(self.elapsed(), 3), "lr": self.lr, **self.averages.means()}
        if "loss" not in row:
            raise ArgumentError("fit", f"data: a {type(self.data).__name__}", "it has no batches")
        if not math.isfinite(row["loss"]):
            raise TrainingError("fit", f"epoch {self.epoch}", f"the mean loss is {row['loss']}", "lower the learning rate, clip "
                                "the gradients (clip_norm=1.0), or find the op with ta.autograd.detect_anomaly()")
        if self.validation is not None:
            with self.precision():
                found = evaluate(self.model, self.validation, self.loss, self.metrics, forward=self.forward, device=self.device)
            row |= {f"val_{name}": value for name, value in found.items()}
        self.averages, self.batch, self.exhausted, self.seconds = Averages(self.metrics), 0, False, 0.0
        if self.scheduler is not None and self.scheduler_every == "epoch":
            if wants_figure(self.scheduler):
                self.scheduler.step(row.get("val_loss", row["loss"]))
            else:
                self.scheduler.step()
        self.history.append(row)
        self.log("epoch", row)
        self._began = time.perf_counter()
        self.tell("on_epoch")

    @property
    def lr(self) -> float:
        """The learning rate of the first group."""
        return float(self.optimizer.param_groups[0]["lr"])

    def elapsed(self) -> float:
        """Seconds spent on the epoch under way."""
        return self.seconds + time.perf_counter() - self._began


def learning(model: Any, loss: Callable[[Any, Any], Tensor], forward: Callable[[Any, Any], tuple[Any, Any]],
             precision: Callable[[], Any], scaler: GradScaler | None) -> Callable[[Any, int], tuple[Tensor, Any, Any]]:
    """The function that learns from one of `parts` batches: it adds to the gradients, and returns (loss, output, target)."""
    def learn(batch: Any, parts: int) -> tuple[Tensor, Any, Any]:
        with precision():
            output, target = forward(model, batch)
            value = loss(output, target)
        share = value if parts == 1 else value / parts
        (share if scaler is None else scaler.scale(share)).backward()
        return value, output, target
    return learn


def precision_of(model: Any, device: Any, amp: Any) -> tuple[Callable[[], Any], GradScaler]:
    """What to enter for each forward pass, and the scaler of the loss, which hands everything through unless it is needed."""
    if amp is None:
        return nullcontext, GradScaler("cpu", enabled=False)
    dtype = dtypes.as_dtype(amp)
    if not dtypes.is_half(dtype):
        raise ArgumentError("fit", f"amp={amp!r}", "it is ta.bfloat16 or ta.float16")
    own = next(model.parameters(), None)
    gpu = (Device(device).type if device is not None else "cpu" if own is None else own.device.type) == "cuda"
    kind = "cuda" if gpu else "cpu"
    return lambda: autocast(kind, dtype), GradScaler(kind, enabled=dtype == dtypes.float16)


def evaluate(model: Any, data: Iterable[Any], loss: Callable[[Any, Any], Tensor] | None = None,
             metrics: Mapping[str, Any] | Sequence[Any] = (), *, forward: Callable[[Any, Any], tuple[Any, Any]] = predict,
             device: Any = None) -> dict[str, float]:
    """The mean loss and metrics over all samples of `data`, in evaluation mode and without recording.

    >>> data = [(ta.tensor([[2.0, 1.0], [0.0, 3.0]]), ta.tensor([0, 0]))]
    >>> ta.train.evaluate(ta.nn.Identity(), data, metrics=["accuracy"])
    {'accuracy': 0.5}
    """
    averages = Averages(metrics_of(metrics))
    with at_rest(model):
        for batch in data:
            output, target = forward(model, to_device(batch, device))
            averages.add(None if loss is None else loss(output, target), output, target)
    return averages.means()


def to_device(batch: Any, device: Any) -> Any:
    """The tensors of a batch on a device; None leaves all as it is."""
    if device is None:
        return batch
    if isinstance(batch, Tensor) or hasattr(batch, "to"):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {k: to_device(v, device) for k, v in batch.items()}
    if not isinstance(batch, (tuple, list)):
        return batch
    parts = [to_device(v, device) for v in batch]
    return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)             # a named tuple takes them singly


def wants_figure(scheduler: Any) -> bool:
    """Whether the scheduler's step must be given a figure, as ReduceLROnPlateau's."""
    import inspect

    parameters = inspect.signature(scheduler.step).parameters.values()
    return any(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)
