"""What an optimizer's `update` would do, asked without doing it: so that it is asked once for many parameters."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter, is_
from typing import Any

from ..backend.several import Change

column_of = attrgetter("column")


class Place:
    """Stands for the arrays of one kind, by the number of their column: gradients, parameters, what is remembered of them."""

    __slots__ = ("column",)

    def __init__(self, column: int) -> None:
        self.column = column


GRADIENT, PARAMETER = Place(0), Place(1)


class Asking:
    """The vocabulary for `update`: `change` is noted, and there is nothing else."""

    __slots__ = ("noted",)

    def __init__(self) -> None:
        self.noted: list[tuple[Any, ...]] = []

    def change(self, targets: Any, rule: Any, arrays: Any, params: Any) -> None:
        self.noted.append((targets, rule, arrays, params))


def asked(update: Callable[..., None], state: dict[str, Any], numbers: dict[str, float],
          options: dict[str, Any]) -> tuple[Change, dict[str, Any]] | None:
    """The one `F.change` that `update` makes, and the state after it, of which only the numbers are new.

    `state` has a Place for each array. None if update does anything else with arrays, as when it makes the first of the state;
    nothing has been done then.
    """
    F, given = Asking(), {**state, **numbers}
    count = len(given)
    try:
        update(F, PARAMETER, GRADIENT, given, **options)
        (targets, rule, arrays, settings), = F.noted
        change = rule, tuple(map(column_of, targets)), tuple(map(column_of, arrays)), settings
    except Exception:                       # it did what a Place cannot; if it is wrong in itself, it will say so on arrays
        return None
    return (change, given) if len(given) == count and all(map(is_, map(given.get, state), state.values())) else None
