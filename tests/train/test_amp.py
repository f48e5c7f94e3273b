"""Mixed precision: each op in the precision that PyTorch gives it, gradients in float32, and a GradScaler that does what PyTorch's does."""

from __future__ import annotations

import copy
import itertools
import threading
import warnings
from typing import Any

import pytest

import tinygrad_act as ta
import tinygrad_act.linalg  # enters ops that the lists name
from tinygrad_act.amp.lists import FLOAT32, LOWER, REFUSED, WIDEST
from tinygrad_act.graph import watchers
from tinygrad_act.ops.registry import table

pytest.importorskip("ml_dtypes")
F = ta.nn.functional
HALVES = [ta.float16, ta.bfloat16]


def test_the_lists_name_ops_that_there_are_and_each_once() -> None:
    for device in ("cpu", "cuda"):
        lists = [LOWER[device], FLOAT32[device], WIDEST[device], REFUSED[device]]
        assert len(set().union(*lists)) == sum(map(len, lists))
        named = set(table) | {f"conv{t}{n}d" for n in (1, 2, 3) for t in ("", "_transpose")}
        assert set().union(*lists) <= named, set().union(*lists) - named


# ------------------------------------------------------------------------------------------------------ PyTorch's samples
# What comes out in another precision than in PyTorch, and why.
OTHERWISE = {
    "dot": "1-d @ 1-d is that op too, and runs in half", "vdot": "as dot", "mv": "2-d @ 1-d is that op too", "inner": "a dot of vectors",
    "tensordot": "PyTorch takes a dot for a full contraction", "linalg.vecdot": "a product and a sum here",
    "addr": "mixed dtypes are refused", "nextafter": "mixed dtypes are refused", "select_scatter": "mixed dtypes are refused",
    "slice_scatter": "mixed dtypes are refused", "trace": "a sum of a diagonal here", "nn.functional.multilabel_soft_margin_loss": "one loss here, in float32",
    **dict.fromkeys(("matrix_exp", "linalg.det", "linalg.pinv"), "of halves PyTorch takes empty ones only, and leaves them as they are"),
    "nn.functional.max_pool3d": "PyTorch leaves the one with indices in half",
}


def samples() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from tests.ops import test_pytorch_samples as given
        except (ImportError, pytest.skip.Exception):
            return []
    if not hasattr(given, "OPS"):                            # it skipped itself when it was first imported
        return []
    torch = given.torch
    return [pytest.param(op, f, id=op.formatted_name) for op, f in given.OPS if torch.float32 in op.dtypes and op.name not in OTHERWISE]


def halved(value: Any, dtype: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value.to(dtype) if value.dtype == torch.float32 else value
    return type(value)([halved(v, dtype) for v in value]) if isinstance(value, (list, tuple)) else value


def ours(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        a = value.detach()
        return ta.tensor(a.float().numpy()).to(ta.bfloat16) if a.dtype == torch.bfloat16 else ta.tensor(a.numpy())
    if isinstance(value, dict):
        return {k: ours(v) for k, v in value.items()}
    return type(value)([ours(v) for v in value]) if isinstance(value, (list, tuple)) else value


def result_types(y: Any) -> list[str]:
    return [str(t.dtype).rpartition(".")[2] for t in (y if isinstance(y, (tuple, list)) else [y]) if hasattr(t, "dtype")]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("op", "f"), samples())
def test_results_have_the_precision_that_pytorch_gives_them(op: Any, f: Any) -> None:
    import torch

    compared = 0
    # not op.sample_inputs: that looks for the test behind it, through every frame and module, at each sample
    for sample in itertools.islice(op.sample_inputs_func(op, "cpu", torch.float32, requires_grad=False), 1):
        if any(isinstance(v, torch.dtype) or callable(v) for v in (*sample.args, *sample.kwargs.values())):
            continue
        for inputs in ((sample.input, sample.args), (halved(sample.input, torch.float16), halved(sample.args, torch.float16)),
                       (halved(sample.input, torch.float16), sample.args)):
            try:
                with torch.autocast("cpu", torch.float16):
                    expected = op.op(inputs[0], *inputs[1], **sample.kwargs)
            except (RuntimeError, NotImplementedError, TypeError, ValueError):
                continue                                     # PyTorch's CPU has no such kernel
            with ta.autocast("cpu", ta.float16):
                got = f(ours(inputs[0]), *ours(inputs[1]), **ours(sample.kwargs))
            assert result_types(got) == result_types(expected)
            compared += 1
    if not compared:
        pytest.skip("nothing that PyTorch's CPU can be asked")


# -------------------------------------------------------------------------------------------------------------- networks
def network() -> Any:
    ta.manual_seed(0)
    return ta.nn.Sequential(ta.nn.Conv2d(1, 4, 3), ta.nn.BatchNorm2d(4), ta.nn.PReLU(), ta.nn.MaxPool2d(2), ta.nn.Flatten(),
                            ta.nn.Linear(36, 8), ta.nn.LayerNorm(8), ta.nn.GELU(), ta.nn.Linear(8, 3))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_a_network_gives_nearly_the_same_and_its_gradients_are_float32(dtype: Any) -> None:
    model, x, target = network(), ta.randn(6, 1, 8, 8), ta.tensor([0, 1, 2, 0, 1, 2])
    exact = copy.deepcopy(model)
    F.cross_entropy(exact(x), target, ta.tensor([1.0, 2.0, 1.0])).backward()
    with ta.autocast("cpu", dtype):
        y = model(x)
        loss = F.cross_entropy(y, target, ta.tensor([1.0, 2.0, 1.0]))
    assert y.dtype == dtype and loss.dtype == ta.float32
    loss.backward()
    for p, q in zip(model.parameters(), exact.parameters(), strict=True):
        assert p.grad.dtype == ta.float32
        assert float((p.grad - q.grad).norm()) <= (0.02 if dtype == ta.float16 else 0.12) * float(q.grad.norm()) + 1e-3


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "RNN", "MultiheadAttention", "TransformerEncoderLayer"])
def test_sequence_layers_take_halves_and_mixtures(layer: str) -> None:
    args = {"MultiheadAttention": (8, 2), "TransformerEncoderLayer": (8, 2, 16, 0.0)}.get(layer, (8, 8))
    model = getattr(ta.nn, layer)(*args)
    x = ta.randn(3, 2, 8)
    inputs = (x, x, x) if layer == "MultiheadAttention" else (x,)
    exact = model(*inputs)
    for given in (inputs, tuple(i.half() for i in inputs)):
        with ta.autocast("cpu", ta.float16):
            y = model(*given)
        first, second = (t[0] if isinstance(t, tuple) else t for t in (y, exact))
        assert float((first.float() - second).abs().max()) < 0.02
        first.float().sum().backward()
        assert all(p.grad is None or p.grad.dtype == ta.float32 for p in model.parameters())


def test_a_layer_agrees_with_pytorchs_in_float16() -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Linear(16, 4)
    mine = ta.nn.Linear(16, 4)
    mine.load_state_dict({k: ta.tensor(v.detach().numpy()) for k, v in theirs.state_dict().items()})
    x = torch.randn(5, 16)
    with torch.autocast("cpu", torch.float16):
        expected = theirs(x)
    with ta.autocast("cpu", ta.float16):
        got = mine(ta.tensor(x.numpy()))
    expected.sum().backward()
    got.sum().backward()
    assert abs(got.detach().cpu().numpy().astype("f4") - expected.detach().float().numpy()).max() <= 2e-3
    assert abs(mine.weight.grad.cpu().numpy() - theirs.weight.grad.numpy()).max() <= 1e-2


# --------------------------------------------------------------------------------------------------------------- the block
def test_off_means_that_nobody_listens() -> None:
    assert not watchers
    with ta.autocast("cpu", ta.float16):
        assert len(watchers) == 1
        with ta.autocast("cpu", ta.float16):
            assert len(watchers) == 1
    assert not watchers


def test_blocks_nest_and_end_when_an_error_leaves_them() -> None:
    x = ta.ones(2, 2)
    with ta.autocast("cpu", ta.float16):
        assert (x @ x).dtype == ta.float16
        assert ta.is_autocast_enabled("cpu") and not ta.is_autocast_enabled("cuda") and ta.get_autocast_dtype("cpu") == ta.float16
        with ta.autocast("cpu", enabled=False):
            assert (x @ x).dtype == ta.float32 and not ta.is_autocast_enabled("cpu")
        with ta.autocast("cpu", ta.bfloat16):
            assert (x @ x).dtype == ta.bfloat16
        assert (x @ x).dtype == ta.float16
    with pytest.raises(ta.errors.ShapeError), ta.autocast("cpu", ta.float16):
        x @ ta.ones(3)
    assert not watchers and (x @ x).dtype == ta.float32


def test_float64_stays_and_numbers_do_not_matter() -> None:
    x = ta.ones(2, 2, dtype="float64")
    with ta.autocast("cpu", ta.float16):
        assert (x @ x).dtype == ta.float64 and F.mse_loss(x, x).dtype == ta.float64 and (2 * x).dtype == ta.float64


def test_another_thread_does_not_notice() -> None:
    x, seen = ta.ones(2, 2), []
    with ta.autocast("cpu", ta.float16):
        thread = threading.Thread(target=lambda: seen.append((x @ x).dtype))
        thread.start()
        thread.join()
    assert seen == [ta.float32]


def test_a_parameter_is_cast_once_a_block_and_anew_in_the_next() -> None:
    layer, x = ta.nn.Linear(4, 4), ta.ones(1, 4)
    for cached in (True, False):
        with ta.autocast("cpu", ta.float16, cache_enabled=cached):
            a, b = layer(x), layer(x)
            casts = [y.node.edges[1] for y in (a, b)]
        assert (casts[0] is casts[1]) is cached
    with ta.no_grad():
        layer.weight.fill_(0.0)
        layer.bias.fill_(1.0)
    with ta.autocast("cpu", ta.float16):
        with ta.no_grad():
            layer(x)
        y = layer(x)                                         # not the cast that was made without recording
    assert y.tolist() == [[1.0] * 4] and y.requires_grad


def test_it_is_a_decorator_too() -> None:
    @ta.autocast("cpu", ta.float16)
    def product(x: Any) -> Any:
        return x @ x
    assert product(ta.ones(2, 2)).dtype == ta.float16 and product(ta.ones(2, 2)).dtype == ta.float16


def test_misuse_says_what_to_do() -> None:
    with pytest.raises(ta.errors.ArgumentError, match=r"device_type='gpu'.*it is .cpu. or .cuda."):
        ta.autocast("gpu")
    with pytest.warns(UserWarning, match="float32 is not float16"):
        ta.autocast("cpu", ta.float32)
    if not ta.cuda.is_available():
        with pytest.warns(UserWarning, match="CUDA is not available"):
            ta.autocast("cuda")
        with pytest.warns(UserWarning, match="CUDA is not available"):
            assert not ta.amp.GradScaler().is_enabled()


# ---------------------------------------------------------------------------------------------------------------- GradScaler
def test_the_scaler_goes_through_the_same_states_as_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    w, v = ta.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    mine, theirs = ta.optim.SGD([w], lr=0.1, momentum=0.9), torch.optim.SGD([v], lr=0.1, momentum=0.9)
    settings = {"init_scale": 2.0**10, "growth_factor": 4.0, "backoff_factor": 0.25, "growth_interval": 3}
    a, b = ta.amp.GradScaler("cpu", **settings), torch.amp.GradScaler("cpu", **settings)
    factors = [1.0, 2.0, float("inf"), 1.0, 1.0, 1.0, float("nan"), 3.0, 1e30, 1.0, 1.0, 1.0, 1.0]
    for i, factor in enumerate(factors):
        mine.zero_grad()
        theirs.zero_grad()
        a.scale((w * factor).sum()).backward()
        b.scale((v * factor).sum()).backward()
        if i % 2:
            a.unscale_(mine)
            b.unscale_(theirs)
            assert repr(w.grad.tolist()) == repr(v.grad.tolist())
        a.step(mine)
        b.step(theirs)
        a.update()
        b.update()
        assert w.tolist() == pytest.approx(v.tolist(), rel=1e-6)
        assert a.state_dict() == b.state_dict()
    a.update(7.0)
    assert a.get_scale() == 7.0


def test_the_scale_does_not_grow_beyond_what_there_is() -> None:
    w = ta.zeros(1, requires_grad=True)
    optimizer, scaler = ta.optim.SGD([w], lr=0.1), ta.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=1)
    scaler.scale((w * 1e-30).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 2.0**127


def test_small_gradients_survive_float16_only_with_it() -> None:
    for scaled in (False, True):
        w = ta.full((4, 4), 1e-3, requires_grad=True)
        optimizer, scaler = ta.optim.SGD([w], lr=1.0), ta.amp.GradScaler("cpu", enabled=scaled)
        with ta.autocast("cpu", ta.float16):
            loss = (ta.ones(1, 4) @ w).float().sum() * 1e-9
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        assert bool((w.grad != 0).all()) is scaled


def test_several_losses_optimizers_and_a_saved_state() -> None:
    w, u = ta.ones(1, requires_grad=True), ta.ones(1, requires_grad=True)
    one, two = ta.optim.SGD([w], lr=1.0), ta.optim.SGD([u], lr=1.0)
    scaler = ta.amp.GradScaler("cpu", init_scale=4.0, growth_interval=1)
    for loss in scaler.scale([(w * 2).sum(), (u * ta.inf).sum()]):
        loss.backward()
    scaler.step(one)
    scaler.step(two)
    scaler.update()
    assert (w.item(), u.item(), scaler.get_scale()) == (-1.0, 1.0, 2.0)
    other = ta.amp.GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert other.state_dict() == scaler.state_dict()
    assert ta.amp.GradScaler("cpu", enabled=False).state_dict() == {}


def test_the_scalers_misuse_says_what_to_do() -> None:
    w = ta.ones(1, requires_grad=True)
    optimizer, scaler = ta.optim.SGD([w], lr=1.0), ta.amp.GradScaler("cpu")
    with pytest.raises(ta.errors.TrainingError, match="nothing has been scaled"):
        scaler.step(optimizer)
    scaler.scale(w.sum()).backward()
    scaler.unscale_(optimizer)
    with pytest.raises(ta.errors.TrainingError, match="already"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(ta.errors.TrainingError, match="already"):
        scaler.step(optimizer)
    scaler.update()
    with pytest.raises(ta.errors.TrainingError, match="no gradients"):
        scaler.update()
    with pytest.raises(ta.errors.ArgumentError, match="closure"):
        scaler.step(optimizer, closure=lambda: 0)
    with pytest.raises(ta.errors.ArgumentError, match="growth_factor"):
        ta.amp.GradScaler("cpu", growth_factor=0.5)
    half = ta.ones(1, dtype=ta.float16, requires_grad=True)
    scaler.scale((half * 1.0).sum()).backward()
    with pytest.raises(ta.errors.ArgumentError, match="float16"):
        scaler.unscale_(ta.optim.SGD([half], lr=1.0))


@pytest.mark.parametrize("amp", HALVES, ids=str)
def test_fit_trains_in_mixed_precision_and_goes_on_from_a_checkpoint(amp: Any, tmp_path: Any) -> None:
    pytest.importorskip("safetensors")
    x = ta.linspace(-1, 1, 64).reshape(-1, 1)
    data = [(x[i:i + 16], 2 * x[i:i + 16] + 1) for i in range(0, 64, 16)]

    def train(epochs: int, folder: Any, resume: Any = None) -> Any:
        ta.manual_seed(3)
        model = ta.nn.Sequential(ta.nn.Linear(1, 8), ta.nn.Tanh(), ta.nn.Linear(8, 1))
        optimizer = ta.optim.Adam(model.parameters(), lr=0.05)
        history = ta.train.fit(model, data, ta.nn.MSELoss(), optimizer, epochs=epochs, amp=amp, clip_norm=1.0, progress=False,
                               validation=data, callbacks=[ta.train.Checkpoint(folder)], resume=resume)
        return model, history

    whole, history = train(20, tmp_path / "a")
    assert history[-1]["val_loss"] < 0.05 < history[0]["loss"]
    train(7, tmp_path / "b")
    resumed, _ = train(20, tmp_path / "b", tmp_path / "b")
    assert all(ta.equal(p, q) for p, q in zip(whole.parameters(), resumed.parameters(), strict=True))
