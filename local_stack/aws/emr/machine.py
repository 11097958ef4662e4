"""What stands behind a running cluster: its node, and the commands that run on it."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from moto.core.utils import utcnow

from local_stack.aws.emr import configurations, credentials, logs
from local_stack.aws.emr.model import CancellationOption, Cluster, Failure, Step
from local_stack.aws.emr.node import Credentials, Node
from local_stack.aws.emr.process import GuardedProcess
from local_stack.aws.iam.check import AccessDeniedError
from local_stack.spark.runtime import SparkRuntime

COMMAND_RUNNER = "command-runner.jar"
SCRIPT_RUNNER = "script-runner.jar"
BOOTSTRAP_SECONDS = 3600.0
"""A bootstrap action that takes longer fails, as on AWS."""


class BootstrapError(RuntimeError):
    """A bootstrap action failed; the message is EMR's."""


class CommandError(ValueError):
    """A step or bootstrap action whose command cannot be had; the message says why."""


class Machine:
    """The primary node of one cluster and the processes on it. Methods may be called by several threads."""

    def __init__(self, node: Node, runtime: SparkRuntime, cluster: Cluster) -> None:
        """Take on the cluster's roles.

        Raises:
            AccessDeniedError: one of them does not exist, or may not be used so.
        """
        self._node = node
        self._runtime = runtime
        self._cluster = cluster
        self._configuration = configurations.read(cluster.configurations)
        self._credentials = credentials.of_machines(
            cluster.arn, cluster.service_role, cluster.job_flow_role, cluster.primary_instance_id
        )
        self._processes: dict[str, GuardedProcess] = {}
        self._is_ended = False
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Make the node."""
        self._node.prepare(self._runtime, self._configuration)

    def bootstrap(self) -> None:
        """Run the bootstrap actions, one after the other.

        Raises:
            BootstrapError: one of them failed.
        """
        instance = self._cluster.primary_instance_id
        for number, action in enumerate(self._cluster.bootstrap_actions, start=1):
            folder = self._node.folder / "bootstrap-actions" / str(number)
            name = f"bootstrap action {number}"
            try:
                command = [*self._fetched(action.script_path or "", folder), *action.args]
            except CommandError as error:
                raise _bootstrap_failure(instance, f"{name} could not be fetched: {error}") from error
            result = self._run(f"bootstrap-{number}", command, folder, BOOTSTRAP_SECONDS, self._credentials)
            self._keep_logs(folder, f"node/{instance}/bootstrap-actions/{number}", result)
            if result.exit_code != 0:
                raise _bootstrap_failure(instance, f"{name} returned a non-zero return code")

    def run_step(self, step: Step) -> tuple[logs.Result, Failure]:
        """Run a step to its end and keep its logs: how it ended, and why it failed if it did."""
        folder = self._node.folder / "steps" / step.id
        folder.mkdir(parents=True)
        try:
            command = self._step_command(step, folder)
            keys = self._step_credentials(step)
        except (CommandError, AccessDeniedError) as error:
            (folder / "stdout").touch()
            (folder / "stderr").write_text(f"{error}\n")
            now = utcnow()
            result = logs.Result((step.jar, *step.args), folder, 0, 1, now, now)
        else:
            result = self._run(step.id, command, folder, None, keys)
        log_folder = self._keep_logs(folder, f"steps/{step.id}", result)
        return result, logs.explain(folder, log_folder)

    def cancel(self, step_id: str, option: CancellationOption) -> bool:
        """Ask or force a step to end; False if it has no process yet."""
        with self._lock:
            process = self._processes.get(step_id)
        if process is None:
            return False
        process.order(option)
        return True

    def end(self) -> None:
        """End every process, and any that is started from now on."""
        with self._lock:
            self._is_ended = True
            for process in self._processes.values():
                process.end()

    def remove(self) -> None:
        """Remove the node."""
        self._node.remove()

    def _run(
        self, name: str, command: list[str], folder: Path, limit_seconds: float | None, keys: Credentials
    ) -> logs.Result:
        """Run a command in an empty folder below ``folder``, which gets its logs."""
        working_folder = folder / "work"
        working_folder.mkdir(parents=True)
        started = utcnow()
        with self._lock:
            process = GuardedProcess(
                command,
                folder=working_folder,
                environment=self._node.environment(self._runtime, self._configuration, keys),
                stdout=folder / "stdout",
                stderr=folder / "stderr",
            )
            self._processes[name] = process
            if self._is_ended:
                process.end()
        try:
            exit_code = process.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            process.order(CancellationOption.TERMINATE_PROCESS)
            exit_code = process.wait()
        with self._lock:
            del self._processes[name]
        return logs.Result(tuple(command), working_folder, process.pid, exit_code, started, utcnow())

    def _step_credentials(self, step: Step) -> Credentials:
        """The machines' keys, or those of the role that the step was given."""
        if not step.execution_role_arn:
            return self._credentials
        cluster = self._cluster
        return credentials.of_step(cluster.arn, cluster.job_flow_role, step.execution_role_arn, cluster.id)

    def _keep_logs(self, folder: Path, relative: str, result: logs.Result) -> str:
        (folder / "controller").write_text(logs.controller_log(result))
        if not self._cluster.log_uri:
            return ""
        return logs.upload(self._s3(), folder, self._cluster.log_uri, f"{self._cluster.id}/{relative}")

    def _s3(self) -> Any:
        return boto3.Session(
            self._credentials.access_key_id,
            self._credentials.secret_access_key,
            self._credentials.session_token,
            region_name=self._node.region,
        ).client("s3", endpoint_url=self._node.endpoint)

    def _step_command(self, step: Step, folder: Path) -> list[str]:
        """The command of a step's HadoopJarStep."""
        arguments = self._node.translated([str(argument) for argument in step.args])
        if step.jar.endswith(COMMAND_RUNNER):
            if not arguments:
                raise CommandError(f"{COMMAND_RUNNER} needs a command in Args.")
            return arguments
        if step.jar.endswith(SCRIPT_RUNNER):
            if not arguments:
                raise CommandError(f"{SCRIPT_RUNNER} needs a script in Args.")
            return [*self._fetched(arguments[0], folder), *arguments[1:]]
        raise CommandError(f"{step.jar}: only {COMMAND_RUNNER} and {SCRIPT_RUNNER} are emulated.")

    def _fetched(self, path: str, folder: Path) -> list[str]:
        """A script, fetched from S3 if it lies there, as a command."""
        folder.mkdir(parents=True, exist_ok=True)
        if not path.startswith(("s3://", "s3n://", "s3a://")):
            return ["bash", path.removeprefix("file://")]
        bucket, _, key = path.split("://", 1)[1].partition("/")
        script = folder / Path(key).name
        try:
            self._s3().download_file(bucket, key, str(script))
        except (ClientError, BotoCoreError) as error:
            raise CommandError(f"{path}: {error}") from error
        script.chmod(0o755)
        has_interpreter = script.read_bytes().startswith(b"#!")
        return [str(script)] if has_interpreter else ["bash", str(script)]


def _bootstrap_failure(instance: str, what: str) -> BootstrapError:
    return BootstrapError(f"On the master instance ({instance}), {what}")
