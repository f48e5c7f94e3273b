"""CuPy's interface over strict arrays, with its kernels compiled for the CPU: shows without a GPU that our side is right.

`install()` puts it into sys.modules; then `ta.backend.use("cupy")` works. What it cannot show is that CuPy behaves so.
"""

from __future__ import annotations

import contextlib
import ctypes
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from tinygrad_act.backend import numpy, strict
from tinygrad_act.backend.strict import StrictArray, lift, unwrap, wrap
from tinygrad_act.numerics import special
from tinygrad_act.symbols.cuda import TYPES

# Declarations by hand: <cmath> would take longer to read than all the kernels together.
UNARY = "exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh sqrt floor ceil trunc rint erf erfc fabs"
BINARY = "pow atan2 hypot fmod fmax fmin copysign nextafter"
DECLARED = "".join(f'extern "C" double {n}(double{m}); extern "C" float {n}f(float{m.replace("double", "float")});\n'
                   for names, m in ((UNARY, ""), (BINARY, ", double")) for n in names.split())
HEAD = f"""{DECLARED}
inline float floor(float x) {{ return floorf(x); }}
inline float fmod(float x, float y) {{ return fmodf(x, y); }}
inline float copysign(float x, float y) {{ return copysignf(x, y); }}
inline double erfcx(double x) {{ return exp(x * x) * erfc(x); }}
inline double erfinv(double y) {{ double x = 0; for (int k = 0; k < 99; k++) x += (y - erf(x)) * exp(x * x) / 1.1283791670955126; return x; }}
inline float erfcxf(float x) {{ return (float)erfcx((double)x); }}
inline float erfinvf(float y) {{ return (float)erfinv((double)y); }}
#define isinf __builtin_isinf
#define isfinite __builtin_isfinite
#define signbit __builtin_signbit
#define __device__
typedef _Float16 float16;
inline float __int_as_float(unsigned x) {{ float y; __builtin_memcpy(&y, &x, 4); return y; }}
inline double __longlong_as_double(unsigned long long x) {{ double y; __builtin_memcpy(&y, &x, 8); return y; }}
"""
ATOMIC = {"float16", "float32", "float64", "int32", "uint32", "uint64"}
kernels: list[ElementwiseKernel] = []


class ElementwiseKernel:
    """As CuPy's: a body over the elements of arrays that broadcast, compiled (here by g++) at the first call."""

    def __init__(self, ins: str, outs: str, body: str, name: str, preamble: str = "", options: tuple[str, ...] = ()) -> None:
        assert options == ("--fmad=false",)
        assert name.isidentifier()
        self.ins, self.outs = ([part.split() for part in text.split(", ")] for text in (ins, outs))
        assert not {n for _, n in self.ins} & {"i", "n"}
        self.body, self.preamble, self.function = body, preamble, None
        kernels.append(self)

    def compile(self) -> Any:
        parameters = [f"const {TYPES[t]}* {n}_" for t, n in self.ins] + [f"{TYPES[t]}* {n}_" for t, n in self.outs]
        loads = "".join(f"const {TYPES[t]} {n} = {n}_[i_]; " for t, n in self.ins)
        loads += "".join(f"{TYPES[t]}& {n} = {n}_[i_]; " for t, n in self.outs)
        loop = f"for (long long i_ = 0; i_ < count_; i_++) {{ {loads}\n{self.body}\n}}"
        folder = Path(tempfile.mkdtemp())
        (folder / "k.cpp").write_text(f'{HEAD}{self.preamble}extern "C" void run({", ".join(parameters)}, long long count_) {{ {loop} }}')
        subprocess.run(["g++", "-O0", "-w", "-shared", "-fPIC", "-ffp-contract=off", "-o", folder / "k.so", folder / "k.cpp"], check=True)
        return ctypes.CDLL(str(folder / "k.so")).run

    def __call__(self, *args: Any) -> Any:
        assert len(args) == len(self.ins)
        for (dtype, _), a in zip(self.ins, args, strict=True):
            assert not isinstance(a, StrictArray) or a.dtype == dtype
        arrays = np.broadcast_arrays(*[np.asarray(unwrap(a), t) for (t, _), a in zip(self.ins, args, strict=True)])
        arrays = [np.ascontiguousarray(a).reshape(a.shape) for a in arrays]
        outs = [np.empty(arrays[0].shape, t) for t, _ in self.outs]
        self.function = self.function or self.compile()
        self.function(*[a.ctypes.data_as(ctypes.c_void_p) for a in (*arrays, *outs)], ctypes.c_longlong(outs[0].size))
        return wrap(outs[0]) if len(outs) == 1 else tuple(map(wrap, outs))


class State:
    """What CuPy keeps on the GPU for a generator: here the text of NumPy's."""

    def __init__(self, generator: Any) -> None:
        self.generator = generator

    def set(self, state: Any) -> None:
        numpy.set_generator_state(self.generator, state.tobytes())


def asnumpy(x: Any) -> Any:
    return np.frombuffer(numpy.generator_state(x.generator), np.int8) if isinstance(x, State) else strict.to_host(x)


def default_rng(seed: int) -> Any:
    numbers = strict.generator(seed)
    numbers.bit_generator = SimpleNamespace(_state=State(numbers._of))
    return numbers


def scatter_add(a: Any, index: Any, v: Any) -> None:
    if a.dtype.name not in ATOMIC:
        raise TypeError("scatter_add only supports int32, float16, float32, float64, uint32, uint64, as data type")
    lift(np.add.at)(a, index, v)


class Cupy(ModuleType):
    """The module: NumPy's functions on strict arrays, and what is CuPy's own."""

    ndarray, ElementwiseKernel = StrictArray, ElementwiseKernel
    asnumpy, random = staticmethod(asnumpy), SimpleNamespace(default_rng=default_rng)
    cuda = SimpleNamespace(Device=lambda index: contextlib.nullcontext(), get_device_id=lambda: 0,
                           runtime=SimpleNamespace(getDeviceCount=lambda: 2, CUDARuntimeError=OSError))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lift(getattr(np, name))

    @staticmethod
    def asarray(x: Any, dtype: Any = None) -> Any:
        return strict.from_host(np.asarray(x, dtype)) if isinstance(x, np.ndarray) else lift(np.asarray)(x, dtype)


def install() -> None:
    StrictArray.device = property(lambda self: SimpleNamespace(id=0))        # type: ignore[attr-defined]
    cupyx, scipy = ModuleType("cupyx"), ModuleType("cupyx.scipy")
    cupyx.scatter_add, cupyx.scipy, scipy.special = scatter_add, scipy, lift(special)    # type: ignore[attr-defined]
    sys.modules |= {"cupy": Cupy("cupy"), "cupyx": cupyx, "cupyx.scipy": scipy}


def pytest_load_initial_conftests() -> None:
    """`pytest -p tests.backend.fake_cupy --backend cupy` runs any of the tests on it."""
    install()
