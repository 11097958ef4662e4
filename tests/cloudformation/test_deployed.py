"""Every template deployed to the emulation in both environments: what the services then say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from config import names
from config.environments import PROFILES
from config.stacks import stacks_of
from config.tables import BRONZE
from ops.deploy import deploy_all
from ops.deployment import planning
from ops.deployment.deployer import Deployer
from ops.query_template import saved_queries
from tests.support.accounts import Account, new_account
from tests.support.emulated_aws import EmulatedAws

pytestmark = pytest.mark.aws


@dataclass(frozen=True)
class Deployed:
    """An environment that stands in an account of its own."""

    environment: str
    account: Account
    settings: dict[str, str]

    def __getattr__(self, service: str) -> Any:
        return self.account.client(service)


@pytest.fixture(scope="module", params=PROFILES)
def deployed(request: pytest.FixtureRequest, emulated_aws: EmulatedAws) -> Iterator[Deployed]:
    """The whole platform with a cluster; removed afterwards, leaving nothing."""
    account = new_account(emulated_aws)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", emulated_aws.endpoint)
        settings = deploy_all(account.session(), request.param, {"WithCluster": "true"})
        yield Deployed(request.param, account, settings)
        deployer = Deployer(account.session(), request.param, Console(quiet=True))
        deployer.destroy(None, lambda _: True, delete_data=True)
    assert account.client("cloudformation").describe_stacks()["Stacks"] == []
    assert account.client("s3").list_buckets()["Buckets"] == []
    assert account.client("kinesis").list_streams()["StreamNames"] == []
    assert account.client("iam").list_roles()["Roles"] == []
    active = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
    assert account.client("emr").list_clusters(ClusterStates=active)["Clusters"] == []


def test_settings_name_what_was_made(deployed: Deployed) -> None:
    region = deployed.settings["AWS_REGION"]
    suffix = f"{deployed.account.account_id}-{region}"
    assert deployed.settings == {
        "BRONZE_BUCKET": f"clickstream-etl-{deployed.environment}-bronze-{suffix}",
        "ICEBERG_BUCKET": f"clickstream-etl-{deployed.environment}-iceberg-{suffix}",
        "SCRIPTS_BUCKET": f"clickstream-etl-{deployed.environment}-scripts-{suffix}",
        "LOGS_BUCKET": f"clickstream-etl-{deployed.environment}-logs-{suffix}",
        "GLUE_DATABASE": "analytics",
        "EMR_SERVICE_ROLE": "ClickstreamEmrServiceRole",
        "EMR_JOB_FLOW_ROLE": "ClickstreamEmrEc2Role",
        "EMR_SECURITY_CONFIGURATION": f"clickstream-etl-{deployed.environment}",
        "ALERTS_TOPIC_ARN": (
            f"arn:aws:sns:{region}:{deployed.account.account_id}:clickstream-etl-{deployed.environment}-alarms"
        ),
        "AWS_REGION": "eu-north-1",
        "ENVIRONMENT": deployed.environment,
    }


def test_every_stack_is_complete(deployed: Deployed) -> None:
    expected = {
        spec.stack_name(deployed.environment): "CREATE_COMPLETE"
        for spec in stacks_of(deployed.environment)
        if not spec.optional
    }
    found = {
        stack["StackName"]: stack["StackStatus"]
        for region in (None, "us-east-1")
        for stack in deployed.account.client("cloudformation", region).describe_stacks()["Stacks"]
    }
    assert found == expected
    assert (f"clickstream-etl-{deployed.environment}-checkpoints" in found) == (
        deployed.environment == "prod"
    )


def test_buckets_have_every_declared_setting(deployed: Deployed) -> None:
    s3, profile = deployed.s3, PROFILES[deployed.environment]
    versioned = {"BRONZE_BUCKET", "SCRIPTS_BUCKET"}
    for setting in ("BRONZE_BUCKET", "ICEBERG_BUCKET", "SCRIPTS_BUCKET", "LOGS_BUCKET"):
        bucket = deployed.settings[setting]
        assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "eu-north-1"
        encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
        assert encryption["Rules"][0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
        block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        assert set(block.values()) == {True}
        ownership = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
        assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        versioning = s3.get_bucket_versioning(Bucket=bucket).get("Status")
        assert versioning == ("Enabled" if setting in versioned else None)
        logging = s3.get_bucket_logging(Bucket=bucket).get("LoggingEnabled")
        is_logged = profile.s3_access_logging and setting != "LOGS_BUCKET"
        assert (logging is not None) == is_logged
        tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
        assert tags == {"project": names.PROJECT, "environment": deployed.environment}


def test_bronze_expires_and_in_prod_is_archived_first(deployed: Deployed) -> None:
    rules = deployed.s3.get_bucket_lifecycle_configuration(Bucket=deployed.settings["BRONZE_BUCKET"])["Rules"]
    events = next(rule for rule in rules if rule["Filter"].get("Prefix") == "clickstream/")
    assert events["Expiration"] == {"Days": PROFILES[deployed.environment].data_retention_days}
    archive = [{"Days": 90, "StorageClass": "GLACIER_IR"}]
    assert events.get("Transitions") == (archive if deployed.environment == "prod" else None)
    iceberg = deployed.settings["ICEBERG_BUCKET"]
    (only,) = deployed.s3.get_bucket_lifecycle_configuration(Bucket=iceberg)["Rules"]
    assert not {"Expiration", "NoncurrentVersionExpiration", "Transitions"} & only.keys()


def test_tls_only_buckets_take_and_give_objects_over_loopback(deployed: Deployed) -> None:
    s3, bucket = deployed.s3, deployed.settings["SCRIPTS_BUCKET"]
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    assert policy["Statement"][0]["Sid"] == "DenyPlainHttp"
    s3.put_object(Bucket=bucket, Key="probe", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key="probe")["Body"].read() == b"x"
    assert s3.list_objects_v2(Bucket=bucket, Prefix="probe")["KeyCount"] == 1
    s3.delete_object(Bucket=bucket, Key="probe")


def test_stream_is_encrypted_and_of_the_environments_mode(deployed: Deployed) -> None:
    summary = deployed.kinesis.describe_stream_summary(StreamName=names.STREAM)["StreamDescriptionSummary"]
    expected = {"dev": ("PROVISIONED", 24), "prod": ("ON_DEMAND", 168)}[deployed.environment]
    assert (summary["StreamModeDetails"]["StreamMode"], summary["RetentionPeriodHours"]) == expected
    assert (summary["EncryptionType"], summary["KeyId"]) == ("KMS", "alias/aws/kinesis")
    if deployed.environment == "dev":
        assert summary["OpenShardCount"] == 2


def test_firehose_converts_from_the_stream_into_bronze(deployed: Deployed) -> None:
    described = deployed.firehose.describe_delivery_stream(DeliveryStreamName=names.DELIVERY_STREAM)
    delivery = described["DeliveryStreamDescription"]
    source = delivery["Source"]["KinesisStreamSourceDescription"]
    assert source["KinesisStreamARN"].endswith(f":{deployed.account.account_id}:stream/{names.STREAM}")
    destination = delivery["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert destination["BucketARN"] == f"arn:aws:s3:::{deployed.settings['BRONZE_BUCKET']}"
    assert destination["BufferingHints"] == {"SizeInMBs": 128, "IntervalInSeconds": 300}
    conversion = destination["DataFormatConversionConfiguration"]
    assert conversion["SchemaConfiguration"]["TableName"] == BRONZE.name
    role = f"arn:aws:iam::{deployed.account.account_id}:role/{names.FIREHOSE_ROLE}"
    assert destination["RoleARN"] == role
    logging = destination["CloudWatchLoggingOptions"]
    (group,) = deployed.logs.describe_log_groups(logGroupNamePrefix=logging["LogGroupName"])["logGroups"]
    assert group["retentionInDays"] == PROFILES[deployed.environment].log_retention_days
    streams = deployed.logs.describe_log_streams(logGroupName=group["logGroupName"])["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == [logging["LogStreamName"]]


def test_catalog_has_the_bronze_table(deployed: Deployed) -> None:
    database = deployed.settings["GLUE_DATABASE"]
    table = deployed.glue.get_table(DatabaseName=database, Name=BRONZE.name)["Table"]
    columns = [(c["Name"], c["Type"]) for c in table["StorageDescriptor"]["Columns"]]
    assert columns == [(column.name, column.type) for column in BRONZE.columns]
    assert table["Parameters"]["projection.enabled"] == "true"
    location = deployed.glue.get_database(Name=database)["Database"]["LocationUri"]
    assert location == f"s3://{deployed.settings['ICEBERG_BUCKET']}/"


def test_workgroup_enforces_its_settings(deployed: Deployed) -> None:
    workgroup = deployed.athena.get_work_group(WorkGroup=names.ATHENA_WORKGROUP)["WorkGroup"]
    configuration = workgroup["Configuration"]
    assert configuration["EnforceWorkGroupConfiguration"] is True
    limit = {"dev": 10 * 2**30, "prod": 2**40}[deployed.environment]
    assert configuration["BytesScannedCutoffPerQuery"] == limit
    result = configuration["ResultConfiguration"]
    assert result["OutputLocation"] == f"s3://{deployed.settings['LOGS_BUCKET']}/athena-results/"
    assert result["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}


def test_roles_have_their_policies(deployed: Deployed) -> None:
    iam = deployed.iam
    found = {
        role: iam.list_role_policies(RoleName=role)["PolicyNames"]
        for role in (names.FIREHOSE_ROLE, "ClickstreamEmrServiceRole", "ClickstreamEmrEc2Role")
    }
    assert found == {
        names.FIREHOSE_ROLE: ["deliver-events"],
        "ClickstreamEmrServiceRole": ["hand-role-to-machines"],
        "ClickstreamEmrEc2Role": ["run-jobs"],
    }
    attached = iam.list_attached_role_policies(RoleName="ClickstreamEmrServiceRole")["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["AmazonEMRServicePolicy_v2"]
    profile = iam.get_instance_profile(InstanceProfileName="ClickstreamEmrEc2Role")["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == ["ClickstreamEmrEc2Role"]


def test_the_cluster_that_was_asked_for_runs_in_the_right_region(deployed: Deployed) -> None:
    emr = deployed.emr
    (summary,) = emr.list_clusters()["Clusters"]
    cluster = emr.describe_cluster(ClusterId=summary["Id"])["Cluster"]
    assert cluster["ReleaseLabel"].startswith("emr-7.")
    assert [application["Name"] for application in cluster["Applications"]] == ["Spark"]
    classifications = [c["Classification"] for c in cluster["Configurations"]]
    assert classifications == ["iceberg-defaults", "spark-env"]
    assert cluster["LogUri"] == f"s3://{deployed.settings['LOGS_BUCKET']}/emr-logs/"
    groups = emr.list_instance_groups(ClusterId=summary["Id"])["InstanceGroups"]
    sizes = {group["InstanceGroupType"]: group["RequestedInstanceCount"] for group in groups}
    assert sizes == {"MASTER": 1, "CORE": PROFILES[deployed.environment].emr_core_nodes}
    assert cluster["SecurityConfiguration"] == f"clickstream-etl-{deployed.environment}"
    assert f":{deployed.account.account_id}:" in cluster["ClusterArn"]
    assert ":eu-north-1:" in cluster["ClusterArn"]


def test_alarms_watch_what_was_made_and_tell_the_topic(deployed: Deployed) -> None:
    (topic,) = deployed.sns.list_topics()["Topics"]
    alarms = {a["AlarmName"]: a for a in deployed.cloudwatch.describe_alarms()["MetricAlarms"]}
    prefix = f"clickstream-etl-{deployed.environment}-"
    assert set(alarms) == {
        f"{prefix}{name}"
        for name in (
            "failed-conversion",
            "lagging-reader",
            "long-lived-cluster",
            "stale-delivery",
            "throttled-puts",
        )
    }
    assert all(alarm["AlarmActions"] == [topic["TopicArn"]] for alarm in alarms.values())
    watched = {d["Value"] for alarm in alarms.values() for d in alarm.get("Dimensions", ())}
    assert watched == {names.STREAM, names.DELIVERY_STREAM}
    assert "IsIdle" in alarms[f"{prefix}long-lived-cluster"]["Metrics"][0]["Expression"]
    policy = json.loads(deployed.sns.get_topic_attributes(**topic)["Attributes"]["Policy"])
    assert "events.amazonaws.com" in policy["Statement"][0]["Principal"]["Service"]


def test_rules_on_emr_tell_the_topic(deployed: Deployed) -> None:
    (topic,) = deployed.sns.list_topics()["Topics"]
    rules = {rule["Name"]: rule for rule in deployed.events.list_rules()["Rules"]}
    name = f"clickstream-etl-{deployed.environment}-failed-step"
    assert json.loads(rules[name]["EventPattern"])["detail"] == {"state": ["FAILED"]}
    (target,) = deployed.events.list_targets_by_rule(Rule=name)["Targets"]
    assert target["Arn"] == topic["TopicArn"]


def test_the_budget_tells_the_topic(deployed: Deployed) -> None:
    budgets, account_id = deployed.budgets, deployed.account.account_id
    (budget,) = budgets.describe_budgets(AccountId=account_id)["Budgets"]
    assert budget["BudgetName"] == f"clickstream-etl-{deployed.environment}"
    assert float(budget["BudgetLimit"]["Amount"]) == {"dev": 100, "prod": 1000}[deployed.environment]
    assert budget["CostFilters"] == {"TagKeyValue": [f"user:environment${deployed.environment}"]}


def test_checkpoints_have_a_table_in_prod(deployed: Deployed) -> None:
    dynamodb, tables = deployed.dynamodb, deployed.dynamodb.list_tables()["TableNames"]
    if PROFILES[deployed.environment].checkpoint_store == "s3":
        assert tables == []
        return
    assert tables == [names.CHECKPOINT_TABLE]
    table = dynamodb.describe_table(TableName=names.CHECKPOINT_TABLE)["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSEDescription"]["Status"] == "ENABLED"
    expiry = dynamodb.describe_time_to_live(TableName=names.CHECKPOINT_TABLE)["TimeToLiveDescription"]
    assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "expires_at")
    backups = dynamodb.describe_continuous_backups(TableName=names.CHECKPOINT_TABLE)
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


CHANGES = {
    "access_roles.yaml": ("What an analyst may do - query", "What analysts may do - query"),
    "glue_catalog.yaml": (
        "Description: Events as Firehose delivered them",
        "Description: Events as they came",
    ),
    "streaming.yaml": ("                  - kinesis:ListShards\n", ""),
    "athena.yaml": ("Analysts of the sensor lakehouse", "Analysts"),
    "emr_roles.yaml": ("What the Spark jobs may do on the machines of a cluster", "The jobs"),
    "emr_cluster.yaml": ("StepConcurrencyLevel: 2", "StepConcurrencyLevel: 4"),
    "checkpoints.yaml": ("PointInTimeRecoveryEnabled: true", "PointInTimeRecoveryEnabled: false"),
    "monitoring.yaml": ("State: ENABLED", "State: DISABLED"),
    "s3_buckets.yaml": ("Days: 7}", "Days: 9}"),
}
"""One change to each template that touches a resource in place."""


def resources_and_states(deployed: Deployed) -> dict[str, str]:
    """Physical ids with the states of their stacks; no saved queries: they are never changed in place."""
    cloudformation = deployed.cloudformation
    states = {each["StackName"]: each["StackStatus"] for each in cloudformation.describe_stacks()["Stacks"]}
    return {
        resource["PhysicalResourceId"]: state
        for stack, state in states.items()
        for resource in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        if resource["ResourceType"] != "AWS::Athena::NamedQuery"
    }


def test_a_changed_query_takes_the_place_of_the_one_before(
    deployed: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def saved() -> dict[str, str]:
        ids = deployed.athena.list_named_queries(WorkGroup=names.ATHENA_WORKGROUP)["NamedQueryIds"]
        found = deployed.athena.batch_get_named_query(NamedQueryIds=ids)["NamedQueries"]
        return {each["Name"]: each["QueryString"] for each in found}

    before = saved()
    assert before == {query.name: f"{query.sql}\n" for query in saved_queries()}
    for path in planning.TEMPLATES.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text().replace("LIMIT 20", "LIMIT 21"))
    monkeypatch.setattr(planning, "TEMPLATES", tmp_path)
    deploy_all(deployed.account.session(), deployed.environment, {})
    assert saved() == {name: sql.replace("LIMIT 20", "LIMIT 21") for name, sql in before.items()}


def test_every_stack_is_updated_in_place(
    deployed: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = resources_and_states(deployed).keys()
    for path in planning.TEMPLATES.glob("*.yaml"):
        text = path.read_text()
        if path.name in CHANGES:
            assert CHANGES[path.name][0] in text
            text = text.replace(*CHANGES[path.name])
        (tmp_path / path.name).write_text(text)
    monkeypatch.setattr(planning, "TEMPLATES", tmp_path)
    parameters = {
        "BufferIntervalSeconds": "60",
        "FailedConversionThreshold": "7",
        "MonthlyBudgetUsd": "42",
        "ShardCount": "3",
    }
    deploy_all(deployed.account.session(), deployed.environment, parameters)

    found = resources_and_states(deployed)
    assert found.keys() == before
    assert set(found.values()) == {"UPDATE_COMPLETE"}
    table = deployed.glue.get_table(DatabaseName="analytics", Name=BRONZE.name)["Table"]
    assert table["Description"].startswith("Events as they came")
    summary = deployed.kinesis.describe_stream_summary(StreamName=names.STREAM)["StreamDescriptionSummary"]
    if deployed.environment == "dev":
        assert summary["OpenShardCount"] == 3
    delivery = deployed.firehose.describe_delivery_stream(DeliveryStreamName=names.DELIVERY_STREAM)
    destination = delivery["DeliveryStreamDescription"]["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert destination["BufferingHints"] == {"SizeInMBs": 128, "IntervalInSeconds": 60}
    policy = deployed.iam.get_role_policy(RoleName=names.FIREHOSE_ROLE, PolicyName="deliver-events")
    assert "kinesis:ListShards" not in json.dumps(policy["PolicyDocument"])
    role = deployed.iam.get_role(RoleName="ClickstreamEmrEc2Role")["Role"]
    assert role["Description"] == "The jobs"
    workgroup = deployed.athena.get_work_group(WorkGroup=names.ATHENA_WORKGROUP)["WorkGroup"]
    assert workgroup["Description"] == "Analysts"
    cluster = deployed.emr.list_clusters()["Clusters"][0]["Id"]
    assert deployed.emr.describe_cluster(ClusterId=cluster)["Cluster"]["StepConcurrencyLevel"] == 4
    rules = deployed.events.list_rules()["Rules"]
    assert {rule["State"] for rule in rules} == {"DISABLED"}
    alarms = {a["AlarmName"]: a["Threshold"] for a in deployed.cloudwatch.describe_alarms()["MetricAlarms"]}
    assert alarms[f"clickstream-etl-{deployed.environment}-failed-conversion"] == 7
    (budget,) = deployed.budgets.describe_budgets(AccountId=deployed.account.account_id)["Budgets"]
    assert float(budget["BudgetLimit"]["Amount"]) == 42
    bucket = deployed.settings["BRONZE_BUCKET"]
    rules = deployed.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    kept = [r["NoncurrentVersionExpiration"] for r in rules if "NoncurrentVersionExpiration" in r]
    assert kept == [{"NoncurrentDays": 9}]
