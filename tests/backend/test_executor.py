"""The executor: compiled kernels and tiles compute what NumPy's calls one after another do, with a compiler and without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import compiler, config, execute, memory, threads, tiles
from tinygrad_act.backend.config import Config, rows
from tinygrad_act.backend.subnormal import flushing
from tinygrad_act.errors import ArgumentError
from tinygrad_act.symbols import c, cuda

ROOT = Path(__file__).parents[2]
F = ta.backend.namespace(np.zeros(1))
needs_compiler = pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler")
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1e-38, 3e38, -3e38, 88.0, 89.0, -87.0, -104.0, 1.0, -1.0]


@pytest.fixture(autouse=True)
def on_numpy() -> Any:
    """The executor is NumPy's; whatever the suite runs on, this file does so."""
    with ta.backend.use("numpy"), np.errstate(all="ignore"):
        yield


def numbers(n: int, dtype: str = "float32", seed: int = 0) -> Any:
    x = np.random.default_rng(seed).normal(0, 3, n).astype(dtype)
    x[:len(SPECIAL)] = np.array(SPECIAL).astype(dtype)[:n]
    return x


def settled() -> None:
    """Wait for what compiles in the background."""
    execute._background.submit(int).result()


def both(rule: Any, *arrays: Any, **settings: Any) -> tuple[Any, Any]:
    """(by the executor, compiled if that can be; by NumPy's calls)."""
    with config(kernels="auto", large=1):
        F.run(rule, arrays, settings)
        settled()
        got = F.run(rule, arrays, settings)
    with config(kernels="off"):
        return got, F.run(rule, arrays, settings)


def same_bits(a: Any, b: Any) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and bool(((a == b) & (np.signbit(a) == np.signbit(b)) | (a != a) & (b != b)).all())


def halved(F: Any, x: Any) -> Any:
    return F.maximum(x * 0.5, -1) * 0.25


@needs_compiler
@pytest.mark.parametrize("count", [1, 2])
def test_what_flushes_subnormals_does_so_in_every_thread(count: int) -> None:
    x = np.full(1_000_000, -1e-40, np.float32)
    with config(kernels="auto", large=1, threads=count):
        kept = F.run(halved, (x,), {})
        settled()
        assert (F.run(halved, (x,), {}) == kept).all() and (kept < 0).all()
        with flushing():
            flushed = [F.run(halved, (x,), {}) for _ in range(5)]
        assert (F.run(halved, (x,), {}) == kept).all()
    works = np.float32(1e-40)
    with flushing():
        works = works * np.float32(0.5) == 0
    assert not works or all((y == 0).all() for y in flushed)


def smooth(F: Any, x: Any) -> Any:
    return x / (1 + F.exp(-x)) + F.tanh(x)


def exact(F: Any, x: Any, g: Any, *, slope: float) -> Any:
    return F.where(x > 0, g, slope * g) + F.sqrt(F.abs(x)) / (1 + x * x)


# ------------------------------------------------------------------------------------------------------- results
@needs_compiler
def test_a_rule_of_exact_operations_has_numpys_bits() -> None:
    got, wanted = both(exact, numbers(5000), numbers(5000, seed=1), slope=0.01)
    assert execute.notes["exact"] == "compiled" and same_bits(got, wanted)


@needs_compiler
def test_a_compiled_rule_is_close_and_special_numbers_are_right() -> None:
    got, wanted = both(smooth, numbers(5000))
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-38)
    assert (np.isnan(got) == np.isnan(wanted)).all()


@needs_compiler
@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "tanh", "sigmoid", "softplus", "laplace", "serf", "sinc", "elu"])
def test_the_catalogue_compiles_and_agrees(name: str) -> None:
    record = ta.activations.catalogue[name]
    x, g = numbers(3000), numbers(3000, seed=2)
    x[np.abs(x) > 1e30] = 0
    for rule, arrays in ((record.forward, (x,)), (record.op.rules[0].function, (g, x))):
        params = {k: v for k, v in record.settings.items() if rule is record.forward or k in record.op.rules[0].params}
        got, wanted = both(rule, *arrays, **params)
        np.testing.assert_allclose(got, wanted, rtol=5e-6, atol=1e-6)
        assert execute.notes[rule.__qualname__] == "compiled"


@needs_compiler
@pytest.mark.parametrize(("name", "part", "times"), [("tanh", "sech_squared", 2), ("sigmoid", "logistic_slope", 1)])
def test_the_slopes_of_tanh_and_sigmoid_are_exact_down_to_the_last_subnormal_number(name: str, part: str, times: int) -> None:
    x = np.concatenate([np.linspace(-106 / times, 106 / times, 9001), numbers(100)]).astype("float32")
    rule = ta.activations.catalogue[name].op.rules[0].function
    got, _ = both(rule, np.ones_like(x), x)
    e = np.exp(-times * np.abs(x.astype("float64")))
    wanted = times**2 * e / (1 + e) ** 2
    assert f"{part}f(x)" in cuda.lifted(rule, [x.dtype] * 2, {}, c.Text)[0].body
    assert np.nanmax(np.abs(got - wanted) / np.spacing(wanted.astype("float32"))) < 3.2
    assert (np.isnan(got) == np.isnan(x)).all()


@needs_compiler
def test_a_number_is_the_same_wherever_it_stands() -> None:
    """Neither the place, the address nor the strides decide which instructions a number meets."""
    x = numbers(4096 + 37)
    with config(kernels="auto", large=1):
        whole = F.run(smooth, (x,), {})
        for start in (1, 3, 17, 64, 1000):
            assert same_bits(F.run(smooth, (x[start:],), {}), whole[start:])
        assert same_bits(F.run(smooth, (x[::3],), {}), whole[::3]) and same_bits(F.run(smooth, (x[::-1],), {}), whole[::-1])
        assert same_bits(F.run(smooth, (x[:4000].reshape(50, 80).T,), {}), whole[:4000].reshape(50, 80).T)


@needs_compiler
@pytest.mark.parametrize("shapes", [((40, 30), (30,)), ((40, 30), (40, 1)), ((2, 3, 700), (3, 1)), ((5000,), ()), ((40, 1), (1, 30)), ((0, 4), (4,))])
def test_broadcasting_is_numpys(shapes: Any) -> None:
    a, b = (np.random.default_rng(i).normal(0, 1, s).astype("float32") for i, s in enumerate(shapes))
    got, wanted = both(lambda F, a, b: F.where(a > b, a * b, a - b), a, b)
    assert same_bits(got, wanted)


@needs_compiler
def test_masks_halves_and_several_results() -> None:
    x = numbers(5000)
    got, wanted = both(lambda F, m, x: F.where(m, x, -x), x > 0, x)
    assert same_bits(got, wanted)
    got, wanted = both(lambda F, x: x > 0.5, x)
    assert got.dtype == bool and same_bits(got, wanted)
    got, wanted = both(smooth, numbers(5000, "float16"))
    assert got.dtype == np.float16
    np.testing.assert_allclose(got.astype("f8"), wanted.astype("f8"), rtol=2e-3)
    pair, expected = both(lambda F, x: (x + 1, x * x), x)
    assert all(same_bits(a, b) for a, b in zip(pair, expected, strict=True))


def test_double_and_integers_keep_numpys_bits() -> None:
    got, wanted = both(smooth, numbers(5000, "float64"))
    assert same_bits(got, wanted)
    with config(large=1):
        i = np.arange(-3000, 3000)
        assert (F.run(lambda F, x: x * x + 1, (i,), {}) == i * i + 1).all()
        with pytest.raises(ta.errors.TinygradActError, match="divided by 0"):
            ta.tensor(i) // ta.tensor(i)


def test_a_rule_that_hands_on_an_input_hands_on_that_very_array() -> None:
    g = numbers(5000)
    for kernels in ("auto", "tiles"):
        with config(kernels=kernels, large=1):
            assert F.run(lambda F, g, x: g, (g, g + 1), {}) is g


@pytest.mark.parametrize("rule", [lambda F, g, x: (g,), lambda F, g, x: (F.reshape(g, g.shape),), lambda F, g, x: (x + g,)])
def test_a_change_changes_whatever_the_rule_is(rule: Any) -> None:
    g, x = numbers(5000), numbers(5000) + 1
    expected = rule(F, g, x)[0].copy()
    with config(large=1):
        F.change([x], rule, [g, x], {})
    np.testing.assert_array_equal(x, expected)


# --------------------------------------------------------------------------------------------------- tiles
@pytest.mark.parametrize("shapes", [((5000,),), ((70, 90), (70, 90)), ((70, 90), (90,)), ((70, 90), (70, 1)), ((70, 90), ()), ((1, 6000), (6000,)),
                                    ((9, 8, 7), (8, 1)), ((0, 3), (3,))])
def test_tiles_have_the_bits_of_the_whole(shapes: Any) -> None:
    arrays = [np.random.default_rng(i).normal(0, 1, s).astype("float32") for i, s in enumerate(shapes)]

    def rule(F: Any, *xs: Any) -> Any:
        y = F.exp(-xs[0] * xs[0])
        return y + xs[1] * y if len(xs) > 1 else y

    for count in (1, 2):
        got = tiles.run(lambda *parts: rule(F, *parts), arrays, 256, count)
        assert same_bits(got, np.asarray(rule(F, *arrays)))


def test_tiles_by_several_threads_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "SHARED", 1000)
    x = numbers(20000)
    with config(kernels="tiles", large=1, tile=512, threads=3):
        got = F.run(smooth, (x,), {})
    assert same_bits(got, smooth(F, x))


def test_without_a_compiler_rules_run_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "compiler", lambda: None)
    x = numbers(9000, seed=5)

    def rule(F: Any, x: Any) -> Any:
        return F.exp(x) - 0.123456

    with config(large=1):
        assert same_bits(F.run(rule, (x,), {}), rule(F, x))
    assert "no C compiler" in next(note for name, note in execute.notes.items() if "without_a_compiler" in name)
    assert ("compiler", "none: rules run in tiles") in rows()


def test_the_package_works_where_there_is_no_compiler() -> None:
    """In a process of its own, with nothing to be found on the path."""
    text = ("import numpy as np, tinygrad_act as ta\nfrom tinygrad_act.backend import execute\n"
            "x = ta.tensor(np.linspace(-3, 3, 9000, dtype='float32'), requires_grad=True)\nta.nn.functional.gelu(x).sum().backward()\n"
            "assert execute.notes['gelu'].startswith('in tiles'), execute.notes\nassert abs(float(x.grad[0]) + 0.0119) < 1e-3\n")
    subprocess.run([sys.executable, "-W", "error", "-c", text], check=True, cwd=ROOT, env={**os.environ, "PATH": "/nowhere", "CC": ""}, timeout=60)


# -------------------------------------------------------------------------------------------- settings of rules
@needs_compiler
def test_one_kernel_serves_all_values_of_a_setting_but_those_a_rule_branches_on() -> None:
    x = numbers(3000)
    before = len(execute.ufuncs)

    def scaled(F: Any, x: Any, *, alpha: float) -> Any:
        return x * (1 / alpha) + 0.321

    for alpha in (0.3, 0.7, 0.9):
        assert same_bits(*both(scaled, x, alpha=alpha))
    assert len(execute.ufuncs) == before + 1

    def branching(F: Any, x: Any, *, alpha: float) -> Any:
        return x * 0.654 if alpha > 0.5 else x * alpha

    for alpha in np.linspace(0.01, 0.99, 2 * execute.VALUES).tolist():
        assert same_bits(*both(branching, x, alpha=alpha))
    assert len(execute.ufuncs) <= before + 1 + execute.VALUES


def test_a_rules_own_complaint_comes_through() -> None:
    x = ta.tensor(numbers(5000))
    with config(large=1), pytest.raises(ArgumentError, match="lambd"):
        ta.nn.functional.softshrink(x, -1.0)


# ------------------------------------------------------------------------------------------------ a whole pass
@pytest.mark.parametrize("kernels", ["auto", "tiles", "off"])
def test_gradients_and_gradients_of_gradients(kernels: str) -> None:
    data = np.linspace(-4, 4, 6000)
    with config(kernels=kernels, large=100):
        x = ta.tensor(data.astype("float32"), requires_grad=True)
        y = ta.nn.functional.silu(x * 1.5)
        (g,) = ta.autograd.grad(y.sum(), x, create_graph=True)
        (h,) = ta.autograd.grad(g.sum(), x)
        loss = ta.nn.functional.smooth_l1_loss(ta.nn.functional.silu(x), ta.zeros(6000))
        loss.backward()
    s = 1 / (1 + np.exp(-1.5 * data))
    np.testing.assert_allclose(g.detach().numpy(), 1.5 * (s + 1.5 * data * s * (1 - s)), rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(h.numpy(), 2.25 * s * (1 - s) * (2 + 1.5 * data * (1 - 2 * s)), rtol=2e-4, atol=1e-6)
    assert np.isfinite(x.grad.numpy()).all()


# ------------------------------------------------------------------------------------------------- threads
@needs_compiler
def test_threads_share_a_kernel_and_change_nothing() -> None:
    x = numbers(1 << 18)
    with config(large=1, threads=1):
        alone = F.run(smooth, (x,), {})
        settled()
    with config(large=1, threads=3):
        for _ in range(20):
            assert same_bits(F.run(smooth, (x,), {}), alone)
        results = threads.run([lambda: F.run(smooth, (x,), {})] * 4)              # who finds the helpers busy works alone
    assert len(results) == 4 and all(same_bits(r, alone) for r in results)


@needs_compiler
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_has_threads_of_its_own() -> None:
    text = ("import os, sys, numpy as np, tinygrad_act as ta\nfrom tinygrad_act.backend import execute\n"
            "x = ta.tensor(np.ones(1 << 18, dtype='float32'))\nf = lambda: float(ta.tanh(x).array.sum())\nta.backend.config.threads = 2\n"
            "a = f(); execute._background.submit(int).result(); a = f()\nchild = os.fork()\n"
            "if not child: os._exit(0 if f() == a else 1)\n_, status = os.waitpid(child, 0)\nsys.exit(os.waitstatus_to_exitcode(status) or f() != a)\n")
    subprocess.run([sys.executable, "-c", text], check=True, cwd=ROOT, timeout=60)


@needs_compiler
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", ["relu", "relu6", "hardtanh", "gelu", "silu", "elu", "mish", "maximum", "minimum", "at_most"])
def test_the_signs_of_zeros_are_the_same_for_small_and_large_arrays(name: str, dtype: str) -> None:
    more: dict[str, Any] = {"maximum": lambda x: ta.maximum(x, ta.zeros_like(x)), "minimum": lambda x: ta.minimum(ta.zeros_like(x), x),
                            "at_most": lambda x: ta.clamp(x, max=-0.0)}
    function = more.get(name) or getattr(ta.nn.functional, name)
    pair = ta.tensor([-0.0, 0.0], dtype=getattr(ta, dtype))
    small, whole = function(pair), pair.repeat(4096)
    for _ in range(2):
        large = function(whole)
        settled()
    assert repr(large[-2:].tolist()) == repr(small.tolist())


# ---------------------------------------------------------------------------------------------------- switches
def test_switches_hold_for_a_block_and_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    before = (config.kernels, config.tile, F.large)
    with config(kernels="off", tile=128):
        assert (config.kernels, config.tile) == ("off", 128) and F.large > 1 << 60
    assert (config.kernels, config.tile, F.large) == before
    for wrong in ({"kernels": "no"}, {"tile": 0}, {"threads": 1.5}, {"nothing": 1}, {"memory": "all"}, {"cache": 3}):
        with pytest.raises(ArgumentError), config(**wrong):
            pass
    monkeypatch.setenv("TINYGRAD_ACT_KERNELS", "tiles")
    monkeypatch.setenv("TINYGRAD_ACT_TILE", "4096")
    assert (Config().kernels, Config().tile) == ("tiles", 4096)
    monkeypatch.setenv("TINYGRAD_ACT_TILE", "many")
    with pytest.raises(ArgumentError, match="whole number"):
        Config()


def test_what_becomes_of_memory_cannot_be_chosen_any_more_once_the_package_is_imported() -> None:
    before = config.memory
    other = {"keep": "system", "system": "keep"}[before]
    with pytest.raises(ArgumentError, match=f"memory='{other}'.*TINYGRAD_ACT_MEMORY={other}"):
        config.memory = other
    with pytest.raises(ArgumentError, match="TINYGRAD_ACT_MEMORY"), config(memory=other):
        pass
    assert config.memory == before and f"memory='{before}'" in repr(config)
    with config(memory=before, tile=64):
        assert config.tile == 64
    config.memory = before


def test_memory_is_kept_unless_it_is_said_otherwise() -> None:
    text = "from tinygrad_act.backend import memory; print(memory.state())"
    for name, value in (("TINYGRAD_ACT_MEMORY", "system"), ("MALLOC_TRIM_THRESHOLD_", "131072")):
        out = subprocess.run([sys.executable, "-c", text], check=True, cwd=ROOT, env={**os.environ, name: value}, capture_output=True, text=True)
        assert out.stdout.strip() == "as the system does it"
    assert memory.state() in dict(rows()).values()
