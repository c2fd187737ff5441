from hubel.errors import ConfigError, cannot_read, unknown_name


def test_the_nearest_names_are_offered() -> None:
    error = unknown_name("model", "resnet8", ["resnet18", "resnet50", "lenet5"], see="hubel models list")
    assert isinstance(error, ConfigError)
    assert str(error) == "unknown model 'resnet8': did you mean resnet18 or resnet50? `hubel models list` lists all"


def test_without_a_near_name_all_are_told() -> None:
    assert str(unknown_name("recipe", "xyz", ["full", "head"])) == "unknown recipe 'xyz': known: full, head"


def test_what_cannot_be_read_is_told_with_the_reason() -> None:
    assert str(cannot_read("a.csv", PermissionError(13, "Permission denied"))) == "cannot read a.csv: Permission denied"
    assert str(cannot_read("a.zip", OSError("it is cut off"))) == "cannot read a.zip: it is cut off"
