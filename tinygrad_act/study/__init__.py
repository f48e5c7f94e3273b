"""Looking at backpropagation: pictures of the graph, statistics of a network's layers.

Nothing here is imported by training; what it needs beyond the graph it gathers in a recording context.
"""

from .breakpoints import norm_above, norm_below, not_finite
from .draw import draw, to_dot
from .picture import Picture
from .statistics import LayerStatistics, watch
from .stepper import Stepper, Stop
from .tape import Tape

__all__ = ["LayerStatistics", "Picture", "Stepper", "Stop", "Tape", "draw", "norm_above", "norm_below", "not_finite", "to_dot", "watch"]
