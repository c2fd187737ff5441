from pathlib import Path

import pytest

from hubel.config import Phase, TrainConfig, merge, parse_settings
from hubel.errors import ConfigError


def test_yaml_round_trip(tmp_path: Path) -> None:
    config = TrainConfig(
        seed=3,
        phases=(Phase(name="head", epochs=2, train="head", learning_rate=0.01),),
        epochs=2,
        learning_rate=0.1,
    )
    file = tmp_path / "config.yaml"
    file.write_text(config.to_yaml())
    assert TrainConfig.from_yaml(file) == config


@pytest.mark.parametrize(
    ("assignments", "text"),
    [
        (["data.siz=3"], r"unknown setting 'data\.siz': did you mean data\.size"),
        (["epoch=3"], "unknown setting 'epoch': did you mean epochs"),
        (
            ["phases=[{name: a, epochs: 1, learningrate: 3}]"],
            r"unknown setting 'phases\.learningrate': did you mean",
        ),
        (["epochs=0"], "settings: epochs is 0: input should be greater than or equal to 1"),
        (["data.size=large"], r"settings: data\.size is 'large': input should be a valid integer"),
        (
            ["augment.preset=wild"],
            "settings: augment.preset is 'wild': input should be 'none', 'light', 'standard' or 'strong'",
        ),
        (["data.validation_fraction=0.9"], "together leave nothing to train on"),
        (["data.size"], r"setting 'data\.size' has no value: expected key=value"),
        (["seed=1", "seed.x=2"], "gives a value inside another value, 'seed'"),
        (["augment.scale=[1"], "the value of setting .* cannot be read"),
    ],
)
def test_mistakes_are_told_in_one_line(assignments: list[str], text: str) -> None:
    with pytest.raises(ConfigError, match=text) as caught:
        TrainConfig.from_values(parse_settings(assignments))
    assert "\n" not in str(caught.value)


def test_settings_are_read_as_yaml_and_laid_over() -> None:
    changes = parse_settings(["data.size=160", "augment.scale=[0.5, 1]", "model.weights=null", "device=cpu"])
    assert changes == {
        "data": {"size": 160},
        "augment": {"scale": [0.5, 1]},
        "model": {"weights": None},
        "device": "cpu",
    }
    merged = merge({"data": {"size": 1, "path": "p"}}, changes)
    assert merged["data"] == {"size": 160, "path": "p"}


@pytest.mark.parametrize(
    ("content", "text"),
    [("a: [", "is not YAML"), ("- 1", "is no configuration"), ("seeds: 1", "unknown setting 'seeds'")],
)
def test_a_configuration_file_that_is_none(tmp_path: Path, content: str, text: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=text):
        TrainConfig.from_yaml(file)


def test_a_missing_configuration_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the configuration .*no\.yaml"):
        TrainConfig.from_yaml(tmp_path / "no.yaml")
