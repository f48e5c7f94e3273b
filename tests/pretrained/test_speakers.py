"""The speaker encoder: PyTorch's numbers, a spectrogram that is librosa's, and it tells voices apart."""

from __future__ import annotations

import pytest

import tinygrad_act as ta
from tests.pretrained import same
from tinygrad_act.errors import ArgumentError, FetchError, ShapeError
from tinygrad_act.pretrained import MelSpectrogram, SpeakerEncoder, louder, resemblyzer, sample_speech


def twin(model: SpeakerEncoder) -> object:
    lstm = model.lstm
    return same.twin(model, lambda torch: same.torch_models().TorchSpeaker(lstm.input_size, lstm.hidden_size, lstm.num_layers,
                                                                           model.linear.out_features))


def test_random_weights_give_pytorchs_numbers_and_gradients() -> None:
    model = SpeakerEncoder(5, 6, 2, 4).double()
    theirs = twin(model)
    x = ta.rand(3, 9, 5, dtype=ta.float64) * 3
    (tx,) = same.as_torch(x)
    same.near(model(x), theirs(tx), 1e-12)               # type: ignore[operator]
    weight = ta.arange(4.0, dtype=ta.float64)
    (model(x) @ weight).sum().backward()
    (theirs(tx) @ same.as_torch(weight)[0]).sum().backward()     # type: ignore[operator]
    same.gradients(model, theirs, 1e-9)
    again = SpeakerEncoder.from_state({**model.state_dict(), "similarity_weight": ta.ones(1)})
    assert repr(again) == repr(model)


def test_the_spectrum_is_pytorchs() -> None:
    mel = MelSpectrogram()
    wave = same.waves(4000)
    torch_models = same.torch_models()
    (tw,) = same.as_torch(wave)
    same.near(mel(wave), torch_models.mel_power(tw) @ same.as_torch(mel.filters)[0].T, 1e-4)
    assert mel(wave.reshape(2, 2000)).shape == (2, 13, 40)
    assert not SpeakerEncoder(hidden=2, embedding=2).state_dict().keys() & {"mel.basis", "mel.filters"}


def test_the_filters_are_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    same.near(MelSpectrogram().filters, ta.tensor(librosa.filters.mel(sr=16000, n_fft=400, n_mels=40)), 1e-6)


def test_the_spectrogram_gives_the_stored_numbers() -> None:
    """What librosa 0.11 gave."""
    same.matches_stored("librosa", MelSpectrogram()(same.waves(1600)))


def test_a_recording_is_cut_as_the_package_does() -> None:
    model = SpeakerEncoder(hidden=2, layers=1, embedding=2)
    for samples, parts in ((1, 1), (16000, 1), (25599, 1), (25600, 1), (48000, 3), (60000, 4), (112000, 8)):
        assert model.partials(ta.zeros(samples)).shape == (parts, 160, 40), samples
    assert model.partials(ta.zeros(48000), rate=5).shape[0] == 9
    wave = ta.zeros(48000)
    for rate in (0.5, 0.0, 1000.0):
        with pytest.raises(ArgumentError, match="a second"):
            model.partials(wave, rate=rate)
    with pytest.raises(ShapeError, match="one channel"):
        model.embed(ta.zeros(2, 3))
    with pytest.raises(ArgumentError, match="recordings"):
        model.embed_speaker([])


def test_quiet_speech_is_raised() -> None:
    quiet = same.waves(1000) * 1e-4
    assert louder(quiet).square().mean().sqrt().item() == pytest.approx(10 ** (-30 / 20), rel=1e-4)
    loud = same.waves(1000)
    assert bool((louder(loud) == loud).all())


@pytest.fixture(scope="module")
def model() -> SpeakerEncoder:
    same.weights("resemblyzer")
    return resemblyzer(download=False)


def test_the_real_one_is_pytorchs(model: SpeakerEncoder) -> None:
    mels = model.partials(same.waves(20000) * 0.2)
    found = model(mels).detach()
    same.matches_stored("resemblyzer", found)
    same.near(found, twin(model)(*same.as_torch(mels)))          # type: ignore[operator]


def test_it_tells_voices_apart(model: SpeakerEncoder) -> None:
    try:
        first, again, other = [louder(sample_speech(name, download=False)) for name in ("novel 1", "novel 3", "cards 5")]
    except FetchError as error:
        pytest.skip(str(error))
    a, b, c = [model.embed(wave) for wave in (first, again, other)]
    assert (a @ b).item() > 0.85 and (a @ c).item() < 0.75
    assert (model.embed_speaker([first, again]) @ a).item() > 0.95


def test_it_hears_who_speaks_in_a_conversation(model: SpeakerEncoder) -> None:
    try:
        wave, turns = ta.pretrained.sample_conversation(download=False)
    except FetchError as error:
        pytest.skip(str(error))
    assert wave.shape == (30 * 16_000,) and len({who for *_, who in turns}) == 2 and all(0 < a < b <= 30 for a, b, _ in turns)
    long = [(who, model.embed(louder(wave[int(a * 16_000):int(b * 16_000)]))) for a, b, who in turns if b - a > 3]
    same = [(x @ y).item() for i, (p, x) in enumerate(long) for q, y in long[:i] if p == q]
    other = [(x @ y).item() for i, (p, x) in enumerate(long) for q, y in long[:i] if p != q]
    assert len(long) == 4 and min(same) > max(other)
