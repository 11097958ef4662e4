"""EMR's API: what moto lacks or accepts without meaning it.

Requests change clusters under ``STATE`` and return; the runner does what follows.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from moto.core.responses import ActionResult, EmptyResult, PaginatedResult
from moto.emr import models, responses
from moto.emr.exceptions import InvalidRequestException, ValidationException

from local_stack.aws.emr import validation
from local_stack.aws.emr.model import (
    ENDING,
    STATE,
    CancellationOption,
    Cluster,
    Clusters,
    Node,
    Step,
    StepState,
)

DEFAULT_IDLE_SECONDS = 3600
"""AWS's, for a policy without IdleTimeout."""


def install() -> None:
    """Put our clusters, steps and operations in the place of moto's."""
    models.Cluster = Cluster
    models.Step = Step
    _install_backend(models.ElasticMapReduceBackend)
    response = responses.ElasticMapReduceResponse
    for operation in (
        add_job_flow_steps,
        cancel_steps,
        get_auto_termination_policy,
        get_managed_scaling_policy,
        list_instance_fleets,
        list_steps,
        modify_cluster,
        put_auto_termination_policy,
        put_managed_scaling_policy,
        remove_auto_termination_policy,
        remove_managed_scaling_policy,
    ):
        setattr(response, operation.__name__, _exclusive(operation))
    response.set_termination_protection = _exclusive(response.set_termination_protection)
    response.terminate_job_flows = _exclusive(_terminate_job_flows(response.terminate_job_flows))
    response.run_job_flow = _run_job_flow(response.run_job_flow)


def _install_backend(backend: type[models.ElasticMapReduceBackend]) -> None:
    construct = backend.__init__

    def construct_with_clusters(self: Any, *arguments: Any, **details: Any) -> None:
        construct(self, *arguments, **details)
        self.clusters = Clusters()

    def describe_step(self: Any, cluster_id: str, step_id: str) -> Step:
        return _step(self.clusters[cluster_id], step_id)

    def list_clusters(self: Any, *arguments: Any, **details: Any) -> list[Cluster]:
        found = list_by_id(self, *arguments, **details)
        return sorted(found, key=lambda cluster: cluster.creation_datetime, reverse=True)

    list_by_id = backend.list_clusters
    backend.__init__ = construct_with_clusters
    backend.describe_step = describe_step
    backend.list_clusters = list_clusters
    backend.run_instances = _add_nodes


def _add_nodes(
    self: Any, cluster_id: str, instances: dict[str, Any], instance_group: models.InstanceGroup
) -> None:
    """Nodes for ListInstances. moto would start EC2 instances, three seconds for the first."""
    for _ in range(instance_group.num_instances):
        node = Node(
            ec2_instance_id=f"i-{secrets.token_hex(8)}"[:19],
            instance_group=instance_group,
            instance_type=instance_group.instance_type,
            market=instance_group.market,
        )
        self.clusters[cluster_id].ec2_instances.append(node)


def _exclusive(operation: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The operation alone with the clusters; the runner looks afterwards."""

    def exclusive(response: Any) -> Any:
        with STATE:
            try:
                return operation(response)
            finally:
                STATE.notify_all()

    return exclusive


def _run_job_flow(run: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def run_job_flow(response: Any) -> Any:
        request = json.loads(response.body)
        validation.check_run_job_flow(request)
        with STATE:
            known = set(response.backend.clusters)
            answer = run(response)
            (cluster_id,) = set(response.backend.clusters) - known
            cluster = response.backend.clusters[cluster_id]
            # moto's parser writes the names of properties in another case.
            cluster.configurations = request.get("Configurations") or []
            policy = request.get("AutoTerminationPolicy")
            if policy:
                cluster.idle_timeout = _idle_timeout(policy)
            cluster.managed_scaling_policy = request.get("ManagedScalingPolicy")
            STATE.notify_all()
        return answer

    return run_job_flow


def _terminate_job_flows(terminate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def terminate_job_flows(response: Any) -> Any:
        validation.check_terminated_ids(json.loads(response.body)["JobFlowIds"])
        return terminate(response)

    return terminate_job_flows


def _cluster(response: Any, parameter: str = "ClusterId") -> Cluster:
    """The cluster that the request names.

    Raises:
        InvalidCluster: there is none.
    """
    cluster: Cluster = response.backend.clusters[json.loads(response.body)[parameter]]
    return cluster


def _modifiable(cluster: Cluster) -> Cluster:
    if cluster.state in ENDING:
        raise ValidationException(
            "A job flow that is shutting down, terminated, or finished may not be modified."
        )
    return cluster


def _step(cluster: Cluster, step_id: str) -> Step:
    for step in cluster.steps:
        if step.id == step_id:
            return step
    raise InvalidRequestException(f"Step id '{step_id}' is not valid.")


def add_job_flow_steps(response: Any) -> ActionResult:
    """AddJobFlowSteps."""
    request = json.loads(response.body)
    cluster = _modifiable(_cluster(response, "JobFlowId"))
    validation.check_steps(request["Steps"], cluster.step_concurrency_level)
    active = cluster.steps_in(StepState.PENDING, StepState.RUNNING)
    if len(active) + len(request["Steps"]) > validation.MAX_ACTIVE_STEPS:
        raise ValidationException(
            "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster "
            "exceeded."
        )
    steps = cluster.add_steps(response._get_param("Steps"))
    for step in steps:
        step.execution_role_arn = request.get("ExecutionRoleArn")
    return ActionResult({"StepIds": [step.id for step in steps]})


def cancel_steps(response: Any) -> ActionResult:
    """CancelSteps: pending steps at once; running ones are asked or killed, and end soon after."""
    request = json.loads(response.body)
    cluster = _modifiable(_cluster(response))
    option = CancellationOption(request.get("StepCancellationOption", CancellationOption.SEND_INTERRUPT))
    infos = []
    for step in [_step(cluster, step_id) for step_id in request["StepIds"]]:
        info = {"StepId": step.id, "Status": "SUBMITTED"}
        if step.state == StepState.PENDING:
            step.end(StepState.CANCELLED, message="Cancelled by user")
        elif step.state == StepState.RUNNING:
            step.cancellation = option
        else:
            info |= {"Status": "FAILED", "Reason": f"Cannot cancel a step in the state {step.state}."}
        infos.append(info)
    return ActionResult({"CancelStepsInfoList": infos})


def list_steps(response: Any) -> Any:
    """ListSteps, newest first."""
    request = json.loads(response.body)
    validation.check_step_ids(request.get("StepIds", []))
    cluster = _cluster(response)
    steps = cluster.steps[::-1]
    if request.get("StepIds"):
        wanted = [_step(cluster, step_id) for step_id in request["StepIds"]]
        steps = [step for step in steps if step in wanted]
    if request.get("StepStates"):
        steps = [step for step in steps if step.state in request["StepStates"]]
    return PaginatedResult({"Steps": steps})


def modify_cluster(response: Any) -> ActionResult:
    """ModifyCluster: the step concurrency."""
    request = json.loads(response.body)
    level = request.get("StepConcurrencyLevel")
    validation.check_concurrency(level)
    cluster = _modifiable(_cluster(response))
    cluster.step_concurrency_level = level
    return ActionResult({"StepConcurrencyLevel": level})


def list_instance_fleets(response: Any) -> ActionResult:
    """ListInstanceFleets: there are only clusters of instance groups."""
    _cluster(response)
    raise InvalidRequestException(
        "Instance fleets and instance groups are mutually exclusive. The EMR cluster specified in the "
        "request uses instance groups. The ListInstanceFleets request does not support clusters that use "
        "instance groups. Use the ListInstanceGroups request instead."
    )


def _idle_timeout(policy: dict[str, Any]) -> timedelta:
    seconds = policy.get("IdleTimeout", DEFAULT_IDLE_SECONDS)
    validation.check_idle_timeout(seconds)
    return timedelta(seconds=seconds)


def put_auto_termination_policy(response: Any) -> EmptyResult:
    """PutAutoTerminationPolicy."""
    cluster = _modifiable(_cluster(response))
    cluster.idle_timeout = _idle_timeout(json.loads(response.body).get("AutoTerminationPolicy") or {})
    return EmptyResult()


def get_auto_termination_policy(response: Any) -> ActionResult:
    """GetAutoTerminationPolicy: empty where there is none."""
    timeout = _cluster(response).idle_timeout
    policy = {"AutoTerminationPolicy": {"IdleTimeout": int(timeout.total_seconds())}} if timeout else {}
    return ActionResult(policy)


def remove_auto_termination_policy(response: Any) -> EmptyResult:
    """RemoveAutoTerminationPolicy."""
    _modifiable(_cluster(response)).idle_timeout = None
    return EmptyResult()


def put_managed_scaling_policy(response: Any) -> EmptyResult:
    """PutManagedScalingPolicy: kept; this machine does not grow."""
    cluster = _modifiable(_cluster(response))
    cluster.managed_scaling_policy = json.loads(response.body)["ManagedScalingPolicy"]
    return EmptyResult()


def get_managed_scaling_policy(response: Any) -> ActionResult:
    """GetManagedScalingPolicy: empty where there is none."""
    policy = _cluster(response).managed_scaling_policy
    return ActionResult({"ManagedScalingPolicy": policy} if policy else {})


def remove_managed_scaling_policy(response: Any) -> EmptyResult:
    """RemoveManagedScalingPolicy."""
    _modifiable(_cluster(response)).managed_scaling_policy = None
    return EmptyResult()
