"""Lazy modules: each class of a table beside the ordinary one that it becomes, and beside PyTorch's; what waits for the first input."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError, DTypeError, ShapeError, TinygradActError
from tinygrad_act.nn.lazy import LazyModuleMixin
from tinygrad_act.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy


class Case(NamedTuple):
    """A lazy class with its arguments, and the shape of an input for it, with three features."""

    name: str
    args: tuple[Any, ...]
    shape: tuple[int, ...]
    settings: dict[str, Any] = {}  # noqa: RUF012   (none is changed)

    def make(self, library: Any = nn, **more: Any) -> Any:
        return getattr(library, self.name)(*self.args, **self.settings, **more)

    def ordinary(self, library: Any = nn, **more: Any) -> Any:
        return getattr(library, self.name.removeprefix("Lazy"))(3, *self.args, **{**self.defaults, **self.settings}, **more)

    @property
    def defaults(self) -> dict[str, Any]:
        """Of a lazy instance norm they are those of a batch norm."""
        return {"affine": True, "track_running_stats": True} if "Instance" in self.name else {}

    def input(self, **more: Any) -> Any:
        return ta.tensor(self.numbers, **more)

    @property
    def numbers(self) -> np.ndarray:
        return np.random.default_rng(0).standard_normal(self.shape).astype("float32")


def cases() -> Iterator[Case]:
    yield Case("LazyLinear", (4,), (5, 3))
    yield Case("LazyLinear", (4,), (2, 5, 3), {"bias": False})
    for n in (1, 2, 3):
        space = (5, 6, 7)[:n]
        yield Case(f"LazyConv{n}d", (6, 2), (2, 3, *space))
        yield Case(f"LazyConv{n}d", (6, 3), (3, *space), {"padding": "same", "groups": 3, "bias": False, "padding_mode": "reflect"})
        yield Case(f"LazyConvTranspose{n}d", (6, 2), (2, 3, *space))
        yield Case(f"LazyConvTranspose{n}d", (6, 2), (3, *space), {"stride": 2, "output_padding": 1, "groups": 3, "bias": False})
        for kind in ("Batch", "Instance"):
            yield Case(f"Lazy{kind}Norm{n}d", (), (2, 3, *space))
            yield Case(f"Lazy{kind}Norm{n}d", (1e-3, None if kind == "Batch" else 0.2), (2, 3, *space), {"bias": False})
            yield Case(f"Lazy{kind}Norm{n}d", (), (2, 3, *space), {"affine": False, "track_running_stats": False})
    yield Case("LazyBatchNorm1d", (), (4, 3))


CASES = [*cases()]
LAZY = sorted({case.name for case in CASES})
each = pytest.mark.parametrize("case", CASES, ids=[f"{c.name}-{i}" for i, c in enumerate(CASES)])


def state(module: nn.Module) -> dict[str, Any]:
    return {name: t.tolist() for name, t in module.state_dict().items()}


def test_the_table_has_all_lazy_classes() -> None:
    assert LAZY == sorted(n for n in nn.__all__ if n.startswith("Lazy")) == sorted(n for n in dir(nn) if n.startswith("Lazy"))
    assert nn.UninitializedParameter is UninitializedParameter and nn.UninitializedBuffer is UninitializedBuffer


def test_importing_the_package_leaves_them_out() -> None:
    code = "import sys, tinygrad_act; print([m for m in sys.modules if m.startswith('tinygrad_act.nn.') and m.endswith(('lazy', 'uninitialized'))])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "[]"


def test_ordinary_modules_are_called_as_ever() -> None:
    for case in CASES:
        lazy = case.make()
        lazy(case.input())
        assert type(lazy).__call__ is nn.Module.__call__ and not any(map(is_lazy, lazy.parameters()))
        assert all("materialize" not in dir(t) for t in (*lazy.parameters(), *lazy.buffers()))


# ---------------------------------------------------------------------------------------- beside the ordinary class
@each
def test_the_first_input_makes_what_the_ordinary_class_makes(case: Case) -> None:
    lazy, x = case.make(), case.input()
    ta.manual_seed(3)
    y = lazy(x)
    ta.manual_seed(3)
    ordinary = case.ordinary()
    assert type(lazy) is type(ordinary) and repr(lazy) == repr(ordinary)
    assert y.tolist() == ordinary(x).tolist() and state(lazy) == state(ordinary) and list(state(lazy)) == list(state(ordinary))
    assert vars(lazy).keys() == vars(ordinary).keys(), "nothing of it stays behind"
    for ours, theirs in zip([*lazy.parameters(), *lazy.buffers()], [*ordinary.parameters(), *ordinary.buffers()], strict=True):
        assert type(ours) is type(theirs) and ours.requires_grad == theirs.requires_grad
    if [*lazy.parameters()]:
        (lazy(x) ** 2).sum().backward()
        (ordinary(x) ** 2).sum().backward()
    for ours, theirs in zip(lazy.parameters(), ordinary.parameters(), strict=True):
        assert ours.grad.tolist() == theirs.grad.tolist()


@each
def test_it_waits_until_then(case: Case) -> None:
    before = ta.get_rng_state()
    lazy = case.make()
    assert (ta.get_rng_state() == before).all(), "it has drawn numbers"
    waiting = [t for t in (*lazy.parameters(), *lazy.buffers()) if is_lazy(t)]
    assert lazy.has_uninitialized_params() == bool(waiting) == any(case.settings.get(k, True) for k in ("affine", "track_running_stats"))
    assert {repr(t) for t in waiting} <= {"<UninitializedParameter>", "<UninitializedBuffer>"}
    assert list(lazy.state_dict()) == list(case.ordinary().state_dict())
    lazy.reset_parameters()
    assert lazy.has_uninitialized_params() == bool(waiting)
    lazy(case.input())
    assert not any(map(is_lazy, (*lazy.parameters(), *lazy.buffers())))


@each
def test_the_parameters_stay_the_same_objects(case: Case) -> None:
    lazy = case.make()
    held = [*lazy.parameters()]
    if not held:
        return
    optimizer = ta.optim.Adam(held, lr=0.1)
    optimizer.zero_grad()
    optimizer.step()                                     # nothing has a gradient: as with a frozen network, nothing happens
    x = case.input()
    (lazy(x) ** 2 * x.sum()).sum().backward()
    assert all(a is b for a, b in zip(held, lazy.parameters(), strict=True))
    before = [p.tolist() for p in held]
    optimizer.step()
    assert [p.tolist() for p in lazy.parameters()] != before


@each
def test_dtype_and_mode_are_kept(case: Case) -> None:
    for lazy in (case.make(dtype=ta.float64), case.make().double(), case.make().half().cpu().to(ta.backend.current_device(), ta.float64)):
        floats = [t for t in (*lazy.parameters(), *lazy.buffers()) if t.dtype != ta.int64]
        assert {t.dtype for t in floats} <= {ta.float64} and {t.device for t in floats} <= {ta.ones(1).device}
        lazy.eval().requires_grad_(False)
        assert lazy(case.input(dtype=ta.float64)).dtype == ta.float64
        assert {t.dtype for t in floats} <= {ta.float64} and not lazy.training and not any(p.requires_grad for p in lazy.parameters())


@each
def test_copies_wait_for_an_input_of_their_own(case: Case) -> None:
    lazy = case.make(dtype=ta.float64)
    lazy.requires_grad_(False)
    for twin in (copy.deepcopy(lazy), pickle.loads(pickle.dumps(lazy))):
        assert repr(twin) == repr(lazy) and twin.has_uninitialized_params() == lazy.has_uninitialized_params()
        assert [(t.dtype, t.requires_grad) for t in twin.parameters()] == [(t.dtype, t.requires_grad) for t in lazy.parameters()]
        ta.manual_seed(1)
        twin(case.input(dtype=ta.float64))
        assert type(lazy).__name__ == case.name and not any(a is b for a, b in zip(twin.parameters(), lazy.parameters(), strict=True))
    ta.manual_seed(1)
    lazy(case.input(dtype=ta.float64))
    assert state(lazy) == state(twin)


@each
def test_a_state_dict_fills_it(case: Case) -> None:
    ta.manual_seed(5)
    full, lazy = case.ordinary(), case.make()
    held = [*lazy.parameters()]
    assert lazy.load_state_dict(full.state_dict()) == ([], []) and not lazy.has_uninitialized_params()
    assert state(lazy) == state(full) and all(a is b for a, b in zip(held, lazy.parameters(), strict=True))
    before = ta.get_rng_state()
    assert lazy(case.input()).tolist() == full(case.input()).tolist()
    assert (ta.get_rng_state() == before).all() and repr(lazy) == repr(full) and state(lazy) == state(full)
    waiting, assigned = case.make(), case.make()
    assert waiting.load_state_dict(case.make().state_dict()) == ([], [])
    assert waiting.has_uninitialized_params() == case.make().has_uninitialized_params()
    assigned.load_state_dict(case.ordinary().state_dict(), assign=True)
    assert not assigned.has_uninitialized_params() and {type(p) for p in assigned.parameters()} <= {nn.Parameter}
    assert assigned(case.input()).shape == full(case.input()).shape


@each
def test_the_first_call_may_be_without_gradients(case: Case) -> None:
    for context in (ta.no_grad(), ta.inference_mode()):
        lazy = case.make()
        with context:
            ta.manual_seed(0)
            lazy(case.input())
        ta.manual_seed(0)
        ordinary = case.ordinary()
        ordinary(case.input())
        assert state(lazy) == state(ordinary)
        if [*lazy.parameters()]:
            (lazy(case.input()) ** 2).sum().backward()
            assert all(p.grad is not None and p.grad.shape == p.shape for p in lazy.parameters())


@each
def test_a_summary_is_of_a_copy(case: Case) -> None:
    lazy = nn.Sequential(case.make(), nn.ReLU())
    before = ta.get_rng_state()
    found = nn.summary(lazy, case.shape)
    assert str(found) == str(nn.summary(nn.Sequential(case.ordinary(), nn.ReLU()), case.shape))
    assert type(lazy[0]).__name__ == case.name and lazy[0].has_uninitialized_params() == case.make().has_uninitialized_params()
    ta.set_rng_state(before)
    nn.summary(lazy, case.shape)
    assert (ta.get_rng_state() == before).all()


@each
def test_a_compiled_step_does_what_the_step_does(case: Case) -> None:
    if None in case.args:                                # the mean over all batches is no step that is replayed, lazy or not
        return

    def run(compiled: bool) -> tuple[Any, Any, Any]:
        ta.manual_seed(2)
        model = nn.Sequential(case.make(), nn.Tanh(), nn.Flatten(), nn.LazyLinear(2))
        optimizer = ta.optim.Adam(model.parameters(), lr=0.01)

        def step(x: Any) -> Any:
            optimizer.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss
        called = ta.compile(step, fullgraph=True) if compiled else step
        losses = [called(case.input()).item() for _ in range(6)]
        return losses, state(model), called
    eager, compiled = run(False), run(True)
    assert eager[:2] == compiled[:2]
    assert "replayed 3 times" in compiled[2].report() and "runs eagerly" not in compiled[2].report()


# ------------------------------------------------------------------------------------------------------ beside PyTorch
@each
def test_it_is_pytorchs(case: Case) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = case.make(), case.make(torch.nn)
    assert repr(ours) == repr(theirs)
    assert {k: repr(v) for k, v in ours.state_dict().items() if is_lazy(v)} == {
        k: repr(v) for k, v in theirs.state_dict().items() if torch.nn.parameter.is_lazy(v)}
    assert list(ours.state_dict()) == list(theirs.state_dict()) and ours.has_uninitialized_params() == theirs.has_uninitialized_params()
    ours(case.input())
    with warnings.catch_warnings():                      # without parameters and buffers PyTorch's goes on saying 0 features, and wonders
        warnings.simplefilter("ignore")
        theirs(torch.tensor(case.numbers))
        expected = theirs.eval()(torch.tensor(case.numbers)).detach().numpy()
    if theirs.state_dict():
        assert repr(ours) == repr(theirs)
    ours.load_state_dict({k: ta.tensor(v.detach().numpy()) for k, v in theirs.state_dict().items()})
    np.testing.assert_allclose(np.asarray(ours.eval()(case.input()).tolist()), expected, 1e-4, 1e-5)
    assert {k: (v.shape, type(v).__name__) for k, v in ours.named_parameters()} == {
        k: (tuple(v.shape), type(v).__name__) for k, v in theirs.named_parameters()}
    assert {k: (v.shape, type(v).__name__) for k, v in ours.named_buffers()} == {
        k: (tuple(v.shape), type(v).__name__) for k, v in theirs.named_buffers()}


# ------------------------------------------------------------------------------------------------------------- misuse
USES = {
    "shape": lambda p: p.shape, "numel": lambda p: p.numel(), "ndim": lambda p: p.ndim, "len": lambda p: len(p), "item": lambda p: p.item(),
    "+ 1": lambda p: p + 1, "2 *": lambda p: 2 * p, "x + p": lambda p: ta.ones(2) + p, "x @ p": lambda p: ta.ones(2, 2) @ p, "== p": lambda p: p == p,
    "sum": lambda p: p.sum(), "relu": lambda p: ta.relu(p), "cat": lambda p: ta.cat([p, p]), "[0]": lambda p: p[0], "[0] = 1": lambda p: p.__setitem__(0, 1),
    "linear": lambda p: nn.functional.linear(ta.ones(2, 2), p), "conv2d": lambda p: nn.functional.conv2d(ta.ones(1, 1, 2, 2), p),
    "clone": lambda p: p.clone(), "detach": lambda p: p.detach(), "tolist": lambda p: p.tolist(), "bool": lambda p: bool(p),
    "zero_": lambda p: p.zero_(), "copy_": lambda p: p.copy_(ta.ones(2)), "x.add_(p)": lambda p: ta.ones(2).add_(p), "data": lambda p: setattr(p, "data", ta.ones(2)),
    "backward": lambda p: p.backward(), "tensor": lambda p: ta.tensor(p), "Parameter": lambda p: nn.Parameter(p), "zeros_like": lambda p: ta.zeros_like(p),
    "grad": lambda p: setattr(p, "grad", ta.ones(2)), "array": lambda p: setattr(p, "array", ta.ones(2).array),
    **{f: lambda p, f=f: getattr(nn.init, f)(p) for f in ("uniform_", "normal_", "xavier_uniform_", "kaiming_normal_", "zeros_", "ones_", "orthogonal_")},
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", [UninitializedParameter, UninitializedBuffer])
def test_what_needs_a_shape_is_refused(kind: Any, use: str) -> None:
    tensor = kind()
    with pytest.raises(TinygradActError, match=f"{kind.__name__}: one of float32: it has no shape .* call the network once") as error:
        USES[use](tensor)
    assert isinstance(error.value, ValueError), "as PyTorch's is"
    assert is_lazy(tensor) and repr(tensor) == f"{tensor}" == f"<{kind.__name__}>"


def test_initialising_and_counting_before_the_first_input_is_refused() -> None:
    net = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2))

    def init(module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    with pytest.raises(ArgumentError, match="no shape and no numbers before its layer's first input"):
        net.apply(init)
    with pytest.raises(ArgumentError, match="call the network once"):
        sum(p.numel() for p in net.parameters())
    net(ta.ones(1, 3))
    assert sum(p.numel() for p in net.apply(init).parameters()) == 26
    with pytest.raises(ArgumentError, match="call the network once"):
        nn.LazyLinear(4).forward(ta.ones(1, 3))          # which is where the first call is not seen


WRONG = [("LazyLinear", (4,), ()), ("LazyConv2d", (4, 3), (2, 3)), ("LazyConv1d", (4, 3), (1, 2, 3, 4)), ("LazyConvTranspose3d", (4, 3), (1, 2, 3)),
         ("LazyBatchNorm2d", (), (2, 3)), ("LazyBatchNorm1d", (), (3,)), ("LazyInstanceNorm3d", (), (2, 3)), ("LazyConv2d", (4, 3, 1, 0, 1, 2), (1, 3, 5, 5))]


@pytest.mark.parametrize(("name", "args", "shape"), WRONG, ids=[f"{name}{shape}" for name, _, shape in WRONG])
def test_a_first_input_of_the_wrong_shape_makes_nothing(name: str, args: Any, shape: Any) -> None:
    lazy = getattr(nn, name)(*args)
    with pytest.raises(ShapeError, match=name):
        lazy(ta.ones(shape))
    assert type(lazy).__name__ == name and lazy.has_uninitialized_params()
    with pytest.raises(ArgumentError, match="input must be a Tensor"):
        lazy([1.0])


def test_arguments_are_refused_when_it_is_made() -> None:
    with pytest.raises(ArgumentError, match="LazyConv2d: .*multiple of groups"):
        nn.LazyConv2d(5, 3, groups=2)
    with pytest.raises(DTypeError, match="only floating types"):
        nn.LazyLinear(2, dtype=ta.int64)
    with pytest.raises(DTypeError, match="only floating types"):
        UninitializedParameter(dtype=ta.int64)
    assert UninitializedParameter(False, dtype=ta.int64).dtype == ta.int64


# ------------------------------------------------------------------------------------------------------ state_dicts
def test_a_state_dict_of_another_size_is_told_at_the_first_input() -> None:
    lazy = nn.LazyLinear(3)
    lazy.load_state_dict(nn.Linear(2, 3).state_dict())
    with pytest.raises(ShapeError, match=r"LazyLinear: an input of shape \(1, 5\): weight is there already, of shape \(3, 2\), and this input needs \(3, 5\)"):
        lazy(ta.ones(1, 5))
    assert lazy(ta.ones(1, 2)).shape == (1, 3) and repr(lazy) == "Linear(in_features=2, out_features=3, bias=True)"


def test_what_a_state_dict_leaves_out_is_made() -> None:
    lazy = nn.LazyBatchNorm1d()
    with pytest.raises(ShapeError, match='Missing key.*"bias"'):
        lazy.load_state_dict({"weight": ta.ones(2) * 7})
    assert is_lazy(lazy.weight)
    lazy.load_state_dict({"weight": ta.ones(2) * 7, "num_batches_tracked": ta.tensor(5)}, strict=False)
    assert not is_lazy(lazy.weight) and is_lazy(lazy.bias)
    lazy.eval()(ta.ones(4, 2))
    assert (lazy.weight.tolist(), lazy.bias.tolist(), lazy.running_var.tolist(), int(lazy.num_batches_tracked)) == ([7, 7], [0, 0], [1, 1], 5)


def test_what_is_uninitialised_cannot_be_loaded_into_what_is_not() -> None:
    full = nn.Sequential(nn.Linear(2, 3))
    with pytest.raises(ShapeError, match="load_state_dict: 0.weight: <UninitializedParameter>: it has no shape"):
        full.load_state_dict(nn.Sequential(nn.LazyLinear(3)).state_dict())
    with pytest.raises(ShapeError, match='Unexpected key.*"1.weight"'):
        full.load_state_dict(nn.Sequential(nn.LazyLinear(3), nn.LazyLinear(3)).state_dict() | full.state_dict())
    with pytest.raises(ArgumentError, match="a state_dict holds tensors"):
        nn.LazyLinear(3).load_state_dict({"weight": {}, "bias": ta.ones(3)})


# ------------------------------------------------------------------------------------------------------ in networks
def test_a_network_of_a_textbook() -> None:
    net = nn.Sequential(nn.LazyConv2d(8, kernel_size=3, stride=2), nn.LazyBatchNorm2d(), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                        nn.LazyLinear(16), nn.ReLU(), nn.Dropout(0.5), nn.LazyLinear(10))
    assert [type(m).__name__ for m in net if hasattr(m, "cls_to_become")] == ["LazyConv2d", "LazyBatchNorm2d", "LazyLinear", "LazyLinear"]
    optimizer = ta.optim.SGD(net.parameters(), lr=0.1)
    x = ta.randn(4, 1, 14, 14)
    for part in net:
        x = part(x)
    assert x.shape == (4, 10) and [type(m) for m in net][5] is nn.Linear
    nn.functional.cross_entropy(x, ta.tensor([0, 1, 2, 3])).backward()
    before = net[0].weight.tolist()
    optimizer.step()
    assert net[0].weight.tolist() != before and net[5].in_features == 8 * 3 * 3


def test_a_shared_parameter_is_made_by_whoever_comes_first() -> None:
    a, b = nn.LazyLinear(2), nn.LazyLinear(2)
    b.weight = a.weight
    x = ta.ones(4, 3)
    first = a(x)
    b(x)
    assert a.weight is b.weight and a(x).tolist() == first.tolist() and b.bias.shape == (2,)
    c = nn.LazyLinear(2)
    c.weight = a.weight
    with pytest.raises(ShapeError, match=r"weight is there already, of shape \(2, 3\)"):
        c(ta.ones(4, 5))


def test_hooks_find_the_ordinary_module() -> None:
    lazy, seen = nn.LazyLinear(2), []
    lazy.register_forward_pre_hook(lambda module, args: seen.append((type(module).__name__, module.weight.shape)))
    lazy.register_forward_hook(lambda module, args, out: seen.append(out.shape))
    lazy(input=ta.ones(4, 3))
    assert seen == [("Linear", (2, 3)), (4, 2)]


def test_a_module_of_ones_own() -> None:
    class Scale(nn.Module):
        def forward(self, x: Any) -> Any:
            return x * self.weight

    class LazyScale(LazyModuleMixin, Scale):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.mean = nn.UninitializedParameter(), nn.UninitializedBuffer(persistent=False)

        def initialize_parameters(self, x: Any, make: bool = True) -> None:
            for t in (self.weight, self.mean) if make else ():
                t.materialize(x.shape[-1:], dtype=ta.float64)
                nn.init.ones_(t)

    lazy = LazyScale()
    assert list(lazy.state_dict()) == ["weight"] and [n for n, _ in lazy.named_buffers()] == ["mean"]
    with pytest.raises(ArgumentError, match="LazyScale: weight, mean: initialize_parameters has left them uninitialised"):
        lazy(ta.ones(2, 3), make=False)
    assert lazy(ta.ones(2, 3)).dtype == ta.float64 and type(lazy) is LazyScale, "it names no class to become"
    assert lazy(ta.ones(3)).tolist() == [1, 1, 1] and copy.deepcopy(lazy).mean.shape == (3,)
    with pytest.raises(NotImplementedError, match="initialize_parameters"):
        type("Bare", (LazyModuleMixin,), {"cls_to_become": nn.Identity})()(ta.ones(1))
