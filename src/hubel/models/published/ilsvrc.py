"""The classification task of the ImageNet challenge (ILSVRC), year by year."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class IlsvrcResult:
    """The winner of a year, or another entry that lectures show.

    Attributes:
        year: Of the challenge.
        entry: The network or method.
        layers: Weight layers of the network; None for methods that are none.
        top5_error: In percent, on the test set.
        place: In the classification task.
        source: Where the error is printed.
        note: What the error belongs to.
    """

    year: int
    entry: str
    layers: int | None
    top5_error: float
    place: int
    source: str
    note: str = ""


# Russakovsky et al. 2015, arXiv:1409.0575, section 6.4: one trained annotator on 1,500 test images.
HUMAN_TOP5_ERROR = 5.1

_RESULTS = "image-net.org/challenges/LSVRC, results of the year"

ILSVRC_RESULTS = (
    IlsvrcResult(
        year=2010, entry="NEC-UIUC", layers=None, top5_error=28.2, place=1, source=_RESULTS, note="SIFT, LBP, SVMs"
    ),
    IlsvrcResult(
        year=2011, entry="XRCE", layers=None, top5_error=25.8, place=1, source=_RESULTS, note="Fisher vectors, SVMs"
    ),
    IlsvrcResult(
        year=2012,
        entry="AlexNet",
        layers=8,
        top5_error=15.3,
        place=1,
        source="Krizhevsky et al. 2012, table 2",
        note="7 networks, 2 of them pre-trained on all of ImageNet; 16.4 % for 5 networks without extra data; "
        "second place 26.2 %",
    ),
    IlsvrcResult(
        year=2013,
        entry="Clarifai",
        layers=8,
        top5_error=11.7,
        place=1,
        source=_RESULTS,
        note="several networks after Zeiler & Fergus 2013, arXiv:1311.2901 (ZFNet); 11.2 % with extra data",
    ),
    IlsvrcResult(
        year=2014,
        entry="VGG",
        layers=19,
        top5_error=7.3,
        place=2,
        source="arXiv:1409.1556, table 7",
        note="7 networks of 16 and 19 layers; 6.8 % with 2 networks after the challenge",
    ),
    IlsvrcResult(
        year=2014,
        entry="GoogLeNet",
        layers=22,
        top5_error=6.67,
        place=1,
        source="arXiv:1409.4842, tables 2 and 3",
        note="7 networks, 144 crops each; one network with one crop 10.07 % (validation)",
    ),
    IlsvrcResult(
        year=2015,
        entry="ResNet",
        layers=152,
        top5_error=3.57,
        place=1,
        source="arXiv:1512.03385, table 5",
        note="6 networks, 2 of them of 152 layers; one ResNet-152 4.49 % (validation)",
    ),
)
