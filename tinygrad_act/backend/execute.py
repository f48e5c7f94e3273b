"""The CPU's executor: an elementwise rule over large arrays in one pass.

Compiled, a rule is a ufunc of NumPy's whose inner loop is C made from the rule's own text (symbols/c.py). Where that cannot
be (no compiler, a function without a C text, integers) it runs in tiles. A rule made of exact operations gives the same bits
either way, so it is compiled in the background while tiles do its work; for one that calls exp and its kin, whose last place
depends on the library, the compiler is waited for, once. So what is computed never depends on when a compiler was done.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from ..dtypes import is_half
from ..errors import TinygradActError
from . import compiler, pool, threads, tiles
from .config import config
from .namespace import Namespace

# (arrays, settings, the numbers among both, where to put the results or None) -> the result
Launch = Callable[[Sequence[Any], dict[str, Any], Sequence[Any], Any], Any]
VALUES = 8                              # so many values of settings that a rule branches on get a kernel each, and the rest tiles
MEMORY = 256                            # how many values of the other settings a kernel remembers
CALLS = 4096                            # how many rules with their settings are remembered
PLAIN = (bool, int, float, str, type(None))              # settings that are: others may be large, or change
THESE = "these"                         # in the key of a kernel that is good for very few numbers

ufuncs: dict[str, Any] = {}             # a kernel's text -> the ufunc
notes: dict[str, str] = {}              # a rule's name -> how it runs, or why it does not run compiled
_kept: list[Any] = []                   # what NumPy has pointers to
_loops: dict[Any, tuple[int, int]] = {} # a ufunc -> the addresses of its loop and of what the loop is given
_background = ThreadPoolExecutor(1, "tinygrad_act-compiler")


class Inner(NamedTuple):
    """A compiled rule's loop, as a ufunc calls it: on those of the arrays that are `used`, and on what Python makes of the numbers."""

    loop: int                           # its address, and what it is given beside the arrays
    data: int
    used: Sequence[int]
    numbers: Callable[[Sequence[Any]], Sequence[Any]]
    dtypes: Sequence[Any]
    takes: int                          # how many numbers it is given; fewer than there are where it is good for these very ones
    ufunc: Any

    def given(self, numbers: Sequence[Any]) -> list[Any]:
        """What it is given of the numbers."""
        return [np.asarray(x).astype(t) for x, t in zip(self.numbers(numbers), self.dtypes, strict=True)]


class Mode(NamedTuple):
    """What is known under one setting of `config.kernels`: what runs a rule on arrays of some dtypes, and see `Executor.remember`."""

    kernels: str
    launches: dict[Any, Launch]
    calls: dict[Any, Callable[..., Any]]


class Executor:
    """Runs elementwise rules over NumPy's arrays, with vocabulary F where they run as they are."""

    def __init__(self, F: Any) -> None:
        from ..symbols import c, cuda, expression  # a floor above
        self.F, self.c, self.cuda, self.evaluate, self.single = F, c, cuda, expression.evaluate, expression.single
        self.modes: dict[str, Mode] = {}
        self.asked: set[Any] = set()                   # the keys of `remember` that came once
        self.values: dict[Any, int] = {}
        self.inner: dict[Launch, Inner] = {}           # of the compiled ones
        self.settle()

    def settle(self) -> None:
        """Do as the config says now."""
        self.mode = self.modes.setdefault(config.kernels, Mode(config.kernels, {}, {}))

    def run(self, rule: Any, arrays: Sequence[Any], params: dict[str, Any], out: tuple[Any, ...] = (), key: Any = None) -> Any:
        """What `rule(F, *arrays, **params)` returns, or with `out` puts there; the halves are computed in float32 and rounded once.

        The key is that of `remember`.
        """
        mode = self.mode                               # another thread may change the config meanwhile
        arrays = [np.asarray(a) if isinstance(a, np.generic) else a for a in arrays]           # of one number, as g / n is
        launch, numbers = self.find(rule, arrays, params, mode)
        if key is not None and (inner := self.inner.get(launch)) is not None:
            self.remember(key, inner, arrays, params, numbers, mode.calls)
        return launch(arrays, params, numbers, out)

    def remember(self, key: Any, inner: Inner, arrays: Sequence[Any], params: dict[str, Any], numbers: Sequence[Any], calls: dict[Any, Any]) -> None:
        """Enter what computes a compiled rule from its arrays alone. The key is the rule, the arrays' dtypes, and numbers and settings
        with their types, which come a second time if they are worth it; of settings it does not tell 0.0 from -0.0, so these never are.
        """
        values = [*params.values(), *[a for a in arrays if not isinstance(a, np.ndarray)]]
        if not all(type(v) in PLAIN for v in values) or 0.0 in [v for v in params.values() if type(v) is float]:
            return
        if len(calls) + len(self.asked) >= CALLS:
            calls.clear()
            self.asked.clear()
        if values and key not in self.asked:
            self.asked.add(key)
            return
        ufunc, used, given = inner.ufunc, inner.used, inner.given(numbers)
        if list(used) != [*range(len(arrays))]:
            calls[key] = lambda *arrays: ufunc(*[arrays[i] for i in used], *given)
        else:
            calls[key] = (lambda *arrays: ufunc(*arrays, *given)) if given else ufunc

    def find(self, rule: Any, arrays: Sequence[Any], params: dict[str, Any], mode: Mode) -> tuple[Launch, list[Any]]:
        """What runs the rule on arrays of these dtypes, with these settings; and the numbers that it is to be given."""
        launches = mode.launches
        key, baked = [rule], self.cuda.baked
        numbers: list[Any] = []
        for a in arrays:
            if type(a) is np.ndarray:
                key.append(a.dtype.char)
            else:
                key.append(type(a))
                (key if baked(a) else numbers).append(a)
        for setting, value in params.items():          # part of a kernel's text, or given to the kernel
            key += (setting, type(value))
            (key if baked(value) else numbers).append(value)
        name = tuple(key)
        try:
            launch = launches.get(name) or (launches.get((*name, THESE, *numbers)) if numbers else None)
        except TypeError:                              # a setting that cannot be part of a key
            launch = self.tiles(rule, arrays)
        return launch or self.prepare(rule, arrays, params, name, numbers, mode), numbers

    def prepare(self, rule: Any, arrays: Sequence[Any], params: dict[str, Any], name: tuple[Any, ...], numbers: list[Any],
                mode: Mode) -> Launch:
        """What runs the rule on arrays of these dtypes, entered under its key when it is known."""
        tiles, launches = self.tiles(rule, arrays), mode.launches
        kinds = {a.dtype.char for a in arrays if type(a) is np.ndarray}
        if mode.kernels != "auto" or not kinds <= set("efd?") or kinds == {"?"}:
            return launches.setdefault(name, tiles)
        try:
            kernel, values = self.cuda.lifted(rule, [a.dtype if type(a) is np.ndarray else a for a in arrays], params,
                                              self.c.Text)
        except TinygradActError as error:              # of the rule itself; it will say so again
            notes[label(rule)] = f"in tiles: {error}"
            return launches.setdefault(name, tiles)
        except Exception:                              # it is more than elementwise: the symbols do not know what it does
            return launches.setdefault(name, lambda arrays, params, numbers, out: (
                Namespace.change(self.F, out, rule, arrays, params) if out else rule(self.F, *arrays, **params)))
        if values is None and numbers:                 # good for these very numbers
            seen = self.values[name] = self.values.get(name, 0) + 1
            if seen > VALUES:
                return launches.setdefault(name, tiles)
            name = (*name, THESE, *numbers)
        self.compile(kernel, values or {}, rule, name, launches, tiles)
        return launches[name]

    def compile(self, kernel: Any, values: dict[str, Any], rule: Any, name: tuple[Any, ...], launches: dict[Any, Launch], tiles: Launch) -> None:
        """Enter the compiled kernel: now, or as soon as it is there (see above), and till then tiles."""
        if kernel.passes is not None:
            launches[name] = lambda arrays, params, numbers, out: np.copyto(out[0], arrays[kernel.passes]) if out else arrays[kernel.passes]
            return
        text = self.c.source(kernel, "rule", compiler.vector_functions())
        if text is None:
            notes[label(rule)] = "in tiles: it calls what has no vector form in C"
            launches[name] = tiles
            return

        def enter() -> None:
            try:
                if text not in ufuncs:
                    calls = {f"{name}f" for name in self.c.functions(kernel) - self.c.EXACT} | {"expf", "fmaf", "fma", "erf"}
                    ufuncs[text] = ufunc(compiler.library(text, calls), kernel, label(rule))
                launches[name] = self.calling(ufuncs[text], kernel, values)
                notes[label(rule)] = "compiled"
            except compiler.CompileError as error:
                launches[name] = tiles
                notes[label(rule)] = f"in tiles: {error}"

        if self.c.functions(kernel) <= self.c.EXACT and not compiler.known(text):
            launches[name] = tiles
            _background.submit(enter)
        else:
            enter()
        if not pool.share:                             # a kernel does without the pool until it is there
            pool.start() if compiler.known(pool.source()) else _background.submit(pool.start)

    def calling(self, function: Any, kernel: Any, values: dict[str, Any]) -> Launch:
        """The ufunc on those of the arrays that it takes, and on what Python makes of the numbers."""
        used, dtypes = kernel.used, [dtype for dtype, _ in kernel.inputs[len(kernel.used):]]
        compute: Callable[[Sequence[Any]], Sequence[Any]] = lambda numbers: self.evaluate(kernel.numbers, None, dict(zip(values, numbers, strict=False)))
        if all(s.op == "parameter" for s in kernel.numbers):
            places = [list(values).index(s.value) for s in kernel.numbers]
            compute = lambda numbers: [numbers[i] for i in places]
        launch = self.launch(function, used, dtypes, compute)
        self.inner[launch] = Inner(*_loops[function], used, compute, dtypes, len(values), function)
        return launch

    def settled(self, rule: Any, arrays: Sequence[Any], params: dict[str, Any]) -> tuple[Any, list[Any]] | None:
        """The ufunc that `run` calls by now, and what it is given; None if it calls none."""
        launch, numbers = self.find(rule, arrays, params, self.mode)
        inner = self.inner.get(launch)
        if inner is None:
            return None
        return inner.ufunc, [*[arrays[i] for i in inner.used], *inner.given(numbers)]

    @staticmethod
    def launch(function: Any, used: Sequence[int], dtypes: Sequence[Any], compute: Callable[[Sequence[Any]], Sequence[Any]]) -> Launch:
        """The same with what it is made of: see Inner."""
        if not dtypes:
            return lambda arrays, params, numbers, out: function(*[arrays[i] for i in used], *out)
        memory: dict[tuple[Any, ...], list[Any]] = {}

        def launch(arrays: Sequence[Any], params: dict[str, Any], numbers: Sequence[Any], out: Any) -> Any:
            given = memory.get(tuple(numbers))
            if given is None:
                if len(memory) >= MEMORY:
                    memory.clear()
                given = memory[tuple(numbers)] = [np.asarray(x).astype(t)[()] for x, t in zip(compute(numbers), dtypes, strict=True)]
            return function(*[arrays[i] for i in used], *given, *out)

        return launch

    def tiles(self, rule: Any, arrays: Sequence[Any]) -> Launch:
        """The rule in tiles."""
        F = self.F
        if any(type(a) is np.ndarray and is_half(a.dtype) for a in arrays):
            compute: Callable[..., Any] = lambda *parts, **params: Namespace.run(F, rule, parts, params)
        else:
            compute = lambda *parts, **params: rule(F, *parts, **params)

        def launch(arrays: Sequence[Any], params: dict[str, Any], numbers: Sequence[Any], out: Any) -> Any:
            if out:
                return tiles.change(functools.partial(Namespace.change, F), out, rule, arrays, params, config.tile)
            return tiles.run(functools.partial(compute, **params), arrays, config.tile, config.threads or threads.available())

        return launch


# --------------------------------------------------------------------------------------------------- NumPy's ufuncs
@functools.cache
def _maker() -> Any:
    """PyUFunc_FromFuncAndData of NumPy's C interface, which NumPy offers to other modules as a table of pointers."""
    umath = importlib.import_module("numpy._core._multiarray_umath")
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = ctypes.cast(pointer(umath._UFUNC_API, None), ctypes.POINTER(ctypes.c_void_p))
    arguments = [ctypes.c_void_p] * 3 + [ctypes.c_int] * 4 + [ctypes.c_char_p] * 2 + [ctypes.c_int]
    return ctypes.PYFUNCTYPE(ctypes.py_object, *arguments)(table[1])


def ufunc(library: Any, kernel: Any, name: str) -> Any:
    """The library's inner loop `rule` as a ufunc: arrays of any shape and strides, the arrays first and the numbers last."""
    try:
        make = _maker()
    except (ImportError, AttributeError, ValueError) as error:
        raise compiler.CompileError(f"this NumPy does not let ufuncs be made ({error})") from error
    functions = (ctypes.c_void_p * 1)(ctypes.cast(library.rule, ctypes.c_void_p).value)
    data = (ctypes.c_void_p * 1)(ctypes.addressof(pool.share))
    types = ctypes.create_string_buffer(bytes(np.dtype(dtype).num for dtype, _ in (*kernel.inputs, *kernel.outputs)))
    text = name.encode()
    _kept.append((library, functions, data, types, text))
    made = make(ctypes.addressof(functions), ctypes.addressof(data), ctypes.addressof(types), 1, len(kernel.inputs),
                len(kernel.outputs), -1, text, b"", 0)
    _loops[made] = functions[0] or 0, data[0] or 0
    return made


def label(rule: Any) -> str:
    """What a rule is called."""
    return getattr(rule, "__qualname__", None) or repr(rule)


def rows() -> list[tuple[str, str]]:
    """What there is to run kernels with, and what runs so far."""
    here = compiler.compiler()
    vector = len(compiler.vector_functions()) if here else 0
    ran = sum(note == "compiled" for note in notes.values())
    wrong = f", which fails, so rules run in tiles: {compiler.complaint():.200}" if here and compiler.complaint() else ""
    return [("compiler", f"{here}{wrong}" if here else "none: rules run in tiles"), ("functions on vectors", f"{vector} of glibc's" if vector else "none"),
            ("kernels kept in", compiler.kept() if here else "-"),
            ("threads of a kernel", str(config.threads or threads.available())),
            ("rules so far", f"{ran} compiled, {len(notes) - ran} in tiles")]
