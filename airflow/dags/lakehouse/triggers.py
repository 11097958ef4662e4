"""Triggers of the DAGs. The triggerer imports them: airflow/dags must be on its sys.path."""

from __future__ import annotations

from airflow.providers.amazon.aws.triggers.emr import EmrStepSensorTrigger

from lakehouse.steps import cancel_request


class StepTrigger(EmrStepSensorTrigger):
    """Wait for a step to end; cancel it when a user clears its task or marks it as failed or succeeded."""

    async def on_kill(self) -> None:
        """Cancel the step. Not called when the triggerer stops or restarts, which leave the step alone."""
        job_flow_id = self.serialized_fields["job_flow_id"]
        step_id = self.serialized_fields["step_id"]
        self.log.info("Cancelling step %s on cluster %s", step_id, job_flow_id)
        async with await self.hook().get_async_conn() as client:
            await client.cancel_steps(**cancel_request(job_flow_id, step_id))
