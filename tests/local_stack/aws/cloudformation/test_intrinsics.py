"""Functions of templates, with hand-written results."""

from __future__ import annotations

from typing import Any

import pytest

from local_stack.aws.cloudformation.errors import ValidationError
from local_stack.aws.cloudformation.intrinsics import Evaluator
from local_stack.aws.cloudformation.template import parse

TEMPLATE = """
Mappings: {Sizes: {dev: {Nodes: 2}, prod: {Nodes: 5}}}
Conditions:
  IsProd: !Equals [!Ref Environment, prod]
  IsDev: !Not [!Condition IsProd]
  Either: !Or [!Condition IsProd, !Condition IsDev]
  Both: !And [!Condition IsProd, !Condition IsDev]
Resources:
  Bucket: {Type: AWS::S3::Bucket}
  Other: {Type: AWS::S3::Bucket}
"""


class _Lookup:
    def ref(self, logical_id: str) -> str:
        return f"id-of-{logical_id}"

    def get_att(self, logical_id: str, attribute: str) -> str:
        return f"{attribute}-of-{logical_id}"

    def import_value(self, name: str) -> str:
        return f"import-{name}"


def evaluator(environment: str = "dev") -> Evaluator:
    parameters = {"Environment": environment, "Zones": ["a", "b", "c"]}
    pseudo = {"AWS::Region": "eu-north-1", "AWS::AccountId": "210987654321"}
    return Evaluator(parse(TEMPLATE), parameters, pseudo, _Lookup())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Environment"}, "dev"),
        ({"Ref": "Zones"}, ["a", "b", "c"]),
        ({"Ref": "Bucket"}, "id-of-Bucket"),
        ({"Fn::GetAtt": ["Bucket", "Arn"]}, "Arn-of-Bucket"),
        ({"Fn::GetAtt": "Bucket.Endpoint.Port"}, "Endpoint.Port-of-Bucket"),
        (
            {"Fn::Sub": "${Environment}/${Bucket}/${Bucket.Arn}/${!dt}"},
            "dev/id-of-Bucket/Arn-of-Bucket/${dt}",
        ),
        ({"Fn::Sub": ["${A}-${AWS::Region}", {"A": {"Ref": "Environment"}}]}, "dev-eu-north-1"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Environment"}, 3]]}, "a-dev-3"),
        ({"Fn::Select": ["1", {"Ref": "Zones"}]}, "b"),
        ({"Fn::Split": [",", "x,y"]}, ["x", "y"]),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Environment"}, "Nodes"]}, 2),
        ({"Fn::Base64": "abc"}, "YWJj"),
        ({"Fn::GetAZs": ""}, ["eu-north-1a", "eu-north-1b", "eu-north-1c"]),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}, ["10.0.0.0/24", "10.0.1.0/24"]),
        ({"Fn::ImportValue": {"Fn::Sub": "${Environment}-x"}}, "import-dev-x"),
        ({"Fn::If": ["IsProd", 1, 2]}, 2),
        (
            {"a": {"Ref": "AWS::NoValue"}, "b": [1, {"Fn::If": ["IsProd", 2, {"Ref": "AWS::NoValue"}]}]},
            {"b": [1]},
        ),
        (
            {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
            {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        ),
    ],
)
def test_functions(value: Any, expected: Any) -> None:
    assert evaluator().evaluate(value) == expected


@pytest.mark.parametrize(
    ("environment", "holding"), [("dev", {"IsDev", "Either"}), ("prod", {"IsProd", "Either"})]
)
def test_conditions(environment: str, holding: set[str]) -> None:
    names = ("IsProd", "IsDev", "Either", "Both")
    assert {name for name in names if evaluator(environment).condition(name)} == holding


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"Ref": "Nothing"}, r"Unresolved resource dependencies \[Nothing\]"),
        ({"Fn::GetAtt": ["Nothing", "Arn"]}, "undefined resource Nothing"),
        ({"Fn::Sub": "${Nothing}"}, "Nothing"),
        ({"Fn::FindInMap": ["Sizes", "test", "Nodes"]}, "Unable to get mapping for Sizes::test::Nodes"),
        ({"Fn::Select": [9, ["a"]]}, "nonexistent value at index 9"),
        ({"Fn::If": ["Nothing", 1, 2]}, "Unresolved condition dependency Nothing"),
        ({"Fn::Transform": {"Name": "AWS::Include"}}, "Fn::Transform is not a function"),
        ({"Fn::Length": [1]}, "Fn::Length is not a function"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error(value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        evaluator().evaluate(value)


def test_references_follow_the_branch_that_is_taken() -> None:
    value = {
        "x": {"Fn::If": ["IsProd", {"Ref": "Bucket"}, {"Fn::GetAtt": ["Other", "Arn"]}]},
        "y": {"Fn::Sub": ["${A}-${Environment}-${!Bucket}", {"A": "1"}]},
    }
    assert set(evaluator("dev").references(value)) == {"Other", "Environment"}
    assert set(evaluator("prod").references(value)) == {"Bucket", "Environment"}
