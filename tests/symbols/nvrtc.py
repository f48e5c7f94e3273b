"""NVIDIA's compiler for CUDA text, which needs no GPU."""

from __future__ import annotations

import ctypes
import glob
import importlib.util
from typing import Any

import pytest


def nvrtc() -> Any:
    """NVRTC, from the package nvidia-cuda-nvrtc-cu12, the system, or wherever CuPy finds it; else the test is skipped."""
    spec = importlib.util.find_spec("nvidia")
    roots = [*(spec.submodule_search_locations or [] if spec else []), "/usr/local/cuda*/lib64", "/usr/local/cuda*/targets/*/lib"]
    found = [f for root in roots for pattern in (f"{root}/*/lib/libnvrtc.so*", f"{root}/libnvrtc.so*", f"{root}/*/bin/nvrtc64*.dll")
             for f in sorted(glob.glob(pattern))]        # noqa: PTH207
    for name in [*found, "libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"]:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return pytest.skip("NVRTC is not here: pip install nvidia-cuda-nvrtc-cu12")


def compiled(source: str) -> str:
    """What NVRTC has to say about the source; empty if it compiles."""
    library, program = nvrtc(), ctypes.c_void_p()
    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"rules.cu", 0, None, None)
    options = [b"--fmad=false", b"-arch=compute_75"]
    status = library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    size = ctypes.c_size_t()
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return log.value.decode() or f"status {status}" if status else ""
