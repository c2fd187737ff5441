"""What people call the folders of pictures and of their masks."""

# The usual names of the two folders, in small letters.
PICTURES = (
    "images",
    "image",
    "imgs",
    "img",
    "pictures",
    "photos",
    "frames",
    "jpegimages",
    "inputs",
    "input",
    "leftimg8bit",
)
MASKS = (
    *("masks", "mask", "segmentationclass", "segmentation", "segmentations", "annotations", "annotation", "labels"),
    *("label", "groundtruth", "ground_truth", "gt", "gtfine", "targets", "target", "manual"),
)
# Pascal VOC's masks whose values number the objects of a picture: no classes, and no pictures either.
OBJECT_MASKS = "segmentationobject"
