"""The keys under which each part of the local stack works: a session of its own role, as on AWS."""

from __future__ import annotations

import boto3


def role_variables(role: str) -> dict[str, str]:
    """Variables that make a process work in a role of this account; its own keys are an administrator's.

    Raises:
        botocore.exceptions.ClientError: there is no such role, or it does not trust the account.
    """
    sts = boto3.client("sts")
    account_id = sts.get_caller_identity()["Account"]
    arn = f"arn:aws:iam::{account_id}:role/{role}"
    keys = sts.assume_role(RoleArn=arn, RoleSessionName="local-stack")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }
