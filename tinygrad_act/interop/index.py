"""Models that are folders: which file has the weights, and the index of those in several files."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..errors import FileError

INDEX = ".index.json"
LIMIT = 1 << 26                                          # bytes, several times the index of any model
SAFE = "model.safetensors", f"model.safetensors{INDEX}"
WEIGHTS = *SAFE, "pytorch_model.bin", f"pytorch_model.bin{INDEX}"


def weights_in(folder: Path, names: Sequence[str] = WEIGHTS) -> Path:
    """The file of weights in a model's folder, under the names that it has there.

    Raises:
        FileError: there is none.
    """
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise FileError("load", str(folder), f"the folder has no file of weights: {', '.join(names)}", "give the path of the file itself")
    return found


def read_index(path: Path) -> dict[str, str]:
    """{tensor: the file it is in}; every file is named without a folder, and is there.

    Raises:
        FileError: it is damaged, names a place outside its folder, or files that are missing.
        FileNotFoundError: there is none.
    """
    def refuse(cause: str, remedy: str = "get it anew") -> NoReturn:
        raise FileError("load", str(path), cause, remedy)

    with path.open("rb") as file:
        data = file.read(LIMIT + 1)
    try:
        listed: Any = json.loads(data, object_pairs_hook=_once) if len(data) <= LIMIT else None
    except (ValueError, RecursionError) as error:
        refuse(f"it is damaged or no index of a model's files ({error})")
    listed = listed.get("weight_map") if isinstance(listed, dict) else None
    if not isinstance(listed, dict) or not all(isinstance(shard, str) for shard in listed.values()):
        refuse("it is no index of a model's files: it has no weight_map from tensors to files")
    shards = list(dict.fromkeys(listed.values()))
    for shard in shards:
        if not re.fullmatch(r"[^/\\:\0]+", shard) or shard in (".", ".."):
            refuse(f"its file {shard!r} is a place outside its folder", "it is not what it should be; do not trust it")
    missing = [shard for shard in shards if not (path.parent / shard).is_file()]
    if missing:
        refuse(f"{len(missing)} of its {len(shards)} files are missing: {', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}",
               "put them beside it")
    return listed


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a tensor that is put into two files is an error."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"it has two entries {twice!r}")
    return found
