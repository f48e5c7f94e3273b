"""Intel's MKL, which is not used: products of matrices are by the BLAS that NumPy was built with, whichever that is."""

__all__ = ["is_available"]


def is_available() -> bool:
    """False: Intel's MKL is not used."""
    return False
