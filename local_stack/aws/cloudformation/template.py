"""Reading a template: YAML or JSON, short forms of the functions, the sections, and what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

from local_stack.aws.cloudformation.errors import ValidationError

SECTIONS = frozenset(
    {
        "AWSTemplateFormatVersion",
        "Conditions",
        "Description",
        "Mappings",
        "Metadata",
        "Outputs",
        "Parameters",
        "Resources",
        "Rules",
    }
)
RESOURCE_FIELDS = frozenset(
    {"Type", "Properties", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Metadata"}
)
DELETION_POLICIES = frozenset({"Delete", "Retain", "RetainExceptOnCreate"})


class _Loader(yaml.SafeLoader):
    """YAML as CloudFormation reads it: dates stay text, ``!Ref`` and its like become functions."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    return {f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


@dataclass(frozen=True)
class Template:
    """A template whose sections have the right form."""

    text: str
    document: dict[str, Any]

    def section(self, name: str) -> dict[str, Any]:
        """A section by its name; an absent one is empty."""
        section: dict[str, Any] = self.document.get(name) or {}
        return section

    @property
    def description(self) -> str:
        """The template's own description."""
        return str(self.document.get("Description") or "")

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The declared resources by logical id."""
        return self.section("Resources")


def parse(text: str) -> Template:
    """Read a template.

    Raises:
        ValidationError: it is no YAML or JSON, has an unknown section, no resource, or a malformed one.
    """
    try:
        document = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader=_Loader)  # noqa: S506
    except (ValueError, yaml.YAMLError) as error:
        raise ValidationError(f"Template format error: {error}") from error
    if not isinstance(document, dict):
        raise ValidationError("Template format error: unsupported structure.")
    if unknown := sorted(document.keys() - SECTIONS):
        raise ValidationError(f"Invalid template property or properties {unknown}")
    if document.get("Rules"):
        raise ValidationError("The emulation does not evaluate the template section Rules")
    resources = document.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise ValidationError("Template format error: At least one Resources member must be defined.")
    for logical_id, resource in resources.items():
        _check_resource(logical_id, resource)
    return Template(text, document)


def _check_resource(logical_id: str, resource: object) -> None:
    if not str(logical_id).isalnum():
        raise ValidationError(f"Template format error: Resource name {logical_id} is non alphanumeric.")
    if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
        raise ValidationError(
            f"Template format error: [/Resources/{logical_id}] "
            "Every Resources object must contain a Type member."
        )
    if unknown := sorted(resource.keys() - RESOURCE_FIELDS):
        raise ValidationError(f"Invalid template resource property {unknown[0]!r} of {logical_id}")
    for field in ("DeletionPolicy", "UpdateReplacePolicy"):
        if (policy := resource.get(field, "Delete")) not in DELETION_POLICIES:
            raise ValidationError(f"Template error: {field} {policy!r} of {logical_id} is not emulated")
