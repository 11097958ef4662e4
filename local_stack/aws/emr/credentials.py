"""The keys a cluster's machines have: a session of the role in their instance profile."""

from __future__ import annotations

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from local_stack.aws.emr.node import Credentials

_PARTITION = "aws"
_DURATION_SECONDS = 12 * 3600


def of_instance_profile(account_id: str, region: str, profile: str, session_name: str) -> Credentials:
    """Keys of the role in an instance profile; EMR's default profile and its role have the same name."""
    try:
        roles = iam_backends[account_id][_PARTITION].get_instance_profile(profile).roles
    except NotFoundException:
        roles = []
    arn = roles[0].arn if roles else f"arn:{_PARTITION}:iam::{account_id}:role/{profile}"
    return of_role(account_id, region, arn, session_name)


def of_role(account_id: str, region: str, role_arn: str, session_name: str) -> Credentials:
    """Keys of a new session of a role; requests with them belong to the role's account."""
    session = sts_backends[account_id][_PARTITION].assume_role(
        region_name=region,
        role_session_name=session_name,
        role_arn=role_arn,
        policy="",
        duration=_DURATION_SECONDS,
        external_id="",
    )
    return Credentials(session.access_key_id, session.secret_access_key, session.session_token)
