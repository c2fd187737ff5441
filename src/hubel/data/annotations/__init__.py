"""Objects in pictures as people's files tell them: Pascal VOC, COCO, YOLO and CSV, all read to the same values.

Boxes are `xyxy` in pixels of the picture as it stands upright, as continuous coordinates (the first pixel spans 0 to
1). What is wrong with a box or with one picture's file is a `Problem`, named and counted, and left out; what is wrong
with the one file that everything hangs on is a `DataError`.
"""

from hubel.data.annotated_pictures import AnnotatedPicture, Annotations, LabelledBox, Problem
from hubel.data.annotations.coco import read_coco
from hubel.data.annotations.csv_boxes import read_boxes_csv
from hubel.data.annotations.upright import fit_to_picture
from hubel.data.annotations.voc import read_voc
from hubel.data.annotations.yolo import YOLOData, read_data_yaml, read_yolo

__all__ = [
    "AnnotatedPicture",
    "Annotations",
    "LabelledBox",
    "Problem",
    "YOLOData",
    "fit_to_picture",
    "read_boxes_csv",
    "read_coco",
    "read_data_yaml",
    "read_voc",
    "read_yolo",
]
