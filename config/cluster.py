"""The one EMR cluster specification.

The DAG starts it, and a test checks cloudformation/emr_cluster.yaml against it.
"""

from __future__ import annotations

from config import names
from config.project_config import Settings

RELEASE_LABEL = "emr-7.14.0"
APPLICATIONS = ("Spark",)
PRIMARY_INSTANCE_TYPE = "m6g.xlarge"
CORE_INSTANCE_TYPE = "m6g.xlarge"
STEP_CONCURRENCY = 2
IDLE_TIMEOUT_SECONDS = 900
"""The cluster ends itself after this long without work, whatever became of the run that started it."""

CORE_NODES_TAG = "core_nodes"
"""How many core nodes a run's cluster was made with: its cost is known without asking for its machines."""

MANAGED_POLICY_TAG = "for-use-with-amazon-emr-managed-policies"
"""The service role's policy (AmazonEMRServicePolicy_v2) acts only on what carries this tag."""

SECURITY_GROUPS = (
    "EmrManagedMasterSecurityGroup",
    "EmrManagedSlaveSecurityGroup",
    "ServiceAccessSecurityGroup",
)
"""EMR's names for the groups of ``Settings.emr_security_groups``, in their order."""

CONFIGURATIONS: tuple[dict[str, object], ...] = (
    {"Classification": "iceberg-defaults", "Properties": {"iceberg.enabled": "true"}},
    {
        "Classification": "spark-env",
        "Configurations": [
            {"Classification": "export", "Properties": {"PYSPARK_PYTHON": "/usr/bin/python3.11"}},
        ],
    },
)
"""EMR's classifications. Spark on EMR 7.14 has Iceberg; the default Python 3.9 is too old for the jobs."""


def run_job_flow_request(
    settings: Settings,
    *,
    name: str,
    core_nodes: int | None = None,
    wheelhouse: str | None = None,
    tags: dict[str, str] | None = None,
) -> dict[str, object]:
    """The arguments of EMR's RunJobFlow for one run's cluster.

    It keeps alive between steps, ends itself when idle, and logs below ``settings.emr_log_uri``.
    Without ``core_nodes`` it has as many as the environment's profile says. Spot nodes join them only
    under load, and hold no HDFS blocks: losing one costs a retried task. All nodes install the
    ``wheelhouse``, an S3 folder that holds bootstrap.sh.
    """
    core_nodes = core_nodes or settings.profile.emr_core_nodes
    instances: dict[str, object] = {
        "InstanceGroups": [
            {
                "Name": "primary",
                "InstanceRole": "MASTER",
                "InstanceType": PRIMARY_INSTANCE_TYPE,
                "InstanceCount": 1,
                "Market": "ON_DEMAND",
            },
            {
                "Name": "core",
                "InstanceRole": "CORE",
                "InstanceType": CORE_INSTANCE_TYPE,
                "InstanceCount": core_nodes,
                "Market": "ON_DEMAND",
            },
        ],
        "KeepJobFlowAliveWhenNoSteps": True,
        "TerminationProtected": False,
    }
    if settings.emr_subnet_id:
        instances["Ec2SubnetId"] = settings.emr_subnet_id
    if settings.emr_security_groups:
        instances |= zip(SECURITY_GROUPS, settings.emr_security_groups.split(","), strict=True)
    all_tags = {
        "project": names.PROJECT,
        "environment": settings.environment,
        MANAGED_POLICY_TAG: "true",
        **({CORE_NODES_TAG: str(core_nodes), **tags} if tags else {}),
    }
    security = settings.emr_security_configuration
    request: dict[str, object] = {
        "Name": name,
        "ReleaseLabel": RELEASE_LABEL,
        "Applications": [{"Name": application} for application in APPLICATIONS],
        "LogUri": settings.emr_log_uri,
        "Instances": instances,
        "Configurations": list(CONFIGURATIONS),
        **({"SecurityConfiguration": security} if security else {}),
        "ServiceRole": settings.emr_service_role,
        "JobFlowRole": settings.emr_job_flow_role,
        "StepConcurrencyLevel": STEP_CONCURRENCY,
        "AutoTerminationPolicy": {"IdleTimeout": IDLE_TIMEOUT_SECONDS},
        "ManagedScalingPolicy": {
            "ComputeLimits": {
                "UnitType": "Instances",
                "MinimumCapacityUnits": core_nodes,
                "MaximumCapacityUnits": core_nodes + settings.profile.emr_spot_nodes,
                "MaximumCoreCapacityUnits": core_nodes,
                "MaximumOnDemandCapacityUnits": core_nodes,
            }
        },
        "VisibleToAllUsers": True,
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(all_tags.items())],
    }
    if wheelhouse:
        script = {"Path": f"{wheelhouse}bootstrap.sh", "Args": [wheelhouse]}
        request["BootstrapActions"] = [{"Name": "install wheelhouse", "ScriptBootstrapAction": script}]
    return request
