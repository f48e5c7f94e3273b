"""Names of a package that are imported when first asked for (PEP 562): what few programs use, or what costs more than all the rest.
And names that can be imported from a second place."""

from __future__ import annotations

import importlib
import sys
import types
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


def shelf(path: str, doc: str, names: Mapping[str, Any]) -> types.ModuleType:
    """A module without a file, for what stands elsewhere: `import path` finds it once the package above it is imported."""
    module = types.ModuleType(path, doc)
    module.__dict__.update(names, __all__=sorted(n for n in names if not n.startswith("_")))
    return sys.modules.setdefault(path, module)
