"""The tasks that there are: by name, by the labels that their pictures have, by the networks that answer them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubel.data.labels import Labelling
from hubel.errors import WeightsError, unknown_name
from hubel.tasks.classification import ClassificationTask
from hubel.tasks.detection import DetectionTask
from hubel.tasks.multilabel import MultiLabelTask
from hubel.tasks.object_localization import LocalizationTask
from hubel.tasks.reconstruction import GenerationTask, ReconstructionTask
from hubel.tasks.regression import RegressionTask
from hubel.tasks.segmentation import SegmentationTask
from hubel.tasks.task import AnyTask

if TYPE_CHECKING:
    from hubel.bundle import Bundle

# Of several for the same labels, the first is meant where nothing else is said.
_TASKS: tuple[type[AnyTask], ...] = (
    ClassificationTask,
    MultiLabelTask,
    RegressionTask,
    DetectionTask,
    LocalizationTask,
    SegmentationTask,
    ReconstructionTask,
    GenerationTask,
)
TASKS: dict[str, type[AnyTask]] = {task.name: task for task in _TASKS}

# Tasks whose networks are registered under another task's name.
_NETWORKS_OF = {"multilabel": "classification", "regression": "classification"}


def task_named(name: str) -> type[AnyTask]:
    """The task of this name.

    Raises:
        ConfigError: There is none; the nearest names are offered.
    """
    if name not in TASKS:
        raise unknown_name("task", name, TASKS)
    return TASKS[name]


def networks_for(task: str) -> str:
    """The kind of network that answers a task, as `hubel.models.registry.ModelEntry.task` names it."""
    return _NETWORKS_OF.get(task, task)


def answers(kind: str, task: str) -> bool:
    """Whether networks of a kind answer a task; those for generation may have an encoder, and then reconstruct, too."""
    return kind == networks_for(task) or (kind, task) == ("generation", "reconstruction")


def task_for(labelling: Labelling, *, name: str | None = None, network: str | None = None) -> type[AnyTask]:
    """The task of pictures with such labels.

    Args:
        labelling: Of the pictures.
        name: The task that is wanted; None: whichever suits.
        network: The kind of the network that is to answer it, where one is chosen already.
    """
    if name is not None:
        return task_named(name)
    suited = [task for task in _TASKS if task.labelling == labelling]
    return next((task for task in suited if networks_for(task.name) == network), suited[0])


def task_of(bundle: Bundle) -> AnyTask:
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
