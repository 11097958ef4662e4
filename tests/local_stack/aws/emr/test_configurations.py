from __future__ import annotations

import pytest

from config.cluster import CONFIGURATIONS
from local_stack.aws.emr.configurations import UnsupportedConfigurationError, read


def test_the_projects_configurations_are_understood() -> None:
    configuration = read(CONFIGURATIONS)  # type: ignore[arg-type]

    assert configuration.iceberg
    assert configuration.environment == {"PYSPARK_PYTHON": "/usr/bin/python3.11"}
    assert configuration.defaults == {}


def test_later_classifications_add_to_earlier_ones() -> None:
    configuration = read(
        [
            {"Classification": "spark-defaults", "Properties": {"a": "1", "b": "1"}},
            {"Classification": "spark-defaults", "Properties": {"b": "2"}},
        ]
    )

    assert configuration.defaults == {"a": "1", "b": "2"}
    assert not configuration.iceberg


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"Classification": "hive-site", "Properties": {}}, "'hive-site' is not emulated"),
        ({"Classification": "spark-env", "Properties": {"A": "1"}}, "in a nested classification export"),
        (
            {"Classification": "spark-env", "Configurations": [{"Classification": "import"}]},
            "no nested 'import'",
        ),
        (
            {"Classification": "spark-defaults", "Configurations": [{"Classification": "x"}]},
            "no nested configurations",
        ),
    ],
)
def test_what_is_not_understood_is_refused(configuration: dict[str, object], message: str) -> None:
    with pytest.raises(UnsupportedConfigurationError, match=message):
        read([configuration])
