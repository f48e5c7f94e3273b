"""The GPU: the vocabulary of `namespace.py` on CuPy. Elementwise rules run as one generated kernel each.

Imported on first use. One process works on one GPU at a time, the current one (`backend.use("cupy", 1)`).
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from ..errors import DeviceError, DTypeError, MissingPackageError
from .kernels.rows import OPTIONS, Beside
from .namespace import Namespace

try:
    import cupy
    import cupyx
    from cupyx.scipy import special
except ImportError as error:
    raise MissingPackageError("backend 'cupy'", "", f"CuPy cannot be imported ({error})", "pip install 'tinygrad-act[cuda12]', or "
                              "'tinygrad-act[cuda13]' (nvidia-smi shows which CUDA the driver has)") from error
try:
    DEVICES = int(cupy.cuda.runtime.getDeviceCount())
except cupy.cuda.runtime.CUDARuntimeError as error:
    raise DeviceError("backend 'cupy'", "", f"CuPy is installed, but finds no GPU ({error})",
                      'check nvidia-smi, or use backend.use("numpy")') from error

Array = cupy.ndarray


class CupyNamespace(Beside, Namespace):
    name = "cupy"
    plain = floats = ""                                  # every elementwise rule goes through `run`
    span = breadth = 1 << 28                             # of a convolution at a time: few launches, in a quarter of a gigabyte
    tile = 1 << 30                                       # no cache to stay in, and each call is a launch
    small = 1 << 18                                      # beyond this, a launch costs less than to copy it

    def __init__(self) -> None:
        from ..symbols.cuda import baked, launcher  # a floor above, which no other backend needs
        Namespace.__init__(self, cupy, special)
        Beside.__init__(self)
        self.baked, self.launcher = baked, launcher
        self.kernels: dict[Any, Any] = {}

    def raw(self, text: str, name: str) -> Any:
        return cupy.RawKernel(text, name, options=OPTIONS)

    def change(self, targets: Any, rule: Any, arrays: Any, params: Any) -> None:
        """The results of the rule in the places of `targets`, by one kernel that reads before it writes."""
        self.run(rule, arrays, params, tuple(targets))

    def run(self, rule: Any, arrays: Any, params: Any, out: tuple[Any, ...] = ()) -> Any:
        """The rule as one kernel, made once for these dtypes and settings; most numbers are arguments of it."""
        key, numbers = [rule, *params], []
        for x in (*arrays, *params.values()):
            if isinstance(x, Array):
                key.append(x.dtype)
            elif self.baked(x):
                key += (type(x), x)
            else:
                key.append(type(x))
                numbers.append(x)
        name = tuple(key)
        launch = self.kernels.get(name) or self.kernels.get((*name, *numbers))
        if launch is None:
            kinds = [x.dtype if isinstance(x, Array) else x for x in arrays]
            launch, branches = self.launcher(rule, kinds, params, cupy.ElementwiseKernel)
            self.kernels[(*name, *numbers) if branches else name] = launch
        return launch(arrays, numbers, out)

    def here(self) -> int:
        return current()

    def cast(self, x: Any, dtype: Any) -> Any:
        return super().cast(x, known(dtype))

    def new(self, shape: Any, dtype: Any, value: Any = None, index: int | None = None) -> Any:
        return super().new(shape, known(dtype), value, index)

    def checked(self) -> Any:
        return cupyx.errstate(linalg="raise")            # waits for the GPU; without, a singular matrix goes on as NaN

    def on(self, index: int | None) -> Any:
        return super().on(index) if index is None else on_device(index)

    def within(self, index: Any, low: int, high: int) -> bool:
        return True                                      # looking would mean waiting; CuPy wraps what is outside

    def add_at(self, y: Any, index: Any, v: Any) -> None:
        """CUDA adds atomically in few types: the halves are summed in float32, integers in uint64 (which wraps alike)."""
        if y.dtype.char in "fd":
            cupyx.scatter_add(y, index, v)
            return
        wide = cupy.zeros(y.shape, "float32" if y.dtype.kind == "f" else "uint64")
        v = cupy.asarray(v, None if y.dtype.kind == "f" else "int64")
        cupyx.scatter_add(wide, index, v.astype(wide.dtype))
        y += wide.astype(y.dtype)

    def scatter_reduce(self, x: Any, dim: int, index: Any, src: Any, reduce: str) -> Any:
        """By sorting what meets in one place, and a running reduction that stops at each next place."""
        join = {"prod": cupy.multiply, "amax": cupy.maximum, "amin": cupy.minimum}[reduce]
        y = cupy.array(x, order="C")
        place = cupy.arange(y.size).reshape(y.shape)[self._grid(index, dim)].ravel()
        order = cupy.argsort(place)
        place, v = place[order], src[tuple(slice(n) for n in index.shape)].ravel()[order]
        step = 1
        while step < place.size:
            v[step:] = cupy.where(place[step:] == place[:-step], join(v[:-step], v[step:]), v[step:])
            step *= 2
        last = cupy.searchsorted(place, place, side="right") - 1
        flat = y.reshape(-1)
        flat[place] = join(flat[place], v[last])         # equal places are written equal numbers
        return y


def known(dtype: Any) -> Any:
    """The dtype, if CuPy has it."""
    if getattr(dtype, "name", "") == "bfloat16":
        raise DTypeError("backend 'cupy'", dtype.name, "CuPy has no such element type", "use ta.float16 or ta.float32")
    return dtype


F = CupyNamespace()


def from_host(array: np.ndarray, index: int | None = None) -> Any:
    with F.on(index):
        return cupy.asarray(array, known(array.dtype))


def to_host(array: Any) -> np.ndarray:
    host: np.ndarray = cupy.asnumpy(array)
    return host


def is_available() -> bool:
    return DEVICES > 0


def device_index(array: Any) -> int | None:
    return int(array.device.id)


def on_device(index: int) -> Any:
    """CuPy's handle on a GPU, which is a context too."""
    if not 0 <= index < DEVICES:
        raise DeviceError("device", f"cuda:{index}", f"the number of GPUs here is {DEVICES}, and they are counted from 0")
    return cupy.cuda.Device(index)


def current() -> int:
    return int(cupy.cuda.runtime.getDevice())


def properties(index: int) -> Any:
    return cupy.cuda.runtime.getDeviceProperties(on_device(index).id)


def pool() -> Any:
    """Where CuPy keeps memory."""
    return cupy.get_default_memory_pool()


class Peak(cupy.cuda.MemoryHook):  # type: ignore[misc]
    """Sees each piece of memory that this thread takes, and remembers when it was most."""

    name = "tinygrad_act.Peak"

    def __init__(self) -> None:
        self.of: dict[int, int] = {}
        self.__enter__()

    def malloc_postprocess(self, **kwargs: Any) -> None:
        index = current()
        self.of[index] = max(self.of.get(index, 0), pool().used_bytes())

    def reset(self, index: int) -> None:
        with on_device(index):
            self.of[index] = pool().used_bytes()

    def most(self, index: int) -> int:
        if index not in self.of:
            self.reset(index)
        return self.of[index]


_peaks = threading.local()


def peak() -> Peak:
    """This thread's."""
    if not hasattr(_peaks, "peak"):
        _peaks.peak = Peak()
    found: Peak = _peaks.peak
    return found


def memory_info() -> Any:
    return cupy.cuda.runtime.memGetInfo()


def new_stream(priority: int) -> Any:
    return cupy.cuda.Stream(non_blocking=True, **({"priority": priority} if priority else {}))


def current_stream() -> Any:
    return cupy.cuda.get_current_stream()


def new_event(block: bool, timing: bool) -> Any:
    return cupy.cuda.Event(block=block, disable_timing=not timing)


def milliseconds(start: Any, end: Any) -> float:
    return float(cupy.cuda.get_elapsed_time(start, end))


def generator(seed: int, index: int | None = None) -> Any:
    with F.on(index):
        return cupy.random.default_rng(seed)


def generator_state(generator: Any) -> bytes:
    state: bytes = cupy.asnumpy(generator.bit_generator._state).tobytes()         # CuPy has no public way
    return state


def set_generator_state(generator: Any, state: bytes) -> None:
    generator.bit_generator._state.set(np.frombuffer(state, np.int8))
