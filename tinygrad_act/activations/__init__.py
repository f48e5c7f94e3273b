"""The catalogue of activations: importing a group enters its records."""

from . import functional, rectifiers, shares, sigmoids, softmaxes
from .record import Activation, activation, catalogue

__all__ = ["Activation", "activation", "catalogue", "functional", "rectifiers", "shares", "sigmoids", "softmaxes"]
