"""What predicting and measuring give: plain, typed values that everybody may import."""

from hubel.results.base import Difference, Interval, Metrics, Result
from hubel.results.classification import Classification, ClassificationMetrics, ClassScores
from hubel.results.coco import coco_document
from hubel.results.detection import DetectedObject, DetectedObjects, DetectionMetrics
from hubel.results.localization import Localization, LocalizationMetrics
from hubel.results.multilabel import LabelScores, MultiLabel, MultiLabelMetrics
from hubel.results.reconstruction import Reconstruction, ReconstructionMetrics
from hubel.results.regression import Number, RegressionMetrics
from hubel.results.segmentation import Segmentation, SegmentationMetrics

__all__ = [
    "ClassScores",
    "Classification",
    "ClassificationMetrics",
    "DetectedObject",
    "DetectedObjects",
    "DetectionMetrics",
    "Difference",
    "Interval",
    "LabelScores",
    "Localization",
    "LocalizationMetrics",
    "Metrics",
    "MultiLabel",
    "MultiLabelMetrics",
    "Number",
    "Reconstruction",
    "ReconstructionMetrics",
    "RegressionMetrics",
    "Result",
    "Segmentation",
    "SegmentationMetrics",
    "coco_document",
]
