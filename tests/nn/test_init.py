"""Initial values: their distributions and errors are PyTorch's; gains are PyTorch's or what quadrature says."""

from __future__ import annotations

import inspect
import itertools
import math
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.ops.against_torch import torch
from tinygrad_act.errors import ArgumentError, ShapeError
from tinygrad_act.nn import init

theirs = torch.nn.init
FILLS = [n for n in init.__all__ if n.endswith("_")]


def values(t: ta.Tensor) -> np.ndarray:
    return np.array(t.tolist())


@pytest.mark.parametrize("name", init.__all__)
def test_signatures_are_pytorchs(name: str) -> None:
    def named(f: Any) -> list[Any]:
        return [(p.name, p.default) for p in inspect.signature(f).parameters.values() if p.name not in ("args", "kwargs", "computed")]
    if name.endswith("_") or name == "calculate_gain":
        assert named(getattr(init, name)) == named(getattr(theirs, name))
    assert set(init.__all__) == set(theirs.__all__)


# name, arguments, shape, (mean, deviation, least, largest)
DRAWN = [
    ("uniform_", (-1.0, 3.0), (100, 50), (1.0, 4 / math.sqrt(12), -1.0, 3.0)),
    ("normal_", (1.0, 2.0), (100, 50), (1.0, 2.0, -math.inf, math.inf)),
    ("trunc_normal_", (0.0, 1.0, -1.0, 1.0), (100, 50), (0.0, 0.5396, -1.0, 1.0)),
    ("xavier_uniform_", (2.0,), (100, 50), (0.0, 2 * math.sqrt(2 / 150), -2 * math.sqrt(6 / 150), 2 * math.sqrt(6 / 150))),
    ("xavier_normal_", (), (20, 10, 5, 5), (0.0, math.sqrt(2 / 750), -math.inf, math.inf)),
    ("kaiming_uniform_", (math.sqrt(5),), (100, 50), (0.0, 1 / math.sqrt(150), -1 / math.sqrt(50), 1 / math.sqrt(50))),
    ("kaiming_normal_", (0, "fan_out", "relu"), (20, 10, 5, 5), (0.0, math.sqrt(2 / 500), -math.inf, math.inf)),
    ("kaiming_normal_", (0, "fan_in", "gelu"), (100, 50), (0.0, 1.533530441 / math.sqrt(50), -math.inf, math.inf)),
    ("orthogonal_", (2.0,), (100, 50), (0.0, 2 / math.sqrt(100), -2.0, 2.0))]


@pytest.mark.parametrize(("name", "arguments", "shape", "facts"), DRAWN, ids=[f"{d[0]}{i}" for i, d in enumerate(DRAWN)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_drawn_numbers(name: str, arguments: Any, shape: Any, facts: Any, dtype: str) -> None:
    ta.manual_seed(3)
    mean, deviation, least, largest = facts
    p = ta.nn.Parameter(ta.zeros(shape, dtype=dtype))
    assert getattr(init, name)(p, *arguments) is p and p.requires_grad and p.grad_fn is None
    v = values(p.detach())
    near = 5 * deviation / math.sqrt(v.size)
    assert abs(v.mean() - mean) < near and abs(v.std() - deviation) < near
    assert least - 1e-3 <= v.min() and v.max() <= largest + 1e-3
    again = init.__dict__[name](ta.zeros(shape, dtype=dtype), *arguments)
    assert again.tolist() != p.tolist()


@pytest.mark.parametrize("name", ["uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "kaiming_normal_", "orthogonal_"])
def test_a_generator_decides_what_is_drawn(name: str) -> None:
    def drawn(seed: int) -> Any:
        return getattr(init, name)(ta.empty(3, 4), generator=ta.Generator().manual_seed(seed)).tolist()
    if ta.backend.current() == "numpy":
        assert drawn(1) == drawn(1) != drawn(2)


@pytest.mark.parametrize(("a", "b"), [(9.0, 30.0), (-30.0, -9.0), (3.0, 3.5)])
@pytest.mark.filterwarnings("ignore:mean is more than 2 std:UserWarning")
def test_truncated_in_a_tail(a: float, b: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    v = values(init.trunc_normal_(ta.empty(20000, dtype=ta.float64), a=a, b=b))
    wanted = stats.truncnorm(a, b)
    assert a <= v.min() and v.max() <= b
    assert abs(v.mean() - wanted.mean()) < 5 * wanted.std() / math.sqrt(v.size)


def test_constants_and_identities() -> None:
    for name, arguments, shape in (("constant_", (0.3,), (2, 3)), ("ones_", (), ()), ("zeros_", (), (0, 2)), ("eye_", (), (3, 5)),
                                   ("eye_", (), (5, 3)), ("dirac_", (), (3, 16, 5, 4)), ("dirac_", (3,), (6, 3, 4)),
                                   ("dirac_", (3,), (9, 2, 3, 3, 3)), ("dirac_", (), (2, 3, 1))):
        ours = getattr(init, name)(ta.full(shape, 9.0), *arguments)
        np.testing.assert_array_equal(values(ours).reshape(shape), getattr(theirs, name)(torch.full(shape, 9.0), *arguments).numpy())


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3), (1, 4)])
def test_orthogonal_has_orthonormal_rows_or_columns(shape: tuple[int, ...]) -> None:
    w = values(init.orthogonal_(ta.empty(shape, dtype=ta.float64), gain=3.0)).reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, 9 * np.eye(min(w.shape)), atol=1e-12)


def test_orthogonal_of_half_precision_and_of_nothing() -> None:
    w = values(init.orthogonal_(ta.empty(4, 4, dtype=ta.float16)))
    np.testing.assert_allclose(w @ w.T, np.eye(4), atol=5e-3)
    assert init.orthogonal_(ta.empty(0, 3)).shape == (0, 3)


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.55, 1.0])
def test_sparse_zeroes_a_share_of_each_column(sparsity: float) -> None:
    w = values(init.sparse_(ta.empty(20, 6), sparsity, std=2.0))
    assert ((w == 0).sum(0) == math.ceil(sparsity * 20)).all()


@pytest.mark.parametrize("name", [n[:-1] for n in FILLS if n[:-1] in init.__all__])
def test_old_names_warn(name: str) -> None:
    arguments = {"constant": (1.0,), "sparse": (0.5,)}.get(name, ())
    shape = (2, 2, 3) if name == "dirac" else (2, 2)
    with pytest.warns(FutureWarning, match=f"nn.init.{name}_"):
        getattr(init, name)(ta.empty(shape), *arguments)


def test_fans() -> None:
    for shape in ((3, 5), (3, 5, 2, 4), (0, 3)):
        assert init._calculate_fan_in_and_fan_out(ta.empty(shape)) == theirs._calculate_fan_in_and_fan_out(torch.empty(shape))


def test_misuse() -> None:
    for name in ("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_"):
        with pytest.raises(ShapeError, match="two (axes|dims)"):
            getattr(init, name)(ta.empty(3))
    for name, shape in (("eye_", (3,)), ("dirac_", (3, 3)), ("sparse_", (3,))):
        with pytest.raises(ShapeError, match="axes"):
            getattr(init, name)(ta.empty(shape), *([0.1] if name == "sparse_" else []))
    with pytest.raises(ShapeError, match="groups"):
        init.dirac_(ta.empty(4, 2, 3), 3)
    for call in (lambda: init.kaiming_normal_(ta.empty(2, 2), mode="fan"), lambda: init.kaiming_normal_(ta.empty(2, 2), nonlinearity="gelou"),
                 lambda: init.uniform_(ta.empty(2), 1, 0), lambda: init.normal_(ta.empty(2), std=-1), lambda: init.trunc_normal_(ta.empty(2), a=1, b=1),
                 lambda: init.sparse_(ta.empty(2, 2), 1.5), lambda: init.ones_([1.0])):
        with pytest.raises(ArgumentError):
            call()
    with pytest.warns(UserWarning, match="no-op"):
        init.kaiming_normal_(ta.empty(0, 2))
    with pytest.warns(UserWarning, match="more than 2 std"):
        init.trunc_normal_(ta.empty(2), a=3, b=4)


# -------------------------------------------------------------------------------------------------------- gains
@pytest.mark.parametrize("name", ["linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
                                  "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gains_that_pytorch_has(name: str) -> None:
    for param in (None, 0.3):
        assert init.calculate_gain(name, param) == theirs.calculate_gain(name, param)


def computed(name: str, param: float | None = None) -> float:
    return init.calculate_gain(name, param, computed=True)


def test_gains_in_closed_form() -> None:
    for name, moment in (("relu", 1 / 2), ("leaky_relu", (1 + 1e-4) / 2), ("linear", 1), ("squared_relu", 3 / 2), ("exponential", math.e**2),
                         ("crelu", 1 / 2), ("bilinear_glu", 1), ("reglu", 1 / 2), ("maxout", 1), ("hardmax", 1 / 2), ("conv2d", 1),
                         ("normal_cdf", 1 / 3), ("gaussian", 1 / math.sqrt(5)), ("selu", 1)):
        assert computed(name) == pytest.approx(moment**-0.5, rel=1e-9), name
    assert computed("leaky_relu", 0.2) == pytest.approx(init.calculate_gain("leaky_relu", 0.2), rel=1e-12)
    assert init.calculate_gain("hardtanh") == computed("hard_tanh") == computed("Hardtanh")


@pytest.mark.parametrize("name", [n for n, r in ta.activations.catalogue.items() if r.op.elementwise])
def test_gains_by_another_quadrature(name: str) -> None:
    """scipy's adaptive one, over the activation itself, a number at a time."""
    integrate = pytest.importorskip("scipy.integrate")
    record = ta.activations.catalogue[name]
    initial = [ta.tensor(v, dtype=ta.float64, device="cpu") for v in record.initial.values()]

    def integrand(z: float) -> float:
        y = record.op(ta.tensor(z, dtype=ta.float64, device="cpu"), *initial).item()
        return float(y * y * math.exp(-z * z / 2) / math.sqrt(2 * math.pi))
    ends = sorted({-12.0, -1.0, 0.0, 1.0, 12.0, *(k for k in record.kinks() if abs(k) < 12)})
    moment = sum(integrate.quad(integrand, a, b, epsabs=1e-9, epsrel=1e-8)[0] for a, b in itertools.pairwise(ends))
    assert computed(name) == pytest.approx(1 / math.sqrt(moment), rel=1e-7)


def test_gains_of_shares_by_the_difference_of_their_two_elements() -> None:
    integrate = pytest.importorskip("scipy.integrate")
    shares = {"softmax": lambda d: 1 / (1 + math.exp(-d)), "sparsemax": lambda d: min(max((1 + d) / 2, 0.0), 1.0)}
    for name, share in shares.items():
        moment = sum(integrate.quad(lambda u, f=share: f(math.sqrt(2) * u)**2 * math.exp(-u * u / 2) / math.sqrt(2 * math.pi), a, b)[0]
                     for a, b in ((-9, -0.5**0.5), (-0.5**0.5, 0.5**0.5), (0.5**0.5, 9)))
        assert computed(name) == pytest.approx(moment**-0.5, rel=1e-7)


@pytest.mark.parametrize("name", ["gelu", "silu", "elu", "tanh", "swiglu", "maxout"])
def test_a_computed_gain_keeps_what_goes_into_the_next_activation_at_1(name: str) -> None:
    ta.manual_seed(0)
    x = getattr(ta.nn.functional, name)(ta.randn(400, 600))
    z = x @ init.normal_(ta.empty(x.shape[1], 600), std=computed(name) / math.sqrt(x.shape[1]))
    assert 0.95 < (z * z).mean().item() < 1.05


def test_params_and_names_that_are_none() -> None:
    assert computed("elu", 0.5) != computed("elu")
    assert computed("elu", 1) == pytest.approx(computed("elu"), rel=1e-12)
    for call in (lambda: init.calculate_gain("gelou"), lambda: init.calculate_gain("leaky_relu", True), lambda: init.calculate_gain("gelu", 0.1),
                 lambda: init.calculate_gain("leaky_relu", "a"), lambda: init.calculate_gain("hard_shrink", 60.0), lambda: init.calculate_gain(None),
                 lambda: init.calculate_gain("softmax", 2.0)):
        with pytest.raises(ArgumentError):
            call()
    with pytest.raises(ArgumentError, match="gelu"):
        init.calculate_gain("geluu")
