"""Every name that the backend asks of CuPy is there. CuPy can be imported without a GPU; without CuPy this is skipped."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from tinygrad_act import backend
from tinygrad_act.backend.namespace import ELEMENTWISE

cupy = pytest.importorskip("cupy", exc_type=ImportError)
FOLDER = Path(backend.__file__).parent


def dotted(node: ast.AST) -> list[str]:
    """`self.xp.lib.x` as its parts; empty for what is not a chain of names."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return [node.id, *parts] if isinstance(node, ast.Name) else []


def asked() -> set[tuple[str, ...]]:
    names = {(name,) for name in ELEMENTWISE.values()}
    used = [FOLDER / name for name in ("namespace.py", "factorise.py", "indexing.py", "cupy.py", "capture.py", "kernels/rows.py")]
    for file in (*used, *(FOLDER.parent / "numerics").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            match dotted(node):
                case ["self", "xp", first, *rest]:
                    names.add((first, *rest))
                case ["cupy", first, *rest]:
                    names.add((first, *rest))
    return names


def test_cupy_has_every_name() -> None:
    names = asked()
    assert len(names) > 90
    missing = []
    for name in names:
        found: Any = cupy
        for part in name:
            found = getattr(found, part, None)
        if found is None and name[-1] != "_state":
            missing.append(".".join(name))
    assert not missing


def test_cupyx_has_what_cupy_lacks() -> None:
    import cupyx
    from cupyx.scipy import special

    assert callable(cupyx.scatter_add)
    assert all(hasattr(special, name) for name in ("erf", "erfc", "erfcx", "erfinv"))
