"""no_grad, enable_grad, set_grad_enabled and inference_mode: blocks, calls, decorators, generators, threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

import tinygrad_act as ta

x = ta.ones(2, requires_grad=True)


def records() -> bool:
    return (x * 2).requires_grad


def test_blocks_nest() -> None:
    with ta.no_grad():
        assert not records()
        with ta.enable_grad():
            assert records()
            with ta.set_grad_enabled(False):
                assert not records()
            assert records()
        assert not records()
    assert records()


def test_one_object_can_be_entered_twice() -> None:
    off = ta.no_grad()
    with off:
        with off:
            assert not records()
        assert not records()
    assert records()


def test_an_exception_restores_the_mode() -> None:
    with pytest.raises(ZeroDivisionError), ta.no_grad():
        1 / 0  # noqa: B018
    assert records()


@pytest.mark.parametrize("decorate", [ta.no_grad, ta.no_grad(), ta.inference_mode, ta.inference_mode(), ta.set_grad_enabled(True)])
def test_decorators(decorate: object) -> None:
    decorated = decorate(records)  # type: ignore[operator]
    assert decorated.__name__ == "records"
    assert decorated() is (type(decorate) is ta.set_grad_enabled) and records()


def test_set_grad_enabled_as_a_call() -> None:
    ta.set_grad_enabled(False)
    try:
        assert not records()
    finally:
        ta.set_grad_enabled(True)
    assert records()


def test_set_grad_enabled_as_a_decorator_changes_nothing_outside() -> None:
    @ta.set_grad_enabled(False)
    def inside() -> bool:
        return records()
    assert records() and not inside() and records()


def test_generators_run_in_the_mode_and_wait_outside_it() -> None:
    @ta.no_grad()
    def steps() -> Iterator[bool]:
        assert not records()
        got = yield records()
        assert got == "sent"
        try:
            yield records()
        except ValueError:
            yield records()
        return "end"  # type: ignore[return-value]

    running = steps()
    assert next(running) is False and records()
    assert running.send("sent") is False and records()
    assert running.throw(ValueError()) is False and records()
    with pytest.raises(StopIteration) as end:
        next(running)
    assert end.value.value == "end" and records()


def test_a_closed_generator_cleans_up_in_the_mode() -> None:
    seen = []

    @ta.no_grad()
    def steps() -> Iterator[int]:
        try:
            yield 1
        finally:
            seen.append(records())

    running = steps()
    next(running)
    running.close()
    assert seen == [False] and records()


def test_threads_have_their_own_mode() -> None:
    seen = []
    with ta.no_grad():
        t = threading.Thread(target=lambda: seen.append(records()))
        t.start()
        t.join()
    assert seen == [True]


def test_inference_tensors_are_marked() -> None:
    with ta.inference_mode():
        y = x * 2
        assert ta.is_inference_mode_enabled() and not ta.is_grad_enabled()
        y.add_(1)
        with ta.inference_mode(False):
            assert records() and not (x * 2).is_inference()
        with ta.enable_grad():
            assert not records()
    assert y.is_inference() and not (x * 2).is_inference() and not ta.is_inference_mode_enabled()
    assert not y.clone().is_inference() and y.clone().requires_grad_().requires_grad


def test_reading_a_name_of_the_mode() -> None:
    assert ta.is_grad_enabled()
    with ta.no_grad():
        assert not ta.is_grad_enabled()


def test_every_one_of_several_results_is_made_under_inference_mode() -> None:
    with ta.inference_mode():
        parts = ta.ones(3).unbind()
    assert [part.is_inference() for part in parts] == [True] * 3
