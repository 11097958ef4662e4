"""Moves clusters through their states: one thread decides, others wait for processes."""

from __future__ import annotations

import logging
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from moto.core.utils import utcnow
from moto.emr.models import emr_backends

from local_stack.aws.context import ServerContext
from local_stack.aws.emr.machine import BootstrapError, Machine
from local_stack.aws.emr.model import (
    ENDED,
    ENDING,
    READY,
    STATE,
    Cluster,
    ClusterState,
    Reason,
    Step,
    StepState,
)
from local_stack.aws.emr.node import Node
from local_stack.aws.iam.check import AccessDeniedError
from local_stack.spark.install import ensure_runtime

log = logging.getLogger(__name__)

MACHINE_SLOTS = 2
"""Steps that run at once on this machine, all clusters together, whatever their step concurrency."""

_TICK_SECONDS = 1.0
_STOP_SECONDS = 20.0


class ClusterRunner:
    """The worker of the emulated EMR."""

    def __init__(self, context: ServerContext, clock: Callable[[], datetime] = utcnow) -> None:
        """``clock`` gives the time, UTC without zone, by which idleness is measured."""
        self._context = context
        self._clock = clock
        self._folder = context.state_dir / "emr"
        self._machines: dict[str, Machine] = {}
        self._threads: Counter[str] = Counter()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="emr", daemon=True)

    def start(self) -> None:
        """Begin. Clusters of an earlier process are over: their machines went with it."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with STATE:
            for _region, cluster in _clusters():
                if cluster.state not in ENDED:
                    cluster.abandon()
        self._thread.start()

    def stop(self) -> None:
        """Terminate every cluster: running steps are asked to end, and killed seconds later."""
        with STATE:
            self._stopping = True
            for _region, cluster in _clusters():
                cluster.begin_termination(Reason("USER_REQUEST", "The emulated AWS was stopped"))
            STATE.notify_all()
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            log.warning("Steps were still ending after %.0f s", _STOP_SECONDS)

    def _run(self) -> None:
        with STATE:
            while not self._is_done():
                for region, cluster in _clusters():
                    self._advance(region, cluster)
                if not self._is_done():
                    STATE.wait(_TICK_SECONDS)

    def _is_done(self) -> bool:
        return self._stopping and all(cluster.state in ENDED for _, cluster in _clusters())

    def _advance(self, region: str, cluster: Cluster) -> None:
        if cluster.state == ClusterState.STARTING and cluster.id not in self._threads:
            self._in_thread(cluster, partial(self._start, region, cluster))
        elif cluster.state in READY:
            machine = self._machines[cluster.id]
            _cancel_steps(cluster, machine)
            self._start_steps(cluster, machine)
            cluster.settle(self._clock())
            if cluster.is_idle_too_long(self._clock()):
                cluster.begin_termination(Reason("ALL_STEPS_COMPLETED", "Auto-terminated: idle for too long"))
        if cluster.state == ClusterState.TERMINATING:
            self._terminate(cluster)

    def _start(self, region: str, cluster: Cluster) -> None:
        node = Node(self._folder / cluster.id, self._context.endpoint, region)
        try:
            machine = Machine(node, ensure_runtime(), cluster)
        except AccessDeniedError as error:
            with STATE:
                cluster.begin_termination(Reason("VALIDATION_ERROR", str(error)))
            return
        with STATE:
            self._machines[cluster.id] = machine
            if cluster.state in ENDING:
                return
            cluster.state = ClusterState.BOOTSTRAPPING
        try:
            machine.prepare()
            machine.bootstrap()
        except BootstrapError as error:
            with STATE:
                cluster.begin_termination(Reason("BOOTSTRAP_FAILURE", str(error)))
            return
        with STATE:
            if cluster.state not in ENDING:
                cluster.become_ready(self._clock())

    def _start_steps(self, cluster: Cluster, machine: Machine) -> None:
        on_cluster = len(cluster.steps_in(StepState.RUNNING))
        on_machine = sum(len(other.steps_in(StepState.RUNNING)) for _, other in _clusters())
        free = max(0, min(cluster.step_concurrency_level - on_cluster, MACHINE_SLOTS - on_machine))
        for step in cluster.steps_in(StepState.PENDING)[:free]:
            step.begin()
            self._in_thread(cluster, partial(_run_step, cluster, machine, step))

    def _terminate(self, cluster: Cluster) -> None:
        machine = self._machines.get(cluster.id)
        if machine:
            machine.end()
            if self._threads[cluster.id]:
                return
            machine.remove()
            del self._machines[cluster.id]
        cluster.end()

    def _in_thread(self, cluster: Cluster, work: Callable[[], None]) -> None:
        """Do ``work`` in a thread of its own; the cluster does not end before it has."""
        self._threads[cluster.id] += 1

        def run() -> None:
            try:
                work()
            except Exception as error:
                log.exception("Cluster %s", cluster.id)
                with STATE:
                    cluster.begin_termination(Reason("INTERNAL_ERROR", str(error)))
            finally:
                with STATE:
                    self._threads[cluster.id] -= 1
                    STATE.notify_all()

        threading.Thread(target=run, name=f"emr-{cluster.id}", daemon=True).start()


def _clusters() -> Iterator[tuple[str, Cluster]]:
    """Every cluster with its region. Requests may add accounts meanwhile, hence the copies."""
    for backends in list(emr_backends.values()):
        for region, backend in list(backends.items()):
            for cluster in list(backend.clusters.values()):
                yield region, cluster


def _cancel_steps(cluster: Cluster, machine: Machine) -> None:
    for step in cluster.steps_in(StepState.RUNNING):
        order = step.cancellation
        if order and order != step.cancellation_sent and machine.cancel(step.id, order):
            step.cancellation_sent = order


def _run_step(cluster: Cluster, machine: Machine, step: Step) -> None:
    result, failure = machine.run_step(step)
    with STATE:
        if step.cancellation:
            step.end(StepState.CANCELLED, at=result.ended, message="Cancelled by user")
        elif result.exit_code == 0:
            step.end(StepState.COMPLETED, at=result.ended)
        elif cluster.state in ENDING:
            step.end(StepState.CANCELLED, at=result.ended, message="Job terminated")
        else:
            step.end(StepState.FAILED, at=result.ended, failure=failure)
            cluster.step_failed(step)
