"""What people read when AWS refuses."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
)

from ops.deployment.errors import DeployError, explained
from ops.deployment.stack import StackInfo, require_settled


def client_error(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "CreateChangeSet")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (client_error("ExpiredToken", "The security token is expired"), "credentials have expired"),
        (client_error("InvalidClientTokenId", "invalid"), r"refuses these credentials|does not accept"),
        (client_error("AccessDenied", "not authorized: x"), "lack a permission. AWS says: not authorized: x"),
        (
            client_error(
                "ValidationError", "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated."
            ),
            "another deployment is under way",
        ),
        (client_error("InvalidChangeSetStatus", "OBSOLETE"), "another deployment was faster"),
        (client_error("ValidationError", "Template format error"), r"Cannot act: Template format error"),
        (NoCredentialsError(), "no usable AWS credentials"),
        (NoRegionError(), "no region is set"),
        (EndpointConnectionError(endpoint_url="https://x"), "Is the region right"),
        (BotoCoreError(), "Cannot act"),
    ],
)
def test_errors_are_explained(error: Exception, message: str) -> None:
    with pytest.raises(DeployError, match=message), explained("act"):
        raise error


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), explained("act"):
        raise KeyError("a bug")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name s"),
        ("DELETE_FAILED", "python -m ops.deploy destroy"),
        ("CREATE_IN_PROGRESS", "another deployment is under way"),
    ],
)
def test_a_stack_that_needs_a_person_says_what_to_do(status: str, message: str) -> None:
    with pytest.raises(DeployError, match=message):
        require_settled(StackInfo("s", "arn", status, "", {}, {}, {}, protected=False))
