"""Optimizers, under PyTorch's names: `ta.optim.SGD(model.parameters(), lr=0.1)`; Lion, LAMB and LARS are ours."""

from ..later import shelf
from . import lr_scheduler, swa_utils
from .adam import Adam, AdamW
from .adam_kin import Adamax, Lion, NAdam, RAdam
from .adaptive import Adadelta, Adagrad, RMSprop
from .layerwise import LAMB, LARS, Adafactor, Muon
from .lbfgs import LBFGS
from .optimizer import Optimizer
from .sgd import ASGD, SGD, Rprop

__all__ = ["ASGD", "LAMB", "LARS", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Lion",
           "Muon", "NAdam", "Optimizer", "RAdam", "RMSprop", "Rprop", "lr_scheduler", "swa_utils"]

# PyTorch has a module for each: those that are not files here.
for _kind in (ASGD, Adadelta, Adagrad, AdamW, Adamax, NAdam, RAdam, RMSprop, Rprop):
    globals()[_kind.__name__.lower()] = shelf(f"{__name__}.{_kind.__name__.lower()}", "An optimizer at PyTorch's path.",
                                              {_kind.__name__: _kind, "Optimizer": Optimizer})
del shelf
