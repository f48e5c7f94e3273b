"""Apple's GPUs, on which nothing runs here: listings that ask go on with the next device."""

__all__ = ["is_available", "is_built"]


def is_available() -> bool:
    """False: there is no backend for Apple's GPUs.

    >>> "mps" if ta.backends.mps.is_available() else "cpu"
    'cpu'
    """
    return False


def is_built() -> bool:
    """False, as is_available."""
    return False
