"""The CUDA text of every elementwise rule: NVRTC compiles it (no GPU needed), and a C++ compiler's run of it is right."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nvrtc import compiled
from rules import FLOATS, Case, cases
from test_expression import directly, refused

from tinygrad_act.backend.kernels import HALF
from tinygrad_act.symbols import cuda
from tinygrad_act.symbols.expression import evaluate

INTEGERS = ("int64", "int32", "int8", "uint8", "bool")
ON_CPU = """#include <cmath>
#include <cstring>
#include <cstdlib>
using namespace std;
#define __device__
#define __global__
struct Place { long long x; };
extern "C" { Place blockIdx, blockDim = {1}, threadIdx; }
static float __int_as_float(unsigned x) { float y; memcpy(&y, &x, 4); return y; }
static double __longlong_as_double(unsigned long long x) { double y; memcpy(&y, &x, 8); return y; }
typedef _Float16 float16;
"""
MISSING = {"erfinv", "erfcx"}                        # CUDA has them, C++ does not


def kernel_of(case: Case) -> tuple[cuda.Kernel, dict[str, Any]]:
    """As the CuPy backend makes it: numbers as arguments, unless the rule looks at them."""
    arguments, settings, numbers = cuda.parameters(case.arguments, case.settings)
    try:
        return cuda.kernel(case.rule, arguments, settings), numbers
    except (cuda.BranchError, TypeError):
        return cuda.kernel(case.rule, case.arguments, case.settings), {}


def kernels(dtype: str) -> list[tuple[Case, cuda.Kernel, dict[str, Any]]]:
    with np.errstate(all="ignore"):
        chosen = [c for c in cases(dtype) if dtype in FLOATS or not refused(c, c.arrays())]
    return [(case, *kernel_of(case)) for case in chosen]


@pytest.mark.parametrize("dtype", [*FLOATS, "integers"])
def test_nvrtc_compiles_every_rule(dtype: str) -> None:
    dtypes = INTEGERS if dtype == "integers" else (dtype,)
    texts = [kernel.source(f"rule_{d}_{i}") for d in dtypes for i, (_, kernel, _) in enumerate(kernels(d))]
    assert len(texts) > 100
    assert not compiled(cuda.PREAMBLE + HALF + "".join(texts))


def test_nvrtc_is_asked_in_earnest() -> None:
    assert "error" in compiled(cuda.PREAMBLE + 'extern "C" __global__ void f(float* x) { x[0] = undefined; }')


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
def test_the_text_computes_what_numpy_does(dtype: str, tmp_path: Path) -> None:
    """Compiled as C++ and run on the CPU, where a C++ compiler is at hand."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no g++")
    chosen = [(c, k, n) for c, k, n in kernels(dtype) if not any(f"{name}f(" in k.body or f"{name}(" in k.body for name in MISSING)]
    library = build(compiler, [kernel.source(f"rule_{i}") for i, (_, kernel, _) in enumerate(chosen)], tmp_path)
    index = ctypes.c_longlong.in_dll(library, "blockIdx")
    for i, (case, kernel, numbers) in enumerate(chosen):
        arrays = case.arrays()
        with np.errstate(all="ignore"):
            expected = directly(case, arrays)
            given = [np.asarray(v, t) for v, (t, _) in zip(evaluate(kernel.numbers, None, numbers), kernel.inputs[len(kernel.used):],
                                                           strict=True)]
        outputs = [np.empty(100, t) for t, _ in kernel.outputs]
        function = getattr(library, f"rule_{i}")
        pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in [arrays[u] for u in kernel.used]]
        scalars = [np.ctypeslib.as_ctypes_type(a.dtype)(a.item()) for a in given]
        arguments = [*pointers, *scalars, *[o.ctypes.data_as(ctypes.c_void_p) for o in outputs], ctypes.c_longlong(100)]
        for index.value in range(100):
            function(*arguments)
        for got, wanted in zip(outputs, expected, strict=True):
            wanted = np.broadcast_to(wanted, 100)
            assert got.dtype == wanted.dtype, case.name
            close(case, got, wanted)


def close(case: Case, got: Any, wanted: Any) -> None:
    """Equal but for the libraries' last places in exp and its kin."""
    message = f"{case.name}{tuple(map(str, case.arguments))}"
    if got.dtype.kind != "f":
        np.testing.assert_array_equal(got, wanted, err_msg=message)
        return
    rtol, tiny = {2: (2e-3, 1e-7), 4: (5e-5, 1e-37), 8: (1e-12, 1e-300)}[got.dtype.itemsize]
    got, wanted = got.astype("f8"), wanted.astype("f8")
    near_a_root = np.where(np.abs(wanted) > 1e-3, rtol / 10, tiny)          # there last places of 1 are more of the result
    same = (got == wanted) | (np.isnan(got) & np.isnan(wanted)) | (np.abs(got - wanted) <= rtol * np.abs(wanted) + near_a_root)
    assert same.all(), f"{message}: {got[~same]}, NumPy has {wanted[~same]}"


def build(compiler: str, texts: list[str], folder: Path) -> Any:
    source = folder / "rules.cpp"
    source.write_text(ON_CPU + cuda.PREAMBLE + "".join(texts))
    target = folder / "rules.so"
    subprocess.run([compiler, "-O0", "-w", "-shared", "-fPIC", "-ffp-contract=off", "-o", str(target), str(source)], check=True)
    return ctypes.CDLL(str(target))


@pytest.mark.parametrize(("number", "dtype", "text"), [
    (0.1, "float32", "0.1f"), (0.1, "float64", "0.1"), (-0.0, "float32", "(-0.0f)"), (1, "float32", "1.0f"),
    (1e300, "float32", "__int_as_float(0x7f800000)"), (7, "int64", "7LL"), (-3, "int32", "(-3)"), (True, "bool", "true"),
    (-2**63, "int64", "(-9223372036854775807LL - 1)"), (200, "uint8", "(unsigned char)200U"), (1e-45, "float32", "1e-45f")])
def test_literals_are_exact(number: Any, dtype: str, text: str) -> None:
    assert cuda.literal(number, np.dtype(dtype)) == text


def test_one_kernel_serves_all_values_of_a_setting() -> None:
    def rule(F: Any, x: Any, *, alpha: float = 1.0) -> Any:
        return x * (1 / alpha)

    bodies = set()
    for alpha in (0.3, 0.7):
        arguments, settings, numbers = cuda.parameters([np.dtype("float32")], {"alpha": alpha})
        kernel = cuda.kernel(rule, arguments, settings)
        bodies.add(kernel.body)
        assert evaluate(kernel.numbers, None, numbers) == (1 / alpha,)          # by Python, in double
    assert bodies == {"out0 = (x * a0);"}


def test_a_common_part_is_computed_once_and_a_rule_that_hands_on_its_input_is_no_kernel() -> None:
    x = np.dtype("float32")
    kernel = cuda.kernel(lambda F, x: F.exp(x) * F.exp(x) + F.exp(x), [x], {})
    assert kernel.body.count("expf") == 1
    assert cuda.kernel(lambda F, g, x: g, [x, x], {}).passes == 0
    assert cuda.kernel(lambda F, g, x: x, [np.dtype("float16")] * 2, {}).passes == 1
    assert cuda.kernel(lambda F, g, x: g * 1, [x, x], {}).passes is None
