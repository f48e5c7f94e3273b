"""The error function and its kin."""

from __future__ import annotations

import math

from ..elementwise import Elementwise
from .registry import elementwise, enter

PEAK = 2 / math.sqrt(math.pi)                          # the slope of erf at 0

erf = elementwise("erf", lambda F, x: F.erf(x), lambda F, g, x: g * (PEAK * F.exp(-x * x)), result="float",
                  doc="The error function: 2/sqrt(pi) times the integral of exp(-t*t) from 0 to x.")
erfc = elementwise("erfc", lambda F, x: F.erfc(x), lambda F, g, x: -g * (PEAK * F.exp(-x * x)), result="float",
                   doc="1 - erf(x), exact in the right tail.")
erfcx = enter(Elementwise("erfcx", lambda F, x: F.erfcx(x), lambda F, g, x, y: g * (2 * x * y - PEAK), result="float"))
erfinv = elementwise("erfinv", lambda F, x: F.erfinv(x), lambda F, g, y: g * (F.exp(y * y) * (1 / PEAK)), result="float",
                     doc="The inverse of erf: inf at 1, -inf at -1, NaN beyond.")
