"""oneDNN, which is not used: convolutions are products of matrices, or C that is compiled here."""

__all__ = ["is_available"]


def is_available() -> bool:
    """False: oneDNN is not used."""
    return False
