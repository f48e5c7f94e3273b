"""Low-rank adaptation (LoRA: Hu et al. 2021, arXiv:2106.09685): train a small change of a large weight.

A layer's W x becomes W x + (alpha / rank) B A x. W is frozen; A is drawn and B starts at zero, so at first nothing changes.

    lora.inject(model, "*.linear1", "*.self_attn", rank=8)         # the model is changed in place
    ...                                                             # train it as any other
    lora.save(model, "adapters.safetensors")                        # a few hundred kilobytes
    lora.load(fresh, "adapters.safetensors")                        # into another copy of the network
    lora.merge(fresh)                                               # as quick as the network without; unmerge goes back
"""

from .files import load, save, state_dict
from .inject import Injected, disabled, inject, injected, merge, remove, unmerge, use
from .kinds import Config

__all__ = ["Config", "Injected", "disabled", "inject", "injected", "load", "merge", "remove", "save", "state_dict", "unmerge", "use"]
