"""CuPy's interface over strict arrays, with its kernels compiled for the CPU: shows without a GPU that our side is right.

`install()` puts it into sys.modules; then `ta.backend.use("cupy")` works. What it cannot show is that CuPy behaves so.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from tinygrad_act.backend import numpy, strict
from tinygrad_act.backend.kernels import HALF
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
# A block's threads are coroutines that take turns at __syncthreads(); blocks come one after the other.
BLOCKS = """#include <ucontext.h>
#include <stdlib.h>
struct Three { int x, y, z; };
static Three threadIdx, blockIdx, blockDim, gridDim;
static ucontext_t scheduler, contexts[1024];
static bool waiting[1024];
static int current;
static void (*thread)();
#define __global__
#define __shared__ static
static void __syncthreads() { waiting[current] = true; swapcontext(&contexts[current], &scheduler); }
static void enter() { thread(); waiting[current] = false; swapcontext(&contexts[current], &scheduler); }
static void run_block() {
#ifdef ALONE
    for (threadIdx.y = 0; threadIdx.y < blockDim.y; threadIdx.y++) for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++) thread();
    return;
#endif
    static char* stacks = (char*)malloc(1024L << 15);
    const int count = blockDim.x * blockDim.y;
    for (int i = 0; i < count; i++) {
        getcontext(&contexts[i]);
        contexts[i].uc_stack.ss_sp = stacks + ((long)i << 15);
        contexts[i].uc_stack.ss_size = 1 << 15;
        makecontext(&contexts[i], enter, 0);
    }
    for (bool more = true; more;) {
        more = false;
        for (current = 0; current < count; current++) {
            threadIdx.x = current % blockDim.x;
            threadIdx.y = current / blockDim.x;
            swapcontext(&scheduler, &contexts[current]);
            if (current && waiting[current] != waiting[0]) abort();          // some wait, some are done: on a GPU that hangs
        }
        more = waiting[0];
    }
}
"""
OVERLOADS = "".join(f"inline float {n}(float x) {{ return {n}f(x); }}\n" for n in ("exp", "log", "log1p", "sqrt"))
counted: Counter[str] = Counter()                    # by name, the kernels of ours that were launched
ATOMIC = {"float16", "float32", "float64", "int32", "uint32", "uint64"}
kernels: list[ElementwiseKernel] = []


class ElementwiseKernel:
    """As CuPy's: a body over the elements of arrays that broadcast, compiled (here by g++) at the first call."""

    def __init__(self, ins: str, outs: str, body: str, name: str, preamble: str = "", options: tuple[str, ...] = ()) -> None:
        assert options == ("--fmad=false",)
        assert name.isidentifier()
        self.ins, self.outs = ([part.split() for part in text.split(", ")] for text in (ins, outs))
        assert not {n for _, n in self.ins} & {"i", "n"}
        self.name, self.body, self.preamble, self.function = name, body, preamble, None
        kernels.append(self)

    def compile(self) -> Any:
        parameters = [f"const {TYPES[t]}* {n}_" for t, n in self.ins] + [f"{TYPES[t]}* {n}_" for t, n in self.outs]
        loads = "".join(f"const {TYPES[t]}& {n} = {n}_[loop_]; " for t, n in self.ins)      # references, as CuPy's are
        loads += "".join(f"{TYPES[t]}& {n} = {n}_[loop_]; " for t, n in self.outs)
        loop = f"for (long long loop_ = 0; loop_ < count_; loop_++) {{ {loads}\n{self.body}\n}}"
        return compiled(f'{HEAD}{self.preamble}extern "C" void run({", ".join(parameters)}, long long count_) {{ {loop} }}').run

    def __call__(self, *args: Any) -> Any:
        args, given = args[:len(self.ins)], args[len(self.ins):]
        assert len(args) == len(self.ins) and len(given) in (0, len(self.outs))
        counted[self.name] += 1
        for (dtype, _), a in zip(self.ins, args, strict=True):
            assert not isinstance(a, StrictArray) or a.dtype == dtype
        arrays = np.broadcast_arrays(*[np.asarray(unwrap(a), t) for (t, _), a in zip(self.ins, args, strict=True)])
        arrays = [np.ascontiguousarray(a).reshape(a.shape) for a in arrays]
        if given:
            assert all(o.shape == arrays[0].shape for o in given)
            outs = [np.ascontiguousarray(unwrap(o)).reshape(o.shape) for o in given]
            assert [o.dtype for o in outs] == [t for t, _ in self.outs]
        else:
            outs = [np.empty(arrays[0].shape, t) for t, _ in self.outs]
        self.function = self.function or self.compile()
        self.function(*[a.ctypes.data_as(ctypes.c_void_p) for a in (*arrays, *outs)], ctypes.c_longlong(outs[0].size))
        for place, out in zip(given, outs, strict=False):
            if unwrap(place) is not out:
                unwrap(place)[...] = out
        outs = [unwrap(o) for o in given] or outs
        return wrap(outs[0]) if len(outs) == 1 else tuple(map(wrap, outs))


def compiled(text: str) -> Any:
    folder = Path(tempfile.mkdtemp())
    (folder / "k.cpp").write_text(text)
    subprocess.run(["g++", "-O0", "-w", "-shared", "-fPIC", "-ffp-contract=off", "-o", folder / "k.so", folder / "k.cpp"], check=True)
    return ctypes.CDLL(str(folder / "k.so"))


class RawKernel:
    """As CuPy's: a kernel of a CUDA text. What it is given must be as its parameters say: nothing is converted."""

    libraries: ClassVar[dict[str, Any]] = {}

    def __init__(self, code: str, name: str, options: tuple[str, ...] = ()) -> None:
        assert options == ("--fmad=false",)
        self.code, self.name = code, name

    def library(self) -> Any:
        """All kernels of the text, each as launch_NAME(grid, block, arguments) with parameters_NAME, its signature."""
        if self.code not in self.libraries:
            text = "#define ALONE\n" * ("__syncthreads" not in self.code) + HEAD + OVERLOADS + BLOCKS + self.code.replace(HALF, "")
            for name, signature in re.findall(r'extern "C" __global__ void (\w+)\(([^)]*)\)', self.code):
                kinds = [part.rsplit(None, 1)[0] for part in signature.split(",")]
                text += (f'static void** given_{name};\nstatic void thread_{name}() {{ {name}({", ".join(f"*({k}*)given_{name}[{i}]" for i, k in enumerate(kinds))}); }}\n'
                         f'extern "C" {{ int sizes_{name}[] = {{{", ".join(f"sizeof({k})" for k in kinds)}}};\n'
                         f'const char* kinds_{name} = "{";".join(" ".join(k.split()) for k in kinds)}";\n'
                         f'void launch_{name}(int gx, int gy, int bx, int by, void** arguments) {{ given_{name} = arguments; thread = thread_{name};\n'
                         f'gridDim = {{gx, gy, 1}}; blockDim = {{bx, by, 1}};\n'
                         f'for (blockIdx.y = 0; blockIdx.y < gy; blockIdx.y++) for (blockIdx.x = 0; blockIdx.x < gx; blockIdx.x++) run_block(); }} }}\n')
            self.libraries[self.code] = compiled(text)
        return self.libraries[self.code]

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]) -> None:
        library = self.library()
        kinds = ctypes.c_char_p.in_dll(library, f"kinds_{self.name}").value.decode().split(";")
        assert len(kinds) == len(args), f"{self.name} takes {len(kinds)} arguments"
        aliases = {alias: of for of, alias in re.findall(r"typedef (\w+) (\w+);", self.code)}
        c_types = {t: d for d, t in TYPES.items()}
        values = []
        for kind, a in zip(kinds, args, strict=True):
            target = kind.removeprefix("const ").removesuffix("*").strip()
            dtype = np.dtype(c_types[aliases.get(target, target)])
            if kind.endswith("*"):
                assert a is None or (isinstance(a, StrictArray) and a.flags.c_contiguous), f"{self.name}: {kind} is given {a!r}"
                assert a is None or a.dtype == dtype or (dtype.kind == "u" and a.itemsize == dtype.itemsize), f"{self.name}: {kind} is given {a.dtype}"
                values.append(ctypes.c_void_p(None if a is None else unwrap(a).ctypes.data))
            else:
                assert type(a) is {"i": int, "f": float}[dtype.kind] and dtype.itemsize == 8, f"{self.name}: {kind} is given {a!r}"
                values.append(ctypes.c_longlong(a) if dtype.kind == "i" else ctypes.c_double(a))
        assert all(n >= 1 for n in (*grid, *block)) and block[0] * (block[1] if len(block) > 1 else 1) <= 1024
        counted[self.name] += 1
        pointers = (ctypes.c_void_p * len(values))(*[ctypes.addressof(v) for v in values])
        (gx, gy, *_), (bx, by, *_) = (*grid, 1), (*block, 1)
        getattr(library, f"launch_{self.name}")(gx, gy, bx, by, pointers)


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


class Stream:
    """What is called between `begin_capture` and `end_capture` is done, and noted; the graph's first launch finds it done, the
    later ones do it again, into the same arrays.
    """

    tape: list[Any] | None = None
    done = True
    __enter__ = __exit__ = synchronize = wait_event = lambda self, *_: None

    def __init__(self, non_blocking: bool = False, priority: int = 0) -> None:
        pass

    def begin_capture(self) -> None:
        Stream.tape, self.restore = [], contextlib.ExitStack()
        for owner, names in ((lift, ["__call__"]), (ElementwiseKernel, ["__call__"]), (RawKernel, ["__call__"]), (
                StrictArray, [f"__{n}__" for n in strict.OPERATORS.split()] + ["__getitem__", "__setitem__"])):
            for name in names:
                self.restore.callback(setattr, owner, name, getattr(owner, name))
                setattr(owner, name, noted(getattr(owner, name)))

    def end_capture(self) -> Any:
        self.restore.close()
        tape, Stream.tape = Stream.tape or [], None
        launches.append(len(tape))
        done = [True]

        def launch() -> None:
            for function, args, kwargs, out in [] if done else tape:
                again = function(*args, **kwargs)
                for old, new in zip(arrays_in(out), arrays_in(again), strict=True):
                    if not np.may_share_memory(old._array, new._array):      # a view is where it was
                        old._array[...] = new._array
            done.clear()
        return SimpleNamespace(launch=launch)


launches: list[int] = []


def arrays_in(x: Any) -> list[Any]:
    return [x] if isinstance(x, StrictArray) else [a for p in x for a in arrays_in(p)] if isinstance(x, (tuple, list)) else []


def noted(function: Any) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        tape, Stream.tape = Stream.tape, None            # what it calls itself is not noted
        try:
            out = function(*args, **kwargs)
        finally:
            Stream.tape = tape
        if tape is not None and out is not NotImplemented:
            tape.append((function, args, kwargs, out))
        return out
    return call


def launched(step: Any) -> int:
    """About how many kernels CuPy would launch for it: one for each function of arrays that makes or changes one, none for a view."""
    stream = Stream()
    stream.begin_capture()
    try:
        step()
        return sum(map(is_launch, Stream.tape or []))
    finally:
        stream.end_capture()


def is_launch(entry: Any) -> bool:
    function, args, kwargs, out = entry
    if isinstance(args[0], lift):
        name = getattr(args[0]._of, "__name__", "")
        if name in ("copyto", "fill", "at") or "out" in kwargs:
            return True
        owner = getattr(args[0]._of, "__self__", None)
        of = [*map(unwrap, arrays_in(args[1:])), *([owner] if isinstance(owner, np.ndarray) else [])]
        made = arrays_in(out)
        return bool(made) and not name.startswith("empty") and not any(np.may_share_memory(unwrap(a), b) for a in made for b in of)
    name = getattr(function, "__name__", "")
    return name != "__getitem__" or not np.may_share_memory(unwrap(out), unwrap(args[0]))


class Event:
    done = True
    record = synchronize = lambda self, *_: None

    def __init__(self, block: bool = False, disable_timing: bool = False) -> None:
        pass


class Device:
    def __init__(self, index: int) -> None:
        self.id = index

    use = synchronize = __enter__ = __exit__ = lambda self, *_: None


class Hook:
    """CuPy calls it when memory is taken; the double never does."""

    __enter__ = __exit__ = lambda self, *_: None


class Cupy(ModuleType):
    """The module: NumPy's functions on strict arrays, and what is CuPy's own."""

    ndarray, ElementwiseKernel, RawKernel = StrictArray, ElementwiseKernel, RawKernel
    asnumpy, random = staticmethod(asnumpy), SimpleNamespace(default_rng=default_rng)
    cuda = SimpleNamespace(Device=Device, get_device_id=lambda: 0, Stream=Stream, Event=Event, MemoryHook=Hook, get_elapsed_time=lambda a, b: 0.5,
                           get_current_stream=Stream, using_allocator=lambda malloc: contextlib.nullcontext(),
                           MemoryPool=lambda: SimpleNamespace(malloc=None),
                           runtime=SimpleNamespace(getDeviceCount=lambda: 2, getDevice=lambda: 0, memGetInfo=lambda: (1 << 30, 1 << 31), CUDARuntimeError=OSError,
                                                   getDeviceProperties=lambda index: {"name": b"the double", "major": 9, "minor": 0, "totalGlobalMem": 1 << 31,
                                                                                      "multiProcessorCount": 1}))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lift(getattr(np, name))

    @staticmethod
    def get_default_memory_pool() -> Any:
        return SimpleNamespace(used_bytes=lambda: 1024, total_bytes=lambda: 4096, free_all_blocks=lambda: None)

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
