"""Looking at backpropagation: pictures of the graph, statistics of a network's layers.

Nothing here is imported by training; what it needs beyond the graph it gathers in a recording context.

drawing, player      the graph as a picture, and as a page that plays both passes
stepping             the backward pass driven by hand
explaining           the chain rule with the numbers put in, and path by path
diagnosis            why a gradient is None, zero, not finite, tiny or huge
choosing             other backward rules, and what is taken at a kink
measuring            bytes, time, two backends side by side
watching, lab        layers while they train, and experiments
gallery              a page for each activation

What they share stands beside them: tape (what the graph does not keep), chain (one sweep, kept), labels (names),
values and facts (numbers and nodes in a few words), present (pages of text and tables), figures (plots), bar (how far it is).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..later import later
from .choosing.choose import kinks, rules, rules_of, using
from .diagnosis.causes import Cause, Reason
from .diagnosis.why import why
from .drawing.draw import draw, to_dot
from .drawing.picture import Picture
from .explaining.explain import Explanation, explain
from .explaining.paths import Path, Paths, paths
from .gallery import gallery
from .measuring.lockstep import Lockstep, lockstep
from .measuring.memory import Ledger, memory
from .measuring.profile import Profile, profile
from .player import Player, player
from .stepping.breakpoints import norm_above, norm_below, not_finite
from .stepping.stepper import Stepper, Stop
from .tape import Tape
from .watching.statistics import LayerStatistics, watch
from .watching.watched import Layers

if TYPE_CHECKING:
    from . import lab

__all__ = ["Cause", "Explanation", "LayerStatistics", "Layers", "Ledger", "Lockstep", "Path", "Paths", "Picture", "Player", "Profile", "Reason", "Stepper",
           "Stop", "Tape", "draw", "explain", "gallery", "kinks", "lab", "lockstep", "memory", "norm_above", "norm_below", "not_finite", "paths", "player",
           "profile", "rules", "rules_of", "to_dot", "using", "watch", "why"]


__getattr__ = later(__name__, {"lab": "lab"})            # it trains networks, and so needs all of nn and optim


def __dir__() -> list[str]:
    return __all__
