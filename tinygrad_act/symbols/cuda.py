"""Expressions as CUDA C: one kernel for a rule, its element types and its settings.

Results are NumPy's: NaN goes through `maximum`, integers wrap, `%` has the sign of the divisor. The halves are computed
in float32 and rounded once. What Python computes from numbers alone (1 / alpha) stays with Python, in double, and is
handed to the kernel as an argument; so one kernel serves all values of a setting.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..dtypes import as_dtype, float32, is_floating, is_half
from ..errors import DTypeError
from .expression import COMPARISONS, BranchError, Symbol, evaluate, names, trace, unique

TYPES = {"bool": "bool", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long long",
         "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "unsigned long long",
         "float16": "float16", "float32": "float", "float64": "double"}
BAKED = frozenset(k / 2 for k in range(-32, 33))     # these numbers are part of the text: exponents, factors
RESERVED = {"i", "n", "auto", "bool", "char", "const", "default", "do", "double", "enum", "extern", "float", "goto",
            "inline", "int", "long", "new", "private", "public", "register", "short", "signed", "static", "struct",
            "switch", "template", "this", "typedef", "union", "unsigned", "using", "virtual", "void", "volatile", "min", "max"}

# {f} is "f" for float32, {T} the C type; operands are converted to the result's type, but see CONDITIONS.
ANY = {
    "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "div": "{0} / {1}", "neg": "-{0}", "square": "{0} * {0}",
    "reciprocal": "({T})1 / {0}", "lt": "{0} < {1}", "le": "{0} <= {1}", "gt": "{0} > {1}", "ge": "{0} >= {1}",
    "eq": "{0} == {1}", "ne": "{0} != {1}", "maximum": "{0} >= {1} || {0} != {0} ? {0} : {1}",
    "minimum": "{0} <= {1} || {0} != {0} ? {0} : {1}", "sign": "{0} > 0 ? ({T})1 : {0} < 0 ? ({T})-1 : {0} == 0 ? ({T})0 : {0}",
    "isnan": "{0} != {0}", "logical_and": "{0} && {1}", "logical_or": "{0} || {1}", "logical_not": "!{0}",
    "logical_xor": "{0} != {1}", "where": "{0} ? {1} : {2}", "zeros_like": "({T})0", "ones_like": "({T})1", "cast": "{0}",
    "floor_divide": "rules::floor_divide({0}, {1})", "remainder": "rules::remainder({0}, {1})",
}
UNARY = """exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh
           sqrt floor ceil trunc erf erfc erfcx erfinv"""
BINARY = "pow atan2 hypot fmod fmax fmin copysign nextafter"
FLOAT = {name: name + "{f}({0})" for name in UNARY.split()} | {name: name + "{f}({0}, {1})" for name in BINARY.split()}
FLOAT |= {"abs": "fabs{f}({0})", "round": "rint{f}({0})", "isinf": "isinf({0})", "isfinite": "isfinite({0})",
          "signbit": "signbit({0})"}
INTEGER = {
    "abs": "{0} < 0 ? -{0} : {0}", "isinf": "false", "isfinite": "true", "signbit": "{0} < 0",
    "and": "{0} & {1}", "or": "{0} | {1}", "xor": "{0} ^ {1}", "invert": "~{0}",
    "lshift": "rules::shift_left({0}, {1})", "rshift": "rules::shift_right({0}, {1})", "pow": "rules::power({0}, {1})", "fmod": "{1} == 0 ? ({T})0 : {0} % {1}",
    "gcd": "rules::gcd({0}, {1})", "lcm": "rules::lcm({0}, {1})", "fmax": ANY["maximum"], "fmin": ANY["minimum"],
} | dict.fromkeys(("floor", "ceil", "trunc", "round"), "{0}")
BOOL = INTEGER | {"invert": "!{0}", "add": "{0} || {1}", "mul": "{0} && {1}"}
CONDITIONS = {"logical_and", "logical_or", "logical_not", "logical_xor"}                     # of truth values
TESTS = COMPARISONS | {"isnan", "isinf", "isfinite", "signbit"}                              # to a truth value

PREAMBLE = r"""namespace rules {
template <typename T> __device__ inline T remainder(T a, T b) {
    if (b == 0) return 0;
    T r = a % b;
    return r != 0 && ((r < 0) != (b < 0)) ? r + b : r;
}
template <typename T> __device__ inline T floor_divide(T a, T b) {
    if (b == 0) return 0;
    T q = a / b;
    return a % b != 0 && ((a < 0) != (b < 0)) ? q - 1 : q;
}
template <typename T> __device__ inline T float_remainder(T a, T b) {
    T r = fmod(a, b);
    if (b == 0) return r;
    if (r != 0) return (b < 0) != (r < 0) ? r + b : r;
    return copysign((T)0, b);
}
template <typename T> __device__ inline T float_floor_divide(T a, T b) {
    if (b == 0) return a / b;
    T r = fmod(a, b);
    T q = (a - r) / b;
    if (r != 0 && (b < 0) != (r < 0)) q -= 1;
    if (q == 0) return copysign((T)0, a / b);
    T down = floor(q);
    return q - down > (T)0.5 ? down + 1 : down;
}
template <> __device__ inline float remainder<float>(float a, float b) { return float_remainder(a, b); }
template <> __device__ inline double remainder<double>(double a, double b) { return float_remainder(a, b); }
template <> __device__ inline float floor_divide<float>(float a, float b) { return float_floor_divide(a, b); }
template <> __device__ inline double floor_divide<double>(double a, double b) { return float_floor_divide(a, b); }
template <typename T> __device__ inline T power(T a, T b) {
    T y = 1;
    for (; b > 0; b >>= 1, a *= a) if (b & 1) y *= a;
    return y;
}
template <typename T> __device__ inline T gcd(T a, T b) {
    while (b != 0) { T r = a % b; a = b; b = r; }
    return a < 0 ? -a : a;
}
template <typename T> __device__ inline T lcm(T a, T b) {
    long long x = a < 0 ? -(long long)a : a, y = b < 0 ? -(long long)b : b, d = gcd(x, y);
    return d == 0 ? 0 : (T)(x / d * y);
}
template <typename T> __device__ inline T shift_left(T a, T b) { return b >= 0 && b < (T)(8 * sizeof(T)) ? a << b : 0; }
template <typename T> __device__ inline T shift_right(T a, T b) {
    return b >= 0 && b < (T)(8 * sizeof(T)) ? a >> b : a < 0 ? (T)-1 : 0;
}
}
"""


@dataclass
class Kernel:
    """`body` computes `outputs` (dtype, name) from `inputs` (likewise): the arrays at `used`, then `numbers`.

    `passes` is the place of an array among the arguments if the rule does no more than hand it on.
    """

    inputs: list[tuple[Any, str]]
    outputs: list[tuple[Any, str]]
    body: str
    used: list[int]
    numbers: list[Symbol]
    passes: int | None = None

    def source(self, name: str) -> str:
        """A whole kernel of that name, over arrays of one shape (a `float16` type must be there if it is used)."""
        arrays, numbers = self.inputs[:len(self.used)], self.inputs[len(self.used):]
        signature = [f"const {TYPES[t.name]}* {n}_" for t, n in arrays] + [f"const {TYPES[t.name]} {n}" for t, n in numbers]
        signature += [f"{TYPES[t.name]}* {n}_" for t, n in self.outputs]
        lines = ["const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;", "if (i >= count) return;"]
        lines += [f"const {TYPES[t.name]} {n} = {n}_[i];" for t, n in arrays]
        lines += [f"{TYPES[t.name]} {n};" for t, n in self.outputs] + [self.body] + [f"{n}_[i] = {n};" for _, n in self.outputs]
        body = "".join(f"    {line}\n" for line in "\n".join(lines).split("\n"))
        return f'extern "C" __global__ void {name}({", ".join(signature)}, const long long count) {{\n{body}}}\n'


def kernel(rule: Callable[..., Any], arguments: Sequence[Any], settings: dict[str, Any], printer: Any = None) -> Kernel:
    """The rule as a kernel. `arguments` are dtypes, for arrays, and what else the rule is given (see `parameters`).

    Raises BranchError where the rule looks at the value of a parameter.
    """
    inputs = []
    for name, x in zip(names(rule, len(arguments)), arguments, strict=True):
        if not hasattr(x, "itemsize"):
            inputs.append(x)
        elif x.name in TYPES:
            inputs.append(Symbol.input(name + "_" * (name in RESERVED), x))
        else:
            raise DTypeError("cuda", x.name, "CUDA code is not written for this element type", "use ta.float16 or ta.float32")
    return (printer or Printer)(trace(rule, inputs, settings), inputs).kernel()


def baked(x: Any) -> bool:
    """True for what is part of a kernel's text: all but the numbers that rules do not treat apart."""
    return type(x) not in (float, int) or (x in BAKED and (x != 0 or math.copysign(1, x) > 0))      # 0.0 == -0.0 as a key


def parameters(arguments: Sequence[Any], settings: dict[str, Any]) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    """Arguments and settings with the numbers that are not `baked` as parameters, and these numbers by name."""
    values: dict[str, Any] = {}

    def lift(x: Any) -> Any:
        if not baked(x):
            values[f"p{len(values)}"] = x
            return Symbol.parameter(f"p{len(values) - 1}", x)
        return x

    return [lift(x) for x in arguments], {k: lift(v) for k, v in settings.items()}, values


def lifted(rule: Callable[..., Any], arguments: Sequence[Any], settings: dict[str, Any],
           printer: Any = None) -> tuple[Kernel, dict[str, Any] | None]:
    """The rule as a kernel that takes its numbers as arguments, and these by name; as one for these very numbers, and None,
    if it branches on one.
    """
    parametric, parametric_settings, values = parameters(arguments, settings)
    try:
        return kernel(rule, parametric, parametric_settings, printer), values
    except (BranchError, TypeError):                  # math.log(p) is a TypeError
        return kernel(rule, arguments, settings, printer), None


def launcher(rule: Callable[..., Any], arguments: Sequence[Any], settings: dict[str, Any],
             elementwise_kernel: Any) -> tuple[Callable[[Sequence[Any], Sequence[Any], Sequence[Any]], Any], bool]:
    """What runs the rule by CuPy's ElementwiseKernel on arrays of these dtypes, on numbers in the order of `parameters`, and on the
    arrays that the results go into, if they are not to be new ones.

    True with it if it is good for these very numbers only: a rule that branches on one.
    """
    k, values = lifted(rule, arguments, settings)
    special = values is None
    if k.passes is not None:
        return lambda arrays, numbers, out: arrays[k.passes], special
    given = [(dtype, f"{name}_" if i < len(k.used) else name) for i, (dtype, name) in enumerate(k.inputs)]      # CuPy's are references,
    ins, outs = (", ".join(f"{dtype.name} {name}" for dtype, name in part) for part in (given, k.outputs))      # which a result may overwrite
    name = re.sub(r"\W", "", rule.__name__) or "rule"
    copies = "".join(f"const {TYPES[dtype.name]} {name} = {name}_;\n" for dtype, name in k.inputs[:len(k.used)])
    compiled = elementwise_kernel(ins, outs, copies + k.body, name, preamble=PREAMBLE if "rules::" in k.body else "",
                                  options=("--fmad=false",))            # as NumPy rounds, so that what must cancel does
    kinds = [{"f": float, "b": bool}.get(dtype.kind, int) for dtype, _ in k.inputs[len(k.used):]]

    def launch(arrays: Sequence[Any], numbers: Sequence[Any], out: Sequence[Any]) -> Any:
        given = [arrays[i] for i in k.used]
        if kinds:
            results = evaluate(k.numbers, None, dict(zip(values or (), numbers, strict=False)))
            given += [kind(x) for kind, x in zip(kinds, results, strict=True)]
        return compiled(*given, *out)

    return launch, special


class Printer:
    """The text of one kernel: an expression used twice is a variable, used once it stands where it is used."""

    functions = FLOAT                                 # how a floating op is written

    def __init__(self, roots: Sequence[Symbol], inputs: Sequence[Any]) -> None:
        self.order, canonical = unique(roots)
        self.roots = [canonical[id(root)] for root in roots]
        self.inputs = inputs
        self.uses = Counter(id(s) for s in (*[a for s in self.order for a in s.args], *self.roots))
        self.numbers: dict[tuple[int, Any], Symbol] = {}            # what Python computes: an argument of the kernel
        self.text: dict[int, str] = {}
        self.lines: list[str] = []

    def kernel(self) -> Kernel:
        for s in self.order:
            if s.op == "input":
                self.text[id(s)] = s.value
            elif not s.weak:
                self._emit(s)
        present = [s.value for s in self.order if s.op == "input"]
        used = [i for i, x in enumerate(self.inputs) if isinstance(x, Symbol) and not x.weak and x.value in present]
        outputs = []
        for k, root in enumerate(self.roots):
            dtype = as_dtype(type(root.sample)) if root.weak else root.dtype
            outputs.append((dtype, f"out{k}"))
            self.lines.append(f"out{k} = {self._operand(root, dtype)};")
        arrays = [(self.inputs[i].dtype, self.inputs[i].value) for i in used]
        numbers = [(dtype, f"a{k}") for k, (_, dtype) in enumerate(self.numbers)]
        passes = used[0] if len(self.roots) == 1 and self.roots[0].op == "input" else None
        return Kernel(arrays + numbers, outputs, "\n".join(self.lines), used, list(self.numbers.values()), passes)

    def _emit(self, s: Symbol) -> None:
        of = dtype = s.dtype
        if s.op in TESTS:                             # its operands have a type of their own
            of = _meeting(s.args)
        elif s.op in CONDITIONS:
            of = as_dtype("bool")
        of = float32 if is_half(of) and s.op != "cast" else of
        table = self.functions if is_floating(of) else BOOL if of.kind == "b" else INTEGER
        form = table.get(s.op) or ANY[s.op]
        operands = []
        for k, a in enumerate(s.args):
            if form.count(f"{{{k}}}") > 1 and id(a) in self.text and not self.text[id(a)].isidentifier():
                self._name(a)
            operands.append(self._operand(a, as_dtype("bool") if s.op == "where" and k == 0 else of))
        text = form.format(*operands, f="f" if of.name == "float32" else "", T=TYPES[dtype.name])
        if dtype.itemsize < 4 and dtype.kind in "iuf" and s.op != "cast":             # C computes in int, or float
            text = f"({TYPES[dtype.name]})({text})"
        elif form != "{0}" and not re.match(r"[\w:]+(\{f\})?\(", form):
            text = f"({text})"
        self.text[id(s)] = text
        if self.uses[id(s)] > 1 or form is self.functions.get(s.op):      # no call within a branch: a vector takes both
            self._name(s)

    def _name(self, s: Symbol) -> None:
        name, text = f"t{len(self.lines)}", self.text[id(s)]
        self.lines.append(f"const {TYPES[s.dtype.name]} {name} = {text};")
        self.text[id(s)] = name

    def _operand(self, s: Symbol, dtype: Any) -> str:
        """The text of s as a number of that type."""
        if s.op == "constant":
            return literal(s.value, dtype)
        if s.weak:
            self.numbers.setdefault((id(s), dtype), s)
            return f"a{list(self.numbers).index((id(s), dtype))}"
        text = self.text[id(s)]
        if s.dtype == dtype:
            return text
        if s.dtype.kind == "b" and dtype.name in ("float32", "float64"):               # GCC does not put its own conversion in vectors
            return f"({text} ? {literal(1, dtype)} : {literal(0, dtype)})"
        return f"({text} != 0)" if dtype.kind == "b" else f"({TYPES[dtype.name]}){text}"


def _meeting(args: Sequence[Symbol]) -> Any:
    """The type in which operands are compared: a Python int may be past the bounds of the array's."""
    samples = [a.sample for a in args if not a.weak]
    dtype = sum(samples[1:], samples[0]).dtype
    numbers = {type(a.sample) for a in args if a.weak} - {bool}
    return (samples[0] + 1.0).dtype if float in numbers else as_dtype(int) if numbers and dtype.kind in "biu" and dtype.itemsize < 8 else dtype


def literal(number: Any, dtype: Any) -> str:
    """A Python number as a C literal that is exactly the number of that dtype nearest to it."""
    if dtype.kind == "b":
        return "true" if number else "false"
    if dtype.kind in "iu":
        number = int(number)
        suffix = ("U" if dtype.kind == "u" else "") + ("LL" if dtype.itemsize == 8 else "")
        text = f"{number}{suffix}" if number > -2**63 else f"{number + 1}{suffix} - 1"
        return f"({TYPES[dtype.name]}){text}" if dtype.itemsize < 4 else text if number >= 0 else f"({text})"
    value = dtype.type(number)
    if math.isfinite(value):
        text = str(value) + ("" if any(c in str(value) for c in ".e") else ".0") + ("f" if dtype.itemsize == 4 else "")
        return text if math.copysign(1, value) > 0 else f"({text})"
    if math.isnan(value):
        return "__int_as_float(0x7fffffff)" if dtype.itemsize == 4 else "__longlong_as_double(0x7fffffffffffffffLL)"
    text = "__int_as_float(0x7f800000)" if dtype.itemsize == 4 else "__longlong_as_double(0x7ff0000000000000LL)"
    return text if value > 0 else f"(-{text})"

