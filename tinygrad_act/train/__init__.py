"""Training: a loop that stays readable, checkpoints to go on from, logs, plots. `ta.train.fit(model, data, loss, optimizer)`."""

from .callback import Best, Callback
from .checkpoint import Checkpoint
from .history import History
from .logs import CSVLog, JSONLog, TensorBoard, WandB
from .loop import Run, evaluate, fit
from .lr_finder import LRCurve, find_lr
from .metrics import Metric, accuracy, mae, perplexity, rmse, top_k
from .progress import Progress
from .statistics import Statistics
from .stopping import EarlyStopping
from .trainable import TrainableSummary, trainable_summary

__all__ = ["Best", "CSVLog", "Callback", "Checkpoint", "EarlyStopping", "History", "JSONLog", "LRCurve", "Metric", "Progress",
           "Run", "Statistics", "TensorBoard", "TrainableSummary", "WandB", "accuracy", "evaluate", "find_lr", "fit", "mae", "perplexity", "rmse",
           "top_k", "trainable_summary"]
