"""The CNN for MNIST: PyTorch's numbers, and 98.65 % of the first 2,000 test digits."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_act as ta
from tests.pretrained import same
from tinygrad_act.errors import ArgumentError, FetchError, ShapeError
from tinygrad_act.pretrained import DigitCNN, EfficientNetLite, SpeakerEncoder, mnist_cnn


def run(theirs: Any, x: Any) -> Any:
    return theirs.classifier(theirs.features(x).flatten(1))


def test_sizes_are_read_off_the_weights() -> None:
    for settings in ({}, {"widths": (3, 5, 7), "size": 16, "channels": 2, "classes": 4, "hidden": 6}, {"batch_norm": True, "dropout": 0.3, "size": 16}):
        model = DigitCNN(**settings).eval()              # type: ignore[arg-type]
        again = DigitCNN.from_state(model.state_dict())
        assert repr(again) == repr(model) and again.size == model.size and not again.training
        x = ta.randn(2, settings.get("channels", 1), model.size, model.size)     # type: ignore[call-overload]
        assert bool((model(x) == again(x)).all())


def test_misuse_is_told() -> None:
    with pytest.raises(ShapeError, match="28"):
        DigitCNN()(ta.zeros(1, 1, 8, 8))
    with pytest.raises(ArgumentError, match="another network"):
        DigitCNN.from_state({"a.weight": ta.zeros(1)})


@pytest.mark.parametrize("wide", [ta.zeros(1, 1).expand(1 << 40, 64), ta.zeros(0, 4), ta.zeros(4), ta.zeros(1 << 12).unfold(0, 1 << 11, 1)],
                         ids=["one number", "none", "one axis", "windows"])
def test_sizes_are_not_taken_from_what_has_no_numbers_for_them(wide: ta.Tensor) -> None:
    conv = {"features.0.weight": ta.zeros(2, 1, 3, 3)}
    for state in ({**conv, "classifier.0.weight": wide, "classifier.2.weight": ta.zeros(3, 4)}, {**conv, "classifier.0.weight": ta.zeros(3, 4), "classifier.2.weight": wide}):
        with pytest.raises(ShapeError, match=r"classifier\.\d\.weight of shape"):
            DigitCNN.from_state(state)
    for load, name in ((EfficientNetLite.from_state, "_conv_head.weight"), (SpeakerEncoder.from_state, "lstm.weight_ih_l0")):
        with pytest.raises(ShapeError, match=name):
            load({name: wide})                           # type: ignore[operator]


def test_random_weights_give_pytorchs_numbers_and_gradients() -> None:
    model = DigitCNN()
    theirs = same.twin(model, lambda torch: same.torch_models().torch_digits())
    x = ta.randn(4, 1, 28, 28)
    (tx,) = same.as_torch(x)
    same.near(model(x), run(theirs, tx), 1e-5)
    (model(x) ** 2).sum().backward()
    (run(theirs, tx) ** 2).sum().backward()
    same.gradients(model, theirs, 1e-4)


@pytest.fixture(scope="module")
def model() -> DigitCNN:
    same.weights("mnist-cnn")
    return mnist_cnn(download=False)


def test_the_real_one_is_pytorchs(model: DigitCNN) -> None:
    x = same.waves(2, 1, 28, 28)
    same.matches_stored("mnist-cnn", model(x).detach())
    theirs = same.twin(model, lambda torch: same.torch_models().torch_digits())
    same.near(model(x), run(theirs, *same.as_torch(x)))


def test_it_knows_digits(model: DigitCNN) -> None:
    try:
        data = ta.datasets.MNIST(train=False, download=False)
    except FetchError as error:
        pytest.skip(str(error))
    found = model.predict(data.data[:2000])
    assert int((found == data.targets[:2000]).sum()) == 1973         # 98.65 %
    assert bool((model.predict(data.data[:10].float() / 255) == found[:10]).all())
