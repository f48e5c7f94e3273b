"""What is done to the parameters of a network: as a whole, or computed from others (`nn.utils.parametrize`); and sequences of several
lengths (`nn.utils.rnn`)."""

from typing import TYPE_CHECKING

from ...later import later
from . import rnn
from .clip_grad import clip_grad_norm, clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm
from .convert_parameters import parameters_to_vector, vector_to_parameters

if TYPE_CHECKING:
    from . import parametrizations, parametrize, stateless
    from .hooked_norms import remove_spectral_norm, remove_weight_norm, spectral_norm, weight_norm

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm", "parameters_to_vector", "parametrizations",
           "parametrize", "remove_spectral_norm", "remove_weight_norm", "rnn", "spectral_norm", "stateless", "vector_to_parameters", "weight_norm"]

# Imported when first named, for few programs name them.
_LATER = {"parametrizations": "parametrizations", "parametrize": "parametrize", "stateless": "stateless",
          **dict.fromkeys(("remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"), "hooked_norms")}
if not TYPE_CHECKING:
    __getattr__ = later(__name__, _LATER)
del later


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
