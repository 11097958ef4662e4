"""Stacks survive a restart of the emulation."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.emulated_aws import run_emulated_aws

pytestmark = pytest.mark.aws

TEMPLATE = """
Parameters: {Days: {Type: Number, Default: 7}}
Resources: {Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: kept, RetentionInDays: !Ref Days}}}
"""


def test_a_stack_can_be_updated_after_a_restart(tmp_path: Path) -> None:
    with run_emulated_aws(tmp_path) as aws:
        aws.client("cloudformation").create_stack(StackName="kept", TemplateBody=TEMPLATE)
    with run_emulated_aws(tmp_path) as aws:
        cloudformation = aws.client("cloudformation")
        (stack,) = cloudformation.describe_stacks()["Stacks"]
        assert (stack["StackName"], stack["StackStatus"]) == ("kept", "CREATE_COMPLETE")
        days = [{"ParameterKey": "Days", "ParameterValue": "14"}]
        cloudformation.update_stack(StackName="kept", UsePreviousTemplate=True, Parameters=days)
        (group,) = aws.client("logs").describe_log_groups()["logGroups"]
        assert group["retentionInDays"] == 14
