from __future__ import annotations

import re
from pathlib import Path

import pytest

from hubel.config import AugmentConfig
from hubel.data.augmentation import Augment
from hubel.data.augmentation.presets import PRESETS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "data.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in AugmentConfig.model_fields if name != "preset"])
def test_every_setting_is_in_the_documents_table(name):
    section = PAGE[PAGE.index("## Augmentation") :]
    assert re.search(rf"`{name}=", section)


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression", "detection", "segmentation"])
def test_every_task_has_the_presets(task):
    for name in PRESETS:
        augment = Augment.preset(name, task)
        assert (augment == Augment.preset("none", task)) == (name == "none")
    if task in ("multilabel", "regression"):
        assert Augment.preset("strong", task) == Augment.preset("strong")
