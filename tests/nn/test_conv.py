"""Convolutions as modules: what they compute, hold, print and refuse; and what a wrong flatten after them says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError, ShapeError

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")           # what PyTorch says of its own copy
MODES = ["zeros", "reflect", "replicate", "circular"]


def pytorch() -> Any:
    return pytest.importorskip("tests.ops.against_torch", exc_type=ImportError)


def alike(name: str, *args: Any, shape: tuple[int, ...], call: tuple[Any, ...] = (), **settings: Any) -> None:
    """Our module and PyTorch's, with the same weights: the same result, gradients, state and text."""
    t = pytorch()
    ours = getattr(nn, name)(*args, **settings, dtype=ta.float64).to(ta.backend.current_device())
    theirs = getattr(t.torch.nn, name)(*args, **settings, dtype=t.torch.float64)
    ours.load_state_dict({k: ta.tensor(t.read(v)) for k, v in theirs.state_dict().items()})
    assert repr(ours) == repr(theirs).replace(", dtype=torch.float64", "")
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: tuple(v.shape) for k, v in theirs.state_dict().items()}
    x = t.array(*shape)
    mine = ta.tensor(x, requires_grad=True, device=ta.backend.current_device())
    other = t.torch.tensor(x, requires_grad=True)
    y, z = ours(mine, *call), theirs(other, *call)
    np.testing.assert_allclose(t.read(y), t.read(z.detach()), atol=1e-12)
    (y * y).sum().backward()
    (z * z).sum().backward()
    for a, b in [(mine, other), *zip(ours.parameters(), theirs.parameters(), strict=True)]:
        np.testing.assert_allclose(t.read(a.grad), t.read(b.grad), atol=1e-10)
    for what in ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode", "transposed",
                 "output_padding"):
        assert getattr(ours, what) == getattr(theirs, what), what


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("padding", [0, 1, (2, 1), "same", "valid"])
def test_padding_modes_as_pytorchs(mode: str, padding: Any) -> None:
    alike("Conv2d", 3, 4, (3, 2), shape=(2, 3, 6, 7), padding=padding, padding_mode=mode)


@pytest.mark.parametrize("settings", [{}, {"bias": False}, {"stride": 2, "padding": 1}, {"dilation": 2, "groups": 2}, {"padding": "same", "dilation": 3}])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_convolutions_as_pytorchs(dims: int, settings: dict[str, Any]) -> None:
    alike(f"Conv{dims}d", 4, 6, 2, shape=(2, 4, *(7, 6, 5)[:dims]), **settings)
    alike(f"Conv{dims}d", 4, 6, 2, shape=(4, *(7, 6, 5)[:dims]), **settings)


@pytest.mark.parametrize("settings", [{}, {"stride": 2, "output_padding": 1}, {"dilation": 2, "groups": 2, "bias": False}, {"stride": 3, "padding": 1}])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_transposed_convolutions_as_pytorchs(dims: int, settings: dict[str, Any]) -> None:
    alike(f"ConvTranspose{dims}d", 4, 6, 3, shape=(2, 4, *(4, 3, 5)[:dims]), **settings)
    alike(f"ConvTranspose{dims}d", 4, 6, 3, shape=(4, *(4, 3, 5)[:dims]), **settings)


@pytest.mark.parametrize("size", [(9, 11), (10, 12), (2, 5, 10, 11)])
def test_the_size_of_a_transposed_result_can_be_chosen(size: tuple[int, ...]) -> None:
    alike("ConvTranspose2d", 3, 5, 3, shape=(2, 3, 4, 5), call=(size,), stride=2)


def test_output_sizes_that_cannot_be() -> None:
    layer = nn.ConvTranspose2d(3, 5, 3, stride=2)
    with pytest.raises(ShapeError, match=r"from \(9, 11\) to \(10, 12\)"):
        layer(ta.ones(2, 3, 4, 5), output_size=(11, 11))
    with pytest.raises(ShapeError, match="2 sizes"):
        layer(ta.ones(2, 3, 4, 5), output_size=(9, 9, 9))


def test_they_start_as_pytorchs() -> None:
    t = pytorch()
    ta.manual_seed(0)
    t.torch.manual_seed(0)
    for name, args in (("Conv2d", (16, 64, 3)), ("ConvTranspose2d", (64, 16, 3)), ("Conv1d", (32, 64, 5, 1, 0, 1, 4))):
        ours, theirs = getattr(nn, name)(*args), getattr(t.torch.nn, name)(*args)
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            mine, other = np.array(a.tolist()), b.detach().numpy()
            assert a.shape == tuple(b.shape)
            assert abs(mine).max() == pytest.approx(abs(other).max(), rel=0.3) and abs(mine.mean()) < 4 * other.std() / math.sqrt(mine.size)


@pytest.mark.parametrize("wrong", [
    {"groups": 0}, {"groups": 3}, {"padding_mode": "mirror"}, {"padding": "full"}, {"padding": "same", "stride": 2}, {"kernel_size": (3, 3, 3)},
    {"kernel_size": 0}, {"kernel_size": 2.5}, {"in_channels": -4}])
def test_wrong_arguments_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        nn.Conv2d(**({"in_channels": 4, "out_channels": 4, "kernel_size": 3} | wrong))


def test_a_transposed_convolution_knows_zeros_only() -> None:
    with pytest.raises(ArgumentError, match="zeros only"):
        nn.ConvTranspose2d(4, 4, 3, padding_mode="reflect")


# ------------------------------------------------------------------------------------- a flatten that does not fit
class Net(nn.Module):
    """As in many a text: 8·8 is what padded convolutions of 32×32 would leave, and these are not padded."""

    def __init__(self, flat: int) -> None:
        super().__init__()
        self.flat = flat
        self.conv1, self.conv2, self.fc = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3), nn.Linear(flat, 10)

    def forward(self, x: ta.Tensor) -> ta.Tensor:
        x = self.conv2(self.conv1(x))
        return self.fc(x.view(-1, self.flat))


def test_a_flatten_that_does_not_divide_says_what_would() -> None:
    with pytest.raises(ShapeError, match=r"rows of 384, and each of the 2 along dim 0 has 6·12·12 = 864; write \(-1, 864\) or flatten"):
        Net(6 * 8 * 8)(ta.ones(2, 3, 16, 16))


def test_a_linear_that_does_not_fit_says_what_would() -> None:
    with pytest.raises(ShapeError, match=r"in_features, 384, and it is 864.*Linear\(864, 10\)"):
        nn.Linear(384, 10)(nn.Flatten()(ta.ones(2, 6, 12, 12)))
    with pytest.raises(ShapeError, match=r"flatten.*864"):
        nn.Linear(864, 10)(ta.ones(2, 6, 12, 12))


def test_a_flatten_that_mixes_the_samples_is_found_at_the_loss() -> None:
    scores = Net(6 * 6 * 6)(ta.ones(2, 3, 16, 16))          # 4 rows of 216 out of each sample's 864
    with pytest.raises(ShapeError, match=r"\(8, 10\).*\(2,\).*use flatten"):
        nn.functional.cross_entropy(scores, ta.tensor([0, 1]))


def test_a_small_network_learns() -> None:
    ta.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 4, 3, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(36, 2))
    x = ta.randn(32, 1, 8, 8)
    target = (x[:, 0, :4].sum((1, 2)) > x[:, 0, 4:].sum((1, 2))).long()
    optimizer, losses = ta.optim.Adam(net.parameters(), lr=0.01), []
    for _ in range(25):
        loss = nn.functional.cross_entropy(net(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
