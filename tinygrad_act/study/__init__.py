"""Looking at backpropagation: pictures of the graph, statistics of a network's layers.

Nothing here is imported by training; what it needs beyond the graph it gathers in a recording context.
"""

from .draw import draw, to_dot
from .statistics import LayerStatistics, watch
from .tape import Tape

__all__ = ["LayerStatistics", "Tape", "draw", "to_dot", "watch"]
