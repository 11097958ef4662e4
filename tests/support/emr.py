"""EMR for tests: start clusters, run steps, wait for states, read logs."""

from __future__ import annotations

import contextlib
import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from config.project_config import DEFAULT_REGION
from tests.support.accounts import Account
from tests.support.emulated_aws import EmulatedAws

WAIT_SECONDS = 120
ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")
DEFAULT_ROLES = (
    ("EMR_DefaultRole", "elasticmapreduce.amazonaws.com", "AmazonElasticMapReduceRole"),
    ("EMR_EC2_DefaultRole", "ec2.amazonaws.com", "AmazonElasticMapReduceforEC2Role"),
)
"""Name, who may work in it, and what it may do: a policy of AWS."""

STEP_ENDED = ("COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED")


def step(
    name: str, *command: str, action: str = "CONTINUE", jar: str = "command-runner.jar"
) -> dict[str, Any]:
    """A step of AddJobFlowSteps."""
    return {"Name": name, "ActionOnFailure": action, "HadoopJarStep": {"Jar": jar, "Args": list(command)}}


def shell(name: str, script: str, action: str = "CONTINUE") -> dict[str, Any]:
    """A step that runs a shell script."""
    return step(name, "bash", "-c", script, action=action)


def is_running(pid: int) -> bool:
    """Whether a process lives (a dead one may stay known until its parent asks)."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_for_text(path: Path) -> str:
    """Wait until a file has something in it; the text."""
    waiting = Retrying(
        retry=retry_if_result(lambda text: not text),
        wait=wait_fixed(0.05),
        stop=stop_after_delay(WAIT_SECONDS),
    )
    return waiting(lambda: path.read_text() if path.exists() else "")


def ensure_default_roles(iam: Any) -> None:
    """Make EMR's default roles, as ``aws emr create-default-roles`` does, unless they are there."""
    for name, service, policy in DEFAULT_ROLES:
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(
                RoleName=name,
                AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
            )
            iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/service-role/{policy}")


@dataclass
class EmrClusters:
    """Clusters of one emulated AWS, or of an account of it, all with their logs in ``logs_bucket``."""

    aws: EmulatedAws | Account
    logs_bucket: str
    started: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.emr = self.aws.client("emr")
        self.s3 = self.aws.client("s3")
        self.s3.create_bucket(
            Bucket=self.logs_bucket, CreateBucketConfiguration={"LocationConstraint": DEFAULT_REGION}
        )
        ensure_default_roles(self.aws.client("iam"))

    def start(self, *, keep_alive: bool = True, protected: bool = False, **request: Any) -> str:
        """RunJobFlow; returns the cluster's id at once."""
        defaults = {
            "Name": "test",
            "ReleaseLabel": "emr-7.14.0",
            "LogUri": f"s3://{self.logs_bucket}/emr-logs/",
            "ServiceRole": "EMR_DefaultRole",
            "JobFlowRole": "EMR_EC2_DefaultRole",
            "Instances": {
                "InstanceGroups": [
                    {"InstanceRole": "MASTER", "InstanceType": "m6g.xlarge", "InstanceCount": 1},
                    {"InstanceRole": "CORE", "InstanceType": "m6g.xlarge", "InstanceCount": 2},
                ],
                "KeepJobFlowAliveWhenNoSteps": keep_alive,
                "TerminationProtected": protected,
            },
        }
        cluster_id = str(self.emr.run_job_flow(**defaults | request)["JobFlowId"])
        self.started.append(cluster_id)
        return cluster_id

    def start_and_wait(self, **request: Any) -> str:
        """RunJobFlow, and wait until the cluster takes steps."""
        cluster_id = self.start(**request)
        assert self.wait(cluster_id, "WAITING", "RUNNING", *ENDED)["State"] not in ENDED
        return cluster_id

    def add(self, cluster_id: str, *steps: dict[str, Any]) -> list[str]:
        """AddJobFlowSteps; the steps' ids."""
        ids: list[str] = self.emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=list(steps))["StepIds"]
        return ids

    def run(self, cluster_id: str, *steps: dict[str, Any]) -> list[dict[str, Any]]:
        """Add steps and wait until they ended; each step's status, with its Id."""
        return [self.wait_step(cluster_id, step_id) for step_id in self.add(cluster_id, *steps)]

    def status(self, cluster_id: str) -> dict[str, Any]:
        """The cluster's Status."""
        status: dict[str, Any] = self.emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]
        return status

    def step_status(self, cluster_id: str, step_id: str) -> dict[str, Any]:
        """The step's Status, with its Id."""
        found = self.emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]
        return {"Id": step_id, **found["Status"]}

    def wait(self, cluster_id: str, *states: str) -> dict[str, Any]:
        """Wait until the cluster is in one of ``states``; its Status."""
        return _wait(lambda: self.status(cluster_id), states)

    def wait_step(self, cluster_id: str, step_id: str, *states: str) -> dict[str, Any]:
        """Wait until the step is in one of ``states``, by default a final one; its Status, with its Id."""
        return _wait(lambda: self.step_status(cluster_id, step_id), states or STEP_ENDED)

    def cancel(self, cluster_id: str, step_id: str, option: str) -> None:
        """CancelSteps of one step."""
        self.emr.cancel_steps(ClusterId=cluster_id, StepIds=[step_id], StepCancellationOption=option)

    def terminate(self, *cluster_ids: str) -> None:
        """TerminateJobFlows, and wait."""
        self.emr.terminate_job_flows(JobFlowIds=list(cluster_ids))
        for cluster_id in cluster_ids:
            self.wait(cluster_id, *ENDED)

    def log(self, cluster_id: str, relative: str) -> str:
        """A log below the cluster's folder, such as ``steps/STEP/stdout.gz``."""
        key = f"emr-logs/{cluster_id}/{relative}"
        body = self.s3.get_object(Bucket=self.logs_bucket, Key=key)["Body"].read()
        return gzip.decompress(body).decode()

    def output(self, cluster_id: str, script: str) -> str:
        """Standard output of a shell script run as a step."""
        (status,) = self.run(cluster_id, shell("output", script))
        assert status["State"] == "COMPLETED", status
        return self.log(cluster_id, f"steps/{status['Id']}/stdout.gz")

    def terminate_all(self) -> None:
        """Terminate what was started."""
        self.emr.set_termination_protection(JobFlowIds=self.started, TerminationProtected=False)
        self.terminate(*self.started)


def _wait(read: Any, states: tuple[str, ...]) -> dict[str, Any]:
    waiting = Retrying(
        retry=retry_if_result(lambda status: status["State"] not in states),
        wait=wait_fixed(0.05),
        stop=stop_after_delay(WAIT_SECONDS),
        retry_error_callback=lambda state: state.outcome.result(),
    )
    status: dict[str, Any] = waiting(read)
    assert status["State"] in states, f"still {status}, not {states}"
    return status
