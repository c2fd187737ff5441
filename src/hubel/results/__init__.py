"""What predicting and measuring give: plain, typed values that everybody may import."""

from hubel.results.base import Difference, Interval, Metrics, Result
from hubel.results.classification import Classification, ClassificationMetrics, ClassScores
from hubel.results.multilabel import LabelScores, MultiLabel, MultiLabelMetrics
from hubel.results.regression import Number, RegressionMetrics

__all__ = [
    "ClassScores",
    "Classification",
    "ClassificationMetrics",
    "Difference",
    "Interval",
    "LabelScores",
    "Metrics",
    "MultiLabel",
    "MultiLabelMetrics",
    "Number",
    "RegressionMetrics",
    "Result",
]
