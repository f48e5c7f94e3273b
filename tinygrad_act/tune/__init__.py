"""Fine-tuning: what learns and how fast, low-rank and other small adapters, other activations in a trained network.

`ta.tune.freeze(model, "encoder")`, `ta.tune.parameter_groups(model, lr=1e-4)`, `ta.tune.lora.inject(model, "*.linear1")`.
"""

from . import lora
from .adapters import add_adapters, bitfit, ia3, learned_state
from .freezing import Changed, freeze, unfreeze
from .groups import Groups, parameter_groups
from .heads import new_head
from .recompute import checkpoint_blocks, keep_blocks
from .drift import Drift
from .schedules import warmup_cosine, warmup_linear
from .surgery import Annealing, Swap, anneal, restore, swap
from ..train.trainable import TrainableSummary, trainable_summary
from .unfreezing import GradualUnfreezing

__all__ = ["Annealing", "Changed", "Drift", "GradualUnfreezing", "Groups", "Swap", "TrainableSummary", "add_adapters", "anneal", "bitfit", "checkpoint_blocks", "freeze", "ia3",
           "keep_blocks", "learned_state", "lora", "new_head", "parameter_groups", "restore", "swap", "trainable_summary", "unfreeze",
           "warmup_cosine", "warmup_linear"]
