"""Bucket policies with conditions."""

from __future__ import annotations

from typing import Any

import pytest
from moto.iam.access_control import PermissionResult

from local_stack.aws.cloudformation.bucket_policy import decide, may_take_access_logs

ACCOUNT = "210987654321"


def policy(**statement: Any) -> dict[str, Any]:
    base = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"}
    return {"Statement": [{**base, **statement}]}


def verdict(document: dict[str, Any], action: str = "s3:GetObject") -> PermissionResult:
    return decide(document, action, "arn:aws:s3:::b/key", ACCOUNT)


def test_loopback_counts_as_secure_transport() -> None:
    tls_only = policy(Condition={"Bool": {"aws:SecureTransport": "false"}})
    assert verdict(tls_only) is PermissionResult.NEUTRAL
    contrary = policy(Condition={"Bool": {"aws:SecureTransport": "true"}})
    assert verdict(contrary) is PermissionResult.DENIED


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ({}, PermissionResult.DENIED),
        ({"Effect": "Allow"}, PermissionResult.PERMITTED),
        ({"Action": "s3:PutObject"}, PermissionResult.NEUTRAL),
        ({"Action": ["s3:PutObject", "s3:get*"]}, PermissionResult.DENIED),
        ({"Resource": "arn:aws:s3:::other/*"}, PermissionResult.NEUTRAL),
        ({"Principal": {"Service": "logging.s3.amazonaws.com"}}, PermissionResult.NEUTRAL),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}, PermissionResult.DENIED),
        ({"Principal": {"AWS": "arn:aws:iam::111122223333:root"}}, PermissionResult.NEUTRAL),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}, PermissionResult.DENIED),
        ({"Condition": {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}}, PermissionResult.NEUTRAL),
    ],
)
def test_statements(statement: dict[str, Any], expected: PermissionResult) -> None:
    assert verdict(policy(**statement)) is expected


def test_a_denial_beats_a_permission() -> None:
    document = {"Statement": policy(Effect="Allow")["Statement"] + policy()["Statement"]}
    assert verdict(document) is PermissionResult.DENIED


def test_a_condition_that_cannot_be_decided_is_an_error() -> None:
    with pytest.raises(ValueError, match="IpAddress"):
        verdict(policy(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))


def test_access_logs_need_their_service_and_their_prefix() -> None:
    allowed = policy(
        Effect="Allow",
        Principal={"Service": "logging.s3.amazonaws.com"},
        Action="s3:PutObject",
        Resource="arn:aws:s3:::b/s3-access/*",
    )
    assert may_take_access_logs(allowed, "arn:aws:s3:::b/s3-access/bronze/log")
    assert not may_take_access_logs(allowed, "arn:aws:s3:::b/elsewhere/log")
    assert not may_take_access_logs(policy(), "arn:aws:s3:::b/s3-access/log")
