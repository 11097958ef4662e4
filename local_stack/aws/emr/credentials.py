"""The keys of a cluster's machines and steps: sessions of the roles that they were given."""

from __future__ import annotations

from moto.sts.models import sts_backends

from local_stack.aws.emr.node import Credentials
from local_stack.aws.iam.accesses import pass_role
from local_stack.aws.iam.callers import PARTITION, RoleSession, role_arn, role_of_profile
from local_stack.aws.iam.check import check_trust, require_for, service_session
from local_stack.aws.iam.policies import Access

EMR, EC2 = "elasticmapreduce.amazonaws.com", "ec2.amazonaws.com"
_DURATION_SECONDS = 12 * 3600


def of_machines(cluster_arn: str, service_role: str, profile: str, session_name: str) -> Credentials:
    """Keys of the role in an instance profile, which EMR's service role hands to the machines.

    Raises:
        AccessDeniedError: a role does not exist or does not trust its service, or may not be handed over.
    """
    account_id = cluster_arn.split(":")[4]
    service = service_session(role_arn(account_id, service_role), EMR, "emr", cluster_arn)
    machine_role = role_of_profile(account_id, profile)
    require_for(service, [pass_role(machine_role, EC2)])
    service_session(machine_role, EC2, session_name, cluster_arn)
    return _new_session(cluster_arn, machine_role, session_name)


def of_step(cluster_arn: str, profile: str, step_role: str, session_name: str) -> Credentials:
    """Keys of a step's own role (ExecutionRoleArn), which the machines' role assumes.

    Raises:
        AccessDeniedError: the machines may not, or the step's role does not trust them.
    """
    account_id = cluster_arn.split(":")[4]
    machines = RoleSession(role_of_profile(account_id, profile), session_name)
    assumption = Access("sts:AssumeRole", step_role)
    require_for(machines, [assumption])
    root = f"arn:{PARTITION}:iam::{account_id}:root"
    check_trust(step_role, "AWS", [machines.role_arn, account_id, root], assumption, machines.arn)
    return _new_session(cluster_arn, step_role, session_name)


def _new_session(cluster_arn: str, arn_of_role: str, session_name: str) -> Credentials:
    """Requests with its keys belong to the role's account."""
    _, partition, _, region, account_id, _ = cluster_arn.split(":", 5)
    session = sts_backends[account_id][partition].assume_role(
        region_name=region,
        role_session_name=session_name,
        role_arn=arn_of_role,
        policy="",
        duration=_DURATION_SECONDS,
        external_id="",
    )
    return Credentials(session.access_key_id, session.secret_access_key, session.session_token)
