"""RNN, LSTM, GRU, their cells, and sequences of several lengths, held to PyTorch."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.ops.against_torch import array, check, read, refuses, torch
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError, DeviceError, DTypeError, IndexingError, ShapeError, TinygradActError

ours, theirs = nn.utils.rnn, torch.nn.utils.rnn
KINDS = ["RNN", "LSTM", "GRU"]
each_kind = pytest.mark.parametrize("kind", KINDS)


def flat(results: Any) -> list[Any]:
    """Output and states in one list; of a packed output its data."""
    output, states = results
    output = output.data if type(output).__name__ == "PackedSequence" else output
    return [output, *(states if isinstance(states, tuple) else (states,))]


def same(kind: str, settings: dict[str, Any], x: np.ndarray, lengths: list[int] | None = None, states: bool = False,
         order: int = 1, dtype: str = "float64") -> None:
    """Ours and PyTorch's network from the same weights: results, and gradients of x, the first states and all weights."""
    network = getattr(torch.nn, kind)(3, 4, **settings, dtype=getattr(torch, dtype))
    mine = getattr(nn, kind)(3, 4, **settings, dtype=dtype)
    names = [name for name, _ in network.named_parameters()]
    assert names == [name for name, _ in mine.named_parameters()]
    count = 2 if kind == "LSTM" else 1
    first = [array(*s, dtype=dtype, seed=k) for k, s in enumerate(state_shapes(network, x, lengths)[:count])] if states else []

    def run(pack: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def of(x: Any, *more: Any) -> list[Any]:
            hx = more[:len(first)] if kind == "LSTM" else more[0] if first else None
            given = pack(x, lengths, settings.get("batch_first", False), enforce_sorted=False) if lengths else x
            return flat(call(dict(zip(names, more[len(first):], strict=True)), given, hx if first else None))
        return of

    def call_mine(parameters: dict[str, Any], x: Any, hx: Any) -> Any:
        mine._parameters.update(parameters)
        return mine(x, hx)

    weights = [p.detach().requires_grad_() for p in network.parameters()]
    check(run(ours.pack_padded_sequence, call_mine),
          run(theirs.pack_padded_sequence, lambda p, x, hx: torch.func.functional_call(network, p, (x, hx))),
          x, *first, *weights, order=order)


def state_shapes(network: Any, x: np.ndarray, lengths: Any) -> list[tuple[int, ...]]:
    lead = network.num_layers * (2 if network.bidirectional else 1)
    batch = () if x.ndim == 2 else (x.shape[0 if network.batch_first else 1],)
    return [(lead, *batch, network.proj_size or network.hidden_size), (lead, *batch, network.hidden_size)]


# ----------------------------------------------------------------------------------------------------- networks
@each_kind
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(("bidirectional", "bias", "batch_first", "states"), [
    (False, True, False, False), (True, True, False, True), (False, False, True, True), (True, False, True, False)])
@pytest.mark.parametrize("lengths", [None, [2, 5, 1, 5]], ids=["full", "packed"])
def test_networks(kind: str, layers: int, bidirectional: bool, bias: bool, batch_first: bool, states: bool, lengths: Any) -> None:
    settings = {"num_layers": layers, "bidirectional": bidirectional, "bias": bias, "batch_first": batch_first}
    same(kind, settings, array(4, 5, 3) if batch_first else array(5, 4, 3), lengths, states)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("lengths", [None, [2, 5, 1, 5]], ids=["full", "packed"])
def test_projections(bidirectional: bool, bias: bool, lengths: Any) -> None:
    same("LSTM", {"num_layers": 2, "bidirectional": bidirectional, "bias": bias, "proj_size": 2}, array(5, 4, 3), lengths, True)


@pytest.mark.parametrize("lengths", [None, [2, 3, 1]], ids=["full", "packed"])
def test_relu(lengths: Any) -> None:
    same("RNN", {"nonlinearity": "relu"}, array(3, 3, 3), lengths, True, order=2)


@each_kind
@pytest.mark.parametrize("lengths", [None, [2, 3]], ids=["full", "packed"])
def test_gradients_of_gradients(kind: str, lengths: Any) -> None:
    same(kind, {"bidirectional": True, **({"proj_size": 1} if kind == "LSTM" else {})}, array(3, 2, 3), lengths, True, order=2)


@each_kind
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("states", [False, True])
def test_without_a_batch(kind: str, batch_first: bool, states: bool) -> None:
    same(kind, {"batch_first": batch_first, "bidirectional": True}, array(5, 3), states=states)


@each_kind
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_other_dtypes(kind: str, dtype: str) -> None:
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    same(kind, {}, array(3, 2, 3, dtype=dtype, low=-1, high=1), order=1 if dtype == "float32" else 0, dtype=dtype)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_an_empty_batch(kind: str) -> None:
    same(kind, {}, array(5, 0, 3))


def test_dropout_is_between_layers_in_training_only() -> None:
    net, x = nn.GRU(3, 4, 2, dropout=1.0), ta.randn(5, 2, 3)
    zero, _ = nn.GRU(3, 4, 2, dropout=1.0)(x)
    assert zero.shape == (5, 2, 4)
    net.weight_ih_l1.data.fill_(1.0)
    assert not net.train()(x)[0].equal(net.eval()(x)[0])
    assert net(x)[0].equal(net(x)[0])
    half = nn.LSTM(3, 4, 2, dropout=0.5)
    assert not half(x)[0].equal(half(x)[0])
    with pytest.warns(UserWarning, match="num_layers greater than 1"):
        nn.LSTM(3, 4, dropout=0.5)


@pytest.mark.parametrize(("kind", "settings"), [(kind, settings) for kind in KINDS for settings in (
    {}, {"num_layers": 2, "bias": False, "dropout": 0.5}, {"batch_first": True, "bidirectional": True})] + [
    ("LSTM", {"proj_size": 2, "bidirectional": True, "num_layers": 2})])
def test_parameters_and_repr(kind: str, settings: dict[str, Any]) -> None:
    a, b = getattr(nn, kind)(3, 4, **settings), getattr(torch.nn, kind)(3, 4, **settings)
    assert repr(a) == repr(b)
    assert [(k, tuple(v.shape)) for k, v in a.state_dict().items()] == [(k, tuple(v.shape)) for k, v in b.state_dict().items()]
    assert [[tuple(p.shape) for p in ps] for ps in a.all_weights] == [[tuple(p.shape) for p in ps] for ps in b.all_weights]
    assert all(abs(read(p)).max() <= 0.5 for p in a.parameters())
    assert a.flatten_parameters() is None
    assert (a.mode, a.dropout, a.batch_first) == (b.mode, b.dropout, b.batch_first)


def test_weights_start_uniform() -> None:
    w = read(nn.LSTM(50, 100).weight_hh_l0)
    assert abs(w).max() == pytest.approx(0.1, rel=1e-3)
    assert w.std() == pytest.approx(0.1 / 3**0.5, rel=0.02)


def test_positional_arguments() -> None:
    assert repr(nn.RNN(3, 4, 2, "relu", False, True, 0.5, True)) == repr(torch.nn.RNN(3, 4, 2, "relu", False, True, 0.5, True))
    assert repr(nn.LSTM(3, 4, 2, False, True, 0.5, True, 2)) == repr(torch.nn.LSTM(3, 4, 2, False, True, 0.5, True, 2))
    assert repr(nn.GRU(3, 4, 2, False, True, 0.5, True)) == repr(torch.nn.GRU(3, 4, 2, False, True, 0.5, True))


# -------------------------------------------------------------------------------------------------------- cells
CELLS: list[tuple[str, dict[str, Any]]] = [
    ("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"}), ("LSTMCell", {}), ("GRUCell", {}), ("GRUCell", {"bias": False})]


@pytest.mark.parametrize(("kind", "settings"), CELLS)
@pytest.mark.parametrize("batch", [(), (2,), (0,)])
@pytest.mark.parametrize("states", [False, True])
def test_cells(kind: str, settings: dict[str, Any], batch: tuple[int, ...], states: bool) -> None:
    cell, mine = getattr(torch.nn, kind)(3, 4, **settings).double(), getattr(nn, kind)(3, 4, **settings).double()
    assert repr(cell) == repr(mine)
    names = [name for name, _ in cell.named_parameters()]
    count = (2 if kind == "LSTMCell" else 1) if states else 0

    def run(call: Callable[..., Any]) -> Callable[..., Any]:
        def of(x: Any, *more: Any) -> Any:
            hx = None if not count else more[:2] if count == 2 else more[0]
            return call(dict(zip(names, more[count:], strict=True)), x, hx)
        return of

    def call_mine(parameters: dict[str, Any], x: Any, hx: Any) -> Any:
        mine._parameters.update(parameters)
        return mine(x, hx)
    check(run(call_mine), run(lambda p, x, hx: torch.func.functional_call(cell, p, (x, hx))), array(*batch, 3),
          *[array(*batch, 4, seed=k) for k in range(count)], *[p.detach().requires_grad_() for p in cell.parameters()])


def test_a_loop_of_cells_is_the_layer() -> None:
    net, cell = nn.LSTM(3, 4), nn.LSTMCell(3, 4)
    cell.load_state_dict({name.removesuffix("_l0"): p for name, p in net.state_dict().items()})
    x, state = ta.randn(5, 2, 3), None
    output, _ = net(x)
    for t in range(5):
        state = cell(x[t], state)
        assert ta.allclose(state[0], output[t], atol=1e-6)


def test_a_cells_state_may_be_changed_in_place() -> None:
    cell = nn.GRUCell(3, 4)
    h = cell(ta.randn(2, 3))
    (h * 1.0).sum().backward(retain_graph=True)
    h.mul_(2).sum().backward()


# --------------------------------------------------------------------------------------------- several lengths
@pytest.mark.parametrize("lengths", [[4, 4, 4], [4, 2, 1], [3, 3, 1], [1, 1, 1]])
@pytest.mark.parametrize("further", [(), (2,), (2, 3)])
@pytest.mark.parametrize("batch_first", [False, True])
def test_packing_and_padding(lengths: list[int], further: tuple[int, ...], batch_first: bool) -> None:
    x = array(*((3, 4) if batch_first else (4, 3)), *further)
    for each in itertools.permutations(lengths) if lengths == [4, 2, 1] else [lengths]:
        def both(rnn: Any, x: Any, each: Any = tuple(each)) -> Any:
            packed = rnn.pack_padded_sequence(x, each, batch_first, enforce_sorted=False)
            return *packed, *rnn.pad_packed_sequence(packed, not batch_first, padding_value=0.5, total_length=6)
        check(lambda x: both(ours, x), lambda x: both(theirs, x), x)


def test_packing_of_sorted_sequences_remembers_no_order() -> None:
    def of(rnn: Any) -> Callable[..., Any]:
        return lambda x: tuple(rnn.pack_padded_sequence(x, [3, 2, 2]))
    result = check(of(ours), of(theirs), array(4, 3, 2))
    assert result[2] is None is result[3]
    assert repr(ours.pack_sequence([ta.tensor([1, 2], device="cpu")])) == repr(theirs.pack_sequence([torch.tensor([1, 2])]))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_padding_of_a_list(side: str, batch_first: bool) -> None:
    xs = [array(n, 2) for n in (2, 0, 3)]
    check(lambda *xs: ours.pad_sequence(list(xs), batch_first, 0.5, side), lambda *xs: theirs.pad_sequence(list(xs), batch_first, 0.5, side), *xs)
    check(ours.pad_sequence, theirs.pad_sequence, array(2, 3, 2))
    check(ours.pad_sequence, theirs.pad_sequence, [np.ones(2, "int64"), array(3)], padding_value=0.5)


def test_there_and_back_again() -> None:
    xs = [array(n, 2) for n in (2, 4, 3)]

    def there_and_back(rnn: Any) -> Callable[..., Any]:
        def of(*xs: Any) -> Any:
            padded = rnn.pad_sequence(list(xs), batch_first=True)
            return *rnn.unpack_sequence(rnn.pack_sequence(list(xs), enforce_sorted=False)), *rnn.unpad_sequence(
                padded, torch.tensor([2, 4, 3]) if rnn is theirs else [2, 4, 3], batch_first=True)
        return of
    for a, x in zip(check(there_and_back(ours), there_and_back(theirs), *xs), xs * 2, strict=True):
        assert (read(a) == x).all()
    assert ours.invert_permutation(None) is None
    check(ours.invert_permutation, theirs.invert_permutation, np.array([2, 0, 3, 1]))


def test_conversions_of_a_packed_sequence() -> None:
    packed = ours.pack_sequence([ta.tensor([1.0]), ta.tensor([2.0, 3.0])], enforce_sorted=False)
    assert packed.to(packed.data.device) is packed is packed.float()
    assert not packed.is_cuda
    for name in ("double", "half", "long", "int", "short", "char", "byte"):
        there = theirs.pack_sequence([torch.tensor([1.0]), torch.tensor([2.0, 3.0])], enforce_sorted=False)
        assert str(getattr(there, name)().data.dtype) == f"torch.{getattr(packed, name)().data.dtype}"
    assert packed.cpu().data.device == "cpu"


# ------------------------------------------------------------------------------------------------------- misuse
def test_misuse_of_lengths() -> None:
    x = array(5, 3, 2)
    refuses(ours.pack_padded_sequence, theirs.pack_padded_sequence, x, [3, 5, 1], says="enforce_sorted=False")
    refuses(ours.pack_padded_sequence, theirs.pack_padded_sequence, x, [5, 3, 0], says="a length of 0")
    refuses(ours.pack_padded_sequence, theirs.pack_padded_sequence, x, [5, 3], says="3 sequences of 5 steps")
    refuses(ours.pack_padded_sequence, theirs.pack_padded_sequence, array(3), [1])
    refuses(ours.pad_sequence, theirs.pad_sequence, [])
    refuses(ours.pad_sequence, theirs.pad_sequence, [array(2, 3), array(2, 4)], says="first sizes")
    refuses(ours.pad_sequence, theirs.pad_sequence, [array(2, 3)], padding_side="middle", says="left")
    refuses(ours.pad_sequence, theirs.pad_sequence, 3)
    with pytest.raises(IndexingError, match="at most 5"):
        ours.pack_padded_sequence(ta.zeros(5, 3), [6, 1, 1])
    with pytest.raises(ShapeError, match="1-d"):
        ours.pack_padded_sequence(ta.zeros(5, 3), ta.tensor([[1, 1, 1]], device="cpu"))
    with pytest.raises(ArgumentError, match="total_length=1"):
        ours.pad_packed_sequence(ours.pack_padded_sequence(ta.zeros(5, 2), [3, 2]), total_length=1)
    with ta.backend.use("strict"), pytest.raises(DeviceError, match=r"lengths\.cpu\(\)"):
        ours.pack_padded_sequence(ta.zeros(5, 2), ta.tensor([3, 2]))
    with ta.backend.use("strict"), pytest.raises(DeviceError, match="on the CPU"):
        ours.PackedSequence(ta.zeros(5, 2), ta.tensor([3, 2]))
    with pytest.raises(ShapeError, match="must not grow"):
        nn.RNN(2, 3)(ours.PackedSequence(ta.zeros(3, 2), ta.tensor([1, 2], device="cpu")))


SHAPES: list[tuple[Callable[[], Any], type[TinygradActError], str]] = [
    (lambda: nn.LSTM(3, 4)(ta.zeros(5, 2, 7)), ShapeError, r"read as \(steps, batch, features\): the last axis has 7 features, input_size is 3"),
    (lambda: nn.GRU(3, 4, batch_first=True)(ta.zeros(5, 3, 2)), ShapeError, r"\(batch, steps, features\).*axis 1 has that size"),
    (lambda: nn.RNN(3, 4)(ta.zeros(2, 2, 2, 3)), ShapeError, "without a batch"),
    (lambda: nn.RNN(3, 4)(ta.zeros(0, 2, 3)), ShapeError, "at least one step"),
    (lambda: nn.RNN(3, 4)([1.0]), ArgumentError, "PackedSequence"),
    (lambda: nn.RNN(3, 4)(ta.zeros(5, 2, 3, dtype=ta.float64)), DTypeError, r"\.to\(ta\.float32\)"),
    (lambda: nn.LSTM(3, 4)(ta.zeros(5, 2, 3), ta.zeros(1, 2, 4)), ArgumentError, r"\(h_0, c_0\)"),
    (lambda: nn.LSTM(3, 4, 2)(ta.zeros(5, 2, 3), (ta.zeros(2, 2, 4), ta.zeros(1, 2, 4))), ShapeError, r"c_0 of shape \(1, 2, 4\).*\(2, 2, 4\)"),
    (lambda: nn.GRU(3, 4)(ta.zeros(5, 3), ta.zeros(1, 1, 4)), ShapeError, "without a batch"),
    (lambda: nn.GRU(3, 4)(ta.zeros(5, 2, 3), 1.0), ArgumentError, "must be a Tensor"),
    (lambda: nn.LSTM(3, 4)(ours.pack_padded_sequence(ta.zeros(5, 2, 7), [5, 2])), ShapeError, "7 features"),
    (lambda: nn.LSTMCell(3, 4)(ta.zeros(2, 5)), ShapeError, r"the input of shape \(2, 5\)"),
    (lambda: nn.LSTMCell(3, 4)(ta.zeros(2, 3), ta.zeros(2, 4)), ArgumentError, r"\(h, c\)"),
    (lambda: nn.GRUCell(3, 4)(ta.zeros(2, 3), ta.zeros(3, 4)), ShapeError, r"h of shape \(3, 4\).*\(2, 4\)"),
    (lambda: nn.RNNCell(3, 4, nonlinearity="gelu")(ta.zeros(2, 3)), ArgumentError, "tanh"),
    (lambda: nn.RNNCell(3, 4)(ta.zeros(2, 3, dtype=ta.float64)), DTypeError, "float64"),
]


@pytest.mark.parametrize(("call", "error", "says"), SHAPES)
def test_misuse_of_networks(call: Callable[[], Any], error: type[TinygradActError], says: str) -> None:
    with pytest.raises(error, match=says):
        call()


@pytest.mark.parametrize(("kind", "arguments", "settings"), [
    ("RNN", (3, 4, 1, "sigmoid"), {}), ("GRU", (3, 4), {"proj_size": 2}), ("RNN", (3, 4), {"proj_size": 2}), ("LSTM", (3, 4), {"proj_size": 4}),
    ("LSTM", (3, 4), {"proj_size": -1}), ("LSTM", (3, 0), {}), ("LSTM", (0, 3), {}), ("LSTM", (3.0, 4), {}), ("LSTM", (3, 4, 0), {}),
    ("LSTM", (3, 4), {"dropout": 2}), ("LSTM", (3, 4), {"dropout": True}), ("GRU", (3, 4), {"bias": 1}), ("GRU", (3, 4), {"batch_first": 1}),
    ("RNNBase", ("ABC", 3, 4), {}), ("RNNCell", (-3, 2), {}), ("GRU", (3, 4), {"nonlinearity": "tanh"})])
def test_misuse_of_settings(kind: str, arguments: Any, settings: dict[str, Any]) -> None:
    refuses(getattr(nn, kind), getattr(torch.nn, kind), *arguments, **settings)
