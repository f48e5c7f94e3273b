"""The normalisations: against PyTorch over shapes, layouts and dtypes; by hand; exactness; what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.ops.against_torch import Theirs, array, check, refuses, torch
from tinygrad_act.autograd import gradcheck, gradgradcheck
from tinygrad_act.errors import ArgumentError, DTypeError, ShapeError

F, theirs = ta.nn.functional, torch.nn.functional
namespace = ta.backend.namespace(ta.ones(1).array)


@pytest.fixture(params=["few numbers", "in one go", "tile by tile"])
def tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ways of few numbers and of many; tiles of a few rows, so that small arrays have several."""
    if request.param != "few numbers":
        monkeypatch.setattr(type(namespace), "few", 0)
    if request.param == "tile by tile":
        monkeypatch.setattr(type(namespace), "rows", 12)


def parameters(given: int, *shape: int) -> list[np.ndarray]:
    return [array(*shape, seed=i) for i in range(1, given + 1)]


# ------------------------------------------------------------------------------------------- within each sample
@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("given", [0, 1, 2])
@pytest.mark.parametrize(("shape", "normalized"), [((4, 6), (6,)), ((2, 3, 5, 4), (5, 4)), ((3,), (3,)), ((0, 3), (3,)), ((2, 0), (0,)),
                                                   ((5, 1), (1,))])
def test_layer_norm(shape: tuple[int, ...], normalized: tuple[int, ...], given: int) -> None:
    both = [lambda x, *p, f=f: f(x, normalized, *p) for f in (F.layer_norm, theirs.layer_norm)]
    check(*both, array(*shape), *parameters(given, *normalized))


def test_layer_norm_of_a_bias_alone() -> None:
    check(lambda x, b: F.layer_norm(x, (3,), None, b), lambda x, b: theirs.layer_norm(x, (3,), None, b), array(4, 3), array(3), order=1)


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("eps", [None, 0.1])
@pytest.mark.parametrize("given", [0, 1])
@pytest.mark.parametrize(("shape", "normalized"), [((4, 6), (6,)), ((2, 3, 5, 4), (5, 4)), ((0, 3), (3,))])
def test_rms_norm(shape: tuple[int, ...], normalized: tuple[int, ...], given: int, eps: float | None) -> None:
    both = [lambda x, *p, f=f: f(x, normalized, *p, eps=eps) for f in (F.rms_norm, theirs.rms_norm)]
    check(*both, array(*shape), *parameters(given, *normalized))


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("given", [0, 1, 2])
@pytest.mark.parametrize(("shape", "groups"), [((4, 6), 2), ((2, 6, 5, 4), 3), ((2, 4, 30), 4), ((3, 4, 2), 1), ((0, 4, 3), 2)])
def test_group_norm(shape: tuple[int, ...], groups: int, given: int) -> None:
    both = [lambda x, *p, f=f: f(x, groups, *p) for f in (F.group_norm, theirs.group_norm)]
    check(*both, array(*shape), *parameters(given, shape[1]))


def test_group_norm_of_no_pixels_has_no_gradient_for_the_weight() -> None:
    weight = ta.ones(4, requires_grad=True)                       # PyTorch's is NaN: 0 divided by 0 pixels
    F.group_norm(ta.zeros(2, 4, 0), 2, weight).sum().backward()
    assert weight.grad.tolist() == [0.0] * 4


# ----------------------------------------------------------------------------------------------- over the batch
def with_running(function: Callable[..., Any], library: Any, shape: tuple[int, ...], **settings: Any) -> Callable[..., Any]:
    """The result, and the running statistics after it."""
    mean, var = array(shape[1], seed=8), array(shape[1], low=0.5, seed=9)

    def call(x: Any, *p: Any) -> Any:
        running = [library.tensor(mean), library.tensor(var)]
        return function(x, *running, *p, **settings), *(r.clone() for r in running)
    return call


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("given", [0, 1, 2])
@pytest.mark.parametrize("shape", [(4, 6), (2, 6, 5, 4), (2, 4, 30), (3, 2, 5, 7), (1, 2, 3, 1, 2), (0, 4), (2, 4, 0)])
def test_batch_norm(shape: tuple[int, ...], given: int, training: bool) -> None:
    settings: dict[str, Any] = {"training": training, "momentum": 0.3, "eps": 0.01}
    check(with_running(F.batch_norm, ta, shape, **settings), with_running(theirs.batch_norm, torch, shape, **settings),
          array(*shape), *parameters(given, shape[1]))


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("use_input_stats", [True, False])
@pytest.mark.parametrize("given", [0, 2])
@pytest.mark.parametrize("shape", [(2, 6, 5, 4), (2, 4, 30), (1, 2, 3, 1, 2)])
def test_instance_norm(shape: tuple[int, ...], given: int, use_input_stats: bool) -> None:
    settings: dict[str, Any] = {"use_input_stats": use_input_stats, "momentum": 0.3}
    check(with_running(F.instance_norm, ta, shape, **settings), with_running(theirs.instance_norm, torch, shape, **settings),
          array(*shape), *parameters(given, shape[1]))


def test_instance_norm_of_no_samples() -> None:
    running = ta.zeros(4), ta.ones(4)
    assert F.instance_norm(ta.zeros(0, 4, 3), *running).shape == (0, 4, 3)
    assert running[0].tolist() == [0.0] * 4


@pytest.mark.usefixtures("tiles")
def test_batch_norm_where_the_channels_lie_last_in_memory() -> None:
    def last(f: Any) -> Any:
        return lambda x, *p: f(x.permute(0, 3, 1, 2), None, None, *p, True)
    y = check(last(F.batch_norm), last(theirs.batch_norm), array(2, 5, 4, 3), array(3), array(3, seed=1))
    assert y.permute(0, 2, 3, 1).is_contiguous()


def test_batch_norm_in_training_without_running_statistics_uses_the_batch() -> None:
    check(lambda x: F.batch_norm(x, None, None, training=True), lambda x: theirs.batch_norm(x, None, None, training=True), array(5, 3))


def test_batch_norm_in_evaluation_keeps_x_only_for_a_weight_that_learns() -> None:
    x, stats = ta.ones(4, 3, requires_grad=True), (ta.zeros(3), ta.ones(3))
    frozen = F.batch_norm(x, *stats, ta.ones(3), ta.zeros(3)).grad_fn
    assert all(a is not x.array for a in frozen.saved)
    learning = F.batch_norm(x, *stats, ta.ones(3, requires_grad=True), ta.zeros(3)).grad_fn
    assert any(a is x.array for a in learning.saved)


@pytest.mark.parametrize("call", [
    lambda x: F.layer_norm(x, (3,), ta.ones(3)), lambda x: F.rms_norm(x, (3,)), lambda x: F.group_norm(x, 1),
    lambda x: F.batch_norm(x, None, None, training=True), lambda x: F.instance_norm(x.reshape(2, 2, 3)), lambda x: F.normalize(x),
    lambda x: F.local_response_norm(x.reshape(2, 2, 3), 2)])
def test_each_is_one_node(call: Callable[[Any], Any]) -> None:
    y = call(ta.randn(4, 3, requires_grad=True))
    nodes = [edge for edge in y.grad_fn.edges if edge is not None and not isinstance(edge, ta.Tensor)]
    assert all(edge.op.name == "reshape" for edge in nodes)
    assert len([a for a in y.grad_fn.saved if ta.backend.is_array(a) and a.size == 12]) == 1         # x, and nothing else of its size


# ------------------------------------------------------------------------------------------------ right without PyTorch
@pytest.mark.parametrize("call", [
    lambda x, w, b: F.layer_norm(x, (3,), w, b), lambda x, w, b: F.rms_norm(x, (3,), w), lambda x, w, b: F.group_norm(x.T, 1, w, b),
    lambda x, w, b: F.batch_norm(x, None, None, w, b, True), lambda x, w, b: F.batch_norm(x, w * 0, w * 0 + 2, w, b),
    lambda x, w, b: F.instance_norm(x.reshape(2, 3, 2), None, None, w, b), lambda x, w, b: F.normalize(x, eps=0.1),
    lambda x, w, b: F.local_response_norm(x.reshape(2, 3, 2), 2, 0.5)])
def test_gradients_are_those_of_differences(call: Callable[..., Any]) -> None:
    values = [ta.tensor(array(*shape, seed=s), requires_grad=True) for s, shape in enumerate([(4, 3), (3,), (3,)])]
    if "group_norm" in (call.__code__.co_names or ()):
        values[0] = ta.tensor(array(3, 4), requires_grad=True)
    assert gradcheck(call, values)
    assert gradgradcheck(call, values)


def test_by_hand() -> None:
    x = ta.tensor([[1.0, 3.0], [10.0, 30.0]], dtype="float64")
    near = pytest.approx
    assert F.layer_norm(x, (2,), eps=0.0).tolist() == [[near(-1), near(1)], [near(-1), near(1)]]
    assert F.batch_norm(x, None, None, training=True).tolist()[0] == [near(-1, abs=1e-3), near(-1, abs=1e-3)]
    assert F.rms_norm(ta.tensor([3.0, 4.0], dtype="float64"), (2,), eps=0.0).tolist() == [near(3 / 12.5**0.5), near(4 / 12.5**0.5)]
    mean, var = ta.zeros(2, dtype="float64"), ta.ones(2, dtype="float64")
    F.batch_norm(x, mean, var, training=True, momentum=0.5)
    assert mean.tolist() == [2.75, 8.25] and var.tolist() == [near(20.75), near(182.75)]     # half the unbiased 40.5 and 364.5


# ------------------------------------------------------------------------------------------------------ exactness
@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize("offset", [0.0, 3.0, 1e3])
@pytest.mark.parametrize("kind", ["layer_norm", "batch_norm", "columns", "group_norm"])
def test_no_digits_are_lost_where_the_mean_is_large(kind: str, offset: float) -> None:
    shape = (64, 40) if kind in ("layer_norm", "columns") else (4, 4, 40)
    x = (array(*shape) + offset).astype("float32")
    g = array(*shape, seed=1).astype("float32")
    call = {"layer_norm": lambda t, m: m.layer_norm(t, (40,)), "batch_norm": lambda t, m: m.batch_norm(t, None, None, training=True),
            "columns": lambda t, m: m.batch_norm(t, None, None, training=True), "group_norm": lambda t, m: m.group_norm(t, 2)}[kind]
    found = {}
    for name, tensor, module, dtype in (("exact", torch.tensor, theirs, "float64"), ("ours", ta.tensor, F, "float32")):
        leaf = tensor(x.astype(dtype), requires_grad=True)
        y = call(leaf, module)
        y.backward(tensor(g.astype(dtype)))
        found[name] = np.array([y.tolist(), leaf.grad.tolist()])
    ours = abs(found["ours"] - found["exact"])
    assert ours.max() < 3e-6


def test_the_mean_over_many_rows_keeps_its_digits() -> None:
    x = np.random.default_rng(0).uniform(0, 1, (65536, 2)).astype("float32")
    mean, var = ta.zeros(2), ta.zeros(2)
    F.batch_norm(ta.tensor(x), mean, var, training=True, momentum=1.0)
    wide = x.astype("float64")
    assert abs(np.array(mean.tolist()) - wide.mean(0)).max() < 1e-7
    assert abs(np.array(var.tolist()) / wide.var(0, ddof=1) - 1).max() < 3e-7
    row = ta.tensor(x.reshape(1, -1))
    exact = (wide.reshape(1, -1) - wide.mean()) / wide.std()
    assert abs(np.array(F.layer_norm(row, row.shape[1:], eps=0.0).tolist()) - exact).max() < 1e-6


@pytest.mark.filterwarnings("ignore:Mismatch dtype")           # what PyTorch says of them
@pytest.mark.parametrize("parameter", ["the input's", "float32"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_in_other_dtypes(dtype: str, parameter: str) -> None:
    p = [array(8, dtype=dtype if parameter == "the input's" else "float32", seed=s) for s in (1, 2)]
    x, near = array(6, 8, dtype=dtype), {} if dtype == "float32" else {"rtol": 0.05, "atol": 0.05}
    running = [array(8, dtype=p[0].dtype.name, low=0.5, seed=s) for s in (3, 4)]

    def each(name: str, *given: Any, inputs: Any = p, **settings: Any) -> None:
        both = [lambda x, *p, m=m: getattr(m, name)(x, *given, *p, **settings) for m in (F, theirs)]
        check(*both, x, *inputs, order=1, **near)
    each("layer_norm", (8,))
    each("group_norm", 2)
    each("rms_norm", (8,), inputs=p[:1])
    each("batch_norm", None, None, training=True)
    check(*[lambda x, *p, m=m, t=t: m.batch_norm(x, *[t(r).detach() for r in running], *p)
            for m, t in ((F, ta.tensor), (theirs, lambda r: Theirs.tensor(r, False)))], x, *p, order=1, **near)


def test_halves_are_computed_in_float32() -> None:
    x = ta.full((2, 3), 200.0, dtype="float16")                   # whose squares a float16 cannot hold
    x[:, 0] = 100.0
    assert F.layer_norm(x, (3,)).tolist()[0] == pytest.approx([-1.414, 0.707, 0.707], abs=1e-3)


# -------------------------------------------------------------------------------------- local_response_norm, normalize
@pytest.mark.parametrize("size", [1, 2, 3, 9])
@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 5, 2, 2), (2, 7, 1, 2, 2), (0, 3, 4)])
def test_local_response_norm(shape: tuple[int, ...], size: int) -> None:
    check(lambda x: F.local_response_norm(x, size, 0.5, 0.7, 1.3), lambda x: theirs.local_response_norm(x, size, 0.5, 0.7, 1.3), array(*shape))


@pytest.mark.parametrize("settings", [{}, {"p": 1.0}, {"p": 3.0}, {"p": float("inf")}, {"dim": -1}, {"dim": (0, 1)}, {"eps": 1.5}, {"eps": 100.0}])
def test_normalize(settings: dict[str, Any]) -> None:
    check(lambda x: F.normalize(x, **settings), lambda x: theirs.normalize(x, **settings), array(3, 4))


def test_normalize_of_nothing_is_nothing() -> None:
    x = ta.zeros(1, 3, requires_grad=True)
    y = F.normalize(x)
    y.sum().backward()
    assert y.tolist() == [[0.0] * 3] and x.grad.tolist() == [[pytest.approx(1e12)] * 3]


# ------------------------------------------------------------------------------------------------- what is refused
def test_refusals() -> None:
    x = array(4, 3)
    for shape in ((4,), (2, 3), ()):
        refuses(*[lambda x, m=m, shape=shape: m.layer_norm(x, shape) for m in (F, theirs)], x, says="normalized_shape")
    refuses(lambda x: F.layer_norm(x, 3), lambda x: theirs.layer_norm(x, 3), x, says=r"write \(3,\)")
    refuses(lambda x, w: F.layer_norm(x, (3,), w), lambda x, w: theirs.layer_norm(x, (3,), w), x, array(4), says=r"weight of shape \(4,\)")
    refuses(lambda x, w: F.layer_norm(x, (3,), w), lambda x, w: theirs.layer_norm(x, (3,), w), x, array(3, dtype="float32"), says="dtypes differ")
    refuses(lambda x: F.group_norm(x, 2), lambda x: theirs.group_norm(x, 2), x, says="do not divide")
    refuses(lambda x: F.group_norm(x, 3), lambda x: theirs.group_norm(x, 3), array(1, 3), says="one value")
    refuses(lambda x: F.group_norm(x, 1), lambda x: theirs.group_norm(x, 1), array(3), says="two axes")
    refuses(lambda x: F.batch_norm(x, None, None, training=True), lambda x: theirs.batch_norm(x, None, None, training=True), array(1, 3),
            says="more than one value")
    refuses(lambda x: F.batch_norm(x, None, None), lambda x: theirs.batch_norm(x, None, None), x, says="running_mean=None")
    refuses(lambda x, m: F.batch_norm(x, m, None, training=True), lambda x, m: theirs.batch_norm(x, m, None, training=True), x, array(3),
            says="both or not at all")
    refuses(lambda x, m, v: F.batch_norm(x, m, v), lambda x, m, v: theirs.batch_norm(x, m, v), x, array(4), array(4), says="running_mean")
    refuses(lambda x: F.batch_norm(x, None, None, training=True, eps=0.0), lambda x: theirs.batch_norm(x, None, None, training=True, eps=0.0),
            x, says="eps")
    refuses(lambda x: F.instance_norm(x), lambda x: theirs.instance_norm(x), array(2, 3, 1), says="more than one value")
    refuses(lambda x: F.instance_norm(x, use_input_stats=False), lambda x: theirs.instance_norm(x, use_input_stats=False), array(2, 3, 4))
    refuses(lambda x: F.local_response_norm(x, 2), lambda x: theirs.local_response_norm(x, 2), x, says="three axes")
    refuses(lambda x: F.local_response_norm(x, 0), lambda x: theirs.local_response_norm(x, 0), array(2, 3, 4), says="size=0")
    refuses(lambda x: F.normalize(x), lambda x: theirs.normalize(x), array(3))
    for call in (lambda x: F.layer_norm(x, (3,)), lambda x: F.batch_norm(x, None, None, training=True), lambda x: F.group_norm(x, 3)):
        with pytest.raises(DTypeError, match="floating"):
            call(ta.ones(4, 3, dtype="int64"))
        with pytest.raises(ArgumentError):
            call([[1.0, 2.0, 3.0]])
    with pytest.raises(ShapeError, match="two axes"):
        F.batch_norm(ta.ones(3), None, None, training=True)
