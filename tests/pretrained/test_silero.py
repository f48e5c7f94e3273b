"""Silero VAD: PyTorch's numbers, chunk by chunk, and it hears who speaks."""

from __future__ import annotations

import pytest

import tinygrad_act as ta
from tests.pretrained import same
from tinygrad_act.errors import FetchError, ShapeError
from tinygrad_act.pretrained import SileroVAD, sample_speech, silero_vad


def speech(name: str) -> ta.Tensor:
    try:
        return sample_speech(name, download=False)
    except FetchError as error:
        pytest.skip(str(error))


def test_random_weights_give_pytorchs_numbers_and_gradients() -> None:
    model = SileroVAD().double()
    theirs = same.twin(model, lambda torch: same.torch_models().TorchVAD())
    wave = ta.randn(1600, dtype=ta.float64) * 0.1
    (tw,) = same.as_torch(wave)
    same.near(model.probabilities(wave), theirs.probabilities(tw), 1e-10)
    x = ta.randn(3, 576, dtype=ta.float64)
    (tx,) = same.as_torch(x)
    p, state = model(x)
    q, state = model(x * 0.5, state)
    tp, ts = theirs(tx)
    tq, _ = theirs(tx * 0.5, ts)
    same.near(q, tq, 1e-10)
    (p * q).log().sum().backward()
    (tp * tq).log().sum().backward()
    theirs.stft_conv.weight.grad = None                  # the Fourier transform does not learn
    same.gradients(model, theirs, 1e-8)


def test_state_is_carried_and_modes_are_kept() -> None:
    model = SileroVAD()
    model.conv1.eval()
    p = model.probabilities(ta.randn(2048))
    assert p.shape == (4,) and not p.requires_grad and model.training and not model.conv1.training
    with pytest.raises(ShapeError, match="one channel"):
        model.probabilities(ta.zeros(2, 100))
    with pytest.raises(ShapeError, match="576"):
        model(ta.zeros(1, 512))


@pytest.fixture(scope="module")
def model() -> SileroVAD:
    pytest.importorskip("safetensors")
    same.weights("silero-vad")
    return silero_vad(download=False)


def test_the_real_one_is_pytorchs(model: SileroVAD) -> None:
    wave = same.waves(8000) * 0.3
    found = model.probabilities(wave)
    same.matches_stored("silero-vad", found)
    theirs = same.twin(model, lambda torch: same.torch_models().TorchVAD())
    same.near(found, theirs.probabilities(*same.as_torch(wave)))


def test_silence_and_noise_are_no_speech(model: SileroVAD) -> None:
    ta.manual_seed(0)
    for wave in (ta.zeros(32000), ta.randn(32000) * 0.1, ta.sin(ta.arange(32000) * 0.1) * 0.3):
        assert model.probabilities(wave).mean().item() < 0.03
        assert model.speech(wave) == []


def test_speech_is_heard(model: SileroVAD) -> None:
    wave = speech("novel 1")
    p = model.probabilities(wave)
    theirs = same.twin(model, lambda torch: same.torch_models().TorchVAD())
    assert p.mean().item() > 0.9
    same.near(p, theirs.probabilities(*same.as_torch(wave)))
    assert model.speech(wave) == [(0.224, 6.88)]
    assert model.speech(ta.cat([ta.zeros(16000), wave, ta.zeros(16000)]))[0][0] >= 1.0
