"""Inception-v4 against timm and against the paper's figures."""

from __future__ import annotations

import pytest
import timm
import torch
from tests.models.parity import assert_equal_networks

from hubel.errors import ConfigError
from hubel.models import build_model
from hubel.models.classification.inception_v4 import pooled_convolution
from hubel.weights.names import recognise
from hubel.weights.names.inception_v4 import timm_inception_v4


def test_equal_to_timm():
    torch.manual_seed(0)
    theirs = timm.create_model("inception_v4", pretrained=False, num_classes=10)
    ours = build_model("inception_v4", num_classes=10)
    assert_equal_networks(ours, theirs, timm_inception_v4, torch.randn(2, 3, 107, 123))


@pytest.mark.parametrize(
    ("name", "name_in_timm"),
    [("inception_v4", "inception_v4"), ("inception_resnet_v2", "inception_resnet_v2"), ("xception", "legacy_xception")],
)
def test_files_of_timm_are_recognised(name: str, name_in_timm: str):
    with torch.device("meta"):
        ours, theirs = build_model(name), timm.create_model(name_in_timm, pretrained=False)
    assert recognise(ours, theirs.state_dict()).origin == "timm"


def test_average_pooling_leaves_the_padding_out():
    pool = pooled_convolution(3, 4)[0]
    ones = torch.ones(1, 3, 5, 6)
    assert torch.equal(pool(ones), ones)


def test_stages_repeat_as_often_as_the_figure_says():
    with torch.device("meta"):
        stages = build_model("inception_v4").stages
    assert [len(stages.get_submodule(name)) for name in ("inception_a", "inception_b", "inception_c")] == [4, 7, 3]


@pytest.mark.parametrize("name", ["inception_v4", "inception_resnet_v2", "xception"])
@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_dropout_that_is_no_probability_is_an_error(name: str, dropout: float):
    with pytest.raises(ConfigError, match=rf"{name}: dropout is {dropout}: expected at least 0 and less than 1"):
        build_model(name, dropout=dropout)


@pytest.mark.parametrize(("name", "share"), [("inception_v4", 0.2), ("inception_resnet_v2", 0.2), ("xception", 0.5)])
def test_dropout_is_the_papers_unless_told(name: str, share: float):
    with torch.device("meta"):
        assert build_model(name).head.dropout.p == share
        assert build_model(name, dropout=0.3).head.dropout.p == 0.3
