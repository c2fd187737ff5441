"""Precision and recall of every finding on a corpus of planted defects, and silence on a clean set."""

from __future__ import annotations

import io
import zipfile
from itertools import combinations
from pathlib import Path

import pytest
from PIL import Image
from tests.data.doctor.planting import CHANGES, Pair, Planted, clean_set, plant, scene

from hubel.data.doctor.diagnosis import Diagnosis, diagnose
from hubel.data.doctor.examination import Examination, examine

EACH = 20
ORIGINALS = 330


def photos(shared: Path, count: int) -> list[Image.Image]:
    """Real photos, every one of another piece of clothing as far as anybody knows, larger than the synthetic ones."""
    files = sorted((shared / "data" / "clothing" / "train").rglob("*.jpg"))
    chosen = files[:: len(files) // count][:count]
    return [Image.open(file).convert("RGB") for file in chosen]


def small_pictures(shared: Path, count: int) -> list[Image.Image]:
    """Pictures of 32 × 32 pixels."""
    with zipfile.ZipFile(shared / "data" / "cifar10.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        chosen = [archive.read(name) for name in names[:: len(names) // count][:count]]
    return [Image.open(io.BytesIO(content)).convert("RGB") for content in chosen]


def found_pairs(examination: Examination, *, near: bool) -> set[Pair]:
    """All pairs of names that the doctor takes for copies."""
    families = examination.likenesses if near else examination.copies
    return {frozenset((a.name, b.name)) for family in families for a, b in combinations(family, 2)}


def table(diagnosis: Diagnosis, planted: Planted) -> dict[str, tuple[float, float, int]]:
    """Precision, recall and how many were planted, by defect."""
    examination = diagnosis.examination
    rows = {}
    of_kind = {
        finding.kind: {picture.name for case in finding.cases for picture in case.pictures}
        for finding in diagnosis.findings
    }
    for kind, names in planted.pictures.items():
        found = of_kind.get(kind, set())
        hits = len(found & names)
        rows[kind] = (hits / max(len(found), 1), hits / len(names), len(names))
    found_identical, found_near = (found_pairs(examination, near=near) for near in (False, True))
    hits = len(found_identical & planted.identical)
    identical = len(planted.identical)
    rows["identical copies"] = (hits / max(len(found_identical), 1), hits / identical, identical)
    every = set().union(*planted.near.values())
    precision = len(found_near & every) / max(len(found_near), 1)
    for change, pairs in planted.near.items():
        rows[f"near duplicates: {change}"] = (precision, len(found_near & pairs) / len(pairs), len(pairs))
    contradicting = {
        frozenset(picture.name for picture in case.pictures)
        for finding in diagnosis.findings
        if finding.kind == "contradicting_labels"
        for case in finding.cases
    }
    hits = len(contradicting & planted.contradicting)
    rows["contradicting labels"] = (hits / max(len(contradicting), 1), hits / len(planted.contradicting), EACH)
    return rows


def print_table(rows: dict[str, tuple[float, float, int]]) -> None:
    print(f"\n{'defect':<52}{'planted':>8}{'precision':>11}{'recall':>8}")
    for name, (precision, recall, count) in rows.items():
        print(f"{name:<52}{count:>8}{precision:>11.3f}{recall:>8.3f}")


def check(rows: dict[str, tuple[float, float, int]]) -> None:
    for name, (precision, recall, _) in rows.items():
        assert precision == 1, name
        assert recall >= (0.8 if "cropped" in name else 0.9 if "near" in name else 1), name
    near = [recall for name, (_, recall, _) in rows.items() if "near" in name]
    assert len(near) == len(CHANGES)
    assert sum(near) / len(near) >= 0.95


def test_planted_defects_are_found_among_synthetic_pictures(tmp_path: Path) -> None:
    planted = plant(clean_set(tmp_path / "set", [scene(seed) for seed in range(ORIGINALS)]), EACH)
    rows = table(diagnose(examine(tmp_path / "set")), planted)
    print_table(rows)
    check(rows)


def test_planted_defects_are_found_among_photos(tmp_path: Path, shared: Path) -> None:
    planted = plant(clean_set(tmp_path / "set", photos(shared, ORIGINALS)), EACH)
    rows = table(diagnose(examine(tmp_path / "set")), planted)
    print_table(rows)
    check(rows)


def test_a_clean_set_gives_no_alarm(tmp_path: Path) -> None:
    diagnosis = diagnose(examine(clean_set(tmp_path / "set", [scene(seed) for seed in range(300)])))
    assert diagnosis.findings == ()


def test_a_clean_set_of_photos_gives_no_alarm(tmp_path: Path, shared: Path) -> None:
    diagnosis = diagnose(examine(clean_set(tmp_path / "set", photos(shared, 300))))
    assert diagnosis.findings == ()


@pytest.mark.parametrize("value", [0, 90, 255])
def test_nearly_flat_pictures_are_not_copies_of_one_another(tmp_path: Path, value: int) -> None:
    for number in range(40):  # a speck at another place each, on grey with a little noise
        image = Image.effect_noise((96, 96), 4).point(lambda grey: max(0, min(255, grey - 128 + value)))
        image.paste(255 - value, (number * 2, number, number * 2 + 3, number + 3))
        folder = tmp_path / "set" / "train" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"{number}.png")
    assert examine(tmp_path / "set").near_duplicates == ()


def test_near_duplicates_are_found_among_small_pictures(tmp_path: Path, shared: Path) -> None:
    """Of 32 × 32 pixels; copies of fewer than 16 on a side are not looked for."""
    planted = plant(clean_set(tmp_path / "set", small_pictures(shared, ORIGINALS)), EACH)
    rows = table(diagnose(examine(tmp_path / "set")), planted)
    print_table({name: row for name, row in rows.items() if "near" in name})
    for change, least in (
        ("re-encoded", 0.8),
        ("brighter or darker", 1),
        ("grey", 1),
        ("mirrored", 1),
        ("cropped", 0.9),
    ):
        precision, recall, _ = rows[f"near duplicates: {change}"]
        assert precision == 1
        assert recall >= least, change
