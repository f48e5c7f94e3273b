"""The compiler puts the loops of kernels in vectors, whatever types they read."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinygrad_act.backend import compiler
from tinygrad_act.symbols import c, cuda


@pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler")
@pytest.mark.parametrize("rule", [lambda F, m, x: F.where(m, x * 2, 0), lambda F, m, x: m & (x > 1), lambda F, m, x: x * m])
def test_a_loop_over_bools_is_put_in_vectors(rule: Any, tmp_path: Path) -> None:
    kernel, _ = cuda.lifted(rule, [np.dtype("bool"), np.dtype("float32")], {}, c.Text)
    text = c.source(kernel, "rule", compiler.vector_functions())
    assert text is not None
    (tmp_path / "kernel.c").write_text(text)
    told = subprocess.run([str(compiler.compiler()), *compiler.FLAGS, "-fopt-info-vec", "-o", tmp_path / "kernel.so", tmp_path / "kernel.c"],
                          capture_output=True, text=True, check=False)
    if told.returncode:
        pytest.skip("the compiler does not say which loops it puts in vectors")
    lines = [i for i, line in enumerate(text.splitlines(), 1) if "lane_" in line]
    found = [int(line) for line in re.findall(r"kernel\.c:(\d+):.*loop vectorized", told.stderr)]
    assert any(lines[0] <= line <= lines[-1] for line in found), told.stderr
