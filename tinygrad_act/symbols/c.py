"""Expressions as C: the text of one kernel (see cuda.py, which prints it), in the frame of an inner loop of a NumPy ufunc.

Numbers are computed in blocks of LANES, which the compiler turns into vector instructions; what does not fill a block, or
lies scattered, is gathered into one. So every number goes through the same instructions, wherever it stands in its array,
and results do not depend on an array's address, its strides or on how many threads share the work.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from ..dtypes import float32
from ..numerics.special import SCALED
from .cuda import TYPES, Kernel

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
# erfcx for float32 by the numbers of numerics/special.py, in float32: 1 / (a + 2) as t + low, and an exact square for x < 0
ERFCX = f"""INLINE float erfcxf(float x) {{
    const float a = __builtin_fabsf(x), s = a + 2, t = 1 / s, square = a * a;
    const float low = a < 4e7f ? t * (__builtin_fmaf(-s, t, 1) - (a - (s - 2)) * t) : 0;
    const float u = __builtin_fmaf(4, t, -1) + 4 * low, rest = a < 10 ? __builtin_fmaf(a, a, -square) : 0;
    float y = {SCALED[0]!r}f;
    {" ".join(f"y = __builtin_fmaf(y, u, {c!r}f);" for c in SCALED[1:])}
    y = __builtin_fmaf(t, y, low * y);
    const float e = expf(square);
    return x < 0 ? 2 * (e * (1 + rest)) - y : y;
}}
"""
ERF = "INLINE float own_erff(float x) { return (float)erf((double)x); }\n#define erff own_erff\n"


def functions(kernel: Kernel) -> set[str]:
    """The functions that the kernel calls, by their names for double; `rules` stands for the helpers of cuda.py."""
    called = set(re.findall(r"\b([a-z]\w*)\(", kernel.body)) - set(TYPES.values()) - {"return", "sizeof"}
    return {name if name in EXACT or not name.endswith("f") else name[:-1] for name in called} - {"__int_as_float", "__longlong_as_double"}


def source(kernel: Kernel, name: str, vector: Collection[str]) -> str | None:
    """The whole text, `name` the function in it; None where some function of the kernel has no vector form (see `vector`).

    In double nothing but exact functions will do: NumPy's own are more exact there than glibc's.
    """
    called = functions(kernel) - EXACT
    needed = {"exp"} if called == {"erfcx"} else called - {"erfcx"} | ({"exp"} if "erfcx" in called else set())
    wide = any(dtype.name == "float64" for dtype, _ in (*kernel.inputs, *kernel.outputs))
    if "rules" in kernel.body or not needed <= set(vector) or (called and wide) or not kernel.used:
        return None
    head = "".join(f"{'VECTOR ' * (n not in EXACT)}float {n}f({args});\n{'VECTOR ' * (n not in EXACT)}double {n}({wide_args});\n"
                   for n in sorted(needed | functions(kernel) & {"sqrt", "floor", "ceil", "trunc", "rint", "fabs", "copysign"})
                   for args, wide_args in [("float, float", "double, double") if n in ("pow", "atan2", "hypot", "copysign") else ("float", "double")])
    head += ERF * ("erf" in called) + ERFCX * ("erfcx" in called)
    half = "typedef _Float16 float16;\n" if any(d.name == "float16" for d, _ in (*kernel.inputs, *kernel.outputs)) else ""
    return FRAME + half + head + _body(kernel) + _loop(kernel, name)


def _body(kernel: Kernel) -> str:
    arrays, numbers = kernel.inputs[:len(kernel.used)], kernel.inputs[len(kernel.used):]
    signature = [f"{TYPES[t.name]}* restrict {n}_" for t, n in kernel.outputs]
    signature += [f"const {TYPES[t.name]}* restrict {n}_" for t, n in arrays] + [f"const {TYPES[t.name]} {n}" for t, n in numbers]
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
    kind = {k: TYPES[t.name] for k, t, _, _ in operands}
    scalars = "".join(f", *(const {TYPES[t.name]}*)a[{len(arrays) + k}]" for k, (t, _) in enumerate(numbers))
    outputs, inputs = [o[0] for o in operands if not o[3]], [o[0] for o in operands if o[3]]
    lines = [f"static __attribute__((noinline)) void piece(char** a, const long* s, long from, long count) {{",
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
