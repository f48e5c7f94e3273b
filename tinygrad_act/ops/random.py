"""Random numbers: generators, tensors of random numbers, and filling in place.

Each device has a default generator, and `manual_seed` sets them all: the same seed gives the same numbers on one backend.
They are NumPy's or CuPy's numbers, not PyTorch's.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from .. import backend, dtypes
from ..backend import namespaces
from ..errors import ArgumentError, DeviceError, DTypeError, ShapeError
from ..tensor import Tensor, wrap
from . import arguments
from .arguments import Ints
from .create import leaf
from .registry import functions, op, public

SEED = 67280421310721                    # a new Generator's, as in PyTorch


class Generator:
    """A source of random numbers on one device, for the `generator=` of the functions here.

    >>> g = Generator().manual_seed(7)
    >>> x = ta.rand(2, generator=g)
    >>> bool((x == ta.rand(2, generator=g.manual_seed(7))).all())
    True
    """

    def __init__(self, device: Any = "cpu", *, _seed: int = SEED) -> None:
        self.device = backend.Device(device)
        self._module, self._index = backend.resolve(self.device)
        self.manual_seed(_seed)

    def manual_seed(self, seed: int) -> Generator:
        """Start again from `seed`; returns itself."""
        self._seed = _checked(seed)
        self.engine = self._module.generator(self._seed, self._index)
        return self

    def seed(self) -> int:
        """Start again from a seed that nobody chose; returns it."""
        return self.manual_seed(int.from_bytes(os.urandom(8), "little")).initial_seed()

    def initial_seed(self) -> int:
        """The seed it was started from."""
        return self._seed

    def get_state(self) -> Tensor:
        """Where it stands, as a uint8 tensor on the CPU, for `set_state`."""
        state = self._seed.to_bytes(8, "little") + self._module.generator_state(self.engine)
        return wrap(backend.asarray(list(state), dtypes.uint8, "cpu"))

    def set_state(self, state: Tensor) -> Generator:
        """Go on from where `get_state` was called."""
        if not isinstance(state, Tensor) or state.dtype != dtypes.uint8 or state.ndim != 1:
            raise ArgumentError("set_state", f"{getattr(state, 'dtype', type(state).__name__)}", "that is no state of a generator",
                                "pass what get_state() returned")
        data = bytes(backend.to_host(state.array).tolist())
        try:
            self._module.set_generator_state(self.engine, data[8:])
        except (ValueError, TypeError, KeyError) as error:
            raise ArgumentError("set_state", f"{len(data)} bytes", "that is no state of a generator of this backend",
                                "pass what get_state() returned") from error
        self._seed = int.from_bytes(data[:8], "little")
        return self

    def __repr__(self) -> str:
        return f"<Generator on {self.device}, seed {self._seed}>"


def _checked(seed: Any) -> int:
    number = int(seed)
    if not -(1 << 63) <= number < 1 << 64:
        raise ArgumentError("manual_seed", str(number), "a seed has 64 bits", "take it modulo 2**64")
    return number % (1 << 64)


# ------------------------------------------------------------------------------------------ the default generators
class Defaults:
    """A default generator for each device, made when first asked for, all from one seed.

    As a context, they are the ones this thread uses: what is drawn inside depends on `seed` alone, whichever thread
    draws it, and leaves everybody else's default generators where they are.

    >>> with Defaults(3):
    ...     x = ta.rand(2)
    >>> bool((x == ta.rand(2, generator=ta.Generator().manual_seed(3))).all())
    True
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed % (1 << 64)
        self.generators: dict[tuple[str, int], Generator] = {}
        self.before: list[Defaults] = []

    def __enter__(self) -> Defaults:
        self.before.append(_current())
        _thread.defaults = self
        return self

    def __exit__(self, *exc: object) -> None:
        _thread.defaults = self.before.pop()


_shared = Defaults(int.from_bytes(os.urandom(8), "little"))
_thread = threading.local()


def _current() -> Defaults:
    """The default generators of this thread."""
    return getattr(_thread, "defaults", _shared)


def default_generator(device: Any = None) -> Generator:
    """The generator that is used on a device unless another is passed."""
    device = backend.current_device() if device is None else backend.Device(device)
    key = (device.type, device.index or 0)
    defaults = _current()
    if key not in defaults.generators:
        defaults.generators[key] = Generator(device, _seed=defaults.seed)
    return defaults.generators[key]


@public(method=False)
def manual_seed(seed: int) -> Generator:
    """Start every device's default generator from `seed`; returns the current device's.

    >>> ta.manual_seed(0).initial_seed()
    0
    """
    defaults = _current()
    defaults.seed = _checked(seed)
    for generator in defaults.generators.values():
        generator.manual_seed(defaults.seed)
    return default_generator()


@public(method=False)
def seed() -> int:
    """Start the default generators from a seed that nobody chose; returns it."""
    return manual_seed(int.from_bytes(os.urandom(8), "little")).initial_seed()


@public(method=False)
def initial_seed() -> int:
    """The seed of the current device's default generator."""
    return default_generator().initial_seed()


@public(method=False)
def get_rng_state() -> Tensor:
    """Where the current device's default generator stands."""
    return default_generator().get_state()


@public(method=False)
def set_rng_state(new_state: Tensor) -> None:
    """Let the current device's default generator go on from a state of get_rng_state."""
    default_generator().set_state(new_state)


@contextlib.contextmanager
def fork_rng(enabled: bool = True) -> Iterator[None]:
    """Inside, random numbers may be drawn without moving the current device's default generator on."""
    state = get_rng_state() if enabled else None
    try:
        yield
    finally:
        if state is not None:
            set_rng_state(state)


def generator_states() -> dict[str, Tensor]:
    """Where the default generator of each device that was used stands, by the device's name."""
    default_generator()
    return {str(g.device): g.get_state() for g in _current().generators.values()}


def set_generator_states(states: Mapping[str, Tensor]) -> None:
    """Let the default generators go on from what `generator_states` returned."""
    for device, state in states.items():
        default_generator(device).set_state(state)


functions["Generator"] = Generator


# ---------------------------------------------------------------------------------------------------- raw numbers
def _engine(generator: Generator | None, device: Any, op: str) -> tuple[Any, Any]:
    """The library's generator for `device`, and the vocabulary of its arrays."""
    device = backend.current_device() if device is None else backend.Device(device)
    if generator is None:
        generator = default_generator(device)
    elif generator.device != device:
        raise DeviceError(op, f"a generator on {generator.device} for a tensor on {device}", "they must be on one device",
                          f"make it with Generator({str(device)!r})")
    return generator.engine, generator._module.F


def _floating(dtype: Any, op: str) -> Any:
    dtype = dtypes.as_dtype(dtype) or dtypes.get_default_dtype()
    if not dtypes.is_floating(dtype):
        raise DTypeError(op, str(dtype), "these numbers are floating ones", "pass dtype=ta.float32, or use randint")
    return dtype


def uniform(shape: tuple[int, ...], dtype: Any, device: Any, generator: Generator | None, op: str) -> Any:
    """An array of numbers in [0, 1)."""
    engine, F = _engine(generator, device, op)
    if not dtypes.is_half(dtype):
        return F.asarray(engine.random(shape, dtype=dtype))
    steps = 1 << _digits(dtype)               # as fine as the dtype is: rounding a float32 could give 1
    return F.cast(F.floor(F.asarray(engine.random(shape, dtype="float32")) * steps) / steps, dtype)


def gaussian(shape: tuple[int, ...], dtype: Any, device: Any, generator: Generator | None, op: str) -> Any:
    """An array of numbers of mean 0 and deviation 1."""
    engine, F = _engine(generator, device, op)
    wide = dtypes.float32 if dtypes.is_half(dtype) else dtype
    return F.cast(F.asarray(engine.standard_normal(shape, dtype=wide)), dtype)


def integers(low: int, high: int, shape: tuple[int, ...], dtype: Any, device: Any, generator: Generator | None, op: str) -> Any:
    """An array of integers from `low` to `high` - 1."""
    if low >= high:
        raise ArgumentError(op, f"from {low} to {high}", "there is no integer in that range: the end is not included")
    engine, F = _engine(generator, device, op)
    return F.cast(F.asarray(engine.integers(low, high - 1, shape, dtype="int64", endpoint=True)), dtype)


def _digits(dtype: Any) -> int:
    """The bits of a floating dtype's significand."""
    bits: dict[str, int] = {"float16": 11, "bfloat16": 8, "float32": 24}
    return bits.get(dtype.name, 53)


# ------------------------------------------------------------------------------------------------------ new tensors
def _sized(name: str, draw: Any, what: str) -> None:
    """`rand` and `rand_like`, `randn` and `randn_like`."""
    def make(*size: Ints, generator: Generator | None = None, dtype: Any = None, device: Any = None,
             requires_grad: bool = False, **named: Any) -> Tensor:
        if not size and "size" not in named:
            raise ArgumentError(name, "no size", "the size is missing", f"write {name}(2, 3), or {name}(()) for a 0-d tensor")
        shape = arguments.shape(size or (named["size"],), name)
        return leaf(draw(shape, _floating(dtype, name), device, generator, name), requires_grad, name)

    def like(input: Tensor, *, generator: Generator | None = None, dtype: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:
        device = input.device if device is None else device
        return leaf(draw(input.shape, _floating(dtype or input.dtype, name), device, generator, name), requires_grad, name)

    make.__doc__ = f"{what}, of the given size.\n\n    >>> ta.{name}(2, 3).shape\n    (2, 3)\n    "
    like.__doc__ = f"{what}, of the shape, dtype and device of `input` unless given."
    for function, its_name in ((make, name), (like, f"{name}_like")):
        function.__name__ = function.__qualname__ = its_name
        public(its_name, method=False)(function)


_sized("rand", uniform, "Numbers drawn uniformly from [0, 1)")
_sized("randn", gaussian, "Numbers drawn from the normal distribution of mean 0 and deviation 1")


@public(method=False)
def randint(*bounds: Any, low: int = 0, high: int | None = None, size: Any = None, generator: Generator | None = None,
            dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Integers from `low` (0 unless given) to `high` - 1: `randint(high, size)` or `randint(low, high, size)`.

    >>> ta.randint(1, 2, (3,))
    tensor([1, 1, 1])
    """
    given = list(bounds)
    if size is None and given and isinstance(given[-1], (tuple, list)):
        size = given.pop()
    if size is None or len(given) > 2 or (not given and high is None):
        raise ArgumentError("randint", f"{len(bounds)} arguments", "it takes (high, size) or (low, high, size)",
                            "write the size as a tuple")
    if high is None:
        low, high = (low, given[0]) if len(given) == 1 else (given[0], given[1])
    elif given:
        low = given[0]
    low, high = arguments.whole(low, "randint", "low"), arguments.whole(high, "randint", "high")
    array = integers(low, high, arguments.shape((size,), "randint"), dtypes.as_dtype(dtype) or dtypes.int64, device, generator,
                     "randint")
    return leaf(array, requires_grad, "randint")


@public(method=False)
def randint_like(input: Tensor, low: int, high: int | None = None, *, generator: Generator | None = None, dtype: Any = None,
                 device: Any = None, requires_grad: bool = False) -> Tensor:
    """Integers from `low` to `high` - 1, of the shape, dtype and device of `input` unless given."""
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, input.shape, generator=generator, dtype=dtype or input.dtype,
                   device=input.device if device is None else device, requires_grad=requires_grad)


@public(method=False)
def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:
    """0 .. n-1 in random order.

    >>> ta.randperm(3).sort().values
    tensor([0, 1, 2])
    """
    (n,) = arguments.shape((n,), "randperm")
    engine, F = _engine(generator, device, "randperm")
    order = engine.permutation(n) if hasattr(engine, "permutation") else F.argsort(engine.random((n,)), 0)
    return leaf(F.cast(F.asarray(order), dtypes.as_dtype(dtype) or dtypes.int64), requires_grad, "randperm")


# ------------------------------------------------------------------------------------- with tensors of parameters
# A draw does not depend smoothly on its parameters: their gradients are 0, as in PyTorch.
_normal = op("normal", lambda F, mean, std, noise: mean + std * noise,
             lambda F, g, mean_shape: F.full(mean_shape, 0, g), lambda F, g, std_shape: F.full(std_shape, 0, g), None)
_bernoulli = op("bernoulli", lambda F, p, u: F.cast(u < p, p.dtype), lambda F, g: F.zeros_like(g), None)
_poisson = op("poisson", lambda F, rate, *, engine: F.cast(F.asarray(engine.poisson(rate)), rate.dtype), lambda F, g: F.zeros_like(g))


@public(method=False)
def normal(mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None, dtype: Any = None,
           device: Any = None, requires_grad: bool = False) -> Tensor:
    """Normally distributed numbers; `mean` and `std` are tensors that broadcast, or numbers (with `size`).

    >>> ta.normal(ta.tensor([1.0, 2.0]), 0.0)
    tensor([1., 2.])
    """
    if isinstance(std, (int, float)) and std < 0:
        raise ArgumentError("normal", f"std={std}", "a deviation cannot be negative")
    tensors = [t for t in (mean, std) if isinstance(t, Tensor)]
    if not tensors:
        if size is None:
            raise ArgumentError("normal", "two numbers", "the size is missing", "pass size=, or tensors")
        noise = gaussian(arguments.shape((size,), "normal"), _floating(dtype, "normal"), device, generator, "normal")
        return leaf(noise * std + mean, requires_grad, "normal")
    shape = functions["broadcast_shapes"](*[t.shape for t in tensors])
    like = tensors[0]
    noise = wrap(gaussian(shape, _floating(like.dtype, "normal"), like.device, generator, "normal"))
    mean, std = [t if isinstance(t, Tensor) else functions["full_like"](like, t) for t in (mean, std)]
    return _normal(mean, std, noise)


@public()
def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that the element says (or with probability `p`), else 0.

    >>> ta.bernoulli(ta.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    dtype = _floating(input.dtype, "bernoulli")
    if p is not None:
        input = functions["full_like"](input, p)
    if not namespaces[type(input.array)].within(input.array, 0, 1):
        raise ArgumentError("bernoulli", "the probabilities", "one is not from 0 to 1")
    wide = dtypes.float32 if dtypes.is_half(dtype) else dtype
    return _bernoulli(input, wrap(uniform(input.shape, wide, input.device, generator, "bernoulli")))


@public(method=False)
def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Numbers from the Poisson distributions of these rates."""
    _floating(input.dtype, "poisson")
    if not namespaces[type(input.array)].within(input.array, 0, math.inf):
        raise ArgumentError("poisson", "the rates", "one is negative")
    return _poisson(input, engine=_engine(generator, input.device, "poisson")[0])


@public()
def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Tensor:
    """Indices drawn with the weights in a vector, or in each row of a matrix; distinct ones unless `replacement`.

    >>> ta.multinomial(ta.tensor([0.0, 1.0, 0.0]), 2, replacement=True)
    tensor([1, 1])
    """
    _floating(input.dtype, "multinomial")
    array, k = input.array, input.shape[-1] if input.ndim else 0
    if input.ndim not in (1, 2):
        raise ShapeError("multinomial", f"weights of shape {input.shape}", "it takes a vector or a matrix")
    if num_samples <= 0 or (not replacement and num_samples > k):
        raise ArgumentError("multinomial", f"num_samples={num_samples} of {k}", "there must be at least one sample, and no "
                            "more than there are weights", "pass replacement=True to draw one repeatedly")
    F = namespaces[type(array)]
    weights = F.cast(array, dtypes.float64)
    total = F.sum(weights, -1, True)
    if not (F.within(weights, 0, 1.7e308) and F.within(total, 5e-324, 1.7e308)):
        raise ArgumentError("multinomial", "the weights", "they must be finite, not negative, and not all 0")
    engine, _ = _engine(generator, input.device, "multinomial")
    if not replacement:                       # the largest weight / exponential noise, and so on: a draw without replacement
        noise = F.asarray(engine.standard_exponential(weights.shape))
        return wrap(F.argsort(-(weights / noise), -1)[..., :num_samples])
    sums = F.cumsum(weights, -1)
    edges = sums / sums[..., -1:]
    u = F.asarray(engine.random((*input.shape[:-1], num_samples)))
    if input.ndim == 1:
        return wrap(F.searchsorted(edges, u, "right"))
    return wrap(F.stack([F.searchsorted(edges[i], u[i], "right") for i in range(input.shape[0])], 0))
