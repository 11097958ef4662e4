"""Failures of a deployment, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
)

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_WRONG_KEYS = {
    "AuthFailure",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_OVERTAKEN = {"InvalidChangeSetStatus", "ChangeSetNotFound", "OperationInProgressException"}


class DeployError(Exception):
    """The deployment cannot go on; nothing is half done, and it is safe to run again."""


@contextmanager
def explained(action: str) -> Iterator[None]:
    """Turn AWS's errors inside the block into a :class:`DeployError` that names the ``action``."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError, ProfileNotFound) as error:
        raise DeployError(
            f"Cannot {action}: no usable AWS credentials ({error}). Sign in first (aws sso login, "
            "AWS_PROFILE, or the keys in the environment), then run the command again."
        ) from error
    except NoRegionError as error:
        raise DeployError(f"Cannot {action}: no region is set. Give --region, or set AWS_REGION.") from error
    except EndpointConnectionError as error:
        raise DeployError(f"Cannot {action}: {error} Is the region right, and is the network up?") from error
    except ClientError as error:
        raise DeployError(_explain(action, error)) from error
    except BotoCoreError as error:
        raise DeployError(f"Cannot {action}: {error}") from error


def _explain(action: str, error: ClientError) -> str:
    code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    if code in _EXPIRED:
        return (
            f"Cannot {action}: the AWS credentials have expired. Sign in again, then run the command again."
        )
    if code in _WRONG_KEYS:
        return (
            f"Cannot {action}: AWS does not accept these credentials ({code}). Check AWS_PROFILE or the keys."
        )
    if code in _DENIED:
        return f"Cannot {action}: these credentials lack a permission. AWS says: {message}"
    if code in _OVERTAKEN:
        return (
            f"Cannot {action}: another deployment was faster ({message}). Wait until it is done "
            "(python -m ops.deploy status), then run the command again."
        )
    if "_IN_PROGRESS state" in message or "while in status" in message:
        return (
            f"Cannot {action}: another deployment is under way ({message}). Wait until it is done "
            "(python -m ops.deploy status), then run the command again."
        )
    return f"Cannot {action}: {message} ({code})"
