"""Pretrained networks: model code to read, weights fetched when first asked for, to use as they are or to tune.

Each is a `nn.Module` with its checkpoint's own names, a loader that fetches the weights (pinned, checked, kept in the
user's cache), and `from_folder` or `from_state` for another checkpoint of the same architecture.
"""

from .albert import Albert, AlbertConfig, AlbertForMaskedLM, rxnmapper
from .bert import Bert, BertConfig
from .digits import DigitCNN, mnist_cnn
from .efficientnet import EfficientNetLite, efficientnet_lite0
from .samples import read_picture, read_wave, sample_conversation, sample_picture, sample_speech
from .sentences import SentenceEncoder, minilm
from .silero import SileroVAD, silero_vad
from .smiles import SmilesTokenizer
from .sources import WEIGHTS
from .speakers import MelSpectrogram, SpeakerEncoder, louder, resemblyzer
from .tokenizer import Tokenizer, Tokens
from .wordpiece import WordPiece

__all__ = ["WEIGHTS", "Albert", "AlbertConfig", "AlbertForMaskedLM", "Bert", "BertConfig", "DigitCNN", "EfficientNetLite",
           "MelSpectrogram", "SentenceEncoder", "SileroVAD", "SmilesTokenizer", "SpeakerEncoder", "Tokenizer", "Tokens", "WordPiece",
           "efficientnet_lite0", "louder", "minilm", "mnist_cnn", "read_picture", "read_wave", "resemblyzer", "rxnmapper",
           "sample_conversation", "sample_picture", "sample_speech", "silero_vad"]
