"""The laboratory: what texts claim of activations, measured. Each experiment is called, and returns a Result.

>>> result = ta.study.lab.gelu_forms(seeds=1, epochs=0)
>>> [row["form"] for row in result.rows][:2]
['gelu', 'gelu_tanh']
"""

from .result import Result
from .registry import Experiment, experiments, listing, run
from .batch_norm import batch_norm
from .compare import compare
from .deadly import dead_units
from .depth import gradient_depth
from .forms import gelu_forms
from .saturated import saturation
from .slopes import learned_slopes
from .symmetry import symmetry
from .underflow import underflow

__all__ = ["Experiment", "Result", "batch_norm", "compare", "dead_units", "experiments", "gelu_forms", "gradient_depth",
           "learned_slopes", "listing", "run", "saturation", "symmetry", "underflow"]
