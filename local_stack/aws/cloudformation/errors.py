"""The errors that CloudFormation answers with, by AWS's codes and wording."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class CloudFormationError(ServiceException):
    """Base of what a client sees as a ClientError of CloudFormation."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


class ValidationError(CloudFormationError):
    """The request, the template or a parameter is unusable, or the stack does not exist."""

    code = "ValidationError"


class AlreadyExistsError(CloudFormationError):
    """A stack or change set of that name exists."""

    code = "AlreadyExistsException"


class ChangeSetNotFoundError(CloudFormationError):
    """No such change set."""

    code = "ChangeSetNotFound"


class InvalidChangeSetStatusError(CloudFormationError):
    """The change set cannot be executed or deleted as it stands."""

    code = "InvalidChangeSetStatus"


class InsufficientCapabilitiesError(CloudFormationError):
    """The template makes IAM resources and the caller did not acknowledge that."""

    code = "InsufficientCapabilitiesException"


class ResourceError(Exception):
    """A resource cannot be created, updated or deleted; the message is the event's reason."""
