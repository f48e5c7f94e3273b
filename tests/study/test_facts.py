"""Bytes and times in three digits and the unit that suits them."""

from __future__ import annotations

import pytest

from tinygrad_act.study.facts import bytes_text, time_text


@pytest.mark.parametrize(("n", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_400, "999 kB"), (999_999, "1 MB"), (123_456_789, "123 MB"), (2e12, "2,000 GB")])
def test_bytes(n: float, text: str) -> None:
    assert bytes_text(n) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 µs"), (1e-9, "0.001 µs"), (0.9999e-3, "1 ms"), (0.4, "400 ms"), (0.9999, "1 s"), (1.5, "1.5 s")])
def test_times(seconds: float, text: str) -> None:
    assert time_text(seconds) == text
