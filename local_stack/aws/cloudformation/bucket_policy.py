"""Bucket policies as S3 judges them, in place of moto's evaluation, which ignores conditions.

Requests of the emulation come over loopback, which counts as secure transport. Statements that no
condition of ours can decide are refused when the policy is set, not guessed at per request.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

SECURE_TRANSPORT = "true"
"""aws:SecureTransport of every request here."""


def decide(policy: dict[str, Any], action: str, resource: str, account_id: str) -> PermissionResult:
    """What a policy says of a request by the bucket's owner: denied, permitted, or nothing."""
    context = {
        "aws:securetransport": SECURE_TRANSPORT,
        "aws:sourceaccount": account_id,
        "aws:principalaccount": account_id,
    }
    result = PermissionResult.NEUTRAL
    for statement in _listed(policy["Statement"]):
        if not _applies(statement, action, resource, account_id):
            continue
        if not all(
            _holds(operator, key, wanted, context)
            for operator, conditions in statement.get("Condition", {}).items()
            for key, wanted in conditions.items()
        ):
            continue
        if statement["Effect"] == "Deny":
            return PermissionResult.DENIED
        result = PermissionResult.PERMITTED
    return result


def may_take_access_logs(policy: dict[str, Any], resource: str) -> bool:
    """Whether S3's logging service may write objects to ``resource`` (an ARN)."""
    return any(
        statement["Effect"] == "Allow"
        and isinstance(statement.get("Principal"), dict)
        and "logging.s3.amazonaws.com" in _listed(statement["Principal"].get("Service", []))
        and _matches(statement["Action"], "s3:PutObject", ignore_case=True)
        and _matches(statement["Resource"], resource)
        for statement in _listed(policy["Statement"])
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _matches(patterns: Any, value: str, *, ignore_case: bool = False) -> bool:
    candidates: Iterable[str] = (str(pattern) for pattern in _listed(patterns))
    if ignore_case:
        return any(fnmatchcase(value.lower(), pattern.lower()) for pattern in candidates)
    return any(fnmatchcase(value, pattern) for pattern in candidates)


def _applies(statement: dict[str, Any], action: str, resource: str, account_id: str) -> bool:
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        accounts = [str(item) for item in _listed(principal.get("AWS", []))]
        if not any(item in ("*", account_id) or f"::{account_id}:" in item for item in accounts):
            return False
    elif principal != "*":
        return False
    return _matches(statement["Action"], action, ignore_case=True) and _matches(
        statement["Resource"], resource
    )


def _holds(operator: str, key: str, wanted: Any, context: dict[str, str]) -> bool:
    actual = context.get(key.lower())
    values = [str(value).lower() for value in _listed(wanted)]
    if operator in ("Bool", "StringEquals"):
        return actual is not None and actual.lower() in values
    if operator == "StringNotEquals":
        return actual is None or actual.lower() not in values
    raise ValueError(f"The emulation does not evaluate the condition operator {operator} of a bucket policy")


def install() -> None:
    """Put the evaluation in place of moto's."""

    def get_permission(self: FakeBucket, action: str, resource: str) -> PermissionResult:
        if self.policy is None:
            return PermissionResult.NEUTRAL
        return decide(json.loads(self.policy), action, resource, self.account_id)

    def log_permissions_enabled_policy(target_bucket: FakeBucket, target_prefix: str | None) -> bool:
        if target_bucket.policy is None:
            return False
        resource = f"arn:{target_bucket.partition}:s3:::{target_bucket.name}/{target_prefix or ''}log"
        return may_take_access_logs(json.loads(target_bucket.policy), resource)

    FakeBucket.get_permission = get_permission
    FakeBucket._log_permissions_enabled_policy = staticmethod(log_permissions_enabled_policy)
