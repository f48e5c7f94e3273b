"""Real speech and real pictures to try networks on: a few files of other packages, fetched when asked for."""

from __future__ import annotations

import io
import os
import wave
from pathlib import Path
from typing import Any

from .. import dtypes
from ..datasets.fetch import fetch
from ..datasets.readers import tensor
from ..datasets.sources import Source
from ..errors import ArgumentError, FileError, MissingPackageError
from ..tensor import Tensor

_SPEECH = "usr/share/pocketsphinx/test/data/"
_PICTURES = "skimage/data/"

# name -> (source, its file there). Speech is 16-bit numbers, 16,000 a second.
SPEECH = {"go forward": "goforward.raw", "numbers": "numbers.raw", "something": "something.raw",
          **{f"novel {i}": f"librivox/sense_and_sensibility_01_austen_64kb-{n}.wav" for i, n in enumerate(("0870", "0880", "0890"), 1)},
          **{f"cards {i}": f"cards/00{i}.wav" for i in range(2, 6)}}
PICTURES = {"cat": "chelsea.png", "coffee": "coffee.png", "rocket": "rocket.jpg", "astronaut": "astronaut.png", "camera": "camera.png",
            "clock": "clock_motion.png", "coins": "coins.png"}
_CONVERSATION = "pyannote/audio/sample/sample."

SAMPLES: dict[str, Source] = {
    "speech": Source(
        "apt", "pocketsphinx-testdata", "0.8+5prealpha+1-15", "pocketsphinx-testdata_0.8+5prealpha+1-15_all.deb", 1_822_580,
        "eaeb7a01d54f20b799d1a81ef110ec544b2cb47ea006614078220737a33019f0", {
            _SPEECH + "goforward.raw": "f15c60ec54059d8b66e410d0064945a0b0a04ea56e1ddca1958e493c0cf70e71",
            _SPEECH + "numbers.raw": "45b5f6d3f88e36dd55b025cc9e8f1cae567583ea93f554ecdff6d09e6dd4577d",
            _SPEECH + "something.raw": "eb95b74ce3f3037487e49dcfd935bbcf8c158b5f4083dd19451729c3ee694f5f",
            _SPEECH + SPEECH["novel 1"]: "b0557cf95c974d930577e58e46b7f068c432a6e3afcc286563d88922b2a5315c",
            _SPEECH + SPEECH["novel 2"]: "fbec491ef00ee734a67f0ee318e98c51c157b479e1629ff4f4426861ecac0414",
            _SPEECH + SPEECH["novel 3"]: "5793ffbdee55fb8bfd284943a6866864c832d9d4accf2661cabd39915c84ee10",
            _SPEECH + SPEECH["cards 2"]: "a3f9eae6fdb69a1231989e39a14d62388a6f52fb59666c76d95005318fadafec",
            _SPEECH + SPEECH["cards 3"]: "00d283e46bc257ae479e4aa86593cadb541656eba1d19fc8abeece37f6a5a18b",
            _SPEECH + SPEECH["cards 4"]: "4c44a8177f5b128b99f078cdeb918119933155574231f1833e8840d1af09c521",
            _SPEECH + SPEECH["cards 5"]: "090f18f5f76cf8b2b43cd9e6b07823f4685a4742d9a36cd98b174a6586c18cf9"},
        rebuilt=True),
    "pictures": Source(
        "pip", "scikit-image", "0.26.0", "scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl", 13_711_217,
        "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af", {
            _PICTURES + "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
            _PICTURES + "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
            _PICTURES + "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
            _PICTURES + "astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
            _PICTURES + "camera.png": "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
            _PICTURES + "clock_motion.png": "f029226b28b642e80113d86622e9b215ee067a0966feaf5e60604a1e05733955",
            _PICTURES + "coins.png": "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba"}),
    "conversation": Source(
        "pip", "pyannote.audio", "3.3.2", "pyannote.audio-3.3.2-py2.py3-none-any.whl", 898_707,
        "599c694acd5d193215147ff82d0bf638bb191204ed502bd9fde8ff582e20aa1c", {
            _CONVERSATION + "wav": "c319b4abca767b124e41432d364fd7df006cb26bb79d09326c487d606a134e6e",
            _CONVERSATION + "rttm": "d78fe62c69d8e6dcbb42c26adfce83faccb374c5a1e6d987fe37f85f1c173c87"}),
}


def _sample(what: str, names: dict[str, str], name: str, folder: str, root: Any, download: bool) -> Path:
    if name not in names:
        raise ArgumentError(f"sample_{what}", repr(name), f"there is no such sample: there are {', '.join(names)}")
    return fetch(SAMPLES["speech" if what == "speech" else "pictures"], folder + names[name], root=root, download=download)


def sample_speech(name: str = "go forward", *, root: Any = None, download: bool = True) -> Tensor:
    """A recording of speech, float32 from -1 to 1, 16,000 samples a second. By apt-get (1.8 MB), once.

    Several of "novel" and of "cards" are of one speaker each. Source: the test data of CMU's PocketSphinx (BSD-2), in
    Debian's package pocketsphinx-testdata.

    Raises:
        FetchError, MissingPackageError, FileError: as `datasets.fetch`.
    """
    path = _sample("speech", SPEECH, name, _SPEECH, root, download)
    return _floats(path.read_bytes()) if path.suffix == ".raw" else read_wave(path)[0]


def sample_conversation(*, root: Any = None, download: bool = True) -> tuple[Tensor, list[tuple[float, float, str]]]:
    """Half a minute of two people on the telephone, as `sample_speech` gives it, and who says something when: (from, to, who),
    in seconds, some at once. By pip (0.9 MB), once.

    Source: the sample of pyannote.audio 3.3.2. Licence: the package's is MIT; where it has the recording from it does not say.

    Raises:
        FetchError, MissingPackageError, FileError: as `datasets.fetch`.
    """
    wav, rttm = [fetch(SAMPLES["conversation"], _CONVERSATION + kind, root=root, download=download) for kind in ("wav", "rttm")]
    turns = [line.split() for line in rttm.read_text(encoding="utf-8").splitlines()]
    return read_wave(wav)[0], [(float(t[3]), float(t[3]) + float(t[4]), t[7]) for t in turns]


def sample_picture(name: str = "cat", *, root: Any = None, download: bool = True) -> Tensor:
    """A photograph, uint8 (height, width, 3): "cat", "coffee", "rocket", "astronaut", "camera" (a photographer with his), "clock"
    or "coins". By pip (13.7 MB), once; Pillow decodes it.

    Source: scikit-image 0.26.0. Licences: CC0 the cat and the clock (S. van der Walt), the coffee (R. Michel), the rocket (SpaceX),
    the photographer (L. Varshney); of the astronaut (NASA) and the coins no restrictions are known.

    Raises:
        FetchError, MissingPackageError, FileError: as `datasets.fetch`; Pillow is not installed.
    """
    return read_picture(_sample("picture", PICTURES, name, _PICTURES, root, download))


def read_wave(path: str | os.PathLike[str]) -> tuple[Tensor, int]:
    """A WAV file of 16-bit samples, as float32 from -1 to 1, and the samples a second. Several channels become their mean.

    Raises:
        FileError: it is none, or is damaged.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with wave.open(folder + "/a.wav", "wb") as file:
    ...         file.setparams((1, 2, 16000, 0, "NONE", ""))
    ...         file.writeframes(b"\\0\\0\\0\\x40")
    ...     read_wave(folder + "/a.wav")
    (tensor([0.0000, 0.5000]), 16000)
    """
    try:
        with wave.open(os.fspath(path), "rb") as file:
            channels, width, rate, count, *_ = file.getparams()
            data = file.readframes(count)
    except (OSError, wave.Error, EOFError, ValueError) as error:
        raise FileError("read_wave", str(path), f"it is no WAV file, or is damaged ({error})", "convert it to WAV, 16 bits") from error
    if width != 2:
        raise FileError("read_wave", str(path), f"its samples have {8 * width} bits", "convert it to 16 bits")
    x = _floats(data[:len(data) // (2 * channels) * 2 * channels])
    return x if channels == 1 else x.reshape(-1, channels).mean(1), rate


def _floats(data: bytes) -> Tensor:
    return tensor(bytearray(data), "int16", (len(data) // 2,)).to(dtypes.float32) / 32768


def read_picture(path: str | os.PathLike[str]) -> Tensor:
    """A picture of any kind that Pillow decodes, uint8 (height, width, 3).

    Raises:
        FileError: it cannot be decoded.
        MissingPackageError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise MissingPackageError("read_picture", str(path), "pictures are decoded by Pillow, which is not installed",
                                  "pip install 'tinygrad-act[plot]', which brings it") from None
    try:
        with Image.open(io.BytesIO(Path(path).read_bytes())) as image:
            rgb = image.convert("RGB")
            return tensor(bytearray(rgb.tobytes()), "uint8", (rgb.height, rgb.width, 3))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FileError("read_picture", str(path), f"it cannot be decoded ({error})") from error
