"""Networks side by side."""

from __future__ import annotations

import pytest
from tests.models.facts import FACTS

from hubel.errors import ConfigError
from hubel.evaluation.comparison import Timing, activation_functions, compare, published_accuracy
from hubel.models.complexity import complexity
from hubel.models.registry import model_entry


def test_costs_are_the_facts():
    names = ["lenet5", "googlenet", "resnet50"]
    for network in compare(names):
        facts = FACTS[network.name]
        assert (network.parameters, network.auxiliary_parameters, network.macs) == (
            facts.parameters,
            facts.aux_parameters,
            facts.macs,
        )
        assert network.latencies == ()
    assert [network.weight_layers for network in compare(names)] == [7, 22, 50]


def test_a_repeated_name_counts_once():
    assert [network.name for network in compare(["lenet5", "simple_cnn", "lenet5"])] == ["lenet5", "simple_cnn"]


def test_latency_is_measured_for_every_device_and_batch():
    told: list[str] = []
    timing = Timing(devices=("cpu", "auto", "cpu"), repeats=2)
    (network,) = compare(["lenet5"], batch=3, timing=timing, progress=told.append)
    measured = [(latency.device, latency.batch, len(latency.seconds)) for latency in network.latencies]
    assert measured[:2] == [("cpu", 1, 2), ("cpu", 3, 2)]
    assert len(set(measured)) == len(measured)  # a repeated device counts once
    assert told == ["lenet5"] * 2


def test_training_memory_is_that_of_the_batch():
    (one,), (four,) = compare(["simple_cnn"]), compare(["simple_cnn"], batch=4)
    assert four.training.saved == 4 * one.training.saved
    assert four.training.optimizer == one.training.optimizer


@pytest.mark.parametrize(
    ("names", "size", "message"),
    [
        (["lenet5", "resnet51"], None, "unknown model 'resnet51': did you mean resnet50"),
        (["resnet18", "alexnet"], 20, r"alexnet does not take an input of 3×20×20: .* H and W at least 67"),
    ],
)
def test_mistakes_are_said_before_anything_is_measured(
    names: list[str], size: int | None, message: str, monkeypatch: pytest.MonkeyPatch
):
    def fail(*given: object, **options: object) -> None:
        raise AssertionError("something is being measured")

    monkeypatch.setattr("hubel.evaluation.comparison.measure_latency", fail)
    with pytest.raises(ConfigError, match=message):
        compare(names, size=size, timing=Timing())


def test_too_large_a_batch_is_said():
    with pytest.raises(ConfigError, match=r"lenet5: the memory of cpu does not suffice for batches of 10{13}"):
        compare(["lenet5"], batch=10**13, timing=Timing(repeats=1))


def test_a_missing_device_is_said_before_anything_is_computed():
    with pytest.raises(ConfigError, match="device 'cuda:77' is not here"):
        compare(["lenet5"], timing=Timing(devices=("cpu", "cuda:77")))


def test_the_best_the_first_and_the_papers_accuracy():
    best, first, papers = (published_accuracy("resnet50", choice) for choice in ("best", "first", "paper"))
    assert (best.top1, best.top5, best.source, best.is_papers) == (80.858, 95.434, "resnet50.imagenet1k_v2", False)
    assert (first.top1, first.source) == (76.13, "resnet50.imagenet1k_v1")
    assert papers is None  # the paper's is of the network with its strides elsewhere


def test_without_weights_the_papers_accuracy_stands():
    # arXiv:1409.4842, table 3: 10.07 % top-5 error with one crop, 6.67 % is seven networks'; no top-1 error is printed
    googlenet = published_accuracy("googlenet")
    assert (googlenet.top1, googlenet.top5, googlenet.is_papers) == (None, 89.93, True)
    assert googlenet.source.endswith("1 crop")
    # Krizhevsky et al. 2012, table 2, one network: 40.7 and 18.2 % on validation images; 37.5 and 17.0 % are 2010's
    alexnet = published_accuracy("alexnet")
    assert (alexnet.top1, alexnet.top5) == (59.3, 81.8)


@pytest.mark.parametrize("name", ["resnet20_cifar", "lenet5", "nin"])
def test_what_was_not_measured_on_imagenet_has_no_accuracy(name: str):
    assert published_accuracy(name) is None


def test_weights_for_another_size_say_so_and_count_their_operations():
    (network,) = compare(["resnetv2_50"])
    assert network.accuracy.source == "resnetv2_50.a1h_in1k at 288×288"
    assert network.macs == FACTS["resnetv2_50"].macs
    assert network.macs_as_published == complexity(model_entry("resnetv2_50").build_shapes(), (3, 288, 288)).macs
    (same,) = compare(["resnet18"])
    assert same.macs_as_published == same.macs


def test_activation_functions():
    def of(name: str) -> tuple[str, ...]:
        entry = model_entry(name)
        return activation_functions(entry.build_shapes().eval(), entry.input_size)

    assert of("lenet5") == ("tanh",)
    assert of("densenet121") == of("vgg16") == ("ReLU",)
