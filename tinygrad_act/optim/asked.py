"""What an optimizer's `update` would do, asked without doing it: so that it is asked once for many parameters."""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import Any, NamedTuple


class Place:
    """Stands for the arrays of one kind, by the number of their column: gradients, parameters, what is remembered of them."""

    __slots__ = ("column",)

    def __init__(self, column: int) -> None:
        self.column = column


GRADIENT, PARAMETER = Place(0), Place(1)


class Change(NamedTuple):
    """The one `F.change` that `update` asks for, arrays by the numbers of their columns; `numbers` is what it put into the state."""

    rule: Callable[..., Any]
    targets: tuple[int, ...]
    arrays: tuple[int, ...]
    settings: dict[str, Any]
    numbers: dict[str, float]


class Asking:
    """The vocabulary for `update`: `change` is noted, and there is nothing else."""

    def __init__(self) -> None:
        self.noted: list[tuple[Any, Any, Any, Any]] = []

    def change(self, targets: Any, rule: Any, arrays: Any, params: Any) -> None:
        self.noted.append((targets, rule, arrays, params))


def asked(update: Callable[..., None], state: dict[str, Any], numbers: dict[str, float], options: dict[str, Any]) -> Change | None:
    """The change that `update` makes, if one is all it does beside computing with numbers.

    `state` has a Place for each array and is left as it is. None if update does anything else with arrays, as when it makes
    the first of the state; nothing has been done then.
    """
    F, given = Asking(), {**state, **numbers}
    try:
        update(F, PARAMETER, GRADIENT, given, **options)
        (targets, rule, arrays, settings), = F.noted
        change = Change(rule, tuple([t.column for t in targets]), tuple([a.column for a in arrays]), settings, {k: given[k] for k in numbers})
    except Exception:                       # it did what a Place cannot; if it is wrong in itself, it will say so on arrays
        return None
    same = len(given) == len(state) + len(numbers) and all(map(is_, map(given.get, state), state.values()))
    return change if same else None
