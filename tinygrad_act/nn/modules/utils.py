"""A number for each axis, as layers written for PyTorch make it, and the names of a state_dict without the first part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from itertools import repeat
from typing import Any

__all__ = ["consume_prefix_in_state_dict_if_present"]


def _ntuple(n: int, name: str = "parse") -> Callable[[Any], tuple[Any, ...]]:
    """The function that makes n of one; what has several already becomes a tuple.

    >>> _ntuple(2)(3), _ntuple(2)([1, 2])
    ((3, 3), (1, 2))
    """
    def parse(x: Any) -> tuple[Any, ...]:
        return tuple(x) if isinstance(x, Iterable) else tuple(repeat(x, n))

    parse.__name__ = name
    return parse


_single = _ntuple(1, "_single")
_pair = _ntuple(2, "_pair")
_triple = _ntuple(3, "_triple")
_quadruple = _ntuple(4, "_quadruple")


def consume_prefix_in_state_dict_if_present(state_dict: MutableMapping[str, Any], prefix: str) -> None:
    """Take the prefix off all names that begin with it, in place: "module." is what DataParallel and its kin put before them.

    >>> state = {"module.weight": 1, "bias": 2}
    >>> ta.nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module."); state
    {'bias': 2, 'weight': 1}
    """
    for name in [n for n in state_dict if n.startswith(prefix)]:
        state_dict[name[len(prefix):]] = state_dict.pop(name)
    versions: dict[str, Any] = getattr(state_dict, "_metadata", {})          # of modules, in a checkpoint of PyTorch's
    for name in [n for n in versions if n and (n.startswith(prefix) or n == prefix.rstrip("."))]:
        versions[name[len(prefix):]] = versions.pop(name)
