from .ops import arithmetic
from .tensor import Tensor
from . import backend
from .graph import backward, grad
