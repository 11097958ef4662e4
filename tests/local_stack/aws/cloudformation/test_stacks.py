"""Stacks in the emulation: created, changed, rolled back, deleted, and loud about what is not emulated."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.accounts import Account

pytestmark = pytest.mark.aws

GROUPS = """
Parameters:
  Days: {Type: Number, Default: 7, AllowedValues: [7, 14, 30]}
  Prefix: {Type: String, Default: first}
Conditions:
  HasSecond: !Not [!Equals [!Ref Days, 30]]
Resources:
  Stream:
    Type: AWS::Logs::LogStream
    Properties: {LogGroupName: !Ref First, LogStreamName: lines}
  First:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/${AWS::StackName}/${Prefix}", RetentionInDays: !Ref Days}
  Second:
    Type: AWS::Logs::LogGroup
    Condition: HasSecond
    Properties: {RetentionInDays: !Ref Days}
Outputs:
  FirstArn: {Value: !GetAtt First.Arn, Description: the first, Export: {Name: !Sub "${AWS::StackName}-arn"}}
  SecondName: {Condition: HasSecond, Value: !Ref Second}
"""


def log_groups(account: Account, prefix: str) -> dict[str, Any]:
    found = account.client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
    return {group["logGroupName"]: group.get("retentionInDays") for group in found}


def test_a_stack_is_made_described_updated_and_deleted(stacks: Any, account: Account) -> None:
    stack_id = stacks.create("whole", GROUPS, tags={"team": "sensors"})
    described = stacks.describe("whole")
    assert described["StackStatus"] == "CREATE_COMPLETE"
    assert described["Tags"] == [{"Key": "team", "Value": "sensors"}]
    arn = f"arn:aws:logs:eu-north-1:{account.account_id}:log-group:/whole/first:*"
    outputs = {o["OutputKey"]: o for o in described["Outputs"]}
    assert (outputs["FirstArn"]["OutputValue"], outputs["FirstArn"]["ExportName"]) == (arn, "whole-arn")
    ids = stacks.physical_ids("whole")
    assert ids["First"] == "/whole/first"
    assert ids["Second"].startswith("whole-Second-")
    assert outputs["SecondName"]["OutputValue"] == ids["Second"]
    events = stacks.events("whole")
    assert events[0] == ("whole", "CREATE_IN_PROGRESS")
    assert events[-1] == ("whole", "CREATE_COMPLETE")
    assert events.index(("First", "CREATE_COMPLETE")) < events.index(("Stream", "CREATE_IN_PROGRESS"))
    tags = account.client("logs").list_tags_for_resource(resourceArn=arn.removesuffix(":*"))["tags"]
    assert tags == {"team": "sensors"}

    stacks.update("whole", GROUPS, Days="14")
    assert log_groups(account, "/whole") == {"/whole/first": 14}
    assert stacks.physical_ids("whole") == ids
    stacks.update("whole", GROUPS, Days="30")
    assert set(stacks.physical_ids("whole")) == {"First", "Stream"}
    assert log_groups(account, "whole-Second") == {}

    stacks.api.delete_stack(StackName="whole")
    assert stacks.describe(stack_id)["StackStatus"] == "DELETE_COMPLETE"
    assert log_groups(account, "/whole") == {}
    with pytest.raises(ClientError, match="Stack with id whole does not exist"):
        stacks.describe("whole")


def test_a_fixed_property_means_a_new_resource_and_the_old_one_goes(stacks: Any, account: Account) -> None:
    stacks.create("moving", GROUPS)
    change_set = stacks.propose("moving", GROUPS, Prefix="second")
    changes = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in change_set["Changes"]}
    assert {k: (c["Action"], c["Replacement"]) for k, c in changes.items()} == {
        "First": ("Modify", "True"),
        "Stream": ("Modify", "True"),
    }
    stacks.api.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
    assert stacks.describe("moving")["StackStatus"] == "UPDATE_COMPLETE"
    assert log_groups(account, "/moving") == {"/moving/second": 7}
    streams = account.client("logs").describe_log_streams(logGroupName="/moving/second")["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["lines"]


def test_a_change_set_tells_each_property(stacks: Any) -> None:
    stacks.create("telling", GROUPS)
    change_set = stacks.propose("telling", GROUPS, Days="14")
    by_id = {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in change_set["Changes"]}
    assert set(by_id) == {"First", "Second"}
    (detail,) = by_id["First"]["Details"]
    assert detail["Target"] == {
        "Attribute": "Properties",
        "Name": "RetentionInDays",
        "Path": "/Properties/RetentionInDays",
        "RequiresRecreation": "Never",
        "BeforeValue": "7",
        "AfterValue": "14",
        "AttributeChangeType": "Modify",
    }
    after = json.loads(by_id["First"]["AfterContext"])["Properties"]
    assert after == {"LogGroupName": "/telling/first", "RetentionInDays": 14}
    plain = stacks.api.describe_change_set(ChangeSetName=change_set["ChangeSetId"])
    assert "AfterContext" not in plain["Changes"][0]["ResourceChange"]
    assert stacks.describe("telling")["StackStatus"] == "CREATE_COMPLETE"


def test_a_change_set_for_a_new_stack_lists_what_it_adds(stacks: Any) -> None:
    change_set = stacks.propose("proposed", GROUPS, kind="CREATE")
    assert stacks.describe("proposed")["StackStatus"] == "REVIEW_IN_PROGRESS"
    added = [c["ResourceChange"]["LogicalResourceId"] for c in change_set["Changes"]]
    assert sorted(added) == ["First", "Second", "Stream"]
    stacks.api.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
    assert stacks.describe("proposed")["StackStatus"] == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="InvalidChangeSetStatus"):
        stacks.api.execute_change_set(ChangeSetName=change_set["ChangeSetId"])


def test_nothing_changed_is_said_in_awss_words(stacks: Any) -> None:
    stacks.create("still", GROUPS)
    change_set = stacks.propose("still", GROUPS)
    assert (change_set["Status"], change_set["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert change_set["StatusReason"].startswith("The submitted information didn't contain changes.")
    with pytest.raises(ClientError, match=r"No updates are to be performed\."):
        stacks.update("still", GROUPS)


FAILING = """
Resources:
  Group:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: /failing/group}
  Table:
    Type: AWS::Glue::Table
    DependsOn: Group
    Properties:
      CatalogId: !Ref AWS::AccountId
      DatabaseName: does_not_exist
      TableInput: {Name: t}
"""


def test_a_failed_creation_is_rolled_back_and_explained(stacks: Any, account: Account) -> None:
    stacks.create("failing", FAILING)
    described = stacks.describe("failing")
    assert described["StackStatus"] == "ROLLBACK_COMPLETE"
    events = stacks.events("failing")
    for event in [
        ("Table", "CREATE_FAILED"),
        ("failing", "ROLLBACK_IN_PROGRESS"),
        ("Group", "DELETE_COMPLETE"),
    ]:
        assert event in events
    assert "EntityNotFoundException" in stacks.reasons("failing")
    assert log_groups(account, "/failing") == {}
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        stacks.update("failing", GROUPS)
    stacks.api.delete_stack(StackName="failing")
    stacks.create("failing", GROUPS)
    assert stacks.describe("failing")["StackStatus"] == "CREATE_COMPLETE"


def test_a_failed_update_brings_everything_back(stacks: Any, account: Account) -> None:
    stacks.create("returning", GROUPS)
    before = stacks.physical_ids("returning")
    broken = GROUPS.replace("!Ref Days}\n  Second", "14}\n  Second") + "\n"
    broken = broken.replace(
        "Outputs:",
        """
  Table:
    Type: AWS::Glue::Table
    DependsOn: First
    Properties:
      CatalogId: !Ref AWS::AccountId
      DatabaseName: does_not_exist
      TableInput: {Name: t}
Outputs:""",
    )
    stacks.update("returning", broken)
    assert stacks.describe("returning")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert ("First", "UPDATE_COMPLETE") in stacks.events("returning")
    assert log_groups(account, "/returning") == {"/returning/first": 7}
    assert stacks.physical_ids("returning") == before
    stacks.update("returning", GROUPS, Days="14")
    assert stacks.describe("returning")["StackStatus"] == "UPDATE_COMPLETE"


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ("{Type: 'AWS::S3::Bukkit'}", r"Unrecognized resource types: \[AWS::S3::Bukkit\]"),
        ("{Type: 'AWS::CloudFront::Distribution'}", "does not implement AWS::CloudFront::Distribution"),
        ("{Type: 'AWS::S3::Bucket', Properties: {Bukkit: 1}}", "unsupported property Bukkit"),
        (
            "{Type: 'AWS::S3::Bucket', Properties: {AccelerateConfiguration: {}}}",
            "does not implement the property AccelerateConfiguration of AWS::S3::Bucket",
        ),
        (
            "{Type: 'AWS::S3::Bucket', Properties: {BucketName: !Ref Nothing}}",
            r"Unresolved resource dependencies \[Nothing\]",
        ),
    ],
)
def test_what_would_be_ignored_is_refused_before_anything_is_made(
    stacks: Any, resource: str, message: str
) -> None:
    template = f"Resources: {{Good: {{Type: 'AWS::Logs::LogGroup'}}, Bad: {resource}}}"
    with pytest.raises(ClientError, match=message):
        stacks.create("refused", template)
    with pytest.raises(ClientError, match=message):
        stacks.propose("refused", template, kind="CREATE")
    with pytest.raises(ClientError, match="does not exist"):
        stacks.describe("refused")


def test_a_nested_value_that_would_be_ignored_fails_the_stack(stacks: Any) -> None:
    template = """
    Resources:
      Bucket:
        Type: AWS::S3::Bucket
        Properties:
          LifecycleConfiguration:
            Rules: [{Status: Enabled, ExpirationInDays: 3, ObjectSizeGreaterThan: "10"}]
    """
    stacks.create("nested", template)
    assert stacks.describe("nested")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "does not implement ObjectSizeGreaterThan" in stacks.reasons("nested")


def test_values_that_aws_would_refuse_fail_the_stack(stacks: Any) -> None:
    stacks.create("odd", "Resources: {G: {Type: 'AWS::Logs::LogGroup', Properties: {RetentionInDays: 8}}}")
    assert stacks.describe("odd")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "#/RetentionInDays" in stacks.reasons("odd")


def test_circular_references_are_refused(stacks: Any) -> None:
    template = """
    Resources:
      A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref B}}
      B: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref A}}
    """
    with pytest.raises(ClientError, match="Circular dependency between resources"):
        stacks.create("circular", template)


def test_roles_need_the_callers_acknowledgement(stacks: Any) -> None:
    template = """
    Resources:
      Role:
        Type: AWS::IAM::Role
        Properties: {RoleName: x, AssumeRolePolicyDocument: {Statement: []}}
    """
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_NAMED_IAM\]"):
        stacks.api.create_stack(StackName="iam", TemplateBody=template)


def test_imports_bind_stacks_to_each_other(stacks: Any) -> None:
    stacks.create("exporter", GROUPS)
    importer = """
    Resources:
      Group: {Type: AWS::Logs::LogGroup}
    Outputs:
      Imported: {Value: !ImportValue exporter-arn}
    """
    stacks.create("importer", importer)
    assert stacks.outputs("importer")["Imported"] == stacks.outputs("exporter")["FirstArn"]
    assert stacks.api.list_imports(ExportName="exporter-arn")["Imports"] == ["importer"]
    with pytest.raises(
        ClientError, match="Export exporter-arn cannot be deleted as it is in use by importer"
    ):
        stacks.api.delete_stack(StackName="exporter")
    stacks.create("lost", importer.replace("exporter-arn", "nobody-exports-this"))
    assert stacks.describe("lost")["StackStatus"] == "ROLLBACK_COMPLETE"


BUCKET = """
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties: {VersioningConfiguration: {Status: Enabled}}
  Kept:
    Type: AWS::S3::Bucket
    DeletionPolicy: Retain
Outputs:
  Name: {Value: !Ref Bucket}
  Kept: {Value: !Ref Kept}
"""


def test_a_bucket_with_objects_is_not_deleted_and_a_retained_one_stays(stacks: Any, account: Account) -> None:
    stack_id, s3 = stacks.create("full", BUCKET), account.client("s3")
    name, kept = stacks.outputs("full")["Name"], stacks.outputs("full")["Kept"]
    s3.put_object(Bucket=name, Key="k", Body=b"data")
    stacks.api.delete_stack(StackName="full")
    assert stacks.describe("full")["StackStatus"] == "DELETE_FAILED"
    assert "BucketNotEmpty" in stacks.reasons("full")
    version = s3.list_object_versions(Bucket=name)["Versions"][0]["VersionId"]
    s3.delete_object(Bucket=name, Key="k", VersionId=version)
    stacks.api.delete_stack(StackName="full")
    assert stacks.describe(stack_id)["StackStatus"] == "DELETE_COMPLETE"
    assert ("Kept", "DELETE_SKIPPED") in stacks.events(stack_id)
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if bucket["Name"] in (name, kept)] == [
        kept
    ]


def test_a_change_set_is_obsolete_once_another_was_executed(stacks: Any) -> None:
    stacks.create("busy", GROUPS)
    first = stacks.propose("busy", GROUPS, Days="14")
    second = stacks.propose("busy", GROUPS, Days="30")
    stacks.api.execute_change_set(ChangeSetName=first["ChangeSetId"])
    with pytest.raises(ClientError, match=r"execution status of \[OBSOLETE\]"):
        stacks.api.execute_change_set(ChangeSetName=second["ChangeSetId"])
    with pytest.raises(ClientError, match=r"Stack \[busy\] already exists"):
        stacks.create("busy", GROUPS)


def test_regions_and_accounts_are_apart(stacks: Any, account: Account) -> None:
    stacks.create("apart", GROUPS)
    elsewhere = account.session().client(
        "cloudformation", region_name="us-east-1", endpoint_url=account.aws.endpoint
    )
    assert "apart" not in {stack["StackName"] for stack in elsewhere.list_stacks()["StackSummaries"]}
    other = account.aws.client("cloudformation")
    assert "apart" not in {stack["StackName"] for stack in other.list_stacks()["StackSummaries"]}
    stack_id = stacks.describe("apart")["StackId"]
    assert stack_id.startswith(f"arn:aws:cloudformation:eu-north-1:{account.account_id}:stack/apart/")


def test_what_is_not_emulated_is_refused_by_name(stacks: Any) -> None:
    with pytest.raises(ClientError, match="TemplateURL"):
        stacks.api.create_stack(StackName="url", TemplateURL="https://example.com/t.yaml")
    with pytest.raises(ClientError, match=r"create_stack_set|CreateStackSet"):
        stacks.api.create_stack_set(StackSetName="set", TemplateBody=GROUPS)
