"""EMR's configuration classifications: what a cluster's ``Configurations`` mean for its steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SUPPORTED = ("iceberg-defaults", "spark-defaults", "spark-env")


class UnsupportedConfigurationError(ValueError):
    """A classification that the emulation would have to ignore."""


@dataclass(frozen=True)
class SparkConfiguration:
    """What they come to: properties for spark-defaults.conf, variables, and Iceberg on or off."""

    defaults: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    iceberg: bool = False


def read(configurations: Iterable[Mapping[str, Any]]) -> SparkConfiguration:
    """Read ``Configurations`` of RunJobFlow.

    Raises:
        UnsupportedConfigurationError: naming what is not supported.
    """
    defaults: dict[str, str] = {}
    environment: dict[str, str] = {}
    iceberg = False
    for configuration in configurations:
        classification = configuration.get("Classification", "")
        properties = configuration.get("Properties") or {}
        nested = configuration.get("Configurations") or []
        if classification == "spark-defaults":
            defaults.update(_flat(classification, properties, nested))
        elif classification == "spark-env":
            environment.update(_exports(properties, nested))
        elif classification == "iceberg-defaults":
            iceberg = _flat(classification, properties, nested).get("iceberg.enabled") == "true"
        else:
            raise UnsupportedConfigurationError(
                f"The classification {classification!r} is not emulated, only {', '.join(SUPPORTED)}."
            )
    return SparkConfiguration(defaults, environment, iceberg)


def _flat(classification: str, properties: Mapping[str, str], nested: list[Any]) -> Mapping[str, str]:
    if nested:
        raise UnsupportedConfigurationError(f"{classification} has no nested configurations.")
    return properties


def _exports(properties: Mapping[str, str], nested: list[Mapping[str, Any]]) -> dict[str, str]:
    if properties:
        raise UnsupportedConfigurationError(
            "spark-env takes its variables in a nested classification export."
        )
    exports: dict[str, str] = {}
    for configuration in nested:
        if configuration.get("Classification") != "export":
            raise UnsupportedConfigurationError(
                f"spark-env has no nested {configuration.get('Classification')!r}, only export."
            )
        exports.update(configuration.get("Properties") or {})
    return exports
