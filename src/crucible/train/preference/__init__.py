"""Training on preferences: which of two answers is better, or whether one answer is any good.

`PreferenceTrainer` trains an adapter by DPO, IPO, cDPO, ORPO or KTO on either backend; `train_preference_flat` is the
same training in one screen, to read first. The losses themselves are in `crucible.backends.losses.preference`.
"""

from crucible.train.preference.comparisons import Comparison, comparison_of, read_comparisons
from crucible.train.preference.flat import train_preference_flat
from crucible.train.preference.places import Counts
from crucible.train.preference.settings import PreferenceConfig
from crucible.train.preference.trainer import PreferenceTrainer

__all__ = [
    "Comparison",
    "Counts",
    "PreferenceConfig",
    "PreferenceTrainer",
    "comparison_of",
    "read_comparisons",
    "train_preference_flat",
]
