"""OpenMP, which is not used: the threads of the kernels are their own (ta.set_num_threads)."""

__all__ = ["is_available"]


def is_available() -> bool:
    """False: OpenMP is not used."""
    return False
