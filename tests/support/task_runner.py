"""Executes single tasks of a DAG as Airflow's worker and triggerer would, without their database.

For what an operator does, not for the chain: that goes through the real scheduler.
"""

from __future__ import annotations

import asyncio
import contextvars
import copy
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.bases.operator import BaseOperator, ExecutorSafeguard
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.execution_time.context import set_current_context


@dataclass
class TaskRunner:
    """One run of a DAG: its parameters, what its tasks pushed to XCom, the states that Airflow knows.

    ``live_runs`` are the DAG and run ids of the runs that Airflow has queued or running.
    """

    dag: DAG
    run_id: str = "manual__2026-11-22T03:00:00+00:00"
    params: dict[str, Any] = field(default_factory=dict)
    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    live_runs: set[tuple[str, str]] = field(default_factory=set)

    def xcom_pull(self, task_ids: str, key: str = "return_value", **_: Any) -> Any:
        """What a task pushed; None if it did not."""
        return self.xcoms.get((task_ids, key))

    def context(self, task: BaseOperator) -> dict[str, Any]:
        """The parts of Airflow's context that tasks here use."""

        def xcom_push(key: str, value: Any) -> None:
            self.xcoms[task.task_id, key] = value

        def get_task_states(dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, Any]:
            found = {task_id: self.states[task_id] for task_id in task_ids if task_id in self.states}
            return dict.fromkeys(run_ids, found)

        def get_dr_count(dag_id: str, run_ids: list[str] | None, states: list[str]) -> int:
            assert states == ["queued", "running"]
            return sum(dag == dag_id and (not run_ids or run in run_ids) for dag, run in self.live_runs)

        ti = SimpleNamespace(
            task_id=task.task_id,
            map_index=-1,
            get_dr_count=get_dr_count,
            xcom_pull=self.xcom_pull,
            xcom_push=xcom_push,
            get_task_states=get_task_states,
        )
        params = {**self.dag.params.dump(), **self.params}
        return {"ti": ti, "task": task, "dag": self.dag, "run_id": self.run_id, "params": params}

    def rendered(self, task_id: str) -> BaseOperator:
        """A copy of a task with its template fields rendered."""
        task = copy.deepcopy(self.dag.get_task(task_id))
        with set_current_context(self.context(task)) as context:
            task.render_template_fields(context)
        return task

    def start(self, task_id: str) -> TaskDeferred | None:
        """Execute a task up to its end (None) or until it defers itself."""
        try:
            self._call(self.rendered(task_id), "execute", {})
        except TaskDeferred as deferred:
            return deferred
        return None

    def finish(self, task_id: str, deferred: TaskDeferred | None) -> None:
        """Run the trigger of a deferred task to its event, and the task to its end."""
        while deferred is not None:
            event = asyncio.run(_first_event(deferred.trigger))
            try:
                arguments = {**(deferred.kwargs or {}), "event": event}
                self._call(self.rendered(task_id), deferred.method_name, arguments)
            except TaskDeferred as again:
                deferred = again
            else:
                return

    def run(self, *task_ids: str) -> None:
        """Execute tasks to their end, one after the other."""
        for task_id in task_ids:
            self.finish(task_id, self.start(task_id))

    def _call(self, task: BaseOperator, method: str, arguments: dict[str, Any]) -> None:
        def call() -> Any:
            ExecutorSafeguard.tracker.set(task)
            with set_current_context(self.context(task)) as context:
                return getattr(task, method)(context, **arguments)

        result = contextvars.copy_context().run(call)
        self.xcoms[task.task_id, "return_value"] = result
        if getattr(task, "multiple_outputs", False):
            self.xcoms.update({(task.task_id, key): value for key, value in result.items()})


async def _first_event(trigger: Any) -> dict[str, Any]:
    async for event in trigger.run():
        payload: dict[str, Any] = event.payload
        return payload
    raise AssertionError("The trigger ended without an event")
