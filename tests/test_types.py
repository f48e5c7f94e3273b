"""The types are what the code does: the generated stubs are current, and a checker knows a user's right lines from wrong ones."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_act
from tinygrad_act.ops import stubs

PACKAGE = Path(tinygrad_act.__file__).parent

RIGHT = '''
from typing import NamedTuple

import tinygrad_act as ta
import tinygrad_act.nn.functional as F
from tinygrad_act import Tensor, nn, optim
from tinygrad_act.autograd import grad
from tinygrad_act.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(4, width), nn.Linear(width, 3)
        self.act = nn.Sequential(nn.GELU("tanh"), nn.LeakyReLU(0.2), nn.Softplus(beta=2.0), nn.Swish())
        self.scale = nn.Parameter(ta.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.act(self.hidden(x)) * self.scale
        return F.relu(F.silu(self.out(h)), inplace=True)


def operators(x: Tensor, y: Tensor) -> list[Tensor]:
    z = 2 * x + y / 3 - 1.5 ** x
    z = -z @ y.T + abs(z) % 2
    z += 1
    z[0, 1:] = 0.0
    mask = (x > 0) & ~(y <= 1.0)
    z = ta.where(mask, z, 0.5)
    return [z, z[mask], z[..., None], x == y, x ** 2, 1 - x]


def methods(x: Tensor) -> Tensor:
    values, indices = x.sort(dim=-1, descending=True)
    largest = x.max(dim=0)
    pair: NamedTuple = largest
    smallest, where = ta.min(x, 1, keepdim=True)
    total: Tensor = x.sum() + x.mean((0, 1), keepdim=True) + x.std(axis=0, keepdims=True) + x.max()
    shape: tuple[int, ...] = x.shape + x.size()
    rows: int = x.size(0) + x.dim() + len(x) + x.numel() + int(x[0, 0]) + x.argmax().item()
    names = [t.reshape(-1, 2).permute(1, 0).unsqueeze(-1) for t in x.split(2)]
    x.add_(1).mul_(other=2.0).clamp_(min=0.0)
    same: nn.Parameter = nn.Parameter(x).requires_grad_().zero_()
    moved = x.to("cpu").to(ta.float64).double().cpu()
    chosen = [x.nonzero(as_tuple=True)[0], x.nonzero(), *ta.where(x > 0), x.topk(2).indices, *x.unbind(), x.unique()]
    return ta.cat([values, largest.values, smallest, total, moved, *names, *chosen], dim=0)


def functional(x: Tensor, labels: Tensor) -> Tensor:
    out: Tensor = F.gelu(x, approximate="tanh") + F.swish(x) + F.hardshrink(x, 0.1) + F.leaky_relu(x, negative_slope=0.1)
    out = out + ta.relu(x) + ta.sigmoid(x) + x.tanh() + F.one_hot(labels, 3) + F.dropout(x, 0.5, training=False)
    return F.cross_entropy(out, labels, reduction="mean", label_smoothing=0.1)


def train(x: Tensor, labels: Tensor) -> float:
    net, loss_function = Net(), nn.CrossEntropyLoss()
    optimizer = optim.AdamW(net.parameters(), lr=1e-3)
    loader = DataLoader(TensorDataset(x, labels), batch_size=4, shuffle=True)
    total = 0.0
    for batch, targets in loader:
        optimizer.zero_grad()
        loss: Tensor = loss_function(net(batch), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        total += loss.item()
    with ta.no_grad():
        net.load_state_dict(net.state_dict())
    ta.save(net.state_dict(), "net.safetensors")
    return total


@ta.no_grad()
def second_derivative() -> Tensor | None:
    x = ta.tensor([1.0, 2.0], dtype=ta.float64, requires_grad=True)
    (g,) = grad((x * x * x).sum(), x, create_graph=True)
    assert g is not None
    (h,) = grad(g.sum(), [x])
    cube = ta.Op("cube", lambda F, x: x * x * x, lambda F, g, x: g * (3 * x * x))
    jacobian = ta.autograd.functional.jacobian(lambda t: t * t, x)
    ta.manual_seed(0)
    noise = ta.randn(2, 3, generator=ta.Generator(), device="cpu") + ta.zeros((2, 3)) + ta.arange(3)
    x.register_hook(lambda g: g * 2)
    return h
'''

# A line each, and what must be wrong with it.
WRONG = {
    "x.sum('all')": "arg-type",
    "x + 'one'": "operator",
    "'one' - x": "operator",
    "x.relu(inplaces=True)": "call-arg",
    "x.no_such_method()": "attr-defined",
    "ta.no_such_function(x)": "attr-defined",
    "ta.add(x, 'two')": "arg-type",
    "ta.cat(x, dim='rows')": "arg-type",
    "number: int = x.mean()": "assignment",
    "pair: Tensor = x.max(dim=1)": "assignment",
    "x.sort().largest": "attr-defined",
    "ta.tensor()": "call-arg",
    "ta.nn.functional.gelu(x, approximate=1.0)": "arg-type",
    "ta.nn.functional.cross_entropy([1.0], x)": "arg-type",
    "ta.nn.NoSuchLayer()": "attr-defined",
    "ta.nn.Linear('4', 2)": "arg-type",
    "ta.nn.LeakyReLU('steep')": "arg-type",
    "ta.nn.GELU(approximately='tanh')": "call-arg",
    "ta.optim.SGD([x], lr='fast')": "arg-type",
    "x.requires_grad = 'yes'": "assignment",
    "x.shape = (1, 2)": "misc",
    "ta.manual_seed('seed')": "arg-type",
}


def check(tmp_path: Path, program: str) -> list[str]:
    """What mypy, at its strictest, says of a program."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    file = tmp_path / "program.py"
    file.write_text(program)
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11", "--no-error-summary", "--hide-error-context",
                           "--config-file", PACKAGE.parent / "pyproject.toml", "--cache-dir", PACKAGE.parent / ".mypy_cache", file],
                          cwd=tmp_path, env={**os.environ, "MYPYPATH": str(PACKAGE.parent)}, capture_output=True, text=True, check=False)
    assert not done.stderr and done.returncode in (0, 1), done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith(file.name)]


@pytest.mark.parametrize("place", sorted(stubs.texts()))
def test_stubs_are_current(place: str) -> None:
    assert (PACKAGE / place).read_text() == stubs.texts()[place], \
        f"tinygrad_act/{place} is behind the code: run `python -m tinygrad_act.ops.stubs`"


def test_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()


def test_a_right_program_passes(tmp_path: Path) -> None:
    assert check(tmp_path, RIGHT) == []


def test_wrong_lines_are_refused(tmp_path: Path) -> None:
    head = ["import tinygrad_act as ta", "from tinygrad_act import Tensor", "x = ta.ones(2, 3)"]
    said = check(tmp_path, "\n".join([*head, *WRONG]) + "\n")
    for number, (line, code) in enumerate(WRONG.items(), len(head) + 1):
        about = [s for s in said if s.startswith(f"program.py:{number}:") and ": error:" in s]
        assert any(f"[{code}]" in s for s in about), f"{line}: {about or 'nothing was said'}"
