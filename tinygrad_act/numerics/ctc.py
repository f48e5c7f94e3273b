"""The sums over all alignments that CTC needs, in logarithms, for a whole batch at a time.

Graves et al., Connectionist temporal classification, ICML 2006. A target of L labels has 2 L + 1 states: a blank before,
between and after the labels. `FAR` stands for log 0, so that no difference of infinities is ever taken.
"""

from __future__ import annotations

from typing import Any

FAR = -1e30


class Alignments:
    """The part of the vocabulary behind ops/ctc.py. T steps, N samples, S states."""

    xp: Any

    def ctc_forward(self, scores: Any, skip: Any) -> Any:
        """alpha, (T + 1, N, S + 2): the log probability of all ways to each state in so many steps.

        `scores` (T, N, S) are the states' log probabilities, `skip` (N, S) is 0 where a state may follow the last but one, else
        FAR. Two columns of FAR in front stand for the states before the first.
        """
        steps, n, s = scores.shape
        alpha = self.xp.full((steps + 1, n, s + 2), FAR, scores.dtype)
        alpha[0, :, 2] = 0                                       # before the first step: on the first blank's left
        sources = self._sources(alpha)                           # of each state: the last but one, the last, itself
        penalty = self.xp.zeros((3, n, s), scores.dtype)
        penalty[0] = skip
        buffer, top = self.xp.empty_like(penalty), self.xp.empty_like(skip)
        for t in range(steps):
            self._join(sources[t], penalty, buffer, top, scores[t], alpha[t + 1, :, 2:])
        return alpha

    def ctc_occupancy(self, scores: Any, skip: Any, alpha: Any, nll: Any, final: Any, last: Any) -> Any:
        """(T, N, S): how probable it is to be in a state at a step, given the target.

        `final` (N, S) is 0 in the last state of each target and FAR elsewhere, `last` (T, N, 1) marks the last step of each
        sample. Samples whose nll is infinite get NaN.
        """
        steps, n, s = scores.shape
        beta = self.xp.full((n, s + 2), FAR, scores.dtype)
        sources = self._sources(beta)                            # of each state: itself, the next, the next but one
        penalty = self.xp.zeros((3, n, s), scores.dtype)
        penalty[2, :, :-2] = skip[:, 2:]
        buffer, top, onward = self.xp.empty_like(penalty), self.xp.empty_like(skip), self.xp.empty_like(skip)
        out = self.xp.empty(scores.shape, scores.dtype)
        for t in range(steps - 1, -1, -1):
            beta[:, :-2] = self.xp.where(last[t], final, beta[:, :-2])
            self._join(sources, penalty, buffer, top, 0, onward)
            self.xp.add(alpha[t + 1, :, 2:], onward, out=out[t])
            self.xp.add(onward, scores[t], out=beta[:, :-2])
        out += nll[:, None]
        return self.xp.exp(out, out=out)

    def _sources(self, x: Any) -> Any:
        """Views of x (..., N, S + 2) from three places, (..., 3, N, S)."""
        return self.xp.moveaxis(self.xp.lib.stride_tricks.sliding_window_view(x, 3, axis=-1), -1, -3)

    def _join(self, sources: Any, penalty: Any, buffer: Any, top: Any, score: Any, out: Any) -> None:
        """log of the sum of exp(sources + penalty), plus score, into out."""
        xp = self.xp
        xp.add(sources, penalty, out=buffer)
        xp.max(buffer, axis=0, out=top)
        xp.subtract(buffer, top, out=buffer)
        xp.exp(buffer, out=buffer)
        xp.sum(buffer, axis=0, out=out)
        xp.log(out, out=out)
        xp.add(out, top, out=out)
        xp.add(out, score, out=out)
