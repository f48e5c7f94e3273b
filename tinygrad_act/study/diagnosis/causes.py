"""What can be wrong with a gradient, and what to do about each."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..present import Page, Rendered, Table


class Cause(StrEnum):
    """Why a gradient is as it is; a member equals its own text.

    >>> ta.study.Cause.DEAD_UNITS == "dead_units"
    True
    """

    HEALTHY = "healthy"
    UNKNOWN = "unknown"
    # None
    NOT_FLOATING = "not_floating"
    NO_REQUIRES_GRAD = "no_requires_grad"
    FROZEN = "frozen"
    DETACHED = "detached"
    NO_GRAD = "no_grad"
    INFERENCE_MODE = "inference_mode"
    NOT_DIFFERENTIABLE = "not_differentiable"
    NOT_CONNECTED = "not_connected"
    UNUSED = "unused"
    OTHER_TENSOR = "other_tensor"
    LOSS_WITHOUT_GRAPH = "loss_without_graph"
    NOT_RETAINED = "not_retained"
    RETAINED_TOO_LATE = "retained_too_late"
    BACKWARD_NOT_CALLED = "backward_not_called"
    ZEROED = "zeroed"
    # 0
    DEAD_UNITS = "dead_units"
    SATURATED = "saturated"
    MASKED = "masked"
    NOT_SELECTED = "not_selected"
    MULTIPLIED_BY_ZERO = "multiplied_by_zero"
    STEP_FUNCTION = "step_function"
    CANCELS = "cancels"
    UNDERFLOW = "underflow"
    FLAT_POINT = "flat_point"
    CUSTOM_RULE = "custom_rule"
    ZERO_LOSS_GRADIENT = "zero_loss_gradient"
    HOOK = "hook"
    EMPTY = "empty"
    # NaN or infinite
    NAN_IN_DATA = "nan_in_data"
    NAN_IN_PARAMETER = "nan_in_parameter"
    NAN_IN_FORWARD = "nan_in_forward"
    NAN_IN_BACKWARD = "nan_in_backward"
    NOTHING_LEFT = "nothing_left"
    OVERFLOW = "overflow"
    # too small, too large
    VANISHING = "vanishing"
    SCALED_DOWN = "scaled_down"
    EXPLODING = "exploding"
    STEEP = "steep"
    LARGE_VALUES = "large_values"
    ACCUMULATED = "accumulated"


REMEDIES = {
    Cause.NOT_FLOATING: "Make it a floating tensor: dtype=ta.float32, or .float() before requires_grad_().",
    Cause.NO_REQUIRES_GRAD: "Call requires_grad_() on it before forward, or make it an nn.Parameter of a module.",
    Cause.FROZEN: "Call requires_grad_(True) on it before forward, unless it is meant to stay as it is.",
    Cause.DETACHED: "Take the detach() (or .data) away where the gradient should pass.",
    Cause.NO_GRAD: "Compute it outside of no_grad.",
    Cause.INFERENCE_MODE: "Compute it outside of inference_mode.",
    Cause.NOT_DIFFERENTIABLE: "Replace the step by one with a derivative: softmax for argmax, a sigmoid for a comparison, "
                              "the logits instead of the classes; or choose a straight-through rule.",
    Cause.NOT_CONNECTED: "Look for detach(), .data, .item(), .numpy(), ta.tensor(...) of a result, or no_grad on the way, or for a "
                         "result that was never used; run forward inside study.Tape() and pass tape= to be told where.",
    Cause.UNUSED: "Use it in forward, or leave it out of the optimizer.",
    Cause.OTHER_TENSOR: "Ask about the tensor that forward used, and give the optimizer that one.",
    Cause.LOSS_WITHOUT_GRAPH: "Compute the loss outside of no_grad, from at least one tensor with requires_grad=True, without detach() or "
                              ".item(); run forward inside study.Tape() and pass tape= to be told where it was cut.",
    Cause.NOT_RETAINED: "Call retain_grad() on it before backward, or ask about the leaf that it was computed from.",
    Cause.RETAINED_TOO_LATE: "Call retain_grad() before backward.",
    Cause.BACKWARD_NOT_CALLED: "Call loss.backward().",
    Cause.ZEROED: "Read .grad after backward and before zero_grad().",
    Cause.DEAD_UNITS: "Lower the learning rate or the biases, use Kaiming initialisation, or an activation with a slope on the "
                      "left (LeakyReLU, ELU, GELU).",
    Cause.SATURATED: "Scale its inputs down: smaller initial weights, standardised data or a norm before it; or use an activation "
                     "that does not saturate.",
    Cause.MASKED: "See that the mask, the clamp or the dropout leaves something over.",
    Cause.NOT_SELECTED: "The selection has other elements; their gradients are 0 by right. Check the index if these were meant.",
    Cause.MULTIPLIED_BY_ZERO: "Let no factor be zero: initialise weights at random, and see that what comes in is not all zeros.",
    Cause.STEP_FUNCTION: "Use a smooth function in its place, or a straight-through rule: study.using(op, 'straight_through').",
    Cause.CANCELS: "Its effect on the loss cancels out (a bias before a normalisation or a softmax, the sum of a softmax, which is always 1): "
                   "leave it out, or change the loss.",
    Cause.FLAT_POINT: "Start from other values, if this is no optimum: a small random number in the place of each 0.",
    Cause.CUSTOM_RULE: "Look at that function's own backward, and check it with autograd.gradcheck.",
    Cause.UNDERFLOW: "Scale the loss up before backward and the gradients down after it, or compute in float32.",
    Cause.ZERO_LOSS_GRADIENT: "The loss is at a flat place, or it was multiplied by 0: look at its last step.",
    Cause.HOOK: "Look at the hooks registered on it and on the results on the way.",
    Cause.EMPTY: "There is nothing to learn from an empty tensor: check the batch and the sizes.",
    Cause.NAN_IN_DATA: "Clean the data: ta.isfinite(x).all() before training.",
    Cause.NAN_IN_PARAMETER: "An earlier step spoilt the parameters: start again with a lower learning rate or clipped gradients, and "
                            "find that step with autograd.detect_anomaly().",
    Cause.NAN_IN_FORWARD: "Keep the inputs of that op away from where it is not defined: clamp them, add an epsilon, or use the fused "
                          "form (log_softmax, cross_entropy, binary_cross_entropy_with_logits, logsumexp).",
    Cause.NOTHING_LEFT: "See that something is left: at least one target, element or key in each row.",
    Cause.NAN_IN_BACKWARD: "The value is finite there but the slope is not: add an epsilon under the root, or keep the input away "
                           "with clamp before the op; a where() after it does not help, as 0 times infinity is NaN.",
    Cause.OVERFLOW: "Make the numbers smaller (normalise, subtract the maximum, lower the learning rate), or use float32.",
    Cause.VANISHING: "Use activations and initial weights that keep the gradient's size (ReLU with Kaiming), normalisation, or "
                     "residual connections.",
    Cause.SCALED_DOWN: "See whether that factor is meant; if so, scale the learning rate with it.",
    Cause.EXPLODING: "Clip the gradients (nn.utils.clip_grad_norm_), use smaller initial weights, normalisation, or shorter sequences.",
    Cause.STEEP: "Keep the input away from where the function is steep: an epsilon in the denominator, clamp before log.",
    Cause.LARGE_VALUES: "Standardise the data (mean 0, deviation 1) and the targets, or take the mean of the loss instead of the sum.",
    Cause.ACCUMULATED: "Call optimizer.zero_grad() before each backward().",
}


@dataclass(repr=False)
class Reason(Rendered):
    """The answer of `study.why`: a cause by its short name, plain sentences with the remedy, and what they rest on."""

    cause: Cause
    text: str
    evidence: dict[str, Any] = field(default_factory=dict)

    def page(self) -> Page:
        """The cause, the sentences, and a table of the evidence."""
        page = Page(f"why: {self.cause}", [self.text])
        plain = [(k, v) for k, v in self.evidence.items() if not isinstance(v, list)]
        if plain:
            page.parts.append(Table(("evidence", ""), plain))
        for k, v in self.evidence.items():
            if isinstance(v, list) and v:
                page.parts.append(Table(tuple(v[0]), [tuple(map(str, row.values())) for row in v], k))
        return page
