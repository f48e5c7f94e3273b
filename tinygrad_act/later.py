"""Names of a package that are imported when first asked for (PEP 562): what few programs use, or what costs more than all the rest."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def later(package: str, where: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of that package, for names and where in it they stand; a module stands under its own name.

    Two threads that ask for a name at once get one module: the import of a module holds its lock.
    """
    def find(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(f".{where[name]}", package)
        return module if where[name] == name else getattr(module, name)

    return find
