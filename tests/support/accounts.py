"""Accounts of one's own in a shared emulated AWS: what a test makes there, no other test sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from secrets import randbelow
from typing import Any

import boto3
from botocore.awsrequest import AWSRequest

from tests.support.emulated_aws import EmulatedAws


@dataclass(frozen=True)
class Account:
    """An account with the keys of an administrator."""

    aws: EmulatedAws
    account_id: str
    access_key: str

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead a process into this account."""
        return {**self.aws.environment, "AWS_ACCESS_KEY_ID": self.access_key}

    def session(self) -> boto3.session.Session:
        """A session in this account; its clients need AWS_ENDPOINT_URL in the environment."""
        return boto3.session.Session(self.access_key, "test", region_name=self.aws.region)

    def client(self, service: str, region: str | None = None) -> Any:
        """A client in this account, in the emulation's region or another."""
        return replace(self.aws, region=region or self.aws.region).client(service, self.access_key)


def new_account(aws: EmulatedAws) -> Account:
    """Open an account with a random number."""
    account_id = f"{randbelow(9 * 10**11) + 10**11}"
    iam = aws.client("iam")

    def as_account(request: AWSRequest, **_: object) -> None:
        request.headers["x-moto-account-id"] = account_id

    iam.meta.events.register("before-send", as_account)
    iam.create_user(UserName="administrator")
    key = iam.create_access_key(UserName="administrator")["AccessKey"]
    return Account(aws, account_id, key["AccessKeyId"])
