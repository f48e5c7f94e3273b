"""The catalogue of activations: importing a group enters its records."""

from . import adaptive, functional, gated, gelu, pade, rectifiers, shares, shrinking, sigmoids, smooth, softmaxes, swish, waves
from .record import Activation, activation, catalogue

__all__ = ["Activation", "activation", "adaptive", "catalogue", "functional", "gated", "gelu", "pade", "rectifiers", "shares",
           "shrinking", "sigmoids", "smooth", "softmaxes", "swish", "waves"]
