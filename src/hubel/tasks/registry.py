"""The tasks that there are, by name and by the labels that their pictures have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubel.data.labels import Labelling
from hubel.errors import WeightsError
from hubel.tasks.classification import ClassificationTask
from hubel.tasks.multilabel import MultiLabelTask
from hubel.tasks.regression import RegressionTask
from hubel.tasks.task import Task

if TYPE_CHECKING:
    from hubel.bundle import Bundle

_TASKS: tuple[type[Task], ...] = (ClassificationTask, MultiLabelTask, RegressionTask)
TASKS: dict[str, type[Task]] = {task.name: task for task in _TASKS}
TASK_OF: dict[Labelling, type[Task]] = {task.labelling: task for task in _TASKS}


def task_of(bundle: Bundle) -> Task:
    """The task of a trained model.

    Raises:
        WeightsError: This hubel has no such task.
    """
    if bundle.task not in TASKS:
        raise WeightsError(
            f"the model is for the task '{bundle.task}', which this hubel does not know: expected "
            f"{', '.join(TASKS)}; use the hubel {bundle.version} that wrote it"
        )
    return TASKS[bundle.task].of_bundle(bundle)
