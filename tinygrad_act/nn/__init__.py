"""Networks, under PyTorch's names: modules, parameters, layers, losses; `nn.functional`, `nn.init`, `nn.utils`.

Every activation of the catalogue is here as a class made from its record (see activation.py): `nn.GELU`, `nn.Swish`.
"""

from . import activation as _activation
from . import functional, init, parameter, utils
from .activation import Activation, Softmax2d
from .cells import GRUCell, LSTMCell, RNNCell, RNNCellBase
from .containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .layers import Dropout, Flatten, Identity, Linear, Unflatten
from .losses import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, MSELoss, NLLLoss
from .module import Module
from .parameter import Buffer, Parameter
from .recurrent import GRU, LSTM, RNN, RNNBase

for _module in _activation.modules.values():
    globals().setdefault(_module.__name__, _module)

__all__ = ["Activation", "BCELoss", "BCEWithLogitsLoss", "Buffer", "CrossEntropyLoss", "Dropout", "Flatten", "Identity", "L1Loss",
           "Linear", "MSELoss", "Module", "ModuleDict", "ModuleList", "NLLLoss", "Parameter", "ParameterDict",
           "ParameterList", "Sequential", "Softmax2d", "Unflatten", "functional", "init", "parameter", "utils"]
__all__ += ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]
__all__ += ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]
__all__ += [_module.__name__ for _module in _activation.modules.values() if _module.__name__ not in __all__]
