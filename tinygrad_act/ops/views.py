"""View: an op whose result looks at its one input's memory."""

from __future__ import annotations

from typing import Any

from ..errors import IndexingError, TinygradActError
from ..op import Single


class View(Single):
    """One input, of any dtype."""

    def __init__(self, name: str, forward: Any, rule: Any) -> None:
        super().__init__(name, forward, rule, view=True)

    def explain(self, error: Exception, arrays: Any) -> TinygradActError:
        if isinstance(error, IndexError):
            return IndexingError(self.name, f"a tensor of shape {arrays[0].shape}", str(error).rstrip("."))
        return super().explain(error, arrays)
