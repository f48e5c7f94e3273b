"""The group of processes, and what they do together on tensors."""

from __future__ import annotations

import importlib.util
from typing import Any

from .. import dtypes
from ..backend import current_device
from ..errors import ArgumentError, DeviceError, DistributedError, DTypeError
from ..grad_mode import no_grad
from ..tensor import Tensor, wrap
from .links import LINKS

_link: Any = None                      # this process's end of the group


class ReduceOp:
    """How `all_reduce` brings the processes' numbers together."""

    SUM, AVG, PRODUCT, MIN, MAX = "sum", "avg", "prod", "min", "max"


def is_available() -> bool:
    """Is there a package that carries messages: mpi4py, or CuPy with NCCL?"""
    return any(importlib.util.find_spec(link.package) is not None for link in LINKS.values())


def is_initialized() -> bool:
    """Has this process joined a group?"""
    return _link is not None


def init_process_group(backend: str | None = None, *, rank: int = -1, world_size: int = -1) -> None:
    """Join the group of processes that were started together.

    Args:
        backend: "mpi", for arrays of the CPU: rank and size are MPI's. "nccl", for those of GPUs: they are the arguments, or
            the variables RANK and WORLD_SIZE; the processes meet at MASTER_ADDR and MASTER_PORT. None takes the one
            that fits the current device.

    Raises:
        DistributedError: the process is in a group, or rank and size are not known. MissingPackageError: without mpi4py, or CuPy.

    >>> ta.distributed.is_initialized(), ta.distributed.get_world_size()
    (False, 1)
    """
    global _link
    if _link is not None:
        raise DistributedError("init_process_group", f"a second group, {backend or 'of any kind'}", "this process is in one already",
                               "leave it first: ta.distributed.destroy_process_group()")
    if backend is None:
        backend = "nccl" if current_device().type == "cuda" else "mpi"
    if backend not in LINKS:
        raise ArgumentError("init_process_group", f"backend={backend!r}", f"choose from {sorted(LINKS)}")
    _link = LINKS[backend](rank, world_size)


def destroy_process_group() -> None:
    """Leave the group."""
    global _link
    if _link is not None:
        _link.close()
    _link = None


def get_rank() -> int:
    """Which of the processes this one is: 0 for the first, and where there is only one."""
    return 0 if _link is None else _link.rank


def get_world_size() -> int:
    """How many processes there are; 1 without a group."""
    return 1 if _link is None else _link.size


def get_backend() -> str:
    """What carries the messages: "mpi" or "nccl"."""
    name: str = _joined("get_backend").name
    return name


def all_reduce(tensor: Tensor, op: str = ReduceOp.SUM) -> None:
    """Put the sum (or ReduceOp.AVG, PRODUCT, MIN, MAX) of every process's `tensor` into each of them. Any shape.

    Raises: DistributedError: no group. DTypeError: for bools, and for the mean of integers. DeviceError: see `init_process_group`.
    """
    link = _joined("all_reduce", tensor)
    if op not in (ReduceOp.SUM, ReduceOp.AVG, ReduceOp.PRODUCT, ReduceOp.MIN, ReduceOp.MAX):
        raise ArgumentError("all_reduce", f"op={op!r}", "it is one of ReduceOp's")
    mean = op == ReduceOp.AVG
    if tensor.dtype == dtypes.bool_ or (mean and not dtypes.is_floating(tensor.dtype)):
        raise DTypeError("all_reduce", f"{tensor.dtype}, op={op!r}", "there is no such sum", "convert it first, with .to(ta.float32)")
    with no_grad():                                          # divided before they are added, halves do not overflow
        tensor.copy_(wrap(link.reduce(tensor.array / link.size if mean else tensor.array, "sum" if mean else op)))


def broadcast(tensor: Tensor, src: int = 0) -> None:
    """Put what process `src` has in `tensor` into everybody's. Any shape, the same for all."""
    link = _joined("broadcast", tensor)
    if not isinstance(src, int) or not 0 <= src < link.size:
        raise ArgumentError("broadcast", f"src={src!r}", f"the processes are 0 to {link.size - 1}")
    with no_grad():
        tensor.copy_(wrap(link.send(tensor.array, src)))


def barrier() -> None:
    """Wait until every process is here."""
    _joined("barrier").wait()


def _joined(op: str, tensor: Any = None) -> Any:
    """The link, for this tensor if there is one."""
    if _link is None:
        raise DistributedError(op, "no group", "this process has joined none", "call ta.distributed.init_process_group() first")
    if tensor is not None:
        if not isinstance(tensor, Tensor):
            raise ArgumentError(op, type(tensor).__name__, "it works on a Tensor")
        if tensor.device.type != _link.device:
            raise DeviceError(op, f"a tensor on {tensor.device}", f"{_link.name} carries arrays of {_link.device}",
                              "move it with .to(device), or join by the other backend")
    return _link
