"""GPUs: whether they can be used at all, and how exact their products of matrices are."""

from __future__ import annotations

from importlib.machinery import PathFinder

from .switches import get_float32_matmul_precision, set_float32_matmul_precision

__all__ = ["is_built", "matmul"]


def is_built() -> bool:
    """Is CuPy installed? Whether it finds a GPU is asked by `ta.cuda.is_available()`.

    >>> isinstance(ta.backends.cuda.is_built(), bool)
    True
    """
    return PathFinder.find_spec("cupy") is not None


class _Matmul:
    """Switches of products of matrices. They are kept and change nothing: see `ta.set_float32_matmul_precision`."""

    __slots__ = ("allow_bf16_reduced_precision_reduction", "allow_fp16_reduced_precision_reduction")

    def __init__(self) -> None:
        self.allow_bf16_reduced_precision_reduction = self.allow_fp16_reduced_precision_reduction = True

    @property
    def allow_tf32(self) -> bool:
        """Is the precision of float32 products, that was asked for, less than "highest"?"""
        return get_float32_matmul_precision() != "highest"

    @allow_tf32.setter
    def allow_tf32(self, allowed: bool) -> None:
        set_float32_matmul_precision("high" if allowed else "highest")


matmul = _Matmul()
