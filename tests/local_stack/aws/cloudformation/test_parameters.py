"""Parameters: values and what the template allows."""

from __future__ import annotations

from typing import Any

import pytest

from local_stack.aws.cloudformation.errors import ValidationError
from local_stack.aws.cloudformation.parameters import choose, typed
from local_stack.aws.cloudformation.template import Template, parse


def template(declaration: str) -> Template:
    return parse(f"Parameters: {{P: {declaration}}}\nResources: {{T: {{Type: 'AWS::SNS::Topic'}}}}")


def given(value: str) -> list[dict[str, Any]]:
    return [{"ParameterKey": "P", "ParameterValue": value}]


def test_given_beats_previous_beats_default() -> None:
    declared = template("{Type: String, Default: d}")
    assert choose(declared, [], {"P": "before"}) == {"P": "d"}
    assert choose(declared, [{"ParameterKey": "P", "UsePreviousValue": True}], {"P": "before"}) == {
        "P": "before"
    }
    assert choose(declared, given("now"), {"P": "before"}) == {"P": "now"}


def test_lists_are_lists_to_functions() -> None:
    declared = template("{Type: CommaDelimitedList, Default: 'a, b'}")
    assert typed(declared, choose(declared, [], {})) == {"P": ["a", "b"]}


@pytest.mark.parametrize(
    ("declaration", "value", "message"),
    [
        ("{Type: String, AllowedValues: [dev, prod]}", "test", "must be one of AllowedValues"),
        ("{Type: String, AllowedPattern: '[a-z]+'}", "A1", r"regular expression pattern: \[a-z\]\+"),
        ("{Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: Letters.}", "1", "Letters"),
        ("{Type: String, MinLength: 2}", "a", "length greater than or equal to 2"),
        ("{Type: String, MaxLength: 2}", "abc", "length less than or equal to 2"),
        ("{Type: Number, MinValue: 64}", "63", "not less than 64"),
        ("{Type: Number, MaxValue: 128}", "129", "not greater than 128"),
        ("{Type: Number}", "many", "must be a number"),
        ("{Type: 'AWS::SSM::Parameter::Value<String>'}", "x", "does not know the type"),
    ],
)
def test_values_out_of_bounds_are_refused(declaration: str, value: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        choose(template(declaration), given(value), {})


def test_unknown_and_missing_parameters_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"Parameters: \[P\] must have values"):
        choose(template("{Type: String}"), [], {})
    unknown = [{"ParameterKey": "Q", "ParameterValue": "1"}]
    with pytest.raises(ValidationError, match=r"Parameters: \[Q\] do not exist in the template"):
        choose(template("{Type: String, Default: x}"), unknown, {})
    with pytest.raises(ValidationError, match="no previous value"):
        choose(template("{Type: String}"), [{"ParameterKey": "P", "UsePreviousValue": True}], {})
