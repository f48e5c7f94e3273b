"""Looking at backpropagation: pictures of the graph, statistics of a network's layers.

Nothing here is imported by training; what it needs beyond the graph it gathers in a recording context.
"""

from .breakpoints import norm_above, norm_below, not_finite
from .choose import kinks, rules, rules_of, using
from .causes import Cause, Reason
from .draw import draw, to_dot
from .explain import Explanation, explain
from .gallery import gallery
from .lockstep import Lockstep, lockstep
from .memory import Ledger, memory
from .paths import Path, Paths, paths
from .picture import Picture
from .player import Player, player
from .profile import Profile, profile
from .statistics import LayerStatistics, watch
from .stepper import Stepper, Stop
from .tape import Tape
from .watched import Layers
from .why import why
from . import lab                                          # last: it uses the others

__all__ = ["Cause", "Explanation", "LayerStatistics", "Layers", "Ledger", "Lockstep", "Path", "Paths", "Picture", "Player", "Profile", "Reason", "Stepper", "Stop", "Tape", "draw", "explain", "gallery", "kinks", "lab", "lockstep", "memory", "norm_above", "norm_below", "not_finite", "paths", "player", "profile", "rules", "rules_of", "to_dot", "using", "watch", "why"]
