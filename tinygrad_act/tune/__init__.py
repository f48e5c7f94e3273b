"""Fine-tuning: what learns and how fast, low-rank and other small adapters, other activations in a trained network.

`ta.tune.freeze(model, "encoder")`, `ta.tune.parameter_groups(model, lr=1e-4)`, `ta.tune.lora.inject(model, "*.linear1")`.
"""

from .freezing import Changed, freeze, unfreeze
from .groups import Groups, parameter_groups
from .heads import new_head
from .schedules import warmup_cosine, warmup_linear
from .unfreezing import GradualUnfreezing

__all__ = ["Changed", "GradualUnfreezing", "Groups", "freeze", "new_head", "parameter_groups", "unfreeze", "warmup_cosine",
           "warmup_linear"]
