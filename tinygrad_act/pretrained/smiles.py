"""SMILES, the notation of molecules and reactions as texts, as tokens (Schwaller et al. 2019, doi:10.1021/acscentsci.9b00576)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Self

from ..errors import FileError
from .tokenizer import Tokenizer

# An atom in brackets, an atom without, a bond, a branch, a ring, a dot, the arrow of a reaction.
TOKEN = re.compile(r"\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\(|\)|\.|=|#|-|\+|\\|/|:|~|@|\?|>>?|\*|\$|%[0-9]{2}|[0-9]")


class SmilesTokenizer(Tokenizer):
    """SMILES to numbers and back: an atom, a bond, a bracket or a ring's number is a token. What is none is passed over.

    >>> tokenizer = SmilesTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "C", "O", "=", "(", ")", "Cl", ">>"])
    >>> tokenizer.tokenize("CC(=O)Cl>>CC(=O)O")
    ['C', 'C', '(', '=', 'O', ')', 'Cl', '>>', 'C', 'C', '(', '=', 'O', ')', 'O']
    >>> tokenizer.decode(tokenizer.encode("CC(=O)[MASK]"))
    'CC(=O)[MASK]'
    """

    @classmethod
    def from_folder(cls, path: str | os.PathLike[str]) -> Self:
        """From a checkpoint's vocab.txt.

        Raises:
            FileError: there is none.
        """
        file = Path(path) / "vocab.txt"
        try:
            return cls(file.read_text(encoding="utf-8").split())
        except (OSError, ValueError) as error:
            raise FileError("SmilesTokenizer", str(file), f"it cannot be read ({error})", "give the folder that holds the whole checkpoint"
                            ) from error

    def split(self, text: str) -> list[str]:
        """The tokens of a text."""
        return TOKEN.findall(text)
