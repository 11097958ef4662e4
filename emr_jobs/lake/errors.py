"""What lake access refuses, each with a message for the person who runs the job."""

from __future__ import annotations


class LakeError(Exception):
    """The job cannot go on; the message says why and what to check."""


class SchemaMismatchError(LakeError):
    """An existing table is not what its specification says."""


class ConcurrentPublishError(LakeError):
    """Another writer published to the table after this run looked at it."""


class AuditError(LakeError):
    """What was written does not add up: it was not published."""


def require_equal(what: str, expected: object, found: object) -> None:
    """Refuse to publish what does not add up.

    Raises:
        AuditError: the two differ.
    """
    if expected != found:
        raise AuditError(f"{what}: {found} where {expected} were expected: nothing was published")
