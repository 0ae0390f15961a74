"""Answers as classes: which class an answer says, and precision, recall and F1, by class and over all of them."""

from crucible.data.classification.labels import label_problem, read_label
from crucible.data.classification.result import Classification, ClassScores, Scores
from crucible.data.classification.scoring import classify, classify_answers, expected_classes

__all__ = [
    "ClassScores",
    "Classification",
    "Scores",
    "classify",
    "classify_answers",
    "expected_classes",
    "label_problem",
    "read_label",
]
