"""Rectifiers: what passes on one side and is held back, bent or saturated on the other."""

from __future__ import annotations

from math import inf
from typing import Any

from ..ops.reduce import wide
from .record import activation, flat


@activation(formula=r"\max(0, x)", derivative=r"[x > 0]", paper="doi:10.1109/TSSC.1969.300225", kinks={0: 0},
            range=(0, inf), monotonic=True, smooth="C0", zero_centred=False, saturates={"left": 0}, lipschitz=1,
            module="ReLU", torch="relu", result="same", kinds="if")
def relu(F: Any, x: Any) -> Any:
    """Pass what is positive (Fukushima 1969)."""
    return F.maximum(x, 0)


@relu.backward
def relu_backward(F: Any, g: Any, y: Any) -> Any:
    return F.where(y <= 0, 0, g)


relu.second(flat)


@relu.stand_in("straight_through")
def relu_straight_through(F: Any, g: Any) -> Any:
    """The gradient as it came, also where the unit is off."""
    return g


@relu.stand_in("surrogate", "sigmoid")
def relu_surrogate(F: Any, g: Any, x: Any) -> Any:
    """The slope of softplus, sigmoid(4 x): a unit that is off still learns."""
    z = F.exp(-F.abs(4 * x))
    return g * (F.where(x < 0, z, 1) / (1 + z))


@relu.stand_in("deconvnet")
def relu_deconvnet(F: Any, g: Any) -> Any:
    """ReLU of the gradient (Zeiler and Fergus 2014, arXiv:1311.2901), for pictures of what a unit looks for."""
    return F.maximum(g, 0)


@relu.stand_in("guided")
def relu_guided(F: Any, g: Any, y: Any) -> Any:
    """Both: where the input and the gradient are positive (Springenberg et al. 2015, arXiv:1412.6806)."""
    return F.where(y <= 0, 0, F.maximum(g, 0))


@activation(formula=r"\min(\max(0, x), 6)", derivative=r"[0 < x < 6]",
            paper="https://www.cs.toronto.edu/~kriz/conv-cifar10-aug2010.pdf", kinks={0: 0, 6: 0}, range=(0, 6),
            monotonic=True, smooth="C0", zero_centred=False, saturates={"left": 0, "right": 6}, lipschitz=1,
            module="ReLU6", torch="relu6", result="same", kinds="if")
def relu6(F: Any, x: Any) -> Any:
    """ReLU that stops at 6, so that few bits hold it (Krizhevsky 2010)."""
    return F.minimum(F.maximum(x, 0), 6)


@relu6.backward
def relu6_backward(F: Any, g: Any, x: Any) -> Any:
    return F.where(F.logical_or(x <= 0, x >= 6), 0, g)


relu6.second(flat)


@relu6.stand_in("straight_through", "surrogate")
def relu6_straight_through(F: Any, g: Any) -> Any:
    """The gradient as it came, also where the unit is off or has stopped."""
    return g


@activation(formula=r"x \text{ if } x > 0 \text{ else } s x", derivative=r"1 \text{ if } x > 0 \text{ else } s",
            paper="https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf",
            kinks=lambda negative_slope: {0: negative_slope}, range=(-inf, inf), monotonic=True, smooth="C0",
            zero_centred=True, lipschitz=1, module="LeakyReLU", torch="leaky_relu")
def leaky_relu(F: Any, x: Any, *, negative_slope: float = 0.01) -> Any:
    """A small slope on the left, so that no unit dies (Maas, Hannun, Ng 2013). Any slope, also above 1 or negative."""
    return F.where(x > 0, x, negative_slope * x)


@leaky_relu.backward
def leaky_relu_backward(F: Any, g: Any, x: Any, *, negative_slope: float) -> Any:
    return F.where(x > 0, g, negative_slope * g)


leaky_relu.second(flat)


@activation(formula=r"x \text{ if } x > 0 \text{ else } w x", derivative=r"1 \text{ if } x > 0 \text{ else } w",
            paper="arXiv:1502.01852", kinks=lambda weight: {0: weight}, range=(-inf, inf), monotonic=True,
            smooth="C0", zero_centred=True, lipschitz=1, learnable={"weight": 0.25}, module="PReLU", torch="prelu")
def prelu(F: Any, x: Any, weight: Any) -> Any:
    """Leaky ReLU with a learned slope, one or per channel (He et al. 2015). Here `weight` broadcasts with x;
    `nn.functional.prelu` puts it on the channel axis.
    """
    return F.where(x > 0, x, weight * x)


@prelu.backward
def prelu_backward(F: Any, g: Any, x: Any, weight: Any) -> Any:
    return F.where(x > 0, g, weight * g)


@prelu.backward("weight")
def prelu_backward_weight(F: Any, g: Any, x: Any) -> Any:
    return F.where(x > 0, 0, g * x)


@activation(formula=r"x \text{ if } x > 0 \text{ else } s x,\ s \sim U(\tfrac18, \tfrac13)",
            derivative=r"1 \text{ if } x > 0 \text{ else } s", paper="arXiv:1505.00853",
            kinks=lambda slope: {0: slope}, range=(-inf, inf), monotonic=True, smooth="C0", zero_centred=True,
            lipschitz=1, fixed={"slope": (1 / 8 + 1 / 3) / 2}, module="RReLU", torch="rrelu")
def rrelu(F: Any, x: Any, slope: Any) -> Any:
    """Leaky ReLU with slopes drawn anew for each number in training, their mean in evaluation (Xu et al. 2015).
    The draw happens outside, so that the rule stays pure: see `nn.functional.rrelu`.
    """
    return F.where(x > 0, x, slope * x)


@rrelu.backward
def rrelu_backward(F: Any, g: Any, x: Any, slope: Any) -> Any:
    return F.where(x > 0, g, slope * g)


@activation(formula=r"x \text{ if } x > \theta \text{ else } v", derivative=r"[x > \theta]",
            paper="https://docs.pytorch.org/docs/stable/generated/torch.nn.Threshold.html",
            kinks=lambda threshold: {threshold: 0}, range=(0, inf), monotonic=True, smooth="C0", zero_centred=False,
            saturates={"left": 0}, lipschitz=1, torch="threshold", result="same", kinds="if")
def threshold(F: Any, x: Any, *, threshold: float = 0.0, value: float = 0.0) -> Any:
    """Replace what does not exceed `threshold` by `value`. With both 0 it is ReLU; it jumps where they differ."""
    return F.where(x <= threshold, value, x)


@threshold.backward
def threshold_backward(F: Any, g: Any, x: Any, *, threshold: float) -> Any:
    return F.where(x <= threshold, 0, g)


threshold.second(flat)


@activation(formula=r"x \text{ if } x > \theta \text{ else } 0", derivative=r"[x > \theta]", paper="arXiv:1402.3337",
            kinks=lambda theta: {theta: 0}, range=(0, inf), monotonic=True, smooth="discontinuous",
            zero_centred=False, saturates={"left": 0}, lipschitz=inf, module="ThresholdedReLU")
def thresholded_relu(F: Any, x: Any, *, theta: float = 1.0) -> Any:
    """ReLU with a dead zone up to theta, from where it jumps (Konda, Memisevic, Krueger 2014)."""
    return F.where(x <= theta, 0, x)


@thresholded_relu.backward
def thresholded_relu_backward(F: Any, g: Any, x: Any, *, theta: float) -> Any:
    return F.where(x <= theta, 0, g)


thresholded_relu.second(flat)


@activation(formula=r"\min(\max(0, x), z)", derivative=r"[0 < x < z]", paper="arXiv:1412.5567",
            kinks=lambda max_value: {0: 0, max_value: 0}, range=(0, 20), monotonic=True, smooth="C0",
            zero_centred=False, saturates={"left": 0, "right": 20}, lipschitz=1, module="ClippedReLU")
def clipped_relu(F: Any, x: Any, *, max_value: float = 20.0) -> Any:
    """ReLU that stops at `max_value` (Hannun et al. 2014, Deep Speech)."""
    return F.minimum(F.maximum(x, 0), max_value)


@clipped_relu.backward
def clipped_relu_backward(F: Any, g: Any, y: Any, *, max_value: float) -> Any:
    return F.where(F.logical_or(y <= 0, y >= max_value), 0, g)


clipped_relu.second(flat)


@activation(formula=r"\max(0, x)^2", derivative=r"2 \max(0, x)", paper="arXiv:2109.08668", kinks={0: 0},
            range=(0, inf), monotonic=True, smooth="C1", zero_centred=False, saturates={"left": 0}, lipschitz=inf,
            module="SquaredReLU")
def squared_relu(F: Any, x: Any) -> Any:
    """The square of ReLU (So et al. 2021, Primer)."""
    r = F.maximum(x, 0)
    return r * r


@squared_relu.backward
def squared_relu_backward(F: Any, g: Any, x: Any) -> Any:
    return F.where(x <= 0, 0, g * (2 * x))


@activation(formula=r"s \max(0, x)^2 + b", derivative=r"2 s \max(0, x)", paper="arXiv:2210.13452", kinks={0: 0},
            range=(-0.4472135954999579, inf), monotonic=True, smooth="C1", zero_centred=False,
            saturates={"left": -0.4472135954999579}, lipschitz=inf, module="StarReLU",
            learnable={"scale": 0.8944271909999159, "bias": -0.4472135954999579})
def star_relu(F: Any, x: Any, scale: Any, bias: Any) -> Any:
    """Squared ReLU, scaled and shifted so that normal inputs come out with mean 0 and variance 1; both learned
    (Yu et al. 2022, MetaFormer baselines).
    """
    r = F.maximum(x, 0)
    return scale * (r * r) + bias


@star_relu.backward
def star_relu_backward(F: Any, g: Any, x: Any, scale: Any) -> Any:
    return F.where(x <= 0, 0, g * (2 * scale * x))


@star_relu.backward("scale")
def star_relu_backward_scale(F: Any, g: Any, x: Any) -> Any:
    return F.where(x <= 0, 0, g * (x * x))


@star_relu.backward("bias")
def star_relu_backward_bias(F: Any, g: Any) -> Any:
    return g


@activation(formula=r"[\max(0, x), \max(0, -x)]", derivative=r"[\,[x > 0],\ -[x < 0]\,]", paper="arXiv:1603.05201",
            axis=True, module="CReLU")
def crelu(F: Any, x: Any, *, dim: int = -1) -> Any:
    """ReLU of x and of -x, one after the other along `dim`, which doubles (Shang et al. 2016)."""
    return F.cat([F.maximum(x, 0), F.maximum(-x, 0)], dim)


@crelu.backward
def crelu_backward(F: Any, g: Any, x: Any, *, dim: int = -1) -> Any:
    before = (slice(None),) * (dim % len(x.shape))
    n = x.shape[dim]
    of_plus, of_minus = F.getitem(g, (*before, slice(0, n))), F.getitem(g, (*before, slice(n, 2 * n)))
    return F.where(x > 0, of_plus, F.where(x < 0, -of_minus, 0 * of_plus))


# ------------------------------------------------------------------------------------------------- exponential
# Their tails: exp(x) from the input. From the output it would be alpha + y, which is 0 below x = -17 in float32.
@activation(formula=r"x \text{ if } x > 0 \text{ else } \alpha (e^x - 1)",
            derivative=r"1 \text{ if } x > 0 \text{ else } \alpha e^x", paper="arXiv:1511.07289",
            kinks=lambda alpha: {0: alpha}, range=(-1, inf), monotonic=True, smooth="C1", zero_centred=True,
            saturates={"left": -1}, lipschitz=1, module="ELU", torch="elu")
def elu(F: Any, x: Any, *, alpha: float = 1.0) -> Any:
    """The exponential linear unit (Clevert, Unterthiner, Hochreiter 2015). C1 for alpha = 1 only."""
    return F.where(x > 0, x, alpha * F.expm1(F.minimum(x, 0)))


@elu.backward
def elu_backward(F: Any, g: Any, x: Any, *, alpha: float) -> Any:
    return F.where(x > 0, g, g * (alpha * F.exp(F.minimum(x, 0))))


@elu.second
def elu_second(F: Any, g: Any, x: Any, *, alpha: float) -> Any:
    return F.where(x >= 0, 0, g * (alpha * F.exp(F.minimum(x, 0))))        # at 0 it jumps, and PyTorch takes the right side's


@elu.alternative("output")
def elu_backward_output(F: Any, g: Any, y: Any, *, alpha: float) -> Any:
    return F.where(y > 0, g, g * (y + alpha))


@activation(formula=r"x \text{ if } x > 0 \text{ else } \alpha (e^{x/\alpha} - 1)",
            derivative=r"1 \text{ if } x > 0 \text{ else } e^{x/\alpha}", paper="arXiv:1704.07483", kinks={0: 1},
            range=(-1, inf), monotonic=True, smooth="C1", zero_centred=True, saturates={"left": -1}, lipschitz=1,
            module="CELU", torch="celu")
def celu(F: Any, x: Any, *, alpha: float = 1.0) -> Any:
    """ELU made C1 for every alpha (Barron 2017)."""
    return F.where(x > 0, x, alpha * F.expm1(F.minimum(x, 0) / alpha))


@celu.backward
def celu_backward(F: Any, g: Any, x: Any, *, alpha: float) -> Any:
    return F.where(x > 0, g, g * F.exp(F.minimum(x, 0) / alpha))


@celu.second
def celu_second(F: Any, g: Any, x: Any, *, alpha: float) -> Any:
    return F.where(x >= 0, 0, g * (F.exp(F.minimum(x, 0) / alpha) / alpha))


SCALE, SCALE_ALPHA = 1.0507009873554805, 1.7580993408473768          # lambda, and lambda * alpha, of the paper


@activation(formula=r"\lambda x \text{ if } x > 0 \text{ else } \lambda \alpha (e^x - 1)",
            derivative=r"\lambda \text{ if } x > 0 \text{ else } \lambda \alpha e^x", paper="arXiv:1706.02515",
            kinks={0: SCALE_ALPHA}, range=(-SCALE_ALPHA, inf), monotonic=True, smooth="C0", zero_centred=True,
            saturates={"left": -SCALE_ALPHA}, lipschitz=SCALE_ALPHA, module="SELU", torch="selu")
def selu(F: Any, x: Any) -> Any:
    """ELU scaled so that mean 0 and variance 1 are a fixed point of deep nets (Klambauer et al. 2017);
    lambda = 1.0507009873554805, alpha = 1.6732632423543772.
    """
    return F.where(x > 0, SCALE * x, SCALE_ALPHA * F.expm1(F.minimum(x, 0)))


@selu.backward
def selu_backward(F: Any, g: Any, x: Any) -> Any:
    return F.where(x > 0, SCALE * g, g * (SCALE_ALPHA * F.exp(F.minimum(x, 0))))


@selu.second
def selu_second(F: Any, g: Any, x: Any) -> Any:
    return F.where(x >= 0, 0, g * (SCALE_ALPHA * F.exp(F.minimum(x, 0))))


LARGE = 1e18     # beyond it x / sqrt(1 + a x^2) has long arrived; the square of it does not overflow float32


@activation(formula=r"x \text{ if } x > 0 \text{ else } \frac{x}{\sqrt{1 + \alpha x^2}}",
            derivative=r"1 \text{ if } x > 0 \text{ else } (1 + \alpha x^2)^{-3/2}", paper="arXiv:1710.09967",
            kinks={0: 1}, range=(-1, inf), monotonic=True, smooth="C2", zero_centred=True, saturates={"left": -1},
            lipschitz=1, module="ISRLU")
def isrlu(F: Any, x: Any, *, alpha: float = 1.0) -> Any:
    """The inverse square root linear unit: ELU without an exponential (Carlile et al. 2017)."""
    left = F.maximum(F.minimum(x, 0), -LARGE)
    return F.where(x > 0, x, left / F.sqrt(1 + alpha * (left * left)))


@isrlu.backward
def isrlu_backward(F: Any, g: Any, x: Any, *, alpha: float) -> Any:
    left = F.minimum(x, 0)
    d = 1 + alpha * (left * left)
    return g / (d * F.sqrt(d))


@isrlu.second
def isrlu_second(F: Any, g: Any, x: Any, *, alpha: float) -> Any:
    left = F.maximum(F.minimum(x, 0), -LARGE)
    d = 1 + alpha * (left * left)
    return g * (-3 * alpha * left / d) / (d * F.sqrt(d))


# --------------------------------------------------------------------------------------------- learned pieces
@activation(formula=r"t_r + a_r (x - t_r) \text{ if } x \ge t_r;\ x;\ t_l + a_l (x - t_l) \text{ if } x \le t_l",
            derivative=r"a_r \text{ if } x \ge t_r;\ 1;\ a_l \text{ if } x \le t_l", paper="arXiv:1512.07030",
            kinks=lambda t_left, a_left, t_right, a_right: {t_left: a_left, t_right: a_right}, range=(-inf, inf),
            monotonic=True, smooth="C0", zero_centred=True, lipschitz=1, module="SReLU",
            learnable={"t_left": 0.0, "a_left": 0.2, "t_right": 1.0, "a_right": 1.0})
def srelu(F: Any, x: Any, t_left: Any, a_left: Any, t_right: Any, a_right: Any) -> Any:
    """S-shaped ReLU: three lines, their two seams and outer slopes learned per channel (Jin et al. 2015).
    It starts as a leaky ReLU; t_left must stay below t_right.
    """
    inner = F.where(x > t_left, x, t_left + a_left * (x - t_left))
    return F.where(x >= t_right, t_right + a_right * (x - t_right), inner)


@srelu.backward
def srelu_backward(F: Any, g: Any, x: Any, t_left: Any, a_left: Any, t_right: Any, a_right: Any) -> Any:
    return F.where(x >= t_right, a_right * g, F.where(x > t_left, g, a_left * g))


@srelu.backward("t_left")
def srelu_backward_t_left(F: Any, g: Any, x: Any, t_left: Any, a_left: Any, t_right: Any) -> Any:
    return F.where(F.logical_or(x > t_left, x >= t_right), 0, g * (1 - a_left))


@srelu.backward("a_left")
def srelu_backward_a_left(F: Any, g: Any, x: Any, t_left: Any, t_right: Any) -> Any:
    return F.where(F.logical_or(x > t_left, x >= t_right), 0, g * (x - t_left))


@srelu.backward("t_right")
def srelu_backward_t_right(F: Any, g: Any, x: Any, t_right: Any, a_right: Any) -> Any:
    return F.where(x >= t_right, g * (1 - a_right), 0)


@srelu.backward("a_right")
def srelu_backward_a_right(F: Any, g: Any, x: Any, t_right: Any) -> Any:
    return F.where(x >= t_right, g * (x - t_right), 0)


def _pieces(F: Any, parameter: Any, x: Any) -> Any:
    """A hinge parameter (pieces, ...), whose further axes are the last of x, as one that broadcasts with (1, *x)."""
    pieces, *rest = parameter.shape
    return F.reshape(parameter, (pieces, *[1] * (len(x.shape) - len(rest)), *rest))


@activation(formula=r"\max(0, x) + \sum_k w_k \max(0, h_k - x)", derivative=r"[x > 0] - \sum_k w_k [x < h_k]",
            paper="arXiv:1412.6830", kinks=lambda weight, hinge: {0: -sum(w for w, h in zip(weight, hinge, strict=True) if h > 0)}
            | {h: (h > 0) - sum(w for w, other in zip(weight, hinge, strict=True) if other > h) for h in hinge},
            range=(-inf, inf), monotonic=True, smooth="C0", zero_centred=True, lipschitz=1, module="APL",
            learnable={"weight": (-0.125, -0.125), "hinge": (0.0, -1.0)}, elementwise=False)
@wide
def apl(F: Any, x: Any, weight: Any, hinge: Any) -> Any:
    """Adaptive piecewise linear: ReLU and a sum of learned hinges (Agostinelli et al. 2014).

    `weight` and `hinge` are (pieces,), or (pieces, ...) with further axes that broadcast with x, as (pieces, C, 1, 1).
    """
    hinges = F.maximum(_pieces(F, hinge, x) - x, 0)
    return F.maximum(x, 0) + F.sum(_pieces(F, weight, x) * hinges, 0)


@apl.joint
@wide
def apl_backward(F: Any, g: Any, x: Any, weight: Any, hinge: Any) -> Any:
    w, gap = _pieces(F, weight, x), _pieces(F, hinge, x) - x
    to_hinge = F.where(gap > 0, w * g, 0)
    return [F.where(x > 0, g, 0) - F.sum(to_hinge, 0),
            F.reshape(F.sum_to(F.where(gap > 0, gap * g, 0), w.shape), weight.shape),
            F.reshape(F.sum_to(to_hinge, w.shape), hinge.shape)]
