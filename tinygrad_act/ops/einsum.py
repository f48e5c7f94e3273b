"""einsum and tensordot. Every contraction is a chain of contractions of two, which differentiate into their like."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from ..backend.namespace import broadcast_shape
from ..errors import ArgumentError, ShapeError
from ..graph import recording
from ..tensor import Tensor
from . import arguments
from .reduce import cast, operand
from .reduce import sum as add_up
from .registry import op, public

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _gradient(equation: str, of: int) -> str:
    """The equation of the gradient of one operand: the result takes its place, and it the result's."""
    inputs, _, out = equation.partition("->")
    labels = inputs.split(",")
    wanted, labels[of] = labels[of], out
    return f"{','.join(labels)}->{wanted}"


# Each label stands for one size, once in an operand, and what is summed stands in both (see `einsum`): so the result and
# one operand always name all axes of the other.
_pair = op("einsum", lambda F, a, b, *, equation: F.einsum(equation, a, b),
           lambda F, g, b, *, equation: F.einsum(_gradient(equation, 0), g, b),
           lambda F, g, a, *, equation: F.einsum(_gradient(equation, 1), a, g), same_dtype=True)


@public(method=False, F=True)
def einsum(equation: Any, *operands: Any) -> Tensor:
    """Products of elements, summed over the axes that the result lacks: `einsum("ij,jk->ik", a, b)` is `a @ b`.

    One letter an axis; a letter twice in one operand is its diagonal; `...` stands for axes that broadcast; without
    `->` the result has, in alphabetical order, the letters that occur once. The operands may come as a list, or each
    followed by its list of ints in place of letters. Several operands are contracted from left to right.

    >>> ta.einsum("ii->i", ta.tensor([[1., 2.], [3., 4.]]))
    tensor([1., 4.])
    """
    if isinstance(equation, Tensor):
        equation, operands = _from_lists(equation, *operands)
    elif len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not isinstance(equation, str):
        raise ArgumentError("einsum", type(equation).__name__, "the equation is a text", 'write einsum("ij,jk->ik", a, b)')
    for x in operands:
        operand(x, "einsum")
    plain = direct(equation, *[x.shape for x in operands])
    if plain is not None:
        return _pair(*operands, equation=plain)
    labels, out = parse(equation, tuple([x.ndim for x in operands]))
    terms = [_diagonals(x, mine) for x, mine in zip(operands, labels, strict=True)]
    terms = _broadcast(terms, equation)
    x, mine = terms[0]
    for i, (z, others) in enumerate(terms[1:], start=2):
        later = out + "".join(label for _, label in terms[i:])
        x, mine = _contract(x, mine, z, others, later)
    x, mine = _sum_others(x, mine, out)
    return x if mine == out else recording.permute(x, dims=tuple(mine.index(c) for c in out))


@functools.lru_cache(maxsize=1024)
def direct(equation: str, *shapes: tuple[int, ...]) -> str | None:
    """The op's own equation, where it takes the operands as they are: two, nothing repeated, broadcast or summed alone."""
    if len(shapes) != 2:
        return None
    labels, out = parse(equation, tuple(map(len, shapes)))
    a, b = (dict(zip(part, shape, strict=True)) for part, shape in zip(labels, shapes, strict=True))
    joint = {**a, **b}
    as_they_are = len(a) == len(shapes[0]) and len(b) == len(shapes[1]) and {**b, **a} == joint
    return f"{','.join(labels)}->{out}" if as_they_are and all(c in out or (c in a and c in b) for c in joint) else None


def _contract(x: Tensor, mine: str, z: Tensor, others: str, later: str) -> tuple[Tensor, str]:
    """Two operands as one: what neither `later` nor the other names is summed first, the rest by the op."""
    dtype = x.dtype
    x, mine = _sum_others(x, mine, others + later)
    z, others = _sum_others(z, others, mine + later)
    kept = "".join(dict.fromkeys(c for c in mine + others if c in later))
    kept = "".join(c for c in later if c in kept) if set(later) == set(kept) and len(later) == len(kept) else kept
    return _pair(cast(x, dtype), cast(z, dtype), equation=f"{mine},{others}->{kept}"), kept      # a sum of ints is int64


def _sum_others(x: Tensor, labels: str, named: str) -> tuple[Tensor, str]:
    alone = tuple(i for i, c in enumerate(labels) if c not in named)
    if not alone:
        return x, labels
    return add_up(x, alone), "".join(c for c in labels if c in named)


def _diagonals(x: Tensor, labels: str) -> tuple[Tensor, str]:
    """x with each letter once: of two axes of one letter, the diagonal."""
    for c in labels:
        while labels.count(c) > 1:
            i = labels.index(c)
            j = labels.index(c, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ShapeError("einsum", f"{x.shape} with the subscript {c!r} at axes {i} and {j}", "the two sizes differ")
            x = recording.diagonal(x, 0, i, j)
            labels = labels[:i] + labels[i + 1:j] + labels[j + 1:] + c
    return x, labels


def _broadcast(terms: list[tuple[Tensor, str]], equation: str) -> list[tuple[Tensor, str]]:
    """The operands with axes of size 1 expanded to what the others have there."""
    sizes: dict[str, int] = {}
    for x, labels in terms:
        for c, n in zip(labels, x.shape, strict=True):
            if sizes.setdefault(c, n) != n:
                if 1 not in (n, sizes[c]):
                    raise ShapeError("einsum", f"{equation!r} of {' and '.join(str(t.shape) for t, _ in terms)}",
                                     f"the subscript {c!r} has sizes {sizes[c]} and {n}", "equal letters need equal sizes (or 1)")
                sizes[c] = n if sizes[c] == 1 else sizes[c]
    wanted = [tuple(sizes[c] for c in labels) for _, labels in terms]
    return [(x if x.shape == shape else recording.expand(x, shape=shape), labels)
            for (x, labels), shape in zip(terms, wanted, strict=True)]


@functools.lru_cache(maxsize=1024)
def parse(equation: str, ndims: tuple[int, ...]) -> tuple[list[str], str]:
    """The labels of the operands and the result, one letter an axis; those of the ellipsis get letters that are free."""
    inputs, arrow, out = equation.replace(" ", "").partition("->")
    parts = inputs.split(",")
    if len(parts) != len(ndims):
        raise ArgumentError("einsum", repr(equation), f"it names {len(parts)} operands, and {len(ndims)} are given")
    for part in (*parts, out):
        rest = part.replace("...", "", 1)
        if wrong := [c for c in rest if c not in LETTERS]:
            raise ArgumentError("einsum", repr(equation), f"{wrong[0]!r} is no subscript", "subscripts are letters, and ... once")
    hidden = [n - len(p.replace("...", "")) for p, n in zip(parts, ndims, strict=True)]
    for i, (part, n, spare) in enumerate(zip(parts, ndims, hidden, strict=True)):
        if spare < 0 or (spare and "..." not in part):
            raise ShapeError("einsum", repr(equation), f"operand {i} has {n} axes and {len(part.replace('...', ''))} subscripts",
                             "name each axis, or write ... for the rest")
    most = max([n for n, part in zip(hidden, parts, strict=True) if "..." in part], default=0)
    dots = "".join(c for c in LETTERS if c not in equation)[:most]
    labels = [p.replace("...", dots[most - n:]) for p, n in zip(parts, hidden, strict=True)]
    letters = "".join(labels)
    if not arrow:
        out = dots + "".join(sorted(c for c in set(letters) - set(dots) if letters.count(c) == 1))
    else:
        out = out.replace("...", dots)
    for c in out:
        if out.count(c) > 1 or c not in letters:
            why = "appears twice in the result" if out.count(c) > 1 else "of the result is in no operand"
            raise ArgumentError("einsum", repr(equation), f"the subscript {c!r} {why}")
    return labels, out


def _from_lists(*given: Any) -> tuple[str, tuple[Tensor, ...]]:
    """`einsum(a, [0, 1], b, [1, 2], [0, 2])` as an equation and operands."""
    def text(labels: Any) -> str:
        return "".join("..." if i is Ellipsis else LETTERS[arguments.whole(i, "einsum", "subscript")] for i in labels)
    operands, labels = given[0:len(given) // 2 * 2:2], given[1::2]
    equation = ",".join(text(part) for part in labels)
    return equation + (f"->{text(given[-1])}" if len(given) % 2 else ""), operands


# ------------------------------------------------------------------------------------------------------------ tensordot
@public(method=False)
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The sum of products over the last `dims` axes of a and the first of b, or over the pairs of axes that two lists name.

    >>> ta.tensordot(ta.ones(2, 3), ta.ones(3, 4), dims=1).shape
    (2, 4)
    """
    n, m = operand(a, "tensordot").ndim, operand(b, "tensordot").ndim
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if not 0 <= dims <= min(n, m):
            raise ArgumentError("tensordot", f"dims={dims} of {n}-d and {m}-d tensors", "there are not so many axes")
        dims = (range(n - dims, n), range(dims))
    first = arguments.dimensions(tuple(_listed(dims[0])), n, "tensordot") if n else ()
    second = arguments.dimensions(tuple(_listed(dims[1])), m, "tensordot") if m else ()
    if len(first) != len(second):
        raise ArgumentError("tensordot", f"dims={dims}", "the two lists name unequally many axes")
    for i, j in zip(first, second, strict=True):
        if broadcast_shape((a.shape[i],), (b.shape[j],)) is None:
            raise ShapeError("tensordot", f"{a.shape} over {first} and {b.shape} over {second}",
                             f"the sizes {a.shape[i]} and {b.shape[j]} of a pair differ")
    of_a, of_b = list(LETTERS[:n]), list(LETTERS[n:n + m])
    for i, j in zip(first, second, strict=True):
        of_b[j] = of_a[i]
    out = [c for i, c in enumerate(of_a) if i not in first] + [c for j, c in enumerate(of_b) if j not in second]
    return einsum(f"{''.join(of_a)},{''.join(of_b)}->{''.join(out)}", a, b)


def _listed(x: Any) -> Sequence[int]:
    return (x,) if isinstance(x, int) else x


@public()
def inner(input: Tensor, other: Tensor) -> Tensor:
    """The products summed over the last axis of both; with a 0-d tensor, the product."""
    if not operand(input, "inner").ndim or not operand(other, "inner").ndim:
        return input * other
    return tensordot(input, other, ([-1], [-1]))
