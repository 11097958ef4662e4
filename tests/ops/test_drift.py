"""Changes by hand, behind CloudFormation's back, are shown."""

from __future__ import annotations

import json
import re

import pytest

from config import names
from tests.ops.conftest import Command
from tests.support.accounts import Account

pytestmark = pytest.mark.aws


def test_status_counts_resources_and_shows_what_was_changed_by_hand(
    account: Account, deploy: Command
) -> None:
    assert deploy("apply", "--yes").returncode == 0
    calm = deploy("status", "--drift")
    assert calm.returncode == 0, calm.stderr
    assert "No drift found." in calm.stdout
    counted = re.search(r"(\d+) stacks, (\d+) resources", calm.stdout)
    assert counted is not None
    assert int(counted[2]) > int(counted[1]) >= 9

    account.client("kinesis").increase_stream_retention_period(
        StreamName=names.STREAM, RetentionPeriodHours=48
    )
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    account.client("iam").put_role_policy(
        RoleName=names.ANALYST_ROLE,
        PolicyName="by-hand",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    account.client("logs").delete_log_group(logGroupName=f"/aws/kinesisfirehose/{names.DELIVERY_STREAM}")
    drifted = deploy("status", "--drift").stdout
    stream = r"Stream AWS::Kinesis::Stream +changed by hand\n +/RetentionPeriodHours: 24 is now 48"
    assert re.search(stream, drifted)
    assert re.search(r"AnalystRole AWS::IAM::Role +changed by hand\n +/Policies: ", drifted)
    assert re.search(r"DeliveryLogGroup AWS::Logs::LogGroup +deleted", drifted)
    assert "Drift: 3 resources are not as their stacks asked for." in drifted
