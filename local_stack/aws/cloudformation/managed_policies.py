"""AWS's own managed policies, each loaded when a role first asks for it.

moto knows all 1,400 but loads none unless told to load every one into every account's state.
"""

from __future__ import annotations

import json
import re
from functools import wraps

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend

_OWNED_BY_AWS = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/(.*/)?(?P<name>[^/]+)")


def install() -> None:
    """Let roles be attached to AWS's managed policies."""
    attach = IAMBackend.attach_role_policy

    @wraps(attach)
    def attach_role_policy(self: IAMBackend, policy_arn: str, role_name: str) -> None:
        match = _OWNED_BY_AWS.fullmatch(policy_arn)
        if match and policy_arn not in self.managed_policies:
            described = json.loads(aws_managed_policies_data).get(match["name"])
            if described:
                policy = AWSManagedPolicy.from_data(
                    match["name"], self.account_id, self.region_name, described
                )
                self.managed_policies[policy.arn] = policy
        attach(self, policy_arn, role_name)

    IAMBackend.attach_role_policy = attach_role_policy
