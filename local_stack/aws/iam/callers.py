"""Who calls: an administrator, or the session of a role.

Only sessions of roles are restricted. The plain keys test / test, and those of IAM users, are an
administrator's: who deploys, and a developer at the keyboard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moto.iam.exceptions import NotFoundException
from moto.iam.models import ManagedPolicy, Role, get_account_id_from, iam_backends
from moto.sts.models import sts_backends

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PARTITION = "aws"

_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::(?P<account>\d{12}):role/(?:.*/)?(?P<name>[^/]+)")


@dataclass(frozen=True)
class RoleSession:
    """A session of a role. ``access_key`` is empty where a service acts in the role by itself."""

    role_arn: str
    session_name: str
    access_key: str = ""

    @property
    def account_id(self) -> str:
        """The role's account."""
        return self.role_arn.split(":")[4]

    @property
    def role_name(self) -> str:
        """The role's name without its path."""
        return self.role_arn.rpartition("/")[2]

    @property
    def arn(self) -> str:
        """ARN of the session, as errors name it."""
        return f"arn:{PARTITION}:sts::{self.account_id}:assumed-role/{self.role_name}/{self.session_name}"


_CALLER: ContextVar[RoleSession | None] = ContextVar("caller", default=None)


def access_key_of_caller() -> str:
    """The key for requests of this process on behalf of the current caller; nobody checks its secret."""
    session = current()
    return session.access_key if session else "test"


_sessions: dict[str, RoleSession] = {}
"""Sessions by access key, as far as they were asked for: keys never change hands."""


def current() -> RoleSession | None:
    """For whom this thread works; None is an administrator, or the emulation itself."""
    return _CALLER.get()


@contextmanager
def acting_as(session: RoleSession | None) -> Iterator[None]:
    """Work for somebody within the block."""
    token = _CALLER.set(session)
    try:
        yield
    finally:
        _CALLER.reset(token)


class UnknownTokenError(LookupError):
    """A temporary key that no session has: of another state of the emulation, say."""


def session_of(access_key: str) -> RoleSession | None:
    """The role session that an access key belongs to; None for an administrator's.

    Raises:
        UnknownTokenError: the key is temporary and unknown.
    """
    # AWS's own mark of temporary keys.
    if not access_key.startswith("ASIA"):
        return None
    session = _sessions.get(access_key)
    if session is None:
        for _account_id, partitions in list(sts_backends.items()):
            for assumed in list(partitions[PARTITION].assumed_roles):
                key = str(assumed.access_key_id)
                _sessions[key] = RoleSession(assumed.role_arn, assumed.session_name, key)
        session = _sessions.get(access_key)
    if session is None:
        raise UnknownTokenError("The security token included in the request is invalid.")
    return session


def account_of(access_key: str, environ: WSGIEnvironment) -> str:
    """The account of an administrator's request, as moto tells it."""
    return environ.get("HTTP_X_MOTO_ACCOUNT_ID") or get_account_id_from(access_key)


def find_role(role_arn: str) -> Role | None:
    """moto's role, None if there is none."""
    match = _ROLE_ARN.fullmatch(role_arn)
    if match is None:
        return None
    try:
        role = iam_backends[match["account"]][PARTITION].get_role(match["name"])
    except NotFoundException:
        return None
    return role if role.arn == role_arn else None


def role_arn(account_id: str, name_or_arn: str) -> str:
    """ARN of a role that is given by its name or its ARN."""
    if name_or_arn.startswith("arn:"):
        return name_or_arn
    return f"arn:{PARTITION}:iam::{account_id}:role/{name_or_arn}"


def role_of_profile(account_id: str, profile: str) -> str:
    """ARN of the role in an instance profile; one that is not there has its role's name, as EMR's default."""
    try:
        roles = iam_backends[account_id][PARTITION].get_instance_profile(profile).roles
    except NotFoundException:
        roles = []
    return str(roles[0].arn) if roles else role_arn(account_id, profile)


def documents_of(role_arn: str) -> tuple[str, ...]:
    """The policy documents of a role, inline ones first; none if there is no such role."""
    role = find_role(role_arn)
    if role is None:
        return ()
    return (*role.policies.values(), *map(_document, role.managed_policies.values()))


def _document(policy: ManagedPolicy) -> str:
    return next(version.document for version in policy.versions if version.is_default)
