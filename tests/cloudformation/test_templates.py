"""The templates on paper: lint, form, and agreement with config."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config import cluster, names
from config.environments import PROFILES
from config.project_config import Settings
from config.stacks import SETTINGS, STACKS
from config.tables import BRONZE, BRONZE_PARTITION_COLUMNS
from local_stack.aws.cloudformation.desired import Desired
from local_stack.aws.cloudformation.parameters import choose
from local_stack.aws.cloudformation.template import Template
from ops.deployment.planning import TEMPLATES

ACCOUNT = "210987654321"
GIVEN = {
    "DeliveryStreamName": "delivery",
    "StreamName": "stream",
    "TopicArn": "arn:aws:sns:eu-north-1:210987654321:topic",
    "AlertsTopicArn": "arn:aws:sns:eu-north-1:210987654321:topic",
    "BronzeBucket": "bronze",
    "IcebergBucket": "iceberg",
    "ScriptsBucket": "scripts",
    "LogsBucket": "logs",
    "StreamArn": "arn:aws:kinesis:eu-north-1:210987654321:stream/stream",
    "ServiceRoleArn": "arn:aws:iam::210987654321:role/service",
    "MachineRoleArn": "arn:aws:iam::210987654321:role/machines",
}
SETTINGS_OF = {name: Settings("bronze", "iceberg", "scripts", "logs", environment=name) for name in PROFILES}


class _Named:
    """Every resource is called by its logical id."""

    def ref(self, logical_id: str) -> str:
        return f"<{logical_id}>"

    def get_att(self, logical_id: str, attribute: str) -> str:
        return f"<{logical_id}.{attribute}>"

    def import_value(self, name: str) -> str:
        raise AssertionError(f"no template imports: {name}")


def evaluated(template: Template, environment: str, **parameters: str) -> dict[str, dict[str, Any]]:
    """The properties of a template's resources in an environment."""
    declared = template.section("Parameters")
    values = {**GIVEN, "Environment": environment, **parameters}
    given = [{"ParameterKey": k, "ParameterValue": v} for k, v in values.items() if k in declared]
    desired = Desired(
        template, choose(template, given, {}), {}, "stack", "arn:aws:stack", ACCOUNT, "eu-north-1"
    )
    evaluator = desired.evaluator(_Named())
    return {logical_id: desired.properties(logical_id, evaluator) for logical_id in desired.resources}


def test_every_template_belongs_to_a_stack(templates: Mapping[str, Template]) -> None:
    assert sorted(templates) == sorted(spec.template for spec in STACKS)
    assert len(templates) >= 6


@pytest.mark.parametrize("region", ["eu-north-1", "us-east-1"])
def test_cfn_lint_has_nothing_to_say(region: str) -> None:
    paths = [TEMPLATES / spec.template for spec in STACKS if (spec.region or "eu-north-1") == region]
    assert paths
    program = Path(sys.executable).with_name("cfn-lint")
    lint = [program, "--regions", region, "--template", *paths]
    result = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def test_stacks_and_templates_agree_on_parameters_and_outputs(templates: Mapping[str, Template]) -> None:
    concerns = {spec.concern: spec for spec in STACKS}
    seen: set[str] = set()
    for spec in STACKS:
        declared = templates[spec.template].section("Parameters")
        assert spec.inputs.keys() <= declared.keys()
        assert ("Environment" in declared) == spec.by_environment
        mandatory = {key for key, parameter in declared.items() if "Default" not in parameter}
        assert mandatory <= spec.inputs.keys(), f"{spec.concern}: nobody gives {mandatory}"
        for source in spec.inputs.values():
            assert source.concern in seen, f"{spec.concern} comes before {source.concern}"
            assert source.key in templates[concerns[source.concern].template].section("Outputs")
        seen.add(spec.concern)
    for source in SETTINGS.values():
        assert source.key in templates[concerns[source.concern].template].section("Outputs")


def test_the_bucket_stack_deploys_without_any_parameter(templates: Mapping[str, Template]) -> None:
    parameters = templates["s3_buckets.yaml"].section("Parameters")
    assert parameters["Environment"]["Default"] == "dev"
    assert all("Default" in parameter for parameter in parameters.values())


def test_parameters_are_described_grouped_and_outputs_described(templates: Mapping[str, Template]) -> None:
    for name, template in templates.items():
        declared = template.section("Parameters")
        interface = template.section("Metadata")["AWS::CloudFormation::Interface"]
        grouped = [key for group in interface["ParameterGroups"] for key in group["Parameters"]]
        assert sorted(grouped) == sorted(declared), name
        assert all(parameter.get("Description") for parameter in declared.values()), name
        assert template.section("Outputs"), name
        assert all(output.get("Description") for output in template.section("Outputs").values()), name
        assert template.description


def test_bronze_table_follows_the_table_specification(templates: Mapping[str, Template]) -> None:
    table = evaluated(templates["glue_catalog.yaml"], "dev")["BronzeTable"]["TableInput"]
    columns = [(c["Name"], c["Type"], c["Comment"]) for c in table["StorageDescriptor"]["Columns"]]
    assert columns == [(c.name, c.type, c.doc) for c in BRONZE.columns]
    partitions = [(c["Name"], c["Type"], c["Comment"]) for c in table["PartitionKeys"]]
    assert partitions == [(c.name, c.type, c.doc) for c in BRONZE_PARTITION_COLUMNS]
    assert (table["Name"], table["Description"]) == (BRONZE.name, BRONZE.doc)
    assert table["StorageDescriptor"]["Location"] == SETTINGS_OF["dev"].bronze_path


@pytest.mark.parametrize("environment", PROFILES)
def test_partition_projection_covers_the_retention(
    templates: Mapping[str, Template], environment: str
) -> None:
    properties = evaluated(templates["glue_catalog.yaml"], environment)
    parameters = properties["BronzeTable"]["TableInput"]["Parameters"]
    first, last = parameters["projection.dt.range"].split(",")
    days = int(first.removeprefix("NOW-").removesuffix("DAYS"))
    assert (days >= PROFILES[environment].data_retention_days, last) == (True, "NOW")
    assert parameters["projection.hour.values"].split(",") == [f"{hour:02}" for hour in range(24)]
    template = parameters["storage.location.template"]
    assert template == f"{SETTINGS_OF[environment].bronze_path}dt=${{dt}}/hour=${{hour}}/"


@pytest.mark.parametrize("environment", PROFILES)
def test_delivery_goes_where_config_says(templates: Mapping[str, Template], environment: str) -> None:
    properties = evaluated(templates["streaming.yaml"], environment)
    assert properties["Stream"]["Name"] == names.STREAM
    assert properties["Stream"]["RetentionPeriodHours"] == PROFILES[environment].stream_retention_hours
    assert properties["DeliveryRole"]["RoleName"] == names.FIREHOSE_ROLE
    delivery = properties["DeliveryStream"]
    assert delivery["DeliveryStreamName"] == names.DELIVERY_STREAM
    destination = delivery["ExtendedS3DestinationConfiguration"]
    settings = SETTINGS_OF[environment]
    bucket = f"s3://{settings.bronze_bucket}/"
    assert bucket + destination["Prefix"].split("dt=")[0] == settings.bronze_path
    errors = bucket + destination["ErrorOutputPrefix"]
    assert errors.startswith(f"{settings.conversion_errors_path}!{{firehose:error-output-type}}/")
    schema = destination["DataFormatConversionConfiguration"]["SchemaConfiguration"]
    assert (schema["DatabaseName"], schema["TableName"]) == (settings.glue_database, names.BRONZE_TABLE)
    retention = PROFILES[environment].log_retention_days
    assert properties["DeliveryLogGroup"]["RetentionInDays"] == retention


def test_a_role_prefix_lets_two_environments_share_an_account(templates: Mapping[str, Template]) -> None:
    for name in ("streaming.yaml", "emr_roles.yaml", "access_roles.yaml"):
        resources = evaluated(templates[name], "prod", RolePrefix="prod-").values()
        roles = [properties["RoleName"] for properties in resources if "RoleName" in properties]
        assert roles
        assert all(role.startswith("prod-") for role in roles)


@pytest.mark.parametrize("environment", PROFILES)
def test_buckets_keep_data_as_long_as_the_environment_says(
    templates: Mapping[str, Template], environment: str
) -> None:
    profile, properties = PROFILES[environment], evaluated(templates["s3_buckets.yaml"], environment)
    rules = {
        bucket: properties[bucket]["LifecycleConfiguration"]["Rules"]
        for bucket in ("BronzeBucket", "IcebergBucket", "ScriptsBucket", "LogsBucket")
    }
    bronze = {rule["Prefix"]: rule for rule in rules["BronzeBucket"] if "ExpirationInDays" in rule}
    assert set(bronze) == {"clickstream/", "clickstream-errors/", "manifests/", "raw/"}
    assert {rule["ExpirationInDays"] for rule in bronze.values()} == {profile.data_retention_days}
    archived = [{"StorageClass": "GLACIER_IR", "TransitionInDays": 90}]
    outlives = profile.data_retention_days > 90
    assert bronze["clickstream/"].get("Transitions") == (archived if outlives else None)
    logs = [rule["ExpirationInDays"] for rule in rules["LogsBucket"] if "ExpirationInDays" in rule]
    assert logs == [profile.log_retention_days]
    logging = {bucket for bucket in rules if "LoggingConfiguration" in properties[bucket]}
    expected = {"BronzeBucket", "IcebergBucket", "ScriptsBucket"} if profile.s3_access_logging else set()
    assert logging == expected
    for bucket_rules in rules.values():
        assert any("AbortIncompleteMultipartUpload" in rule for rule in bucket_rules)


@pytest.mark.parametrize("environment", PROFILES)
def test_nothing_ever_expires_iceberg_data(templates: Mapping[str, Template], environment: str) -> None:
    bucket = evaluated(templates["s3_buckets.yaml"], environment)["IcebergBucket"]
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert rules == [
        {
            "Id": "abort-stale-uploads",
            "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
        }
    ]


def test_no_stack_owns_an_iceberg_table(all_resources: list[tuple[str, str, dict[str, Any]]]) -> None:
    tables = [r for _, _, r in all_resources if r["Type"] == "AWS::Glue::Table"]
    assert [table["Properties"]["TableInput"]["Name"] for table in tables] == [names.BRONZE_TABLE]


def test_every_bucket_is_private_encrypted_and_tls_only(templates: Mapping[str, Template]) -> None:
    resources = templates["s3_buckets.yaml"].resources
    buckets = {k: r["Properties"] for k, r in resources.items() if r["Type"] == "AWS::S3::Bucket"}
    assert len(buckets) == 4
    for logical_id, bucket in buckets.items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        assert "BucketEncryption" in bucket
        policy = resources[f"{logical_id}Policy"]["Properties"]
        assert policy["Bucket"] == {"Ref": logical_id}
        denial = policy["PolicyDocument"]["Statement"][0]
        assert (denial["Effect"], denial["Principal"], denial["Action"]) == ("Deny", "*", "s3:*")
        assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_athena_writes_where_config_says(templates: Mapping[str, Template]) -> None:
    workgroup = evaluated(templates["athena.yaml"], "dev")["Workgroup"]
    assert workgroup["Name"] == names.ATHENA_WORKGROUP
    configuration = workgroup["WorkGroupConfiguration"]
    assert configuration["ResultConfiguration"]["OutputLocation"] == SETTINGS_OF["dev"].athena_output
    assert configuration["EnforceWorkGroupConfiguration"] is True


def as_run_job_flow(properties: dict[str, Any]) -> dict[str, Any]:
    """A cluster of the template in the terms of RunJobFlow."""
    instances = dict(properties["Instances"])
    groups = [
        {**instances.pop("MasterInstanceGroup"), "InstanceRole": "MASTER"},
        {**instances.pop("CoreInstanceGroup"), "InstanceRole": "CORE"},
    ]
    renamed = json.loads(json.dumps(properties).replace('"ConfigurationProperties"', '"Properties"'))
    return {**renamed, "Instances": {**instances, "InstanceGroups": groups}}


@pytest.mark.parametrize("in_own_network", [False, True])
@pytest.mark.parametrize("environment", PROFILES)
def test_the_cluster_by_hand_is_the_cluster_of_the_dag(
    templates: Mapping[str, Template], environment: str, in_own_network: bool
) -> None:
    template = templates["emr_cluster.yaml"]
    assert "Cluster" not in evaluated(template, environment)
    network = {"SubnetId": "subnet-01234567", "SecurityGroups": "sg-00000001,sg-00000002,sg-00000003"}
    given = network if in_own_network else {}
    by_hand = as_run_job_flow(evaluated(template, environment, WithCluster="true", **given)["Cluster"])
    settings = replace(
        SETTINGS_OF[environment],
        emr_security_configuration="<SecurityConfiguration>",
        emr_subnet_id=given.get("SubnetId", ""),
        emr_security_groups=given.get("SecurityGroups", ""),
    )
    name = f"clickstream-etl-{environment}-by-hand"
    of_the_dag = json.loads(json.dumps(cluster.run_job_flow_request(settings, name=name)))
    for request in (by_hand, of_the_dag):
        request["Tags"] = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    assert by_hand == of_the_dag


def statements(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every policy statement of a resource, trust policies included."""
    properties = resource.get("Properties") or {}
    documents = [
        properties.get("AssumeRolePolicyDocument"),
        properties.get("PolicyDocument"),
        *(policy["PolicyDocument"] for policy in properties.get("Policies", ())),
    ]
    for document in documents:
        for statement in (document or {}).get("Statement", ()):
            yield statement["Fn::If"][1] if "Fn::If" in statement else statement


WITHOUT_RESOURCE = {
    "elasticmapreduce:ListClusters",  # a list is of no one cluster
    "elasticmapreduce:RunJobFlow",  # a cluster has no ARN yet; the policy wants the project's tag
}
"""Actions for which AWS knows no resource, so that they can only be allowed on all."""


def test_nothing_is_allowed_by_wildcard(all_resources: list[tuple[str, str, dict[str, Any]]]) -> None:
    allowed = 0
    for template, logical_id, resource in all_resources:
        for statement in statements(resource):
            if statement["Effect"] != "Allow":
                continue
            allowed += 1
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            where = f"{template} {logical_id} {statement.get('Sid')}"
            assert not [action for action in actions if "*" in action], where
            assert statement.get("Principal") != "*", where
            if statement.get("Resource") == "*":
                assert set(actions) <= WITHOUT_RESOURCE, where
    assert allowed >= 30


def test_checkpoints_are_called_as_config_says(templates: Mapping[str, Template]) -> None:
    table = evaluated(templates["checkpoints.yaml"], "prod")["Checkpoints"]
    assert table["TableName"] == names.CHECKPOINT_TABLE


def test_nobody_is_mailed_unless_an_address_is_given(templates: Mapping[str, Template]) -> None:
    template = templates["monitoring.yaml"]
    assert "Mail" not in evaluated(template, "prod")
    assert (
        evaluated(template, "prod", NotificationEmail="ops@example.com")["Mail"]["Endpoint"]
        == "ops@example.com"
    )


def test_clusters_ask_for_signed_metadata_and_encrypt_what_keys_are_given_for(
    templates: Mapping[str, Template],
) -> None:
    template = templates["emr_cluster.yaml"]
    plain = evaluated(template, "dev")["SecurityConfiguration"]
    metadata = plain["SecurityConfiguration"]["InstanceMetadataServiceConfiguration"]
    assert metadata == {"MinimumInstanceMetadataServiceVersion": 2, "HttpPutResponseHopLimit": 1}
    encryption = plain["SecurityConfiguration"]["EncryptionConfiguration"]
    assert (encryption["EnableAtRestEncryption"], encryption["EnableInTransitEncryption"]) == (True, False)
    key, certificates = "arn:aws:kms:eu-north-1:210987654321:key/k", "s3://scripts/certificates.zip"
    full = evaluated(template, "dev", DiskKeyArn=key, TransitCertificates=certificates)[
        "SecurityConfiguration"
    ]
    assert full["Name"] == f"{plain['Name']}-disk-transit"
    encryption = full["SecurityConfiguration"]["EncryptionConfiguration"]
    assert encryption["EnableInTransitEncryption"] is True
    transit = encryption["InTransitEncryptionConfiguration"]["TLSCertificateConfiguration"]
    assert transit["S3Object"] == certificates
    disk = encryption["AtRestEncryptionConfiguration"]["LocalDiskEncryptionConfiguration"]
    assert (disk["AwsKmsKey"], disk["EnableEbsEncryption"]) == (key, True)
