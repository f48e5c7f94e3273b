"""Pretrained networks: model code to read, weights fetched when first asked for, to use as they are or to tune.

Each is a `nn.Module` with its checkpoint's own names, a loader that fetches the weights (pinned, checked, kept in the
user's cache), and `from_folder` or `from_state` for another checkpoint of the same architecture.
"""

from .bert import Bert, BertConfig
from .sentences import SentenceEncoder, minilm
from .sources import WEIGHTS
from .wordpiece import Tokens, WordPiece

__all__ = ["WEIGHTS", "Bert", "BertConfig", "SentenceEncoder", "Tokens", "WordPiece", "minilm"]
