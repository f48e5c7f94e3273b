"""The catalogue of activations: importing a group enters its records."""

from . import functional, rectifiers, sigmoids
from .record import Activation, activation, catalogue

__all__ = ["Activation", "activation", "catalogue", "rectifiers", "sigmoids"]
