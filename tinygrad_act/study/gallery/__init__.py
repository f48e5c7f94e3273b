"""The gallery: a page for each activation, made from its record. What can be computed is computed, what is written in the
record or in the rule is shown as it stands there.
"""

from .build import gallery

__all__ = ["gallery"]
