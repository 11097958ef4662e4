"""The one question of the emulation: may this caller do that?"""

from __future__ import annotations

from collections.abc import Iterable

from local_stack.aws.iam import callers, records
from local_stack.aws.iam.callers import RoleSession
from local_stack.aws.iam.policies import Access, Decision, decide, judge, read_document


class AccessDeniedError(PermissionError):
    """IAM refuses; the message is AWS's, and ``code`` its name for JSON services."""

    code = "AccessDeniedException"

    def __init__(self, who: str, access: Access, reason: str = "") -> None:
        self.access = access
        what = f"{access.action} on resource: {access.resource}"
        super().__init__(f"User: {who} is not authorized to perform: {what}{reason}")


def require(*accesses: Access) -> None:
    """Want the current caller to be allowed all of this; an administrator is.

    Raises:
        AccessDeniedError: naming the first action that is not.
    """
    session = callers.current()
    if session is not None:
        require_for(session, accesses)


def require_for(session: RoleSession, accesses: Iterable[Access]) -> None:
    """The same for a session of a role.

    Raises:
        AccessDeniedError: naming the first action that is not allowed.
    """
    documents = callers.documents_of(session.role_arn)
    for access in accesses:
        decision = decide(documents, access)
        records.note(session.role_arn, access, decision)
        if decision is not Decision.ALLOWED:
            raise AccessDeniedError(session.arn, access, _reason(access, decision))


def _reason(access: Access, decision: Decision) -> str:
    if decision is Decision.DENIED:
        return " with an explicit deny in an identity-based policy"
    return f" because no identity-based policy allows the {access.action} action"


def check_trust(role_arn: str, kind: str, principals: Iterable[str], access: Access, who: str) -> None:
    """Want a role's trust policy to let one of these principals in.

    ``kind`` is AWS or Service; ``who`` is named in the refusal.

    Raises:
        AccessDeniedError: it does not, or there is no such role.
    """
    role = callers.find_role(role_arn)
    accepted = {(kind, principal) for principal in (*principals, "*")}
    statements = [
        statement
        for statement in (read_document(role.assume_role_policy_document) if role else ())
        if statement.covers(access.action) and statement.principals & accepted
    ]
    # A trust policy names no resource: it is the role's own.
    relevant = Access("*", "*", access.context)
    if judge((statement.about_its_owner() for statement in statements), relevant) is not Decision.ALLOWED:
        raise AccessDeniedError(who, access)


def service_session(role_arn: str, service: str, session_name: str, source_arn: str) -> RoleSession:
    """The session in which a service (``firehose.amazonaws.com``) acts in a role on behalf of ``source_arn``.

    Raises:
        AccessDeniedError: the role does not trust the service, or does not exist.
    """
    session = RoleSession(role_arn, session_name)
    context = (("aws:sourceaccount", source_arn.split(":")[4]), ("aws:sourcearn", source_arn))
    check_trust(role_arn, "Service", [service], Access("sts:AssumeRole", role_arn, context), service)
    return session
