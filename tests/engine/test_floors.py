"""Imports point down only, and NumPy and CuPy are named on their own floor."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import tinygrad_act

PACKAGE = Path(tinygrad_act.__file__).parent

# From the ground up, as in docs/architecture.md; what stands together may import each other.
FLOORS = [
    ["before_numpy", "errors", "files", "later", "trees", "_methods"], ["dtypes", "formats"], ["numerics"], ["backend"], ["tensor"], ["grad_mode"], ["changes"], ["graph"], ["short", "rule"], ["op"], ["elementwise"],
    ["ops"], ["symbols"], ["activations"],
    ["_functions", "linalg", "cuda", "backends", "random", "testing"], ["autograd"], ["distributed"], ["nn", "optim", "utils", "amp"],
    ["distributions", "func"],
    ["datasets"],
    ["study", "interop"], ["replay"],
    ["train", "tune", "pretrained"],
    ["cli"], ["__main__"],
]
FLOOR = {name: i for i, names in enumerate(FLOORS) for name in names}

# (module, what it imports from above): why. All of these are inside functions, or in what runs as a command.
ALLOWED: dict[tuple[str, str], str] = {
    ("backend/cupy.py", "symbols"): "on a GPU a rule runs as the kernel that the symbols print, made when it is first needed",
    ("backend/execute.py", "symbols"): "on the CPU too, once an array is large",
    ("ops/stubs.py", "__init__"): "a command, which lists what the whole package has entered",
}

# Files outside backend/ and numerics/ that name an array library: why.
LIBRARIES: dict[str, str] = {
    "dtypes.py": "element types are NumPy's, on every backend",
}


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module of ours that a file imports, as a dotted path from the package, and whether it waits to be called."""
    package = path.relative_to(PACKAGE).parts[:-1]
    tree = ast.parse(path.read_text())
    lazy = {id(n) for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef))
            or (isinstance(f, ast.If) and "__name__" in ast.unparse(f.test)) for n in ast.walk(f)}
    typing_only = {id(n) for f in ast.walk(tree) if isinstance(f, ast.If) and "TYPE_CHECKING" in ast.unparse(f.test)
                   for n in ast.walk(f)}
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = [*package[:len(package) - node.level + 1], *(node.module or "").split(".")]
                base = [b for b in base if b]
                for name in node.names:
                    yield ".".join(base or [name.name]), id(node) in lazy
            elif (node.module or "").split(".")[0] == PACKAGE.name:
                yield (node.module or "").partition(".")[2] or "__init__", id(node) in lazy
        elif isinstance(node, ast.Import):
            for name in node.names:
                if name.name.split(".")[0] == PACKAGE.name:
                    yield name.name.partition(".")[2] or "__init__", id(node) in lazy


def own(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def test_every_module_stands_on_a_floor() -> None:
    assert {own(p) for p in modules()} <= set(FLOOR)


def test_imports_point_down() -> None:
    up, used = [], set()
    for path in modules():
        for target, lazy in imports(path):
            above = target.split(".")[0]
            if above == "__init__" or FLOOR.get(above, 99) > FLOOR[own(path)]:
                key = (str(path.relative_to(PACKAGE)), above)
                used.add(key)
                if not (lazy and key in ALLOWED):
                    up.append(f"{key[0]} imports {target}" + (" in a function" if lazy else ""))
    assert not up, "imports that point up:\n" + "\n".join(sorted(up))
    assert used == set(ALLOWED), "exceptions that are not needed any more"


def test_array_libraries_are_named_on_their_floors_only() -> None:
    found = set()
    for path in modules():
        if own(path) in ("backend", "numerics"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else \
                [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            banned_name = isinstance(node, ast.Name) and node.id in ("xp", "cp")
            if banned_name or any(n.split(".")[0] in ("numpy", "cupy") for n in names):
                found.add(str(path.relative_to(PACKAGE)))
    assert found == set(LIBRARIES), f"not justified: {found - set(LIBRARIES)}; not needed any more: {set(LIBRARIES) - found}"


def test_docs_list_the_floors() -> None:
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    floors = text.partition("## Floors")[2].partition("\n## ")[0]
    missing = [name for name in FLOOR if not name.startswith("_") and f"`{name}" not in floors]
    assert not missing, f"docs/architecture.md does not place {missing}"
