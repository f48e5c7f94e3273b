"""Mixed precision on GPUs under the names that PyTorch had first: `from tinygrad_act.cuda.amp import autocast, GradScaler`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..later import later

if TYPE_CHECKING:
    from ..amp.of_cuda import GradScaler, autocast, custom_bwd, custom_fwd

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]

# Autocast knows of GPUs, and so stands above this package: what is named is found from up there, when it is asked for.
if not TYPE_CHECKING:
    __getattr__ = later("tinygrad_act", dict.fromkeys(__all__, "amp.of_cuda"))
del later


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
