"""The functions of a template: Ref, Fn::GetAtt, Fn::Sub, conditions and the rest.

A function that is not emulated is an error, never left standing in a value.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from local_stack.aws.cloudformation.errors import ValidationError
from local_stack.aws.cloudformation.template import Template

UNKNOWN = "{{changeSet:KNOWN_AFTER_APPLY}}"
"""Stands for a value that exists only once the change is made, as in AWS's own change sets."""

_NO_VALUE = object()
_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]*)\}")


class Lookup(Protocol):
    """Answers what resources and other stacks are called."""

    def ref(self, logical_id: str) -> str:
        """The physical id of a resource."""

    def get_att(self, logical_id: str, attribute: str) -> Any:
        """An attribute of a resource."""

    def import_value(self, name: str) -> str:
        """The value of another stack's export."""


class Evaluator:
    """Evaluates the functions of one template with given parameters.

    ``parameters`` are typed values, ``pseudo`` the pseudo parameters (``AWS::Region``, ...).
    """

    def __init__(
        self,
        template: Template,
        parameters: Mapping[str, Any],
        pseudo: Mapping[str, Any],
        lookup: Lookup,
    ) -> None:
        self._template = template
        self._scalars = {**parameters, **pseudo}
        self._lookup = lookup
        self._conditions: dict[str, bool] = {}
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": self.condition,
            "Fn::And": lambda parts: all(self.evaluate(part) for part in parts),
            "Fn::Base64": lambda text: base64.b64encode(str(self.evaluate(text)).encode()).decode(),
            "Fn::Cidr": self._cidr,
            "Fn::Equals": self._equals,
            "Fn::FindInMap": self._find_in_map,
            "Fn::GetAtt": self._get_att,
            "Fn::GetAZs": self._availability_zones,
            "Fn::If": self._if,
            "Fn::ImportValue": lambda name: self._lookup.import_value(self.evaluate(name)),
            "Fn::Join": self._join,
            "Fn::Not": lambda parts: not self.evaluate(parts[0]),
            "Fn::Or": lambda parts: any(self.evaluate(part) for part in parts),
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::Sub": self._sub,
        }

    def evaluate(self, value: Any) -> Any:
        """The value with every function replaced by its result; what is AWS::NoValue vanishes."""
        if isinstance(value, list):
            items = [self.evaluate(item) for item in value]
            return [item for item in items if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if (call := function_call(value)) is not None:
            name, argument = call
            if name not in self._functions:
                raise ValidationError(f"Template error: {name} is not a function that the emulation knows")
            return self._functions[name](argument)
        evaluated = {key: self.evaluate(item) for key, item in value.items()}
        return {key: item for key, item in evaluated.items() if item is not _NO_VALUE}

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds."""
        if name not in self._conditions:
            conditions = self._template.section("Conditions")
            if name not in conditions:
                raise ValidationError(f"Template format error: Unresolved condition dependency {name}")
            self._conditions[name] = bool(self.evaluate(conditions[name]))
        return self._conditions[name]

    def exists(self, declaration: Mapping[str, Any]) -> bool:
        """Whether the condition of a resource or output, if it has one, holds."""
        condition = declaration.get("Condition")
        return condition is None or self.condition(condition)

    def references(self, value: Any) -> Iterator[str]:
        """The logical ids of the resources that a value needs, on the branches that are taken."""
        if isinstance(value, list):
            for item in value:
                yield from self.references(item)
            return
        if not isinstance(value, dict):
            return
        call = function_call(value)
        if call is None:
            for item in value.values():
                yield from self.references(item)
            return
        name, argument = call
        if name == "Ref":
            yield argument
        elif name == "Fn::GetAtt":
            yield _attribute_path(argument)[0]
        elif name == "Fn::If":
            yield from self.references(argument[1] if self.condition(argument[0]) else argument[2])
        elif name == "Fn::Sub":
            text, values = (argument, {}) if isinstance(argument, str) else argument
            for literal, placeholder in _PLACEHOLDER.findall(text):
                if not literal and placeholder not in values:
                    yield placeholder.split(".")[0]
            yield from self.references(values)
        else:
            yield from self.references(argument)

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self._scalars:
            return self._scalars[name]
        if name not in self._template.resources:
            raise ValidationError(
                f"Template format error: Unresolved resource dependencies [{name}] in the Resources block "
                "of the template"
            )
        return self._lookup.ref(name)

    def _get_att(self, argument: Any) -> Any:
        logical_id, attribute = _attribute_path(argument)
        if logical_id not in self._template.resources:
            raise ValidationError(
                f"Template error: instance of Fn::GetAtt references undefined resource {logical_id}"
            )
        return self._lookup.get_att(logical_id, str(self.evaluate(attribute)))

    def _if(self, argument: list[Any]) -> Any:
        name, then, otherwise = argument
        return self.evaluate(then if self.condition(name) else otherwise)

    def _equals(self, argument: list[Any]) -> bool:
        left, right = (self.evaluate(part) for part in argument)
        return str(left) == str(right)

    def _find_in_map(self, argument: list[Any]) -> Any:
        name, first, second = (self.evaluate(part) for part in argument)
        try:
            return self._template.section("Mappings")[name][first][second]
        except KeyError:
            raise ValidationError(
                f"Template error: Unable to get mapping for {name}::{first}::{second}"
            ) from None

    def _join(self, argument: list[Any]) -> str:
        separator, parts = argument
        return str(separator).join(str(part) for part in self.evaluate(parts))

    def _split(self, argument: list[Any]) -> list[str]:
        separator, text = argument
        return str(self.evaluate(text)).split(str(separator))

    def _select(self, argument: list[Any]) -> Any:
        index, items = int(self.evaluate(argument[0])), self.evaluate(argument[1])
        if UNKNOWN in str(items):
            return UNKNOWN
        if index >= len(items):
            raise ValidationError(
                f"Template error: Fn::Select cannot select nonexistent value at index {index}"
            )
        return items[index]

    def _sub(self, argument: Any) -> str:
        text, values = (argument, {}) if isinstance(argument, str) else argument

        def replace(match: re.Match[str]) -> str:
            literal, placeholder = match.groups()
            if literal:
                return f"${{{placeholder}}}"
            if placeholder in values:
                return str(self.evaluate(values[placeholder]))
            if "." in placeholder:
                return str(self._get_att(placeholder))
            return str(self._ref(placeholder))

        return _PLACEHOLDER.sub(replace, text)

    def _cidr(self, argument: list[Any]) -> list[str]:
        block, count, bits = (self.evaluate(part) for part in argument)
        if UNKNOWN in str(block):
            return [UNKNOWN] * int(count)
        subnets = ipaddress.ip_network(block).subnets(new_prefix=32 - int(bits))
        return [str(next(subnets)) for _ in range(int(count))]

    def _availability_zones(self, region: Any) -> list[str]:
        name = self.evaluate(region) or self._scalars["AWS::Region"]
        return [f"{name}{zone}" for zone in "abc"]


def function_call(value: dict[str, Any]) -> tuple[str, Any] | None:
    """The name and argument of a function, or None where a mapping is just a mapping."""
    if len(value) != 1:
        return None
    ((name, argument),) = value.items()
    is_call = name == "Ref" or name.startswith("Fn::") or (name == "Condition" and isinstance(argument, str))
    return (name, argument) if is_call else None


def _attribute_path(argument: Any) -> tuple[str, Any]:
    if isinstance(argument, str):
        logical_id, _, attribute = argument.partition(".")
        return logical_id, attribute
    logical_id, *rest = argument
    if len(rest) == 1:
        return logical_id, rest[0]
    return logical_id, ".".join(str(part) for part in rest)
