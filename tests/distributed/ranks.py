"""What each process of a group runs: `mpiexec -n 2 python -m mpi4py ranks.py NAME`. A check that fails ends the group with an error."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import tinygrad_act as ta
from tinygrad_act import distributed as dist
from tinygrad_act import nn, optim, train
from tinygrad_act.errors import DistributedError, TinygradActError
from tinygrad_act.nn.parallel import DistributedDataParallel
from tinygrad_act.utils.data import DataLoader, TensorDataset
from tinygrad_act.utils.data.distributed import DistributedSampler

N, STEPS = 24, 12


def need(what: Any, *said: Any) -> None:
    if not what:
        raise SystemExit(f"rank {dist.get_rank()}: {said}")


def refuses(call: Callable[[], Any], *words: str) -> None:
    try:
        call()
    except TinygradActError as error:
        need(all(w in str(error) for w in words), str(error))
    else:
        need(False, "no error", words)


def network(seed: int = 0) -> nn.Module:
    ta.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 16), nn.BatchNorm1d(16, momentum=None, affine=False).eval(), nn.GELU(), nn.Linear(16, 3)).double()


def batches() -> tuple[ta.Tensor, ta.Tensor]:
    numbers = ta.Generator().manual_seed(7)
    x = ta.randn(N, 5, generator=numbers, dtype=ta.float64)
    return x, (x[:, :3] * 2).argmax(1)


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9), "adamw": lambda p: optim.AdamW(p, lr=0.01)}


def same_as_whole() -> None:
    """Training by parts ends where training with the whole batch does."""
    x, y = batches()
    rank, size = dist.get_rank(), dist.get_world_size()
    for make in OPTIMIZERS.values():
        whole, part = network(), DistributedDataParallel(network(seed=rank))
        for model, inputs, targets in ((whole, x, y), (part, x[rank::size], y[rank::size])):
            optimizer = make(model.parameters())
            for _ in range(STEPS):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(inputs), targets).backward()
                optimizer.step()
        for a, b in zip(whole.state_dict().values(), part.module.state_dict().values(), strict=True):
            need(ta.allclose(a, b, rtol=1e-12, atol=1e-14), a, b)
        need(next(iter(part.state_dict())) == "module.0.weight")


def fitted() -> None:
    """train.fit over a DistributedSampler: every sample once an epoch, in another order each, and equal weights everywhere."""
    data = TensorDataset(*batches())
    sampler = DistributedSampler(data, seed=3)
    loader = DataLoader(data, batch_size=N // dist.get_world_size() // 2, sampler=sampler)
    orders = []
    model = DistributedDataParallel(network())
    for epoch in range(2):
        sampler.set_epoch(epoch)
        seen = ta.zeros(N)
        seen[ta.tensor(list(sampler))] = 1
        orders.append(list(sampler))
        dist.all_reduce(seen)
        need(seen.tolist() == [1.0] * N, seen)
    need(orders[0] != orders[1])
    train.fit(model, loader, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), epochs=2, progress=False)
    need(sampler.epoch == 1)
    for p in model.parameters():
        first = p.detach().clone()
        dist.broadcast(first)
        need(ta.equal(first, p.detach()))


def gathered() -> None:
    """no_sync adds up without messages; the pass after it averages."""
    x, y = batches()
    rank, size = dist.get_rank(), dist.get_world_size()
    whole, part = network(), DistributedDataParallel(network())
    own = [slice(rank * N // 2 // size + h * N // 2, (rank + 1) * N // 2 // size + h * N // 2) for h in (0, 1)]
    for half in (slice(0, N // 2), slice(N // 2, N)):
        nn.functional.cross_entropy(whole(x[half]), y[half]).backward()
    with part.no_sync():
        nn.functional.cross_entropy(part(x[own[0]]), y[own[0]]).backward()
    nn.functional.cross_entropy(part(x[own[1]]), y[own[1]]).backward()
    for a, b in zip(whole.parameters(), part.module.parameters(), strict=True):
        need(ta.allclose(a.grad, b.grad, rtol=1e-12, atol=1e-14), a.grad, b.grad)


def halves() -> None:
    """The mean of gradients in float16 whose sum is beyond its range."""
    model = DistributedDataParallel(nn.Linear(1, 1, bias=False).half())
    model(ta.full((1, 1), 60_000.0, dtype=ta.float16)).sum().backward()
    need(model.module.weight.grad.item() == 60_000.0, model.module.weight.grad)


class Branches(nn.Module):
    """One branch for even processes, one for odd ones, one for none."""

    def __init__(self) -> None:
        super().__init__()
        self.even, self.odd, self.none = nn.Linear(2, 1), nn.Linear(2, 1), nn.Linear(2, 1)

    def forward(self, x: Any) -> Any:
        return {"out": (self.odd if dist.get_rank() % 2 else self.even)(x)}


def unused() -> None:
    """Parameters that some or no processes use, looked for or told."""
    ta.manual_seed(0)
    found = DistributedDataParallel(Branches(), find_unused_parameters=True)
    for _ in range(2):
        found.zero_grad()
        found(ta.ones(4, 2))["out"].sum().backward()
        size = dist.get_world_size()
        evens = (size + 1) // 2
        need(abs(found.module.even.bias.grad.item() - 4 * evens / size) < 1e-6, found.module.even.bias.grad)
        need(abs(found.module.odd.bias.grad.item() - 4 * (size - evens) / size) < 1e-6)
        need(found.module.none.weight.grad is None)
    told = DistributedDataParallel(Branches())
    told(ta.ones(4, 2))["out"].sum().backward()
    refuses(lambda: told(ta.ones(4, 2)), "find_unused_parameters=True", "none.weight", "4 of 6")


def messages() -> None:
    """all_reduce and broadcast for every operation, element type, shape and layout."""
    rank, size = dist.get_rank(), dist.get_world_size()
    for dtype in (ta.float16, ta.float32, ta.float64, ta.int64, ta.int32, ta.uint8):
        for op, wanted in (("sum", sum(range(1, size + 1))), ("max", size), ("min", 1)):
            for shape in ((), (0,), (3,), (2, 3)):
                t = ta.full(shape, rank + 1, dtype=dtype)
                dist.all_reduce(t, op)
                need(t.dtype == dtype and t.shape == shape and bool((t == wanted).all()), t, op)
        t = ta.full((2, 2), rank, dtype=dtype)
        dist.broadcast(t, src=size - 1)
        need(bool((t == size - 1).all()), t)
    t = ta.full((2,), rank, dtype=ta.float32)
    dist.all_reduce(t, dist.ReduceOp.AVG)
    need(t.tolist() == [(size - 1) / 2] * 2)
    t = ta.full((2,), 60_000.0, dtype=ta.float16)
    dist.all_reduce(t, dist.ReduceOp.AVG)
    need(t.tolist() == [60_000.0] * 2)
    table = ta.arange(6.0).reshape(2, 3)
    expected = (size * table.T).tolist()
    turned = table.T if rank else table.T.contiguous()                           # one value, two layouts
    dist.all_reduce(turned)
    need(turned.tolist() == expected, turned)
    flag = ta.tensor([rank == 1])
    dist.broadcast(flag, 1)
    need(flag.item() is True)
    dist.barrier()


def compiled() -> None:
    """A step that sends messages runs eagerly and says so; a network whose gradients are averaged by hooks is refused."""
    def summed(x: ta.Tensor) -> ta.Tensor:
        y = x * 1
        dist.all_reduce(y)
        dist.broadcast(y)
        dist.barrier()
        return y
    step = ta.compile(summed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for i in range(5):
            value = step(ta.full((2,), float(i + dist.get_rank()))).tolist()
            need(value == [sum(float(i + r) for r in range(dist.get_world_size()))] * 2, value)
    need(step.counts["replayed"] == 0 and "sends messages" in str(caught[0].message), step.report())
    model = DistributedDataParallel(nn.Linear(2, 1))
    refuses(lambda: ta.compile(lambda x: model(x).sum().backward())(ta.ones(1, 2)), "hooks", ".function")


def misuse() -> None:
    """Each misuse says what it was and what to do."""
    refuses(lambda: dist.init_process_group("mpi"), "in one already", "destroy_process_group")
    refuses(lambda: dist.all_reduce(ta.ones(1), op="mean"), "op='mean'")
    refuses(lambda: dist.all_reduce(ta.tensor([True])), "bool", "convert")
    refuses(lambda: dist.all_reduce(ta.tensor([1]), dist.ReduceOp.AVG), "int64", "convert")
    refuses(lambda: dist.broadcast(ta.ones(1), 99), "src=99")
    refuses(lambda: dist.broadcast(ta.ones(1), "first"), "src='first'")  # type: ignore[arg-type]
    refuses(lambda: dist.broadcast([1.0], 0), "list")
    refuses(lambda: DistributedDataParallel(nn.ReLU()), "nothing to average")
    refuses(lambda: DistributedDataParallel(lambda x: x), "wraps a Module")
    dist.destroy_process_group()
    refuses(lambda: DistributedDataParallel(nn.Linear(1, 1)), "init_process_group")
    refuses(lambda: dist.all_reduce(ta.ones(1)), "joined none")
    refuses(lambda: dist.init_process_group("gloo"), "gloo", "mpi")
    refuses(lambda: dist.init_process_group("mpi", rank=7, world_size=9), "rank=7")
    need(isinstance(DistributedError("a", "b", "c"), TinygradActError) and not dist.is_initialized())


if __name__ == "__main__":
    dist.init_process_group("mpi")
    {f.__name__: f for f in (same_as_whole, fitted, gathered, halves, unused, messages, compiled, misuse)}[sys.argv[1]]()
