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

SERVICE_ROLE = "EMR_DefaultRole"
JOB_FLOW_ROLE = "EMR_EC2_DefaultRole"

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
    service_role: str = SERVICE_ROLE,
    job_flow_role: str = JOB_FLOW_ROLE,
    subnet_id: str | None = None,
    tags: dict[str, str] | None = None,
) -> dict[str, object]:
    """The arguments of EMR's RunJobFlow for one run's cluster.

    It keeps alive between steps, ends itself when idle, and logs below ``settings.emr_log_uri``.
    Without ``core_nodes`` it has as many as the environment's profile says. Its nodes install the
    ``wheelhouse``, an S3 folder that holds bootstrap.sh.
    """
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
                "InstanceCount": core_nodes or settings.profile.emr_core_nodes,
                "Market": "ON_DEMAND",
            },
        ],
        "KeepJobFlowAliveWhenNoSteps": True,
        "TerminationProtected": False,
    }
    if subnet_id:
        instances["Ec2SubnetId"] = subnet_id
    all_tags = {"project": names.PROJECT, "environment": settings.environment, **(tags or {})}
    request: dict[str, object] = {
        "Name": name,
        "ReleaseLabel": RELEASE_LABEL,
        "Applications": [{"Name": application} for application in APPLICATIONS],
        "LogUri": settings.emr_log_uri,
        "Instances": instances,
        "Configurations": list(CONFIGURATIONS),
        "ServiceRole": service_role,
        "JobFlowRole": job_flow_role,
        "StepConcurrencyLevel": STEP_CONCURRENCY,
        "AutoTerminationPolicy": {"IdleTimeout": IDLE_TIMEOUT_SECONDS},
        "VisibleToAllUsers": True,
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(all_tags.items())],
    }
    if wheelhouse:
        script = {"Path": f"{wheelhouse}bootstrap.sh", "Args": [wheelhouse]}
        request["BootstrapActions"] = [{"Name": "install wheelhouse", "ScriptBootstrapAction": script}]
    return request
