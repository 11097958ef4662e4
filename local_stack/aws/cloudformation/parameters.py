"""Parameter values: given, previous or default, and checked against what the template allows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from local_stack.aws.cloudformation.errors import ValidationError
from local_stack.aws.cloudformation.template import Template

_EC2_ID = re.compile(r"AWS::EC2::[A-Za-z]+::Id")
_LIST = re.compile(r"List<(Number|String|AWS::EC2::[A-Za-z]+::Id)>")


def choose(
    template: Template,
    given: list[dict[str, Any]],
    previous: Mapping[str, str],
) -> dict[str, str]:
    """The value of every parameter of the template, as text.

    ``given`` is the request's list (ParameterKey, ParameterValue or UsePreviousValue), ``previous``
    the values of the existing stack.

    Raises:
        ValidationError: a parameter is unknown, lacks a value, or has one that is not allowed.
    """
    declared = template.section("Parameters")
    if unknown := sorted({item["ParameterKey"] for item in given} - declared.keys()):
        raise ValidationError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    asked = {item["ParameterKey"]: item for item in given}
    chosen: dict[str, str] = {}
    missing: list[str] = []
    for key, declaration in declared.items():
        item = asked.get(key, {})
        if item.get("UsePreviousValue"):
            if key not in previous:
                raise ValidationError(f"Invalid input for parameter key {key}. It has no previous value.")
            chosen[key] = previous[key]
        elif item.get("ParameterValue") is not None:
            chosen[key] = str(item["ParameterValue"])
        elif "Default" in declaration:
            chosen[key] = _text(declaration["Default"])
        else:
            missing.append(key)
    if missing:
        raise ValidationError(f"Parameters: [{', '.join(missing)}] must have values")
    for key, value in chosen.items():
        _check(key, declared[key], value)
    return chosen


def default_of(declaration: Mapping[str, Any]) -> str | None:
    """The default of a parameter as text, or None where it has none."""
    return _text(declaration["Default"]) if "Default" in declaration else None


def typed(template: Template, chosen: Mapping[str, str]) -> dict[str, Any]:
    """The values as the template's functions see them: lists as lists, all else as text."""
    declared = template.section("Parameters")
    return {
        key: [part.strip() for part in value.split(",")] if _is_list(declared[key]) else value
        for key, value in chosen.items()
    }


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_list(declaration: dict[str, Any]) -> bool:
    kind = str(declaration.get("Type"))
    return kind == "CommaDelimitedList" or _LIST.fullmatch(kind) is not None


def _check(key: str, declaration: dict[str, Any], value: str) -> None:
    kind = str(declaration.get("Type"))
    if kind not in ("String", "Number") and not _is_list(declaration) and not _EC2_ID.fullmatch(kind):
        raise ValidationError(f"The emulation does not know the type {kind} of parameter {key}")
    reason = declaration.get("ConstraintDescription")

    def refuse(constraint: str) -> None:
        explained = f" {reason}" if reason else f" {constraint}"
        raise ValidationError(f"Parameter '{key}' failed to satisfy constraint:{explained}")

    allowed = [_text(item) for item in declaration.get("AllowedValues", ())]
    if allowed and value not in allowed:
        raise ValidationError(f"Parameter '{key}' must be one of AllowedValues")
    if kind == "Number":
        _check_number(key, declaration, value)
    pattern = declaration.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        refuse(f"Member must satisfy regular expression pattern: {pattern}")
    if len(value) < int(declaration.get("MinLength", 0)):
        refuse(f"Member must have length greater than or equal to {declaration['MinLength']}")
    if "MaxLength" in declaration and len(value) > int(declaration["MaxLength"]):
        refuse(f"Member must have length less than or equal to {declaration['MaxLength']}")


def _check_number(key: str, declaration: dict[str, Any], value: str) -> None:
    try:
        number = float(value)
    except ValueError:
        raise ValidationError(f"Parameter '{key}' must be a number.") from None
    if "MinValue" in declaration and number < float(declaration["MinValue"]):
        raise ValidationError(f"Parameter '{key}' must be a number not less than {declaration['MinValue']}")
    if "MaxValue" in declaration and number > float(declaration["MaxValue"]):
        raise ValidationError(
            f"Parameter '{key}' must be a number not greater than {declaration['MaxValue']}"
        )
