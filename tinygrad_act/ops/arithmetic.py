"""Arithmetic and its operators."""

from __future__ import annotations

from .registry import elementwise, op, operators

cast = op("cast", lambda F, x, *, dtype: F.cast(x, dtype), lambda F, g, x_dtype: F.cast(g, x_dtype))

add = elementwise("add", lambda F, a, b: a + b, lambda F, g: g, lambda F, g: g)
sub = elementwise("sub", lambda F, a, b: a - b, lambda F, g: g, lambda F, g: -g)
mul = elementwise("mul", lambda F, a, b: a * b, lambda F, g, b: g * b, lambda F, g, a: g * a)
neg = elementwise("neg", lambda F, x: -x, lambda F, g: -g)
tanh = elementwise("tanh", lambda F, x: F.tanh(x), lambda F, g, y: g * (1 - y * y), result="float")
exp = elementwise("exp", lambda F, x: F.exp(x), lambda F, g, y: g * y, result="float")

operators(__add__=add, __radd__=add, __sub__=sub, __rsub__=sub, __mul__=mul, __rmul__=mul)
