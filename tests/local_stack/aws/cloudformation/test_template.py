"""Reading templates."""

from __future__ import annotations

import pytest

from local_stack.aws.cloudformation.errors import ValidationError
from local_stack.aws.cloudformation.template import parse

MINIMAL = "Resources: {Topic: {Type: 'AWS::SNS::Topic'}}"


def test_short_forms_become_functions() -> None:
    template = parse(
        """
        Conditions: {Both: !And [!Condition A, !Equals [!Ref P, x]]}
        Resources:
          Topic:
            Type: AWS::SNS::Topic
            Properties:
              A: !GetAtt Other.Nested.Arn
              B: !Sub ["${X}", {X: !Ref P}]
              C: !If [Both, !Ref P, !Ref AWS::NoValue]
              Date: 2012-10-17
        """
    )
    assert template.section("Conditions") == {
        "Both": {"Fn::And": [{"Condition": "A"}, {"Fn::Equals": [{"Ref": "P"}, "x"]}]}
    }
    assert template.resources["Topic"]["Properties"] == {
        "A": {"Fn::GetAtt": "Other.Nested.Arn"},
        "B": {"Fn::Sub": ["${X}", {"X": {"Ref": "P"}}]},
        "C": {"Fn::If": ["Both", {"Ref": "P"}, {"Ref": "AWS::NoValue"}]},
        "Date": "2012-10-17",
    }


def test_json_is_read_too() -> None:
    assert list(parse('{"Resources": {"T": {"Type": "AWS::SNS::Topic"}}}').resources) == ["T"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Resources: [", "Template format error"),
        ("just text", "unsupported structure"),
        ("{", "Template format error"),
        ("Description: nothing", "At least one Resources member"),
        ("Resources: {}", "At least one Resources member"),
        (MINIMAL + "\nResource: {}", r"Invalid template property or properties \['Resource'\]"),
        (MINIMAL + "\nTransform: AWS::Serverless-2016-10-31", "Transform"),
        ("Resources: {a-b: {Type: 'AWS::SNS::Topic'}}", "non alphanumeric"),
        ("Resources: {T: {}}", "must contain a Type"),
        ("Resources: {T: {Type: 'AWS::SNS::Topic', Property: {}}}", "Property"),
        ("Resources: {T: {Type: 'AWS::SNS::Topic', DeletionPolicy: Snapshot}}", "Snapshot"),
        ("Resources: {T: {Type: 'AWS::SNS::Topic', CreationPolicy: {}}}", "CreationPolicy"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        parse(text)
