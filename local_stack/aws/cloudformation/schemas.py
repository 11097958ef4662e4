"""AWS's own schema of each resource type, as cfn-lint ships it: its properties, and which never change.

Read as plain JSON: importing cfn-lint itself would cost every start of the emulation seconds.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError as SchemaError
from jsonschema.validators import extend

from local_stack.aws.cloudformation.errors import ResourceError

FALLBACK_REGION = "us-east-1"
"""Has every type; a region that cfn-lint does not know is taken to be like it."""


def _pattern(_validator: object, pattern: str, instance: object, _schema: object) -> Iterator[SchemaError]:
    """JSON Schema's ``pattern``, but for expressions that only Java understands."""
    try:
        matches = not isinstance(instance, str) or re.search(pattern, instance) is not None
    except re.error:
        return
    if not matches:
        yield SchemaError(f"{instance!r} does not match {pattern!r}")


_Validator = extend(Draft7Validator, {"pattern": _pattern})


@lru_cache
def _folder() -> Path:
    spec = importlib.util.find_spec("cfnlint")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("cfn-lint is not installed: its resource schemas are needed")
    return Path(spec.origin).parent / "data" / "schemas"


@lru_cache
def _types(region: str) -> dict[str, str]:
    path = _folder() / "providers" / f"{region}.json"
    if not path.exists():
        path = _folder() / "providers" / f"{FALLBACK_REGION}.json"
    loaded: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


@dataclass(frozen=True)
class ResourceSchema:
    """The schema of one resource type."""

    type_name: str
    document: dict[str, Any]

    @property
    def properties(self) -> frozenset[str]:
        """The names of the properties, read-only ones included."""
        return frozenset(self.document["properties"])

    @property
    def takes_tags(self) -> bool:
        """Whether the type has tags in the form of a list."""
        tags = self.document["properties"].get("Tags")
        return tags is not None and self._resolve(tags).get("type") == "array"

    def fixed_at_creation(self, name: str, before: object, after: object) -> bool:
        """Whether changing property ``name`` from ``before`` to ``after`` means a new resource."""
        for pointer in self.document.get("createOnlyProperties", ()):
            first, *rest = pointer.removeprefix("/properties/").split("/")
            if first == name and _at(before, rest) != _at(after, rest):
                return True
        return False

    def coerce(self, properties: dict[str, Any]) -> dict[str, Any]:
        """Bring scalars to the schema's types, as CloudFormation does ("90" to 90, "true" to true)."""
        coerced = self._coerce(self.document, properties)
        assert isinstance(coerced, dict)  # noqa: S101 - an object schema keeps a dict a dict
        return coerced

    def validate(self, properties: dict[str, Any]) -> None:
        """Refuse properties that AWS would refuse.

        Raises:
            ResourceError: with the place and the reason of the first problem.
        """
        problem = next(iter(sorted(_Validator(self.document).iter_errors(properties), key=str)), None)
        if problem is not None:
            place = "/".join(str(part) for part in problem.absolute_path)
            raise ResourceError(f"Properties validation failed: #/{place}: {problem.message}")

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            target: Any = self.document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            schema = target
        return schema

    def _coerce(self, schema: dict[str, Any], value: Any) -> Any:
        schema = self._resolve(schema)
        if isinstance(value, dict):
            known = schema.get("properties", {})
            others = [s for key in ("oneOf", "anyOf") for s in schema.get(key, ())]
            for other in others:
                known = {**self._resolve(other).get("properties", {}), **known}
            return {key: self._coerce(known.get(key, {}), item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._coerce(schema.get("items", {}), item) for item in value]
        return _scalar(schema.get("type"), value)


def _at(value: object, path: list[str]) -> object:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _scalar(wanted: object, value: Any) -> Any:
    if wanted == "boolean" and value in ("true", "false"):
        return value == "true"
    if wanted == "integer" and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        return int(value)
    if wanted == "number" and isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value)
    if wanted == "string" and isinstance(value, bool):
        return str(value).lower()
    if wanted == "string" and isinstance(value, int | float):
        return str(value)
    return value


@lru_cache
def schema_of(type_name: str, region: str) -> ResourceSchema | None:
    """The schema of a type, or None where AWS has no such type in the region."""
    digest = _types(region).get(type_name)
    if digest is None:
        return None
    path = _folder() / "resources" / f"{digest}.json"
    return ResourceSchema(type_name, json.loads(path.read_text(encoding="utf-8")))
