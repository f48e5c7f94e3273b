"""The strict backend refuses what a GPU's arrays refuse, and counts what crosses."""

from __future__ import annotations

import copy
import pickle
import weakref
from typing import Any

import numpy as np
import pytest

from tinygrad_act import backend
from tinygrad_act.backend import strict


@pytest.fixture
def x() -> Any:
    backend.load("strict")
    return strict.from_host(np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize("crossing", [
    np.asarray, np.sin, lambda x: x + np.ones(3), lambda x: np.ones(3) + x, lambda x: np.ones((2, 3)) * x, bool, int, float,
    lambda x: x[np.array([0])], lambda x: x.__setitem__(0, np.ones(3)), lambda x: [1, 2][x], lambda x: np.add(x, x),
    lambda x: x.dot(np.ones(3)), lambda x: strict.F.maximum(x, np.ones(3)), lambda x: strict.F.cat([x, np.ones((1, 3))]),
    lambda x: strict.F.where(np.ones(3) > 0, x, x)])
def test_nothing_turns_into_numpy_by_itself(x: Any, crossing: Any) -> None:
    with pytest.raises(TypeError):
        crossing(x)


def test_only_crossings_are_counted(x: Any) -> None:
    strict.transfers.clear()
    y = strict.F.tanh(x * 2.0 + x).sum(0)
    assert strict.F.sum(x).shape == ()
    assert type(y) is type(strict.F.sum(x)) is strict.StrictArray
    assert not strict.transfers
    assert strict.F.sum(x).item() == 15.0
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]
    np.testing.assert_array_equal(strict.to_host(x), np.arange(6.0).reshape(2, 3))
    strict.from_host(np.ones(2))
    assert strict.transfers == {"to_host": 3, "to_device": 1}


def test_views_know_the_array_that_owns_their_memory(x: Any) -> None:
    F = strict.F
    own = F.copy(x)
    assert own.base is None
    for view in (own[0], own.T, own[:, None][0], F.expand(own, (4, 2, 3)), own.reshape(3, 2)):
        assert F.owner(view) is own
        assert F.overlaps(view, own)
    assert not F.overlaps(own[[0]], own)
    own[0][1] = 7.0
    assert own.tolist()[0] == [0, 7, 2]
    assert own.astype("float64", copy=False) is own
    before = own
    own += 1
    assert before is own


def test_it_is_weakly_referenced_copied_and_pickled(x: Any) -> None:
    assert weakref.ref(x)() is x
    assert copy.deepcopy(x).tolist() == pickle.loads(pickle.dumps(x)).tolist() == x.tolist()


def test_from_host_and_to_host_share_no_memory() -> None:
    host = np.zeros(2)
    array = strict.from_host(host)
    host[0] = 1.0
    strict.to_host(array)[1] = 1.0
    assert array.tolist() == [0, 0]
