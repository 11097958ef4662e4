"""The CloudFormation stacks of one environment, in the order in which they depend on each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from config import names
from config.environments import PROFILES

ENVIRONMENT_PARAMETER = "Environment"


@dataclass(frozen=True)
class OutputOf:
    """An output of another stack: that stack's concern and the output's key."""

    concern: str
    key: str


@dataclass(frozen=True)
class StackSpec:
    """One stack: its concern, its template in ``cloudformation/``, and what it takes from other stacks.

    ``inputs`` maps parameters to outputs; ``by_environment`` says whether the template has the
    parameter ``Environment``. What is not named keeps the template's default or its previous value.
    ``environments`` are those that have the stack; an ``optional`` one is made only when asked for by
    name. ``region`` is set where it cannot stand in the deployment's own.
    """

    concern: str
    template: str
    doc: str
    inputs: Mapping[str, OutputOf] = field(default_factory=dict)
    by_environment: bool = True
    environments: tuple[str, ...] = tuple(PROFILES)
    optional: bool = False
    region: str | None = None

    def stack_name(self, environment: str) -> str:
        """The stack's name in an environment; the buckets' carries no concern."""
        return names.stack_name(environment, None if self is BUCKETS else self.concern)


BUCKETS = StackSpec("buckets", "s3_buckets.yaml", "The four buckets")
CATALOG = StackSpec(
    "catalog",
    "glue_catalog.yaml",
    "Glue database and bronze table",
    {
        "BronzeBucket": OutputOf("buckets", "BronzeBucket"),
        "IcebergBucket": OutputOf("buckets", "IcebergBucket"),
    },
)
STREAMING = StackSpec(
    "streaming",
    "streaming.yaml",
    "Kinesis stream, Firehose and its role",
    {
        "BronzeBucket": OutputOf("buckets", "BronzeBucket"),
        "DatabaseName": OutputOf("catalog", "DatabaseName"),
        "BronzeTableName": OutputOf("catalog", "BronzeTableName"),
    },
)
ATHENA = StackSpec(
    "athena",
    "athena.yaml",
    "Workgroup of the analysts",
    {"LogsBucket": OutputOf("buckets", "LogsBucket")},
)
QUERIES = StackSpec(
    "queries",
    "athena_queries.yaml",
    "Saved queries of the analysts",
    {
        "DatabaseName": OutputOf("catalog", "DatabaseName"),
        "WorkgroupName": OutputOf("athena", "WorkgroupName"),
    },
    by_environment=False,
)
EMR_ROLES = StackSpec(
    "emr-roles",
    "emr_roles.yaml",
    "Roles of the clusters",
    {
        "BronzeBucket": OutputOf("buckets", "BronzeBucket"),
        "IcebergBucket": OutputOf("buckets", "IcebergBucket"),
        "ScriptsBucket": OutputOf("buckets", "ScriptsBucket"),
        "LogsBucket": OutputOf("buckets", "LogsBucket"),
        "DatabaseName": OutputOf("catalog", "DatabaseName"),
    },
)
NETWORK = StackSpec(
    "network",
    "network.yaml",
    "A network for EMR with NAT, for accounts without one",
    by_environment=False,
    optional=True,
)
EMR_CLUSTER = StackSpec(
    "emr-cluster",
    "emr_cluster.yaml",
    "Security configuration of the clusters, and one cluster if asked (WithCluster=true)",
    {
        "LogsBucket": OutputOf("buckets", "LogsBucket"),
        "ServiceRoleName": OutputOf("emr-roles", "ServiceRoleName"),
        "JobFlowRoleName": OutputOf("emr-roles", "JobFlowRoleName"),
        "SubnetId": OutputOf("network", "SubnetId"),
        "SecurityGroups": OutputOf("network", "SecurityGroups"),
    },
)

ACCESS = StackSpec(
    "access",
    "access_roles.yaml",
    "Roles of producers, Airflow and analysts",
    {
        "StreamArn": OutputOf("streaming", "StreamArn"),
        "BronzeBucket": OutputOf("buckets", "BronzeBucket"),
        "IcebergBucket": OutputOf("buckets", "IcebergBucket"),
        "ScriptsBucket": OutputOf("buckets", "ScriptsBucket"),
        "LogsBucket": OutputOf("buckets", "LogsBucket"),
        "DatabaseName": OutputOf("catalog", "DatabaseName"),
        "WorkgroupName": OutputOf("athena", "WorkgroupName"),
        "ServiceRoleArn": OutputOf("emr-roles", "ServiceRoleArn"),
        "MachineRoleArn": OutputOf("emr-roles", "MachineRoleArn"),
        "AlertsTopicArn": OutputOf("monitoring", "TopicArn"),
    },
)
CHECKPOINTS = StackSpec(
    "checkpoints",
    "checkpoints.yaml",
    "Table of checkpoints",
    by_environment=False,
    environments=tuple(name for name, profile in PROFILES.items() if profile.checkpoint_store == "dynamodb"),
)
MONITORING = StackSpec(
    "monitoring",
    "monitoring.yaml",
    "Alarms on ingestion and EMR, and the topic they go to",
    {
        "StreamName": OutputOf("streaming", "StreamName"),
        "DeliveryStreamName": OutputOf("streaming", "DeliveryStreamName"),
    },
)
BUDGET = StackSpec(
    "budget",
    "budget.yaml",
    "Monthly budget",
    {"TopicArn": OutputOf("monitoring", "TopicArn")},
    region="us-east-1",
)
"""Billing lives in us-east-1, and CloudFormation has no budgets in every region."""

STACKS: tuple[StackSpec, ...] = (
    BUCKETS,
    CATALOG,
    STREAMING,
    ATHENA,
    QUERIES,
    EMR_ROLES,
    NETWORK,
    EMR_CLUSTER,
    MONITORING,
    ACCESS,
    CHECKPOINTS,
    BUDGET,
)
"""Every stack, each after those whose outputs it takes."""


def stacks_of(environment: str) -> tuple[StackSpec, ...]:
    """The stacks that an environment has, in order."""
    return tuple(spec for spec in STACKS if environment in spec.environments)


SETTINGS: dict[str, OutputOf] = {
    "BRONZE_BUCKET": OutputOf("buckets", "BronzeBucket"),
    "ICEBERG_BUCKET": OutputOf("buckets", "IcebergBucket"),
    "SCRIPTS_BUCKET": OutputOf("buckets", "ScriptsBucket"),
    "LOGS_BUCKET": OutputOf("buckets", "LogsBucket"),
    "GLUE_DATABASE": OutputOf("catalog", "DatabaseName"),
    "EMR_SERVICE_ROLE": OutputOf("emr-roles", "ServiceRoleName"),
    "EMR_JOB_FLOW_ROLE": OutputOf("emr-roles", "JobFlowRoleName"),
    "EMR_SECURITY_CONFIGURATION": OutputOf("emr-cluster", "SecurityConfigurationName"),
    "EMR_SUBNET_ID": OutputOf("network", "SubnetId"),
    "EMR_SECURITY_GROUPS": OutputOf("network", "SecurityGroups"),
    "ALERTS_TOPIC_ARN": OutputOf("monitoring", "TopicArn"),
}
"""Which output each setting comes from; an optional stack's only if it stands."""
