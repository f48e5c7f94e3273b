"""A replayed step gives, bit for bit, what the eager step gives: networks, optimizers, what changes from step to step."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn

STEPS = 12
Batch = tuple[Any, ...]


class Net(nn.Module):
    """A text's classes by an LSTM over a packed sequence, or not."""

    def __init__(self, packed: bool) -> None:
        super().__init__()
        self.packed = packed
        self.lstm, self.out = nn.LSTM(4, 6, 2, batch_first=True, dropout=0.2), nn.Linear(6, 3)

    def forward(self, x: Any) -> Any:
        if self.packed:
            x = nn.utils.rnn.pack_padded_sequence(x, [5, 4, 4, 2][:len(x)], batch_first=True)
        _, (h, _) = self.lstm(x)
        return self.out(h[-1])


class Text(nn.Module):
    """A transformer over token numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.encoder, self.out = nn.TransformerEncoder(layer, 2), nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.encoder(self.embedding(x)).mean(1))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.GELU(), nn.Dropout(0.3), nn.LayerNorm(8), nn.Linear(8, 3))


def cnn() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3), nn.ReLU(),
                         nn.Flatten(), nn.Dropout(0.2), nn.Linear(20, 3))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (mlp, (6,)), "cnn": (cnn, (2, 8, 8)), "lstm": (lambda: Net(False), (5, 4)), "packed lstm": (lambda: Net(True), (5, 4)),
    "transformer": (Text, (7,))}


def batches(shape: tuple[int, ...], sizes: list[int], whole: bool = False) -> list[Batch]:
    generator = ta.Generator(ta.backend.current_device()).manual_seed(3)
    x = {True: lambda n: ta.randint(0, 11, (n, *shape), generator=generator, device=ta.backend.current_device()),
         False: lambda n: ta.randn(n, *shape, generator=generator, device=ta.backend.current_device())}[whole]
    return [(x(n), ta.randint(0, 3, (n,), generator=generator, device=ta.backend.current_device())) for n in sizes]


def numbers(x: Any) -> Any:
    """All that training leaves behind, as bytes."""
    if isinstance(x, ta.Tensor):
        return x.detach().cpu().numpy().tobytes()
    if isinstance(x, dict):
        return {k: numbers(v) for k, v in x.items()}
    return [numbers(v) for v in x] if isinstance(x, (list, tuple)) else x


def trained(model: nn.Module, data: list[Batch], compiled: bool, make_step: Callable[[Any], Any], between: Any = None) -> tuple[Any, Any]:
    """What each step returns and what is left at the end; and the step."""
    ta.manual_seed(5)
    model = copy.deepcopy(model)
    step, optimizer, *others = make_step(model)
    if compiled:
        step = ta.compile(step)
    seen = []
    for i, batch in enumerate(data):
        seen.append(numbers(step(*batch)))
        if between is not None:
            seen.append(numbers(between(i, model, optimizer, *others)))
        seen.append([None if p.grad is None else numbers(p.grad) for p in model.parameters()])
    return (seen, numbers(model.state_dict()), numbers(optimizer.state_dict())), step


def alike(model: nn.Module, data: list[Batch], make_step: Callable[[Any], Any], between: Any = None, least: int = 1) -> Any:
    """Train eagerly and replayed, and compare all bits."""
    eager, _ = trained(model, data, False, make_step, between)
    replayed, step = trained(model, data, True, make_step, between)
    assert replayed == eager
    assert step.counts["replayed"] >= least, step.report()
    return step


def plain(make_optimizer: Callable[[Any], Any] = lambda p: ta.optim.SGD(p, lr=0.1)) -> Callable[[Any], Any]:
    def make_step(model: Any) -> Any:
        loss, optimizer = nn.CrossEntropyLoss(), make_optimizer(model.parameters())

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            out = loss(model(x), y)
            out.backward()
            optimizer.step()
            return out
        return step, optimizer
    return make_step


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str) -> None:
    make, shape = NETWORKS[name]
    ta.manual_seed(0)
    step = alike(make(), batches(shape, [4] * STEPS, name == "transformer"), plain(lambda p: ta.optim.Adam(p, lr=0.01)), least=STEPS - 3)
    assert step.counts["eager"] == 0


OPTIMIZERS = sorted(n for n, c in vars(ta.optim).items() if isinstance(c, type) and issubclass(c, ta.optim.Optimizer)
                    and n not in ("Optimizer", "LBFGS", "SparseAdam"))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str) -> None:
    ta.manual_seed(0)
    make = plain(lambda p: getattr(ta.optim, name)([q for q in p if name != "Muon" or q.ndim == 2], lr=0.01))
    alike(mlp(), batches((6,), [4] * STEPS), make, least=STEPS - 3)


SETTINGS: dict[str, Callable[[Any], Any]] = {
    "momentum": lambda p: ta.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "amsgrad": lambda p: ta.optim.AdamW(p, lr=0.01, amsgrad=True),
    "one by one": lambda p: ta.optim.Adam(p, lr=0.01, foreach=False),
    "groups": lambda p: (lambda q: ta.optim.SGD([{"params": q[:2], "lr": 0.5}, {"params": q[2:]}], lr=0.1))(list(p)),
    "lr as a tensor": lambda p: ta.optim.SGD(p, lr=ta.tensor(0.1))}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_optimizers(name: str) -> None:
    ta.manual_seed(0)
    alike(mlp(), batches((6,), [4] * STEPS), plain(SETTINGS[name]), least=STEPS - 3)


def _first(m: Any, o: Any) -> tuple[Any, dict[str, Any]]:
    p = o.param_groups[0]["params"][0]
    return p, o.state[p]


def _replaced(m: Any, o: Any) -> None:
    _, state = _first(m, o)
    for k, v in list(state.items()):
        state[k] = v.clone()


def _set_aside(m: Any, o: Any) -> None:
    p, _ = _first(m, o)
    p.data = p.data.clone()


# What becomes of an optimizer between two steps, from the fifth on at each or (one in brackets) after that one alone
HAPPENINGS: dict[str, Callable[[Any, Any], Any]] = {
    "another rate": lambda m, o: o.param_groups[0].update(lr=o.param_groups[0]["lr"] * 0.9),
    "a rate that is whole": lambda m, o: o.param_groups[0].update(lr=1 if o.param_groups[0]["lr"] != 1 else 0.5),
    "(a rate that is a tensor)": lambda m, o: o.param_groups[0].update(lr=ta.tensor(0.02)),
    "(foreach is off)": lambda m, o: o.param_groups[0].update(foreach=False),
    "(no rate)": lambda m, o: o.param_groups[0].update(lr=0.0),
    "uphill": lambda m, o: o.param_groups[0].update(maximize=not o.param_groups[0]["maximize"]),
    "state loaded": lambda m, o: o.load_state_dict(copy.deepcopy(o.state_dict())),
    "state forgotten": lambda m, o: o.state.clear(),
    "state replaced": _replaced,
    "state halved": lambda m, o: [v.mul_(0.5) for s in o.state.values() for k, v in s.items() if v.ndim],
    "a step by itself": lambda m, o: o.step(),
    "a step at another rate": lambda m, o: (o.param_groups[0].update(lr=0.5), o.step(), o.param_groups[0].update(lr=0.01)),
    "(an array replaced)": _set_aside,
    "(a parameter less)": lambda m, o: o.param_groups[0]["params"].pop(0),
    "(a group more)": lambda m, o: o.add_param_group({"params": [m.extra], "lr": 0.5}),
    "groups copied": lambda m, o: setattr(o, "param_groups", [dict(g) for g in o.param_groups]),
    "(a hook before)": lambda m, o: o.register_step_pre_hook(lambda o, a, k: o.param_groups[0].update(lr=0.3)),
    "(a hook after)": lambda m, o: o.register_step_post_hook(lambda o, a, k: o.param_groups[0].update(lr=0.4))}


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name", HAPPENINGS)
def test_what_becomes_of_an_optimizer_between_steps(name: str, kind: str) -> None:
    def make_step(model: Any) -> Any:
        settings = {"momentum": 0.9} if kind == "SGD" else {}
        return plain(lambda _: getattr(ta.optim, kind)([*model[0].parameters(), *model[2].parameters(), model.unused], lr=0.01, **settings))(model)

    def between(i: int, model: Any, optimizer: Any) -> Any:
        if i == 4 or (i > 4 and name[0] != "("):
            HAPPENINGS[name](model, optimizer)
        return [p.detach() for p in model.parameters()]
    ta.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))
    model.unused, model.extra = nn.Parameter(ta.ones(3)), nn.Parameter(ta.ones(3))
    alike(model, batches((6,), [4] * 10), make_step, between, least=3)


def test_a_parameter_that_the_step_does_not_use_moves_when_it_has_a_gradient() -> None:
    def make_step(model: Any) -> Any:
        optimizer = ta.optim.SGD(model.parameters(), lr=0.1)

        def step(x: Any, y: Any) -> Any:
            model[0].zero_grad()
            model[2].zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss
        return step, optimizer

    def between(i: int, model: Any, optimizer: Any) -> Any:
        model.unused.grad = ta.full((3,), float(i), device=model.unused.device) if i % 4 == 3 else None
        return model.unused.detach()
    ta.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))
    model.unused = nn.Parameter(ta.ones(3))
    alike(model, batches((6,), [4] * 16), make_step, between, least=8)


@pytest.mark.parametrize("inside", [True, False])
def test_schedulers_within_the_step_and_outside(inside: bool) -> None:
    def make_step(model: Any) -> Any:
        optimizer = ta.optim.Adam(model.parameters(), lr=0.01)
        scheduler = ta.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=20)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            if inside:
                scheduler.step()
            return loss
        return step, optimizer, scheduler
    ta.manual_seed(0)
    alike(mlp(), batches((6,), [4] * STEPS), make_step, lambda i, m, o, s: None if inside else s.step(), least=STEPS - 3)


def test_gradients_that_are_clipped_and_frozen_parameters() -> None:
    def make_step(model: Any) -> Any:
        optimizer = ta.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        model[0].requires_grad_(False)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
            return {"loss": loss, "norm": norm}
        return step, optimizer
    ta.manual_seed(0)
    alike(mlp(), batches((6,), [4] * STEPS), make_step, least=STEPS - 3)


@pytest.mark.parametrize("form", ["two steps", "in one"])
def test_gradients_that_are_added_up(form: str) -> None:
    def make_step(model: Any) -> Any:
        optimizer = ta.optim.Adam(model.parameters(), lr=0.01)

        def part(x: Any, y: Any) -> Any:
            loss = nn.functional.cross_entropy(model(x), y) / 2
            loss.backward()
            return loss

        def whole(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            losses = [part(x[:2], y[:2]), part(x[2:], y[2:])]
            optimizer.step()
            return losses
        return (part if form == "two steps" else whole), optimizer

    def between(i: int, model: Any, optimizer: Any) -> None:
        if form == "two steps" and i % 2:
            optimizer.step()
            optimizer.zero_grad()
    ta.manual_seed(0)
    alike(mlp(), batches((6,), [4] * STEPS), make_step, between, least=4)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_short_last_batches_evaluation_and_loading_in_between(name: str) -> None:
    make, shape = NETWORKS[name]
    saved: list[Any] = []

    def between(i: int, model: Any, optimizer: Any) -> Any:
        if i % 4 == 1:
            model.eval()
            with ta.no_grad():
                out = model(batches(shape, [3])[0][0])
            model.train()
            return out
        if i == 6:
            saved[:] = [copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())]
        if i == 9:
            model.load_state_dict(saved[0])
            optimizer.load_state_dict(saved[1])
        return None
    ta.manual_seed(0)
    alike(make(), batches(shape, [4, 4, 4, 2] * 4), plain(lambda p: ta.optim.Adam(p, lr=0.01)), between, least=8)


@pytest.mark.parametrize("loss", ["binary_cross_entropy_with_logits", "soft_margin_loss", "poisson_nll_loss", "mse_loss"])
def test_losses_of_many_numbers(loss: str) -> None:
    x, y = ta.nn.Parameter(ta.linspace(-3, 3, 5000)), ta.linspace(0, 1, 5000)

    def step() -> Any:
        x.grad = None
        value = getattr(nn.functional, loss)(x, y)
        value.backward()
        return value, x.grad
    eager = numbers(step())
    compiled = ta.compile(step)
    assert [numbers(compiled()) for _ in range(4)] == [eager] * 4


def test_two_networks_against_each_other() -> None:
    """The second backward pass adds to gradients that the first optimizer has used."""
    found = []
    for compiled in (False, True):
        ta.manual_seed(0)
        make, tell = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)), nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
        by, of, score = ta.optim.Adam(make.parameters()), ta.optim.Adam(tell.parameters()), nn.BCEWithLogitsLoss()
        x, ones, zeros = ta.randn(16, 2), ta.ones(16, 1), ta.zeros(16, 1)

        def step(make: Any = make, tell: Any = tell, by: Any = by, of: Any = of, score: Any = score, x: Any = x, ones: Any = ones, zeros: Any = zeros) -> Any:
            made = make(ta.randn(16, 3))
            of.zero_grad()
            (score(tell(x), ones) + score(tell(made.detach()), zeros)).backward()
            of.step()
            by.zero_grad()
            loss = score(tell(made), ones)
            loss.backward()
            by.step()
            return loss

        run = ta.compile(step) if compiled else step
        losses = [run().item() for _ in range(STEPS)]
        found.append((losses, [p.tolist() for p in (*make.parameters(), *tell.parameters())], [p.grad.tolist() for p in tell.parameters()]))
        if compiled:
            assert run.counts["replayed"] == STEPS - 2, run.report()
    assert found[0] == found[1]


def test_fifty_steps() -> None:
    ta.manual_seed(0)
    step = alike(cnn(), batches((2, 8, 8), [4] * 50), plain(lambda p: ta.optim.SGD(p, lr=0.05, momentum=0.9)), least=44)
    assert step.counts["eager"] == 0
