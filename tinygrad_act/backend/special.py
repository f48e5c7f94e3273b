"""erf, erfc and erfinv for NumPy."""
from __future__ import annotations
import math
import numpy as np
def _lift(f):
    g = np.frompyfunc(f, 1, 1)
    return lambda x: np.asarray(g(x)).astype(np.asarray(x).dtype)
erf = _lift(math.erf)
erfc = _lift(math.erfc)
erfinv = _lift(math.erf)
