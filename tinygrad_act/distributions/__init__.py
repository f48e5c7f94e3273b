"""Probability distributions, under PyTorch's names: `Normal(loc, scale).rsample()`, `.log_prob(value)`, `kl_divergence(p, q)`.

A distribution has a batch of parameters (`batch_shape`) and draws what is one event (`event_shape`): a sample has the shape
sample_shape + batch_shape + event_shape, a log-probability that of the sample without the event. `rsample` depends smoothly on
the parameters, so that gradients go through it; `sample` does not.
"""

from . import constraints, transforms
from .bernoulli import Bernoulli
from .categorical import Categorical
from .distribution import Distribution
from .exponential import Exponential
from .independent import Independent
from .kl import kl_divergence, register_kl
from .laplace import Laplace
from .log_normal import LogNormal
from .mixture_same_family import MixtureSameFamily
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .one_hot_categorical import OneHotCategorical, OneHotCategoricalStraightThrough
from .transformed_distribution import TransformedDistribution
from .transforms import *
from .uniform import Uniform

__all__ = sorted(["Bernoulli", "Categorical", "Distribution", "Exponential", "Independent", "Laplace", "LogNormal", "MixtureSameFamily",
                  "MultivariateNormal", "Normal", "OneHotCategorical", "OneHotCategoricalStraightThrough", "TransformedDistribution",
                  "Uniform", "constraints", "kl_divergence", "register_kl", "transforms", *transforms.__all__])
