"""Products of matrices, einsum, diagonals and distances against PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_act.graph import grad

from .against_torch import array, check, read, refuses, torch

inf = math.inf

# ---------------------------------------------------------------------------------------------------------- matmul
PAIRS = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3,)), ((3,), (5, 3, 4)),
         ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)), ((1, 2, 3), (5, 3, 4)),
         ((2, 5, 2, 3), (3, 4)), ((2, 1, 2, 3), (3,)), ((1, 1), (1, 1))]
EMPTY = [((2, 0), (0, 4)), ((0, 3), (3, 4)), ((2, 3), (3, 0)), ((0,), (0,)), ((0, 2, 3), (3, 4)), ((4, 0, 3), (3, 2)),
         ((2, 0), (0,)), ((2, 3, 0), (0, 4)), ((0,), (0, 3)), ((5, 2, 0), (5, 0, 4))]


@pytest.mark.parametrize("shapes", [*PAIRS, *EMPTY])
def test_matmul_of_every_rank(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    a, b = array(*shapes[0]), array(*shapes[1], seed=1)
    check("matmul", None, a, b)
    check(lambda x, y: x @ y, None, a, b, order=1)


def test_matmul_of_views() -> None:
    check(lambda x, y: x.T @ y.T, None, array(3, 2), array(4, 3))
    check(lambda x, y: x[:, ::2] @ y[1:], None, array(3, 4), array(3, 2))


@pytest.mark.parametrize(("name", "shapes"), [("mm", ((2, 3), (3, 4))), ("bmm", ((5, 2, 3), (5, 3, 4))), ("mv", ((2, 3), (3,))),
                                              ("dot", ((3,), (3,))), ("vdot", ((3,), (3,))), ("outer", ((3,), (4,))), ("ger", ((3,), (4,))),
                                              ("inner", ((2, 3), (4, 5, 3))), ("inner", ((3,), (3,))), ("inner", ((), (2, 3)))])
def test_products_of_fixed_rank(name: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    check(name, None, array(*shapes[0]), array(*shapes[1], seed=1))


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_ints_multiply(dtype: str) -> None:
    a, b = np.arange(6).reshape(2, 3).astype(dtype), np.arange(12).reshape(3, 4).astype(dtype)
    check("matmul", None, a, b)
    check("einsum", None, "ij,jk->ki", a, b)
    check("einsum", None, "ij->j", a)
    check("dot", None, a[0], b[:, 0])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_summed_in_float32(dtype: str) -> None:
    check("matmul", None, array(3, 64, dtype=dtype), array(64, 2, dtype=dtype), order=1, atol=5e-2)
    x = ta.ones(1, 4096, dtype=dtype)
    assert (x @ x.mT).item() == 4096


@pytest.mark.parametrize("coefficients", [{}, {"beta": 0}, {"alpha": 0.5}, {"beta": 2, "alpha": -1.5}, {"beta": 0.0, "alpha": 2}])
@pytest.mark.parametrize(("name", "shapes"), [
    ("addmm", ((2, 4), (2, 3), (3, 4))), ("addmm", ((4,), (2, 3), (3, 4))), ("addmm", ((2, 1), (2, 0), (0, 4))),
    ("addmv", ((2,), (2, 3), (3,))), ("addr", ((2, 3), (2,), (3,))), ("addr", ((1,), (2,), (3,))),
    ("baddbmm", ((5, 2, 4), (5, 2, 3), (5, 3, 4))), ("baddbmm", ((4,), (5, 2, 3), (5, 3, 4))), ("addbmm", ((2, 4), (5, 2, 3), (5, 3, 4)))])
def test_products_added_to_another(name: str, shapes: tuple[tuple[int, ...], ...], coefficients: dict[str, float]) -> None:
    check(name, None, *[array(*s, seed=i) for i, s in enumerate(shapes)], **coefficients)


def test_beta_of_zero_leaves_nan_out() -> None:
    check("addmm", None, np.full((2, 2), math.nan), array(2, 3), array(3, 2), beta=0, order=1)
    check("addmm", None, np.ones((2, 2), "int64"), np.ones((2, 3), "int64"), np.ones((3, 2), "int64"), beta=2, alpha=3)


def test_products_added_to_another_keep_the_dtype() -> None:
    check("addmm", None, np.ones((2, 2), "int64"), np.ones((2, 3), "int64"), np.ones((3, 2), "int64"), beta=2.7, alpha=1.9)
    check("addbmm", None, np.ones((2, 2), "uint8"), np.ones((4, 2, 3), "uint8"), np.ones((4, 3, 2), "uint8"))
    check("addr", None, np.zeros((2, 2), "bool"), np.ones(2, "bool"), np.ones(2, "bool"), beta=3, alpha=2)
    for dtype in ("float16", "bfloat16"):
        check("addmm", None, *[array(*s, dtype=dtype) for s in ((2, 4), (2, 3), (3, 4))], beta=0.2, alpha=0.6, order=1)


@pytest.mark.parametrize(("shapes", "says"), [
    (((32, 128), (100, 10)), r"^\w+: \(32, 128\) @ \(100, 10\): inner sizes 128 and 100 differ; "),
    (((2, 3), (4, 3)), "transpose the second"), (((3,), (4,)), "inner sizes 3 and 4"), (((2, 3), (4,)), "inner sizes 3 and 4"),
    (((5, 2, 3), (4, 3, 2)), r"batches \(5,\) and \(4,\) do not broadcast"), (((), (2, 2)), "at least one axis")])
def test_matmul_says_which_sizes_differ(shapes: tuple[tuple[int, ...], tuple[int, ...]], says: str) -> None:
    refuses("matmul", None, array(*shapes[0]), array(*shapes[1]), says=says)


@pytest.mark.parametrize(("name", "shapes"), [
    ("mm", ((2, 3, 4), (4, 5))), ("mm", ((2, 3), (4, 5))), ("bmm", ((1, 2, 3), (5, 3, 4))), ("mv", ((2, 3), (4,))), ("dot", ((2, 2), (2,))),
    ("outer", ((2, 2), (2,))), ("inner", ((2, 3), (2, 4))), ("trace", ((3,),)), ("diag", ((),)), ("tril", ((3,),)), ("cdist", ((3,), (3,))),
    ("cdist", ((2, 3), (2, 4))), ("cross", ((4, 2), (4, 2))), ("cross", ((4, 3), (3,)))])
def test_shapes_that_do_not_fit(name: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    refuses(name, None, *[array(*s) for s in shapes])


def test_misuse_is_explained() -> None:
    x, y = ta.ones(2, 2), ta.ones(2, 2, dtype=ta.float64)
    for error, says, call in [(DTypeError, "float32 and float64", lambda: x @ y), (DTypeError, "bool", lambda: x.bool() @ x.bool()),
                              (ArgumentError, "number", lambda: x @ 2), (ArgumentError, "Tensor", lambda: ta.matmul(1, 2)),
                              (ShapeError, "does not broadcast", lambda: ta.addmm(ta.ones(3, 2), x, x)),
                              (ShapeError, "inner sizes", lambda: ta.addmm(x, x, ta.ones(3, 2))),
                              (ArgumentError, "ints", lambda: ta.addr(x.int(), x[0].int(), x[0].int(), beta=2.5)),
                              (ArgumentError, "cdist", lambda: ta.cdist(x, x, -1))]:
        with pytest.raises(error, match=says):
            call()


def test_a_node_each_and_no_more_saved_than_named() -> None:
    w, x = ta.ones(3, 4, requires_grad=True), ta.ones(2, 3)
    node = (x @ w).grad_fn
    assert node.op.name == "mm" and len(node.saved) == 1 and node.saved[0] is x.array


# ------------------------------------------------------------------------------------------------- einsum, tensordot
EQUATIONS = [("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ij->ji", (2, 3)), ("ij->", (2, 3)), ("ij->i", (2, 3)), ("ij", (2, 3)),
             ("ii", (3, 3)), ("ii->i", (3, 3)), ("iij->j", (2, 2, 3)), ("ijij->ij", (2, 3, 2, 3)), ("iii->i", (2, 2, 2)),
             ("bij,bjk->bik", (5, 2, 3), (5, 3, 4)), ("bij,bij->b", (5, 2, 3), (5, 2, 3)), ("i,j->ij", (3,), (4,)), ("i,i->", (3,), (3,)),
             ("i,i->i", (3,), (3,)), ("ij,kl->", (2, 3), (4, 5)), ("ij,k->i", (2, 3), (4,)), ("...ij,...jk->...ik", (5, 2, 3), (3, 4)),
             ("...ij,jk->...ki", (6, 5, 2, 3), (3, 4)), ("b...,b...->...", (5, 2, 3), (5, 2, 3)), ("...,...->...", (2, 1), (3,)),
             ("...i->...", (2, 3)), ("...ii->...i", (5, 2, 2)), ("i...->...", (2, 3)), ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
             ("bhid,bhjd->bhij", (2, 3, 4, 5), (2, 3, 6, 5)), ("bn,anm,bm->ba", (2, 3), (4, 3, 5), (2, 5)), ("ij,jk->ik", (2, 1), (3, 4)),
             (" i j , j k -> i k ", (2, 3), (3, 4)), ("aB,Bc->cB", (2, 3), (3, 4)), ("i,->i", (3,), ()), (",->", (), ()),
             ("ii,jj->ij", (2, 2), (3, 3)), ("ij,jk->ik", (2, 0), (0, 4)), ("ij,ij->ij", (2, 3), (1, 3)), ("...,i->...i", (2,), (3,)),
             ("ba", (2, 3)), ("...ba", (4, 2, 3)), ("ij,jk,k->", (2, 3), (3, 4), (4,)), ("abc,cd,ae->ebd", (2, 3, 4), (4, 2), (2, 5))]


@pytest.mark.parametrize("case", EQUATIONS, ids=[f"{e[0]} {e[1:]}" for e in EQUATIONS])
def test_einsum(case: tuple[object, ...]) -> None:
    equation, *shapes = case
    check("einsum", None, equation, *[array(*s, seed=i) for i, s in enumerate(shapes)])  # type: ignore[misc]


def test_einsum_differentiates_into_itself() -> None:
    a, b = (ta.tensor(array(*s), requires_grad=True) for s in ((5, 2, 3), (5, 3, 4)))
    y = ta.einsum("bij,bjk->bik", a, b)
    (g,) = grad(y.sum(), a, create_graph=True)
    assert y.grad_fn.op.name == g.grad_fn.op.name == "einsum"


def test_einsum_takes_lists() -> None:
    a, b = array(2, 3), array(3, 4)
    check("einsum", None, "ij,jk", [a, b])
    check("einsum", None, a, [0, 1], b, [1, 2], [0, 2])
    check("einsum", None, a, [0, 1], b, [1, 2])
    check("einsum", None, a, [..., 1], [1, ...])


@pytest.mark.parametrize(("equation", "shapes"), [("ij,jk", ((2, 3), (4, 4))), ("i->ii", ((2,),)), ("i->j", ((2,),)), ("i,j->ij", ((2,),)),
                                                  ("ij", ((2,),)), ("ii", ((2, 3),)), ("i", ((2, 2),)), ("i?->i", ((2, 2),)), ("....i", ((2, 2),))])
def test_einsum_says_what_is_wrong(equation: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    refuses("einsum", None, equation, *[array(*s) for s in shapes], says="einsum")


@pytest.mark.parametrize(("dims", "shapes"), [(0, ((2, 3), (3, 4))), (1, ((2, 3), (3, 4))), (2, ((5, 2, 3), (2, 3, 4))), (([1], [0]), ((2, 3), (3, 4))),
                                              (([0, 2], [2, -3]), ((2, 3, 4), (4, 5, 2))), (([1], [0]), ((2, 1), (4, 3)))])
def test_tensordot(dims: object, shapes: tuple[tuple[int, ...], ...]) -> None:
    check("tensordot", None, array(*shapes[0]), array(*shapes[1], seed=1), dims=dims)


@pytest.mark.parametrize("shapes", [((2,), (3,)), ((2, 2), (3, 1)), ((2,), (3, 4)), ((), (2, 3)), ((2, 1, 2), (3, 2))])
def test_kron(shapes: tuple[tuple[int, ...], ...]) -> None:
    check("kron", None, array(*shapes[0]), array(*shapes[1], seed=1))


def test_inverses_and_singular_values() -> None:
    check("inverse", None, array(3, 3))
    check(ta.linalg.inv, torch.linalg.inv, array(2, 4, 4))
    refuses("inverse", None, np.ones((2, 2)))
    refuses("inverse", None, np.ones((2, 3)))
    for shape in ((3, 3), (4, 2), (2, 3, 5), (0, 3), (2, 0, 0)):
        check(ta.linalg.svdvals, torch.linalg.svdvals, array(*shape))
    check(lambda x: x.norm("nuc"), None, array(3, 4))
    check(lambda x: x.norm("nuc", dim=(0, 2), keepdim=True), None, array(3, 2, 4))
    check(lambda x: x.norm("nuc"), None, np.eye(3), order=1)                       # the gradient takes no gap between them


def test_chains_and_powers() -> None:
    matrices = [array(2, 5, seed=1), array(5, 3, seed=2), array(3, 7, seed=3), array(7, 2, seed=4)]
    check(ta.linalg.multi_dot, torch.linalg.multi_dot, matrices)
    check(ta.linalg.multi_dot, torch.linalg.multi_dot, [array(5), *matrices[1:3], array(7)])
    for n in (0, 1, 2, 5, -1, -3):
        check("matrix_power", None, array(3, 3), n)
        check("matrix_power", None, array(2, 3, 3), n, order=1)
    for n in (2.5, 2.0, "2", None):
        refuses("matrix_power", None, array(3, 3), n, says="^matrix_power: n=.* must be an int")


# ---------------------------------------------------------------------------------------------------- diagonals
@pytest.mark.parametrize("offset", [-5, -1, 0, 1, 2])
def test_diagonals(offset: int) -> None:
    check("diagonal", None, array(3, 4), offset)
    check("diagonal", None, array(2, 3, 4), offset, -1, 0)
    check("diagonal", None, array(2, 3, 4), offset, 1, 2)
    check("diag", None, array(3), offset)
    check("diag", None, array(3, 4), offset)
    check("diag_embed", None, array(2, 3), offset)
    check("diag_embed", None, array(2, 3), offset, 0, 1)
    check("diag_embed", None, array(2, 3), offset, 2, 0)
    check("diagflat", None, array(2, 3), offset)


@pytest.mark.parametrize("diagonal", [-9, -1, 0, 2, 9])
def test_triangles(diagonal: int) -> None:
    for name in ("tril", "triu"):
        check(name, None, array(3, 4), diagonal)
        check(name, None, array(2, 4, 3), diagonal)
        check(f"{name}_indices", None, 3, 4, diagonal)
        check(f"{name}_indices", None, 0, 4, diagonal)


def test_a_diagonal_is_a_view() -> None:
    x = ta.zeros(2, 2)
    assert x.diagonal().array.base is not None
    assert read(x.diagonal()).tolist() == [0, 0]


@pytest.mark.filterwarnings("ignore:Using torch.cross")          # PyTorch says so once in a process, whichever test comes first
def test_trace_and_cross() -> None:
    check("trace", None, array(3, 4))
    check("trace", None, np.arange(6).reshape(2, 3))
    check("cross", None, array(4, 3), array(4, 3, seed=1))
    check("cross", None, array(4, 3), array(1, 3, seed=1), dim=-1)
    check("cross", None, array(3, 4), array(3, 4, seed=1), dim=0)


# ------------------------------------------------------------------------------------------------------- distances
@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 2, 3, inf])
def test_cdist(p: float) -> None:
    check("cdist", None, array(4, 3), array(5, 3, seed=1), p, order=1)
    check("cdist", None, array(2, 1, 4, 3), array(3, 5, 3, seed=1), p, order=1)
    check("cdist", None, array(4, 0), array(5, 0), p, order=0)
    check("cdist", None, array(0, 3), array(5, 3), p, order=1)
    direct = lambda a, b: torch.linalg.vector_norm(a[:, None] - b[None], p, dim=-1)
    if p not in (0, inf):
        check(ta.cdist, lambda a, b, p: direct(a, b), array(4, 3), array(5, 3, seed=1), p, order=2)


@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 3, inf])
def test_equal_vectors_pull_on_each_other_as_in_pytorch(p: float) -> None:
    check("cdist", None, np.array([[1.0, 2.0], [1.0, 1.0]]), np.array([[1.0, 2.0], [0.0, 0.0]]), p, order=1)


def test_many_distances_come_from_a_matrix_product() -> None:
    a, b = array(40, 3), array(30, 3, seed=1)
    check("cdist", None, a, b, order=1)
    check(ta.cdist, lambda a, b: torch.linalg.vector_norm(a[:, None] - b[None], dim=-1), a, b, order=2)
    for mode in ("use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist"):
        check("cdist", None, a, b, compute_mode=mode, order=1)


# ---------------------------------------------------------------------------------------------------------- ta.linalg
@pytest.mark.parametrize("order", [None, "fro", "nuc", 1, -1, 2, -2, inf, -inf])
def test_matrix_norms(order: object) -> None:
    check(ta.linalg.norm, torch.linalg.norm, array(3, 4), order)
    check(ta.linalg.norm, torch.linalg.norm, array(2, 3, 4), order, (0, 2), True)
    if order is not None:
        check(ta.linalg.matrix_norm, torch.linalg.matrix_norm, array(2, 3, 4), order)


@pytest.mark.parametrize("order", [0, 1, 2, 3.5, inf, -inf])
def test_vector_norms(order: float) -> None:
    check(ta.linalg.norm, torch.linalg.norm, array(4), order)
    check(ta.linalg.norm, torch.linalg.norm, array(3, 4), order, 1)
    check(ta.linalg.vector_norm, torch.linalg.vector_norm, array(3, 4), order)
    check(ta.linalg.vector_norm, torch.linalg.vector_norm, array(3, 4), order, (0, 1), True)


@pytest.mark.parametrize("order", ["fro", "nuc", 1, -1, 2, -2, inf, -inf])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0), (2, 0, 3), (2, 3, 0), (0, 2, 3)])
def test_norms_of_matrices_without_elements(shape: tuple[int, ...], order: object) -> None:
    none = {-2: min(shape[-2:]), -1: shape[-1], -inf: shape[-2]}.get(order, 1) == 0      # and the smallest is asked for
    for name in ("matrix_norm", "norm"):
        mine, theirs = getattr(ta.linalg, name), getattr(torch.linalg, name)
        for keepdim in (False, True):
            if none:
                refuses(mine, theirs, np.zeros(shape), order, (-2, -1), keepdim, says=f"^{name}: .* with ord={order}: it has no value for an empty set")
            else:
                check(mine, theirs, np.zeros(shape), order, (-2, -1), keepdim, order=1)


def test_norms_refuse_what_pytorchs_refuse() -> None:
    x, L, T = array(2, 3, 4), ta.linalg, torch.linalg
    for dim in ((0,), (0, 1, 2), 0, (), None):
        for order in ("fro", "nuc", 1, 2):
            refuses(L.matrix_norm, T.matrix_norm, x, order, dim, says="^matrix_norm: dim=.* takes two dims")
    for order in (None, 3, "x", [1], math.nan):
        refuses(L.matrix_norm, T.matrix_norm, x, order, says="^matrix_norm: ord=.* no such matrix norm")
    refuses(L.matrix_norm, T.matrix_norm, np.ones((2, 2), "int32"), 1, says="^matrix_norm: .*floating")
    for order in ("fro", "nuc", None, [1]):
        refuses(L.vector_norm, T.vector_norm, x, order, says="^vector_norm: ord=.* is a number")
        if order is not None:
            refuses(L.norm, T.norm, x, order, 1, says="^norm: ord=.* is a number")
            refuses(L.norm, T.norm, x[0, 0], order, says="^norm: ord=.* is a number")
    for order in (None, 2, "fro"):
        for dim in ((), (0, 1, 2)):
            refuses(L.norm, T.norm, x, order, dim, says="^norm: dim=.* one dim, of vectors, or two, of matrices")
    check(L.vector_norm, T.vector_norm, x, torch.tensor(3))


def test_vecdot_takes_two_tensors_of_one_floating_dtype() -> None:
    mine, theirs = ta.linalg.vecdot, torch.linalg.vecdot
    check(mine, theirs, array(3, 4), array(2, 1, 4), dim=-1)
    check(mine, theirs, array(3, 4), array(3, 1, seed=1), dim=0)
    refuses(mine, theirs, array(3), array(3, dtype="float32"), says="float64 and float32: the dtypes differ")
    refuses(mine, theirs, np.arange(3), np.arange(3), says="^vecdot: .*floating")
    for dim in (None, (0, 1), 1.5):
        refuses(mine, theirs, array(2, 3), array(2, 3), dim=dim, says="^vecdot: dim=")
    with ta.autocast("cpu", ta.float16):
        assert mine(ta.ones(3), ta.ones(3).half()).item() == 3


def test_the_rest_of_linalg() -> None:
    for name in ("matmul", "vecdot", "cross"):
        check(getattr(ta.linalg, name), getattr(torch.linalg, name), array(3, 3), array(3, 3, seed=1))
    check(ta.linalg.diagonal, torch.linalg.diagonal, array(2, 3, 4))
    refuses(ta.linalg.norm, torch.linalg.norm, array(2, 2), 3, says="no such matrix norm")
