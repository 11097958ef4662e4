"""What policy documents say of a request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_stack.aws.iam.conditions import UnsupportedPolicyError
from local_stack.aws.iam.policies import Access, Decision, decide

READ = Access("s3:GetObject", "arn:aws:s3:::bucket/folder/key")


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "s3:GetObject", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return allow(action, resource, **more) | {"Effect": "Deny"}


def test_what_nobody_allows_is_not_allowed() -> None:
    assert decide((), READ) is Decision.NOT_ALLOWED
    assert decide((document(allow("s3:PutObject")),), READ) is Decision.NOT_ALLOWED


def test_a_denial_wins_wherever_it_stands() -> None:
    for documents in (
        (document(allow(), deny()),),
        (document(deny(), allow()),),
        (document(allow()), document(deny("s3:*"))),
    ):
        assert decide(documents, READ) is Decision.DENIED


def test_one_statement_needs_no_list() -> None:
    assert decide((json.dumps({"Statement": allow()}),), READ) is Decision.ALLOWED


@pytest.mark.parametrize(
    ("action", "decision"),
    [
        ("s3:GetObject", Decision.ALLOWED),
        ("S3:getobject", Decision.ALLOWED),
        ("s3:Get*", Decision.ALLOWED),
        ("s3:Get?bject", Decision.ALLOWED),
        ("*", Decision.ALLOWED),
        (["s3:PutObject", "s3:GetObject"], Decision.ALLOWED),
        ("s3:GetObjectVersion", Decision.NOT_ALLOWED),
        ("s3:Get", Decision.NOT_ALLOWED),
    ],
)
def test_actions_have_wildcards_and_no_case(action: Any, decision: Decision) -> None:
    assert decide((document(allow(action)),), READ) is decision


@pytest.mark.parametrize(
    ("resource", "decision"),
    [
        ("arn:aws:s3:::bucket/*", Decision.ALLOWED),
        ("arn:aws:s3:::bucket/folder/???", Decision.ALLOWED),
        ("arn:aws:s3:::*/key", Decision.ALLOWED),
        ("arn:aws:s3:::Bucket/*", Decision.NOT_ALLOWED),
        ("arn:aws:s3:::bucket", Decision.NOT_ALLOWED),
        ("arn:aws:s3:::bucket/[f]older/*", Decision.NOT_ALLOWED),
    ],
)
def test_resources_have_wildcards_and_case(resource: str, decision: Decision) -> None:
    assert decide((document(allow(resource=resource)),), READ) is decision


def test_not_action_and_not_resource_turn_it_round() -> None:
    other = {"Effect": "Allow", "NotAction": "s3:Put*", "Resource": "*"}
    assert decide((document(other),), READ) is Decision.ALLOWED
    assert decide((document(other),), Access("s3:PutObject", "x")) is Decision.NOT_ALLOWED
    elsewhere = {"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::bucket/*"}
    assert decide((document(allow(), elsewhere),), READ) is Decision.ALLOWED
    assert decide((document(allow(), elsewhere),), Access("s3:GetObject", "x")) is Decision.DENIED


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"StringEquals": {"aws:RequestTag/Project": "lake"}}, True),
        ({"StringEquals": {"aws:RequestTag/Project": ["other", "lake"]}}, True),
        ({"StringEquals": {"aws:RequestTag/Project": "LAKE"}}, False),
        ({"StringEqualsIgnoreCase": {"aws:RequestTag/Project": "LAKE"}}, True),
        ({"StringLike": {"aws:RequestTag/Project": "l*e"}}, True),
        ({"StringNotLike": {"aws:RequestTag/Project": "l*e"}}, False),
        ({"StringNotEquals": {"aws:RequestTag/Project": "other"}}, True),
        ({"StringNotEquals": {"aws:Missing": "other"}}, True),
        ({"StringEquals": {"aws:Missing": "lake"}}, False),
        ({"StringEqualsIfExists": {"aws:Missing": "lake"}}, True),
        ({"StringEqualsIfExists": {"aws:RequestTag/Project": "other"}}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:emr:*:1:*"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:emr:*:2:*"}}, False),
        ({"Bool": {"aws:SecureTransport": True}}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"Null": {"aws:Missing": "true"}}, True),
        ({"Null": {"aws:SourceArn": "true"}}, False),
        ({"StringEquals": {"aws:RequestTag/Project": "lake", "aws:Missing": "x"}}, False),
        ({"StringEquals": {"aws:RequestTag/Project": "lake"}, "Null": {"aws:Missing": "false"}}, False),
    ],
)
def test_conditions(condition: dict[str, Any], holds: bool) -> None:
    context = (
        ("aws:requesttag/project", "lake"),
        ("aws:sourcearn", "arn:aws:emr:eu-north-1:1:cluster/j"),
        ("aws:securetransport", "true"),
    )
    access = Access("s3:GetObject", "*", context)
    expected = Decision.ALLOWED if holds else Decision.NOT_ALLOWED
    assert decide((document(allow(Condition=condition)),), access) is expected


@pytest.mark.parametrize(
    "statement",
    [
        allow(Condition={"NumericLessThan": {"s3:max-keys": "10"}}),
        allow(resource="arn:aws:s3:::bucket/${aws:username}/*"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_not_guessed_at(statement: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedPolicyError):
        decide((document(statement),), READ)
    other = Access("s3:PutObject", "*")
    assert decide((document(statement, allow("s3:PutObject")),), other) is Decision.ALLOWED
