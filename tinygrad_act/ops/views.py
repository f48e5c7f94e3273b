"""View: the call of an op whose result looks at its one input's memory, with every question answered beforehand."""

from __future__ import annotations

import weakref
from typing import Any

from ..backend import namespaces
from ..errors import IndexingError, TinygradActError
from ..grad_mode import mode
from ..graph import Node, note_view, watchers
from ..op import Op, new
from ..tensor import Tensor


class View(Op):
    """As Op for one input and no dtype of its own; called with all its settings by keyword it takes the short way."""

    def __init__(self, name: str, forward: Any, rule: Any) -> None:
        super().__init__(name, forward, rule, view=True)

    def __call__(self, *inputs: Any, **params: Any) -> Any:
        if len(inputs) != 1 or watchers or len(params) != len(self.defaults) or not isinstance(inputs[0], Tensor):
            return super().__call__(*inputs, **params)
        (x,) = inputs
        a = x.array
        try:
            y = self.forward(namespaces[type(a)], a, **params)
        except (ValueError, TypeError, IndexError) as error:
            raise self.explain(error, [a]) from error
        if type(y) is not type(a):
            y = namespaces[type(a)].asarray(y)
        out = new(Tensor)
        out.array = y
        if not mode.grad:
            out.view_of = (weakref.ref(x), None)
            if mode.inference:
                out.inference = True
            return out
        if x._requires_grad:
            plan = self.plans.get(1) or self.plan(1)
            out._requires_grad = True
            out.node = Node(self, (x.node or x,), plan.keep((a, y)), plan, params)
        note_view(x, out, self, params)
        return out

    def explain(self, error: Exception, arrays: Any) -> TinygradActError:
        if isinstance(error, IndexError):
            return IndexingError(self.name, f"a tensor of shape {arrays[0].shape}", str(error).rstrip("."))
        return super().explain(error, arrays)
