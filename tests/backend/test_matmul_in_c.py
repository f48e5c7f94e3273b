"""Products of matrices in C: in tiles, by whatever threads, for arrays that lie in whatever way, they are what float64 says."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import compiler, config, products
from tinygrad_act.backend.numpy import F

pytestmark = [pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler"),
              pytest.mark.skipif(ta.backend.current() != "numpy", reason="the C is for NumPy's arrays")]

# (m, k, n): whole tiles and what is left over of them, one strip and many, sums of several parts, tall, broad and narrow
SIZES = [(64, 64, 64), (8, 16, 48), (130, 70, 96), (33, 47, 61), (20, 400, 120), (300, 900, 50), (700, 40, 90), (50, 40, 700), (500, 300, 10),
         (10, 300, 500), (5, 513, 257), (3, 500, 700), (2, 900, 800), (1, 700, 900), (600, 800, 1), (500, 600, 3), (64, 2, 9000), (1100, 385, 420)]
numbers = np.random.default_rng(0).standard_normal
LAYOUTS: dict[str, Callable[..., Any]] = {
    "in rows": lambda *shape: numbers(shape, "f"),
    "turned": lambda *shape: numbers((*shape[:-2], shape[-1], shape[-2]), "f").swapaxes(-1, -2),
    "some columns": lambda *shape: numbers((*shape[:-1], shape[-1] + 5), "f")[..., 2:-3],
    "some rows of columns": lambda *shape: numbers((*shape[:-2], shape[-1], shape[-2] + 5), "f").swapaxes(-1, -2)[..., 2:-3, :],
    "every third": lambda *shape: numbers((*shape[:-2], 2 * shape[-2], 3 * shape[-1]), "f")[..., ::2, ::3],
    "backwards": lambda *shape: numbers(shape, "f")[..., ::-1, ::-1],
    "one row": lambda *shape: np.broadcast_to(numbers((*shape[:-2], 1, shape[-1]), "f"), shape),
    "one column": lambda *shape: np.broadcast_to(numbers((*shape[:-1], 1), "f"), shape)}


def is_right(y: Any, a: Any, b: Any) -> bool:
    """As exact as a sum in float32, number after number, has to be."""
    a, b = a.astype("d"), b.astype("d")
    return y.dtype == np.float32 and bool((abs(y - a @ b) <= 6e-8 * (a.shape[-1] + 2) * (abs(a) @ abs(b))).all())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_product_is_right_however_its_arrays_lie(size: tuple[int, int, int], layout: str) -> None:
    m, k, n = size
    own, plain = LAYOUTS[layout], LAYOUTS["in rows"]
    for a, b in ((own(m, k), plain(k, n)), (plain(m, k), own(k, n)), (own(m, k), LAYOUTS["turned"](k, n))):
        assert is_right(F.product(a, b), a, b)


@pytest.mark.parametrize("leading", [((6,), (6,)), ((3, 2), (2,)), ((1, 5), (4, 1)), ((2, 1, 3), (2, 2, 3)), ((40,), (1,)), ((), (7,)), ((7,), ())], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_leading_axes_are_broadcast(leading: tuple[tuple[int, ...], ...], layout: str) -> None:
    for m, k, n in ((24, 40, 33), (9, 17, 20)):
        a, b = LAYOUTS[layout](*leading[0], m, k), LAYOUTS["turned"](*leading[1], k, n)
        assert is_right(F.product(a, b), a, b) and is_right(F.matmul(a, b), a, b)


@pytest.mark.parametrize("size", [(m, k, n) for m, k, n in SIZES if m > 1 and n > 3], ids=str)
def test_threads_change_no_bit(size: tuple[int, int, int]) -> None:
    m, k, n = size
    a, b = numbers((m, k), "f"), numbers((n, k), "f").T
    many = numbers((5, m, 30), "f"), numbers((30, n), "f")
    found = []
    for threads in (1, 2, 3):
        with config(threads=threads):
            found.append([F.product(a, b).tobytes(), F.product(*many).tobytes()])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("size", [(10, 20_000, 10), (5, 300_000, 5), (7, 40_000, 40), (40, 40_000, 7), (64, 20_000, 64)], ids=str)
@pytest.mark.parametrize("threads", [16, 64, 100])
def test_more_threads_than_rows_and_columns_are_served(threads: int, size: tuple[int, int, int]) -> None:
    m, k, n = size
    a, b = numbers((k, m), "f").T, numbers((k, n), "f")
    with config(threads=threads):
        assert is_right(F.product(a, b), a, b) and is_right(F.product(b.T, a.T), b.T, a.T)


def test_a_sum_of_many_terms_is_as_exact_as_a_pairwise_one() -> None:
    a, b = np.full((40, 200_000), 0.1, "f"), np.full((200_000, 40), 0.1, "f")
    np.testing.assert_allclose(F.product(a, b), 200_000 * np.float64(np.float32(0.1)) ** 2, rtol=2e-5)


def test_what_is_too_small_and_negative_has_one_sign_in_whole_tiles_and_at_their_edges() -> None:
    y = F.product(np.full((201, 300), 1e-30, "f"), np.full((300, 101), -1e-30, "f"))
    assert (y > -1e-37).all() and len(set(np.signbit(y).flat)) == 1


def test_nan_and_infinities_stay_in_their_rows_and_columns() -> None:
    a, b = numbers((100, 130), "f"), numbers((130, 110), "f")
    a[7, 3], b[5, 100] = np.nan, np.inf
    y = F.product(a, b)
    touched = np.zeros(y.shape, bool)
    touched[7], touched[:, 100] = True, True
    assert (np.isfinite(y) == ~touched).all()
    assert np.isnan(y[7]).all()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("size", [(40, 60, 10), (300, 200, 50), (40, 50, 33), (33, 385, 49), (100, 100, 121)], ids=str)
def test_nothing_is_read_beyond_the_arrays(size: tuple[int, int, int], turned: bool) -> None:
    """They end where memory that nobody may read begins: a process that does is killed. (Two products, as small ones alone are BLAS's.)"""
    m, k, n = size
    page = mmap.PAGESIZE
    libc = ctypes.CDLL(None, use_errno=True)

    def at_the_end(rows: int, columns: int) -> Any:
        size = 2 * 4 * rows * columns
        pages = -(-size // page)
        memory = mmap.mmap(-1, (pages + 1) * page)
        whole = np.frombuffer(memory, np.uint8)
        assert libc.mprotect(ctypes.c_void_p(whole.ctypes.data + pages * page), page, 0) == 0
        held.append((memory, whole.ctypes.data + pages * page))
        x = whole[pages * page - size:pages * page].view("f").reshape(2, rows, columns)
        x[...] = numbers(x.shape, "f")
        return x
    held: list[Any] = []
    a, b = at_the_end(m, k), at_the_end(n, k).swapaxes(1, 2) if turned else at_the_end(k, n)
    assert is_right(F.product(a, b, at_the_end(m, n)), a, b)
    for _, address in held:
        libc.mprotect(ctypes.c_void_p(address), page, 3)


def test_doubles_are_numpys_bits() -> None:
    a, b = np.random.default_rng(0).standard_normal((2, 200, 200))
    assert F.product(a, b.T).tobytes() == np.dot(a, b.T).tobytes()


def test_it_is_c_that_multiplies_them() -> None:
    compute = products._compute()
    assert compute is not None
    for shape in ((200, 200), (4, 60, 60)):
        a, b, y = numbers(shape, "f"), numbers(shape, "f"), np.zeros(shape, "f")
        assert compute(id(a), id(b), id(y))
        assert is_right(y, a, b)
    turned = np.zeros(shape, "f").swapaxes(-1, -2)
    assert not compute(id(a), id(b), id(turned))             # not in rows: left to NumPy
    assert not turned.any()


@pytest.mark.parametrize("shape", [(300, 64), (1000, 100), (5, 9000), (70_000, 3), (2000, 130)], ids=str)
@pytest.mark.parametrize("char", "fd")
def test_the_sum_of_rows_is_exact_in_a_few_units_and_the_same_in_all_threads(shape: tuple[int, int], char: Any) -> None:
    x = np.random.default_rng(0).random(shape).astype(char)
    found = []
    for threads in (1, 3):
        with config(threads=threads):
            found.append(F.sum_rows(x))
    assert found[0].tobytes() == found[1].tobytes() and found[0].dtype == x.dtype
    np.testing.assert_allclose(found[0], x.astype(np.longdouble).sum(0).astype("d"), rtol=16 * np.finfo(x.dtype).eps)
    with config(kernels="off"):
        np.testing.assert_allclose(F.sum_rows(x), found[0], rtol=200 * np.finfo(x.dtype).eps)
