"""What PyTorch's listings ask of its libraries, and tell them: `ta.backends.cudnn.benchmark = True`, `ta.backends.mps.is_available()`.

None of these libraries is used here, so the switches are kept and change nothing; each says why. What is chosen between here,
NumPy and CuPy, is `ta.backend`.
"""

from . import cuda, cudnn, mkl, mkldnn, mps, openmp

__all__ = ["cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]
