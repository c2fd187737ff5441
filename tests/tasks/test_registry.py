"""Every task is of one of the two kinds, and the labels and the network tell which is meant."""

from __future__ import annotations

import pytest

from hubel.errors import ConfigError
from hubel.models.registry import list_families, list_models
from hubel.tasks.classification import ClassificationTask
from hubel.tasks.detection import DetectionTask
from hubel.tasks.registry import TASKS, networks_for, task_for
from hubel.tasks.task import LabelTask, PlaceTask, label_task
from hubel.training.network import DEFAULTS


@pytest.mark.parametrize("task", [ClassificationTask(("a", "b")), DetectionTask(("a", "b"))])
def test_a_task_is_of_one_kind(task: LabelTask | PlaceTask) -> None:
    assert isinstance(task, LabelTask) != isinstance(task, PlaceTask)


def test_labels_then_the_network_then_the_name_tell_the_task() -> None:
    assert task_for("class").name == "classification"
    assert task_for("boxes").name == "detection"
    assert task_for("boxes", network="localization").name == "localization"
    assert task_for("boxes", network="classification").name == "detection"  # which `with_network` then refuses
    assert task_for("boxes", name="localization").name == "localization"
    assert task_for("mask", network="segmentation").name == "segmentation"


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_usual_network_that_answers_it(task: str) -> None:
    kind = networks_for(task)
    assert DEFAULTS[kind].partition("/")[0] in {*list_models(kind), *list_families(kind)}


def test_what_is_for_labels_is_refused_elsewhere() -> None:
    task = ClassificationTask(("a", "b"))
    assert label_task(task, "--threshold") is task
    with pytest.raises(ConfigError, match=r"--threshold came, but the task is detection: .*leave it out"):
        label_task(DetectionTask(("a",)), "--threshold")
