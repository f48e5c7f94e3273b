"""CUDA graphs: what a function launches on the GPU, captured to be launched again as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def capture(function: Callable[[], Any]) -> Callable[[], None]:
    """What `function` launches, without running it: call what is returned to launch it (again). Arrays made in it keep their memory."""
    import cupy

    stream, pool = cupy.cuda.Stream(non_blocking=True), cupy.cuda.MemoryPool()
    cupy.cuda.get_current_stream().synchronize()
    with stream, cupy.cuda.using_allocator(pool.malloc):
        stream.begin_capture()
        try:
            function()
        finally:
            graph = stream.end_capture()

    def launch(kept: Any = pool) -> None:
        graph.launch()
    return launch
