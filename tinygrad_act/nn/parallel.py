"""DistributedDataParallel: each process computes with its part of the batch, all step by the mean gradient. And DataParallel."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Generator, Sequence
from typing import Any

from .. import cuda, distributed
from ..backend import Device, namespaces
from ..errors import ArgumentError, DistributedError
from ..grad_mode import is_grad_enabled, no_grad
from ..tensor import Tensor, wrap
from ..trees import mapped
from .module import Module

__all__ = ["DataParallel", "DistributedDataParallel"]


class DataParallel(Module):
    """Wraps a network as PyTorch's does, and computes with it on one device.

    Without a GPU it calls the network. With one, the network is moved there when it is wrapped, and each input when it is called.
    Of several GPUs the first of `device_ids` does all the work: the results are those that several would give, and several are used
    by DistributedDataParallel.

    Args:
        module: the network, found again as `.module`; `state_dict()` names everything "module....".
        device_ids: GPUs by their numbers; the current one unless given.
        output_device: where the results are moved to; where they are made unless given.
        dim: changes nothing: no batch is divided.

    >>> model = ta.nn.DataParallel(ta.nn.Linear(2, 1))
    >>> list(model.state_dict()), model.module
    (['module.weight', 'module.bias'], Linear(in_features=2, out_features=1, bias=True))
    """

    def __init__(self, module: Module, device_ids: Sequence[Any] | None = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        if not isinstance(module, Module):
            raise ArgumentError("DataParallel", type(module).__name__, "it wraps a Module")
        self.module, self.dim, self.output_device = module, dim, output_device
        self.device_ids: list[Any] = []
        if cuda.is_available():
            self.device_ids = [cuda.current_device()] if device_ids is None else list(device_ids)
        if self.device_ids:
            module.to(Device(self.device_ids[0]))

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """The network's result."""
        if not self.device_ids:
            return self.module(*inputs, **kwargs)
        there = Device(self.device_ids[0])
        result = self.module(*_moved(inputs, there), **_moved(kwargs, there))
        return result if self.output_device is None else _moved(result, Device(self.output_device))


def _moved(x: Any, device: Device) -> Any:
    """All tensors in tuples, lists and dicts on that device."""
    return mapped(x, Tensor, lambda t: t.to(device))


class DistributedDataParallel(Module):
    """Wraps a network that every process of the group has (arXiv:2006.15704).

    When made, it gives all processes the parameters and buffers of the first. At the end of `backward` the gradients become
    the mean over the processes, all of them in one message for each element type; so equal optimizers make equal steps. With parts
    of equal size and a loss that is a mean, a step is that of one process with the whole batch.

    Args:
        module: the network, found again as `.module`; `state_dict()` names everything "module....".
        broadcast_buffers: before each forward pass in training, take the buffers (running means) of the first process.
        find_unused_parameters: look in each result's graph for the parameters that it depends on. Without it a pass
            that leaves one out is an error at the next. A parameter that no process used keeps the gradient it had.

    Raises:
        DistributedError: no group was joined, or the previous pass left parameters without a gradient.

    >>> ta.nn.parallel.DistributedDataParallel(ta.nn.Linear(2, 1))  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    DistributedError: DistributedDataParallel: no group: ...
    """

    def __init__(self, module: Module, *, broadcast_buffers: bool = True, find_unused_parameters: bool = False) -> None:
        super().__init__()
        if not isinstance(module, Module):
            raise ArgumentError("DistributedDataParallel", type(module).__name__, "it wraps a Module")
        if not distributed.is_initialized():
            raise DistributedError("DistributedDataParallel", "no group", "this process has joined none",
                                   "call ta.distributed.init_process_group() first")
        self.module = module
        self.broadcast_buffers, self.find_unused_parameters = broadcast_buffers, find_unused_parameters
        self.learned = [p for p in module.parameters() if p.requires_grad]
        self.names = [n for n, p in module.named_parameters() if p.requires_grad]
        if not self.learned:
            raise ArgumentError("DistributedDataParallel", type(module).__name__, "none of its parameters requires a gradient",
                                "there is nothing to average: use the module itself")
        self.syncs, self.waiting = True, set[int]()
        for tensor in (*module.parameters(), *module.buffers()):
            distributed.broadcast(tensor)
        for i, p in enumerate(self.learned):
            p.register_post_accumulate_grad_hook(functools.partial(self._arrived, i))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's result. In training its backward pass will average the gradients."""
        if not (self.training and is_grad_enabled() and self.syncs):
            return self.module(*args, **kwargs)
        if self.waiting:
            left = [self.names[i] for i in sorted(self.waiting)]
            self.waiting = set()
            raise DistributedError("DistributedDataParallel", f"parameters without a gradient: {', '.join(left[:5])}",
                                   f"the previous pass's backward did not reach {len(left)} of {len(self.names)}, so nothing was averaged",
                                   "call backward() for each forward pass, or pass find_unused_parameters=True")
        if self.broadcast_buffers:
            for buffer in self.module.buffers():
                distributed.broadcast(buffer)
        result = self.module(*args, **kwargs)
        self.waiting = set(range(len(self.learned)))
        if self.find_unused_parameters:
            reached = _leaves(result)
            self.waiting = {i for i, p in enumerate(self.learned) if id(p) in reached}
            if not self.waiting:
                raise DistributedError("DistributedDataParallel", "a result that depends on no parameter", "nothing would be averaged")
        return result

    @contextlib.contextmanager
    def no_sync(self) -> Generator[None, None, None]:
        """Inside, gradients only add up in this process; the first pass after it averages the sums."""
        before, self.syncs = self.syncs, False
        try:
            yield
        finally:
            self.syncs = before

    def _arrived(self, i: int, _: Tensor) -> None:
        """The gradient of parameter i is complete; with the last of them, average."""
        if i in self.waiting and self.syncs:
            self.waiting.discard(i)
            if not self.waiting:
                self._average()

    @no_grad()
    def _average(self) -> None:
        """One message for each element type: the gradients end to end, then for each a 1 if this process has it.

        They are divided before they are added up, as the sum of halves may be more than a half can be.
        """
        size = distributed.get_world_size()
        for dtype in dict.fromkeys(p.dtype for p in self.learned):
            same = [p for p in self.learned if p.dtype == dtype]
            F = namespaces[type(same[0].array)]
            own = [F.zeros_like(p.array) if p.grad is None else p.grad.array for p in same]
            has = F.stack([F.full((), float(p.grad is not None), p.array) for p in same], 0)
            message = wrap(F.cat([*(g.reshape(-1) for g in own), F.cast(has, dtype)], 0) / size)
            distributed.all_reduce(message, distributed.ReduceOp.SUM)
            mean, start = message.array, 0
            used = mean[-len(same):].tolist() if self.find_unused_parameters else [1.0] * len(same)
            for p, count in zip(same, used, strict=True):
                part = wrap(mean[start:start + p.array.size].reshape(p.shape))
                start += p.array.size
                if p.grad is not None:
                    p.grad.copy_(part)
                elif count:
                    p.grad = part.clone()


def _leaves(result: Any) -> set[int]:
    """The ids of the leaves that the tensors in `result` depend on."""
    found, stack, seen = set[int](), _nodes(result), set[int]()
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        for edge in node.edges:
            if isinstance(edge, Tensor):
                found.add(id(edge))
            elif edge is not None:
                stack.append(edge)
    return found


def _nodes(result: Any) -> list[Any]:
    """The nodes of all tensors in a result of tuples, lists and dicts."""
    if isinstance(result, Tensor):
        return [result.node] if result.node is not None else []
    parts = result.values() if isinstance(result, dict) else result if isinstance(result, (tuple, list)) else ()
    return [node for part in parts for node in _nodes(part)]
