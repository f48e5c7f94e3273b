"""What a step looks at, changes (or lets an optimizer or a scheduler change) and looks at again: a replay goes as eager mode, or is none."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn, optim

pytestmark = pytest.mark.filterwarnings("ignore:.*runs eagerly", "ignore:.*get_lr", "ignore:.*deprecated")
CALLS = 14
COUNT = 0
CLIP = 1.0
OUTSIDE: dict[str, Any] = {}                # what those bodies find that name it


class Scene:
    """A network with an optimizer and a scheduler whose rate changes at each third step only, so that two recordings are the same."""

    def __init__(self, make: Callable[[Any], Any], schedule: Callable[[Any], Any]) -> None:
        global COUNT
        COUNT = 0
        ta.manual_seed(0)
        self.m = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
        self.o = make(self.m.parameters())
        self.s = schedule(self.o)
        self.bias = self.m[2].bias
        self.box = types.SimpleNamespace(count=0, seen=[0])

    def learn(self, x: Any, factor: Any = 1.0, steps: int = 1) -> Any:
        self.o.zero_grad()
        loss = (self.m(x) ** 2).mean() * factor
        loss.backward()
        self.o.step()
        for _ in range(steps):
            self.s.step()
        return loss

    def scale(self, factor: Any) -> None:
        with ta.no_grad():
            self.bias.mul_(1 - factor)


def rate(z: Scene, x: Any) -> Any:
    return z.learn(x, z.o.param_groups[0]["lr"]), z.o.param_groups[0]["lr"]


def rate_of_a_group_kept(z: Scene, x: Any) -> Any:
    g = z.o.param_groups[0]
    z.learn(x, g["lr"])
    return g["lr"]


def rate_of_groups_kept(z: Scene, x: Any) -> Any:
    groups = z.o.param_groups
    z.learn(x)
    z.scale(groups[0]["lr"])


def rate_of_a_group_from_outside(z: Scene, x: Any) -> Any:
    z.learn(x)
    z.scale(OUTSIDE["group"]["lr"])


def rate_of_groups_from_outside(z: Scene, x: Any) -> Any:
    z.learn(x, OUTSIDE["groups"][0]["lr"])
    z.scale(OUTSIDE["groups"][0]["lr"])


def rate_that_a_result_hangs_on(z: Scene, x: Any) -> Any:
    g = z.o.param_groups[0]
    loss = z.learn(x)
    return loss if g["lr"] > 0.05 else None


def rate_that_another_step_hangs_on(z: Scene, x: Any) -> Any:
    g = z.o.param_groups[0]
    z.learn(x)
    if g["lr"] < 0.05:
        z.s.step()


def rate_by_vars(z: Scene, x: Any) -> Any:
    z.learn(x, vars(z.o)["param_groups"][0]["lr"])
    return vars(z.o)["param_groups"][0]["lr"]


def rate_before_a_scheduler(z: Scene, x: Any) -> Any:
    return z.learn(x, z.o.param_groups[0]["lr"])


def rate_between(z: Scene, x: Any) -> Any:
    before = z.o.param_groups[0]["lr"]
    loss = z.learn(x, before, 0)
    z.s.step()
    z.scale(z.o.param_groups[0]["lr"] - before)
    return loss


def rate_by_a_function_of_its_own(z: Scene, x: Any) -> Any:
    now = lambda: [g["lr"] for g in z.o.param_groups]
    a = now()
    z.learn(x)
    return a, now()


def momentum(z: Scene, x: Any) -> Any:
    g = z.o.param_groups[0]
    a = g.get("momentum", 0), g.get("betas"), g.get("weight_decay")
    z.learn(x)
    return a, g.get("momentum", 0), g.get("betas"), g.get("weight_decay")


def zeros_between(z: Scene, x: Any) -> Any:
    a = z.o.param_groups[0]["lr"]
    loss = z.learn(x)
    z.o.zero_grad(set_to_none=False)
    return loss.detach() * a, z.o.param_groups[0]["lr"]


def last_lr(z: Scene, x: Any) -> Any:
    loss = z.learn(x, z.s.get_last_lr()[0])
    return loss, z.s.get_last_lr()[0]


def last_lr_kept(z: Scene, x: Any) -> Any:
    rates = z.s.get_last_lr()
    z.learn(x, rates[0])
    return rates[0]


def last_epoch(z: Scene, x: Any) -> Any:
    a = getattr(z.s, "last_epoch", 0)
    z.learn(x)
    return a, getattr(z.s, "last_epoch", 0)


def state_of_a_scheduler(z: Scene, x: Any) -> Any:
    a = z.s.state_dict().get("_last_lr")
    z.learn(x)
    return a, z.s.state_dict().get("_last_lr")


def state(z: Scene, x: Any) -> Any:
    a = len(z.o.state)
    z.learn(x)
    return a, len(z.o.state)


def state_of_a_parameter(z: Scene, x: Any) -> Any:
    own = z.o.state[z.bias]
    before = sorted(own)
    z.learn(x)
    return before, sorted(own), [own[k] if isinstance(own[k], (int, float)) else 0 for k in sorted(own)]


def buffers_of_a_parameter(z: Scene, x: Any) -> Any:
    z.learn(x)
    with ta.no_grad():
        for v in z.o.state[z.bias].values():
            if isinstance(v, ta.Tensor):
                v.mul_(0.5)


def state_dict_of_an_optimizer(z: Scene, x: Any) -> Any:
    a = z.o.state_dict()["param_groups"][0]["lr"]
    z.learn(x)
    return a, z.o.state_dict()["param_groups"][0]["lr"]


def batches_of_batchnorm(z: Scene, x: Any) -> Any:
    n = z.m[1].num_batches_tracked
    a = n.item()
    loss = z.learn(x)
    return loss.detach() * n, n.item() - a


def batches_of_batchnorm_as_a_tensor(z: Scene, x: Any) -> Any:
    loss = z.learn(x)
    return loss.detach() * z.m[1].num_batches_tracked


def average_of_batchnorm(z: Scene, x: Any) -> Any:
    z.m[1].momentum = None
    return z.learn(x)


def attribute_counted(z: Scene, x: Any) -> Any:
    z.box.count += 1
    return z.learn(x * z.box.count)


def attribute_counted_now_and_then(z: Scene, x: Any) -> Any:
    loss = z.learn(x)
    if z.o.param_groups[0]["lr"] < 0.05:
        z.box.count += 1
    return loss.detach() * z.box.count


def attribute_changed_by_a_loss(z: Scene, x: Any) -> Any:
    loss = z.learn(x)
    if loss > 0.3:
        z.box.count += 1
    return loss.detach() * z.box.count


def attribute_changed_by_a_decision(z: Scene, x: Any) -> Any:
    if (z.m(x) ** 2).mean() < 1.3:
        z.box.count += 1
    return z.learn(x).detach() * z.box.count


def attribute_changed_and_put_back(z: Scene, x: Any) -> Any:
    z.box.count += 2
    loss = z.learn(x * z.box.count)
    z.box.count -= 2
    return loss.detach() * z.box.count


def attribute_of_an_optimizer(z: Scene, x: Any) -> Any:
    z.o.count = getattr(z.o, "count", 0) + 1
    return z.learn(x * z.o.count)


def element_of_a_list(z: Scene, x: Any) -> Any:
    z.box.seen[0] += 1
    return z.learn(x * z.box.seen[0])


def length_of_a_list(z: Scene, x: Any) -> Any:
    z.box.seen.append(1)
    return z.learn(x * len(z.box.seen))


def a_global(z: Scene, x: Any) -> Any:
    global COUNT
    COUNT += 1
    return z.learn(x * COUNT)


def training_mode(z: Scene, x: Any) -> Any:
    z.m.eval()
    with ta.no_grad():
        a = z.m(x).sum()
    z.m.train()
    return z.learn(x + a)


def training_mode_left(z: Scene, x: Any) -> Any:
    z.m.train(not z.m.training)
    return z.learn(x)


def what_follows_the_gradients(z: Scene, x: Any) -> Any:
    loss = z.learn(x)
    z.o.zero_grad()
    return loss


BODIES = [f for f in list(globals().values()) if isinstance(f, types.FunctionType) and f.__module__ == __name__ and f.__annotations__.get("z") == "Scene"]
MAKERS: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda p: optim.SGD(p, lr=0.1), "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9), "adam": lambda p: optim.Adam(p, lr=0.1),
    "asgd": lambda p: optim.ASGD(p, lr=0.1)}
SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "steps": lambda o: optim.lr_scheduler.StepLR(o, 3),
    "a function": lambda o: optim.lr_scheduler.LambdaLR(o, lambda i: 0.5 ** (i // 4)),
    "one after the other": lambda o: optim.lr_scheduler.SequentialLR(
        o, [optim.lr_scheduler.ConstantLR(o, 0.5, 4), optim.lr_scheduler.StepLR(o, 3)], [6]),
    "chained": lambda o: optim.lr_scheduler.ChainedScheduler([optim.lr_scheduler.StepLR(o, 3), optim.lr_scheduler.StepLR(o, 4)])}
PAIRS = [("sgd", s) for s in SCHEDULES] + [(o, "steps") for o in MAKERS if o != "sgd"]


def plain(x: Any) -> Any:
    if isinstance(x, ta.Tensor):
        return x.tolist()
    return [plain(p) for p in x] if isinstance(x, (tuple, list)) else x


def run(body: Callable[[Any, Any], Any], z: Any, compiled: bool, parameters: list[Any]) -> tuple[Any, Any]:
    def step(x: Any) -> Any:
        return body(z, x)
    OUTSIDE.update(group=z.o.param_groups[0], groups=z.o.param_groups)
    made = ta.compile(step) if compiled else step
    seen = [[plain(made(ta.arange(12.0).reshape(3, 4) * 0.1 + i % 2)), [plain(p) for p in parameters]] for i in range(CALLS)]
    return repr(seen), made


@pytest.mark.parametrize("body", BODIES, ids=lambda f: f.__name__)
def test_a_step_that_looks_again(body: Callable[[Any, Any], Any]) -> None:
    for maker, schedule in PAIRS:
        results = []
        for compiled in (False, True):
            z = Scene(MAKERS[maker], SCHEDULES[schedule])
            results.append(run(body, z, compiled, list(z.m.parameters()))[0])
        assert results[0] == results[1], (maker, schedule)


# ------------------------------------------------------------------------------------------- optimizers of the user's own
class Own(optim.SGD):
    decay = 0.0

    def clipped(self, x: Any) -> Any:
        return x * CLIP * (1 - self.decay) * getattr(self, "late", 1.0)


def put_global(z: Scene, i: int) -> None:
    global CLIP
    CLIP = 1.0 + i // 4


def put_class(z: Scene, i: int) -> None:
    Own.decay = 0.1 * (i // 4)


def put_late(z: Scene, i: int) -> None:
    if i == 5:
        z.o.late = 3.0


@pytest.mark.parametrize("put", [put_global, put_class, put_late])
def test_what_the_methods_of_an_optimizer_look_at(put: Callable[[Any, int], None]) -> None:
    results = []
    for compiled in (False, True):
        z = Scene(lambda p: Own(p, lr=0.1), SCHEDULES["steps"])
        step = lambda x, z=z: z.learn(z.o.clipped(x))
        made = ta.compile(step, fullgraph=True) if compiled else step
        seen = []
        for i in range(CALLS):
            put(z, i)
            seen.append([plain(made(ta.ones(3, 4))), plain(list(z.m.parameters()))])
        put(z, 0)
        results.append(repr(seen))
        assert not compiled or made.counts["replayed"] >= 3
    assert results[0] == results[1]


def test_a_hook_that_changes_a_rate() -> None:
    results = []
    for compiled in (False, True):
        z = Scene(MAKERS["sgd"], SCHEDULES["steps"])
        calls: list[int] = []

        def hook(o: Any, *_: Any, calls: list[int] = calls) -> None:
            calls.append(1)
            if len(calls) == 5:
                o.param_groups[0]["lr"] = 0.7
        z.o.register_step_post_hook(hook)

        def body(z: Scene, x: Any) -> Any:
            loss = z.learn(x, z.o.param_groups[0]["lr"], 0)
            z.scale(OUTSIDE["group"]["lr"])
            return loss
        results.append(run(body, z, compiled, list(z.m.parameters()))[0])
    assert results[0] == results[1]


def test_cells_that_a_step_changes() -> None:
    """Each time, and now and then: the second is seen when it happens, since a decision leads to it."""
    for every in (1, 4):
        results = []
        for compiled in (False, True):
            z, count = Scene(MAKERS["sgd"], SCHEDULES["steps"]), 0

            def body(z: Scene, x: Any, every: int = every) -> Any:
                nonlocal count
                if every == 1 or x.sum() > 7:
                    count += 1
                return z.learn(x, count + 1, 0)
            results.append(run(body, z, compiled, list(z.m.parameters()))[0])
        assert results[0] == results[1]


def leave_a_dtype() -> None:
    ta.set_default_dtype(ta.float64)


def leave_no_gradients() -> None:
    ta.set_grad_enabled(False)


@pytest.mark.parametrize("leave", [leave_a_dtype, leave_no_gradients])
def test_a_mode_that_a_step_leaves_behind(leave: Callable[[], None]) -> None:
    def body(x: Any) -> Any:
        leave()
        return x * 2
    step = ta.compile(body)
    try:
        with pytest.warns(UserWarning, match="leaves another"):
            for _ in range(6):
                ta.set_default_dtype(ta.float32)
                ta.set_grad_enabled(True)
                step(ta.ones(2))
                assert ta.get_default_dtype() is ta.float64 or not ta.is_grad_enabled()
    finally:
        ta.set_default_dtype(ta.float32)
        ta.set_grad_enabled(True)


@pytest.mark.parametrize(("body", "said"), [(rate, "reads SGD.param_groups after StepLR.step"), (rate_of_a_group_kept, "looks at what StepLR.step may change"),
                                            (last_lr, "reads StepLR._last_lr after StepLR.step")])
def test_it_is_said_what_is_looked_at_again(body: Callable[[Any, Any], Any], said: str) -> None:
    z = Scene(MAKERS["sgd"], SCHEDULES["steps"])
    with pytest.warns(UserWarning, match=said):
        run(body, z, True, [])


def both_rates(z: Scene, x: Any) -> Any:
    a = z.o.param_groups[0]["lr"]
    loss = z.learn(x, a, 0)
    z.scale(z.o.param_groups[0]["lr"])
    return loss


def test_the_steps_of_optimizers_change_no_rate() -> None:
    for maker in MAKERS:
        results = []
        for compiled in (False, True):
            z = Scene(MAKERS[maker], SCHEDULES["steps"])
            seen, made = run(both_rates, z, compiled, list(z.m.parameters()))
            results.append(seen)
            assert not compiled or made.counts["replayed"] >= CALLS - 3, made.report()
        assert results[0] == results[1]
