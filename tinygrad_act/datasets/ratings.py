"""Ratings: which user liked which film how much."""

from __future__ import annotations

from .. import _functions as ops
from .. import dtypes
from ..tensor import Tensor
from .base import Gathered, chosen, split
from .readers import read_lines, reading


class MovieLens100k(Gathered):
    """100,000 ratings of 1,682 films by 943 users: 90,000 to train on, 10,000 to test on, drawn by a fixed seed.

    A sample is an int64 tensor (user, film), both from 0, with the rating, a float from 1 to 5. `data` has shape (N, 2),
    `targets` is float32. `titles` are the films' names. Fetched by pip (2.1 MB).

    Source: F. Harper, J. Konstan, The MovieLens Datasets, ACM TiiS 5(4), 2015 (doi:10.1145/2827872), in the package
    recbole 1.2.1. Licence: GroupLens's, for research only: do not pass them on, nor earn with them.

    Raises:
        FetchError, MissingPackageError, FileError: as `fetch`.

    >>> MovieLens100k.users, MovieLens100k.films
    (943, 1682)
    """

    source = "movielens-100k"
    users, films = 943, 1682
    titles: list[str]

    def _load(self) -> tuple[Tensor, Tensor]:
        ratings, films = (self._fetched(f"recbole/dataset_example/ml-100k/ml-100k.{end}") for end in ("inter", "item"))
        rows = read_lines(ratings, 4)[1:]                # the first line names the columns
        with reading(ratings):
            pairs = [(int(user) - 1, int(film) - 1) for user, film, _, _ in rows]
            values = [float(rating) for _, _, rating, _ in rows]
            if any(not (0 <= user < self.users and 0 <= film < self.films) for user, film in pairs):
                raise ValueError("a user or film has a number that there is none of")
        with reading(films):
            self.titles = [row[1] for row in sorted(read_lines(films, 4)[1:], key=lambda row: int(row[0]))]
        part = split(len(rows), len(rows) * 9 // 10, self.train)
        return (chosen(ops.tensor(pairs, dtype=dtypes.int64), part), chosen(ops.tensor(values, dtype=dtypes.float32), part))
