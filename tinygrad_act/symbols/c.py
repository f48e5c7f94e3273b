"""Expressions as C: the text of one kernel (see cuda.py, which prints it), in the frame of an inner loop of a NumPy ufunc.

Numbers are computed in blocks of LANES, which the compiler turns into vector instructions; what does not fill a block, or
lies scattered, is gathered into one. So every number goes through the same instructions, wherever it stands in its array,
and results do not depend on an array's address, its strides or on how many threads share the work.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from typing import Any

from ..dtypes import float32, is_floating
from ..numerics.special import SCALED
from .cuda import FLOAT, TYPES, Kernel, Printer
from .expression import Symbol, symbol, unique

TAIL = -60.0                                   # where rules put the seam between the factors of an exponential: activations/tails.py
EXACT = {"sqrt", "fabs", "floor", "ceil", "trunc", "rint", "copysign", "isinf", "isfinite", "signbit"}        # as NumPy has them, to the bit
FRAME = r"""
#define bool _Bool
#define true 1
#define false 0
#define isinf(x) __builtin_isinf(x)
#define isfinite(x) __builtin_isfinite(x)
#define signbit(x) (__builtin_signbit(x) != 0)
#define __int_as_float(bits) (((union {unsigned i; float f;}){bits}).f)
#define __longlong_as_double(bits) (((union {unsigned long long i; double f;}){bits}).f)
#define VECTOR __attribute__((simd("notinbranch"), const))
#define INLINE static inline __attribute__((always_inline))
#define LOCAL __attribute__((aligned(64)))
enum { LANES = 64, BLOCK = 1024, MANY = 1 << 16 };
typedef void (*work_t)(char**, const long*, long, long);
typedef void (*share_t)(work_t, char**, const long*, long);

INLINE void gather(char* to, const char* from, long step, long count, long size) {
    for (long i = 0; i < count; i++) __builtin_memcpy(to + i * size, from + i * step, size);
    for (long i = count; i % LANES; i++) __builtin_memcpy(to + i * size, to + (count - 1) * size, size);
}
INLINE void scatter(char* to, const char* from, long step, long count, long size) {
    for (long i = 0; i < count; i++) __builtin_memcpy(to + i * step, from + i * size, size);
}
"""
# For float32, what the rules call most, as parts that share their work. exp_times(t, up, least) is e^t 2^up, the power of 2 in it
# 2^least at least. exp_near(t) exp_far(t) is e^t for t <= 88 with the far tail in the second factor, a power of 2 (see
# activations/tails.py); WHOLE puts t / log 2, rounded, into a number's last places. EXP is a fit of (e^r - 1 - r) / r^2, to
# 0.05 units. slope(t, unit) is 2^64 unit e^t / (1 + e^t)^2, by way of e^t 2^64, which is not subnormal where the result is more than 0;
# of it are sech_squared, 1 / cosh(x)^2, and logistic_slope, e^-|x| / (1 + e^-|x|)^2.
# erfcx_near is a quotient of polynomials, for 0 <= a <= NEAR, to 0.4 units of 2^-24 before rounding, of which there is little
# for small a. erfcx_right is erfcx of numerics/special.py, for all a >= 0: 1 / (a + 2) as t + low; erfcx adds, for x < 0, an
# exact square.
EXP = (0.0013814462581649423, 0.0083687799051404, 0.04166839271783829, 0.1666651964187622, 0.4999999403953552)
NEAR, DEEP = 28.5, 1e6                         # up to which a erfcx_near, and down to which -t exp_near and exp_far are good
ABOVE = (0.031979807, 0.20993668, 0.640349, 1.0429838, 0.80193484)
BELOW = (0.056682654, 0.37210816, 1.1632037, 2.0363297, 1.9478718, 0.80193484)


def _horner(name: str, x: str, coefficients: Sequence[float]) -> str:
    return f"float {name} = {coefficients[0]!r}f;" + "".join(f" {name} = __builtin_fmaf({name}, {x}, {c!r}f);" for c in coefficients[1:])


OWN = f"""
#define BITS(x) (((union {{float f; unsigned u;}}){{x}}).u)
#define POWER(k) (((union {{unsigned u; float f;}}){{(unsigned)(k) << 23}}).f)
#define WHOLE 12582912.0f
INLINE float steps(float t) {{
    return __builtin_fmaf(t, {1 / math.log(2)!r}f, WHOLE);
}}
INLINE float exp_times(float t, int up, int least) {{
    const float s = steps(t), n = s - WHOLE, r = __builtin_fmaf(n, 2.12194440e-4f, __builtin_fmaf(n, -0.693359375f, t));
    const int k = (int)(BITS(s) - BITS(WHOLE)) + up;
    const float power = POWER(127 + (k < least ? least : k));
    {_horner("y", "r", EXP)}
    return __builtin_fmaf(__builtin_fmaf(r * r, y, r), power, power);
}}
INLINE float exp_nearf(float t) {{
    return exp_times(t, 0, -86);
}}
INLINE float exp_farf(float t) {{
    const int k = (int)(BITS(steps(t)) - BITS(WHOLE)) + 127 + 86;
    return POWER(k > 127 ? 127 : k < 1 ? 1 : k);
}}
INLINE float erfcx_nearf(float a) {{
    {_horner("above", "a", ABOVE)}
    {_horner("below", "a", BELOW)}
    return above / below;
}}
INLINE float erfcx_rightf(float a) {{
    const float s = a + 2, t = 1 / s, low = a < 4e7f ? t * (__builtin_fmaf(-s, t, 1) - (a - (s - 2)) * t) : 0;
    const float u = __builtin_fmaf(4, t, -1) + 4 * low;
    {_horner("y", "u", SCALED)}
    return __builtin_fmaf(t, y, low * y);
}}
INLINE float slope(float t, float unit) {{
    const float e = exp_times(t < -120 ? -120 : t, 64, -126), d = __builtin_fmaf(e, 0x1p-64f, 1);
    return e / (d * d) * unit;
}}
INLINE float sech_squaredf(float x) {{
    return slope(-2 * __builtin_fabsf(x), 0x1p-62f);
}}
INLINE float logistic_slopef(float x) {{
    return slope(-__builtin_fabsf(x), 0x1p-64f);
}}
"""
ERFCX = """
INLINE float erfcxf(float x) {
    const float a = __builtin_fabsf(x), square = a * a, rest = a < 10 ? __builtin_fmaf(a, a, -square) : 0, e = expf(square);
    return x < 0 ? 2 * (e * (1 + rest)) - erfcx_rightf(a) : erfcx_rightf(a);
}
"""
ERF = "INLINE float own_erff(float x) { return (float)erf((double)x); }\n#define erff own_erff\n"
PARTS = ("exp_near", "exp_far", "erfcx_near", "erfcx_right", "sech_squared", "logistic_slope")
NEEDS: dict[str, set[str]] = {**{part: set() for part in PARTS}, "erfcx": {"exp"}}         # of the vector functions
# Of two zeros the second, as in NumPy's loops: relu(-0.0) is 0.0. Bounds that are constants need one comparison.
EITHER = {"maximum": "{0} > {1} || {0} != {0} ? {0} : {1}", "minimum": "{0} < {1} || {0} != {0} ? {0} : {1}"}
BOUNDS = {"maximum": ("at_least", "{0} < {1} ? {1} : {0}"), "minimum": ("at_most", "{0} > {1} ? {1} : {0}")}
AT_ZERO = {"maximum": ("from_zero", "{0} <= {1} ? {1} : {0}"), "minimum": ("to_zero", "{0} >= {1} ? {1} : {0}")}


class Text(Printer):
    """The text of a kernel, with the parts above put in where a rule has them."""

    functions = FLOAT | EITHER | {name: name + "{f}({0})" for name in PARTS} | dict(BOUNDS.values()) | dict(AT_ZERO.values())

    def __init__(self, roots: Sequence[Symbol], inputs: Sequence[Any]) -> None:
        order, canonical = unique(roots)
        new: dict[int, Symbol] = {}
        for s in order:
            new[id(s)] = _part(Symbol(s.op, tuple(new[id(a)] for a in s.args), s.sample, s.value))
        super().__init__([new[id(canonical[id(root)])] for root in roots], inputs)


def _part(s: Symbol) -> Symbol:
    """The same with the part above that computes it, or with a comparison less."""
    if s.weak or not is_floating(s.dtype):
        return s
    if s.op in BOUNDS and s.args[1].op == "constant" and s.args[1].value == s.args[1].value:
        return Symbol((BOUNDS if s.args[1].value else AT_ZERO)[s.op][0], s.args, s.sample)
    if s.dtype != float32:
        return s
    if s.op == "div" and (e := _summed(s)) is not None:
        return Symbol("sech_squared", e.args, s.sample)
    if s.op == "div" and (x := _logistic(s)) is not None:
        return Symbol("logistic_slope", (x,), s.sample)
    if s.op not in ("exp", "erfcx"):
        return s
    (x,) = s.args
    if s.op == "erfcx":
        return Symbol("erfcx_near" if _most(x) <= NEAR else "erfcx_right", s.args, s.sample) if _not_negative(x) else s
    near = x.args[1] if x.op == "sub" else x
    if near.op == "at_least" and near.args[1].value == TAIL and (near is x or near.args[0] is x.args[0]):
        t = near.args[0]
        t = t if _most(t) <= DEEP else Symbol("at_least", (t, symbol(-DEEP)), s.sample)
        return Symbol("exp_near" if near is x else "exp_far", (t,), s.sample)
    return s


def _summed(s: Symbol) -> Symbol | None:
    """The e of 4 / d / d, where d is e + 1 / e and e is e^x."""
    first, d = s.args
    if first.op != "div" or first.args[0].value != 4 or first.args[1] is not d or d.op != "add":
        return None
    e, other = d.args
    return e if e.op == "exp" and other.op == "reciprocal" and other.args[0] is e else None


def _logistic(s: Symbol) -> Symbol | None:
    """The x of z / (d * d), where d is 1 + z and z is e^-|x|."""
    z, square = s.args
    if z.op != "exp" or z.args[0].op != "neg" or z.args[0].args[0].op != "abs" or square.op != "mul":
        return None
    d, other = square.args
    return z.args[0].args[0].args[0] if d is other and d.op == "add" and d.args[0].value == 1 and d.args[1] is z else None


def _not_negative(s: Symbol) -> bool:
    """Is it clear that s is 0, more, or NaN?"""
    if s.op == "constant":
        return bool(s.value >= 0)
    if s.op == "where" and s.args[0].op == "lt" and s.args[1].op == "neg":           # x < 0 ? -x : x
        (x,), (compared, zero) = s.args[1].args, s.args[0].args
        return x is compared is s.args[2] and zero.value == 0
    if s.op in ("mul", "minimum", "at_most", "to_zero", "add"):
        return all(map(_not_negative, s.args))
    return s.op in ("abs", "exp", "exp_near", "sqrt") or (s.op in ("maximum", "at_least", "from_zero") and any(map(_not_negative, s.args)))


def _most(s: Symbol) -> float:
    """What |s| clearly does not exceed."""
    if s.op == "constant":
        return float(abs(s.value))
    if s.op == "at_most" and _not_negative(s):
        return min(map(_most, s.args))
    if s.op in ("neg", "abs"):
        return _most(s.args[0])
    if s.op == "mul":
        return math.prod(map(_most, s.args))
    return sum(map(_most, s.args)) if s.op in ("add", "sub") else math.inf


def functions(kernel: Kernel) -> set[str]:
    """The functions that the kernel calls, by their names for double; `rules` stands for the helpers of cuda.py."""
    called = set(re.findall(r"\b([a-z]\w*)\(", kernel.body)) - set(TYPES.values()) - {"return", "sizeof"}
    return {name if name in EXACT or not name.endswith("f") else name[:-1] for name in called} - {"__int_as_float", "__longlong_as_double"}


def source(kernel: Kernel, name: str, vector: Collection[str]) -> str | None:
    """The whole text, `name` the function in it; None where some function of the kernel has no vector form (see `vector`).

    In double nothing but exact functions will do: NumPy's own are more exact there than glibc's.
    """
    called = functions(kernel) - EXACT
    needed = set().union(*(NEEDS.get(name, {name}) for name in called))
    wide = any(dtype.name == "float64" for dtype, _ in (*kernel.inputs, *kernel.outputs))
    if "rules" in kernel.body or not needed <= set(vector) or (called and wide) or not kernel.used:
        return None
    head = "".join(f"{'VECTOR ' * (n not in EXACT)}float {n}f({args});\n{'VECTOR ' * (n not in EXACT)}double {n}({wide_args});\n"
                   for n in sorted(needed | functions(kernel) & {"sqrt", "floor", "ceil", "trunc", "rint", "fabs", "copysign"})
                   for args, wide_args in [("float, float", "double, double") if n in ("pow", "atan2", "hypot", "copysign") else ("float", "double")])
    head += ERF * ("erf" in called) + OWN * bool(called & set(NEEDS)) + ERFCX * ("erfcx" in called)
    half = "typedef _Float16 float16;\n" if any(d.name == "float16" for d, _ in (*kernel.inputs, *kernel.outputs)) else ""
    return FRAME + half + head + _body(kernel) + _loop(kernel, name)


def _stored(dtype: Any) -> str:
    """What a number is in an array: a loop over C's own bools, or one that asks a bool, is not put in vectors."""
    return TYPES[dtype.name].replace("bool", "unsigned char")


def _body(kernel: Kernel) -> str:
    arrays, numbers = kernel.inputs[:len(kernel.used)], kernel.inputs[len(kernel.used):]
    signature = [f"{_stored(t)}* {n}_" for t, n in kernel.outputs]             # which may be the inputs' memory: Namespace.change
    signature += [f"const {_stored(t)}* {n}_" for t, n in arrays] + [f"const {_stored(t)} {n}" for t, n in numbers]
    lines = [f"const {TYPES[t.name]} {n} = {n}_[lane_];" for t, n in arrays] + [f"{TYPES[t.name]} {n};" for t, n in kernel.outputs]
    lines += kernel.body.split("\n") + [f"{n}_[lane_] = {n};" for _, n in kernel.outputs]
    inner = "".join(f"            {line}\n" for line in lines)
    return (f"static void body(long count_, {', '.join(signature)}) {{\n    for (long block_ = 0; block_ < count_; block_ += LANES) {{\n"
            f"        #pragma omp simd\n        for (long lane_ = block_; lane_ < block_ + LANES; lane_++) {{\n{inner}        }}\n    }}\n}}\n")


def _loop(kernel: Kernel, name: str) -> str:
    """`piece` computes up to a block, wherever its numbers lie; `some` a range, and `name` all of it, shared among threads."""
    arrays, numbers = kernel.inputs[:len(kernel.used)], kernel.inputs[len(kernel.used):]
    first = len(kernel.inputs)
    operands = [(k, t, n, True) for k, (t, n) in enumerate(arrays)] + [(first + k, t, n, False) for k, (t, n) in enumerate(kernel.outputs)]
    size = {k: t.itemsize for k, t, _, _ in operands}
    kind = {k: _stored(t) for k, t, _, _ in operands}
    scalars = "".join(f", *(const {_stored(t)}*)a[{len(arrays) + k}]" for k, (t, _) in enumerate(numbers))
    outputs, inputs = [o[0] for o in operands if not o[3]], [o[0] for o in operands if o[3]]
    lines = ["static __attribute__((noinline)) void piece(char** a, const long* s, long from, long count) {",
             "    const long whole = count % LANES == 0;"]
    for k in (*inputs, *outputs):
        lines += [f"    {kind[k]} b{k}[BLOCK] LOCAL, *p{k} = ({kind[k]}*)(a[{k}] + from * s[{k}]), *q{k} = p{k};"]
        if k in inputs:
            lines += [f"    if (!whole || s[{k}] != {size[k]}) gather((char*)(q{k} = b{k}), (char*)p{k}, s[{k}], count, {size[k]});"]
        else:
            lines += [f"    if (!whole || s[{k}] != {size[k]}) q{k} = b{k};"]
    pointers = ", ".join(f"q{k}" for k in (*outputs, *inputs))
    lines += [f"    body((count + LANES - 1) / LANES * LANES, {pointers}{scalars});"]
    lines += [f"    if (q{k} != p{k}) scatter((char*)p{k}, (char*)q{k}, s[{k}], count, {size[k]});" for k in outputs]
    dense = " && ".join(f"s[{k}] == {size[k]}" for k in (*inputs, *outputs))
    moved = ", ".join(f"({kind[k]}*)a[{k}] + from" for k in (*outputs, *inputs))
    y = outputs[0]
    lines += ["}", "static void some(char** a, const long* s, long from, long end) {", f"    if ({dense}) {{",
              f"        long head = (-(unsigned long)(a[{y}] + from * {size[y]}) & 63) / {size[y]};          // a store across cache lines costs double",
              "        if (head > end - from) head = end - from;", "        if (head) piece(a, s, from, head);", "        from += head;",
              "        const long middle = (end - from) / LANES * LANES;", f"        body(middle, {moved}{scalars});", "        from += middle;", "    }",
              "    for (; from < end; from += BLOCK) piece(a, s, from, end - from < BLOCK ? end - from : BLOCK);", "}",
              f"void {name}(char** a, const long* n, const long* s, void* data) {{", "    const share_t share = *(share_t*)data;",
              "    if (share && n[0] >= MANY) share(some, a, s, n[0]);", "    else some(a, s, 0, n[0]);", "}"]
    return "\n".join(lines) + "\n"
