"""Checks of the data set as a whole: copies and groups on both sides of a division, labels, classes, imbalance."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from hubel.data.doctor.examination import WHOLE, Examination, Picture
from hubel.data.doctor.findings import Case, Finding, Level, count_of
from hubel.data.duplicates.near_duplicates import NearDuplicate
from hubel.data.labels import classes_of
from hubel.results.naming import some

_FEWEST = 10  # pictures of a class to learn from
_IMBALANCE_NOTED, _IMBALANCE = 3, 10  # how many times larger the largest class is than the smallest
# A property of files is a shortcut if it tells the class of so many more pictures than the most frequent class does;
# values that fewer pictures have tell nothing.
_SHORTCUT_GAIN, _SHORTCUT_PICTURES = 0.25, 10


def check_copies(examination: Examination) -> Iterator[Finding]:
    """Identical pictures and near duplicates: with different labels, in several splits, and beside one another."""
    identical = [Case(pictures, "identical files") for pictures in examination.copies]
    remark = _Likenesses(examination.near_duplicates)
    alike = [Case(pictures, remark(pictures)) for pictures in examination.likenesses]
    # Copies of a picture that also has near duplicates are told with those.
    told = {picture.sample.digest for case in alike for picture in case.pictures}
    identical = [case for case in identical if case.pictures[0].sample.digest not in told]

    # Frames of a film are nearly the same, and their numbers or some of their classes may well differ.
    compared = (*identical, *alike) if examination.labelling == "class" else identical
    contradicting = [case for case in compared if len({picture.sample.label for picture in case.pictures}) > 1]
    done = {id(case) for case in contradicting if len({picture.split for picture in case.pictures}) == 1}
    if contradicting:
        yield Finding(
            "contradicting_labels",
            "problem",
            f"{count_of(len(contradicting), 'picture')} with copies under another label",
            "The same picture cannot be both: one of the labels is wrong, or both are right and every picture needs "
            "several labels. Correct it, or remove the copies.",
            tuple(contradicting),
        )
    for cases, kind, what, advice in (
        (identical, "duplicates", "identical copies", _EXACT_ADVICE),
        (alike, "near_duplicates", "near duplicates", _NEAR_ADVICE),
    ):
        left = [case for case in cases if id(case) not in done]
        yield from _by_place(examination, left, kind, what, advice)


_EXACT_ADVICE = (
    "Figures from such pictures are too good, for they were seen in training. hubel leaves them out of the earlier "
    "split (test goes before validation before train); remove them for everybody else.",
    "They count several times. Harmless in small numbers, but --fix leaves all but one out.",
)
_NEAR_ADVICE = (
    "Pictures that were cropped, resized, mirrored, made brighter or saved again, or taken in a burst: figures from "
    "them are too good, for nearly the same was seen in training. --fix puts each such family into one split.",
    "Nearly the same picture several times teaches little more than once. Keep them in one split when you divide.",
)


def _by_place(
    examination: Examination, cases: Sequence[Case], kind: str, what: str, advice: tuple[str, str]
) -> Iterator[Finding]:
    """One finding for those that are in several splits, and one for those within a split."""
    across = [case for case in cases if len({picture.split for picture in case.pictures}) > 1]
    within = [case for case in cases if len({picture.split for picture in case.pictures}) == 1]
    if across:
        yield Finding(
            f"{kind}_across_splits",
            "problem",
            f"{count_of(len(across), 'picture')} with {what} in another split",
            advice[0],
            tuple(Case(_splits_first(case.pictures), case.remark) for case in across),
        )
    if within:
        place = "in the same split" if examination.splits != (None,) else "in the data set"
        yield Finding(
            kind, "warning", f"{count_of(len(within), 'picture')} with {what} {place}", advice[1], tuple(within)
        )


def _splits_first(pictures: Sequence[Picture]) -> tuple[Picture, ...]:
    """The pictures in such an order that the first few are of as many splits as there are."""
    seen: Counter[str | None] = Counter()
    ranked = []
    for picture in pictures:
        ranked.append((seen[picture.split], picture))
        seen[picture.split] += 1
    return tuple(picture for _, picture in sorted(ranked, key=lambda item: item[0]))


class _Likenesses:
    """Says how alike some pictures are."""

    def __init__(self, pairs: Sequence[NearDuplicate]) -> None:
        self._of_digest: dict[str, list[NearDuplicate]] = defaultdict(list)
        for pair in pairs:
            self._of_digest[pair.first].append(pair)

    def __call__(self, pictures: Sequence[Picture]) -> str:
        pairs = [pair for digest in {p.sample.digest for p in pictures} for pair in self._of_digest[digest]]
        least, greatest = min(pair.similarity for pair in pairs), max(pair.similarity for pair in pairs)
        alike = f"{greatest:.2f}" if f"{least:.2f}" == f"{greatest:.2f}" else f"{least:.2f} to {greatest:.2f}"
        return f"similarity {alike}" + (", mirrored" if any(pair.mirrored for pair in pairs) else "")


def check_groups(examination: Examination) -> Iterator[Finding]:
    """Groups, such as patients, with pictures in several splits."""
    members: dict[str, list[Picture]] = defaultdict(list)
    for picture in examination.readable:
        if picture.group is not None:
            members[picture.group].append(picture)
    cases = []
    for group, pictures in sorted(members.items()):
        held = Counter(picture.split for picture in pictures)
        if len(held) > 1:
            where = ", ".join(f"{number:,} in {split or WHOLE}" for split, number in held.items())
            cases.append(Case(_splits_first(pictures), f"{group}: {where}"))
    if cases:
        yield Finding(
            "groups_across_splits",
            "problem",
            f"{count_of(len(cases), 'group')} of {len(members):,} with pictures in several splits",
            "A network that knows a patient, place or film from training is tested on what it knows: figures are too "
            "good. --fix puts each group into one split; `hubel train --group` divides by group.",
            tuple(cases),
        )


def check_classes(examination: Examination) -> Iterator[Finding]:
    """Classes that are missing, rare, or much larger than others."""
    if not examination.classes:
        return
    counts = examination.counts()
    missing = [(split, name) for split, of_class in counts.items() for name, number in of_class.items() if not number]
    for split in dict.fromkeys(split for split, _ in missing):
        names = [name for place, name in missing if place == split]
        yield Finding(
            "missing_classes",
            "problem",
            f"{split or 'the data set'} has no pictures of {some(names)}",
            "A class that is not in train cannot be learnt, one that is not in validation or test is not measured.",
        )
    source = next(iter(counts))  # train, or all
    rare = {name: number for name, number in counts[source].items() if 0 < number < _FEWEST}
    if rare:
        yield Finding(
            "rare_classes",
            "warning",
            f"{count_of(len(rare), 'class', 'classes')} of fewer than {_FEWEST} pictures to learn from",
            "Add pictures, or join classes: " + some([f"{name} ({number})" for name, number in rare.items()]) + ".",
        )
    present = {name: number for name, number in counts[source].items() if number}
    if len(present) > 1 and examination.labelling == "class":
        most, fewest = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
        ratio = present[most] / present[fewest]
        if ratio > _IMBALANCE_NOTED:
            level: Level = "warning" if ratio > _IMBALANCE else "note"
            yield Finding(
                "imbalance",
                level,
                f"the largest class is {ratio:.1f} times the smallest: {most} {present[most]:,}, "
                f"{fewest} {present[fewest]:,}",
                "A network may ignore small classes, and accuracy does not show it: look at the macro F1. Where small "
                "classes matter as much, see --set imbalance=weights (or sampling, or focal).",
            )


def check_shortcuts(examination: Examination) -> Iterator[Finding]:
    """Properties of the files that tell the class: a network learns them instead of what the pictures show."""
    if examination.labelling != "class" or len(examination.classes) < 2:
        return
    pictures = examination.readable
    properties: dict[str, Callable[[Picture], object]] = {
        "the file's format": lambda picture: picture.facts.format,
        "the colour mode": lambda picture: picture.facts.mode,
        "transparency": lambda picture: picture.facts.transparent,
        "the size": lambda picture: (picture.facts.width, picture.facts.height),
    }
    largest = max(Counter(picture.sample.label for picture in pictures).values(), default=0)
    for name, property_of in properties.items():
        classes: dict[object, Counter[object]] = defaultdict(Counter)
        for picture in pictures:
            classes[property_of(picture)][picture.sample.label] += 1
        told = sum(max(of.values()) for of in classes.values() if of.total() >= _SHORTCUT_PICTURES)
        if pictures and (told - largest) / len(pictures) > _SHORTCUT_GAIN:
            yield Finding(
                "shortcut",
                "warning",
                f"{name} alone tells the class of {told / len(pictures):.0%} of the pictures",
                f"The most frequent class is {largest / len(pictures):.0%} of them. A network may learn that and not "
                "what the pictures show: bring all classes to the same form, or test with pictures from elsewhere.",
            )


def check_labels(examination: Examination) -> Iterator[Finding]:
    """Pictures of no class, where each may have several."""
    if examination.labelling != "classes":
        return
    without = [picture for picture in examination.readable if not classes_of(picture.sample.label)]
    if without:
        yield Finding(
            "no_class",
            "note",
            f"{count_of(len(without), 'picture')} of no class",
            "They teach what none of the classes looks like. If a label was forgotten, add it.",
            tuple(Case((picture,)) for picture in without),
        )
