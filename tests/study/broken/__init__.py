"""Broken networks, each with the cause that `why` must name."""

from . import absent, numbers
from .case import CASES, Broken
