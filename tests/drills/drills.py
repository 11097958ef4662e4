"""The drills by name, in their order. Each begins on a stack in order, breaks one thing and sees it mended.

Whoever runs it then asks: is every event accounted for, none twice, no cluster left?
"""

from __future__ import annotations

from collections.abc import Callable

from tests.drills import driver_drills, run_drills, stream_drills
from tests.drills.stack import DrillStack

Drill = Callable[[DrillStack], float]
"""Returns the seconds from the end of the trouble to the end of what it troubled."""

DRILLS: dict[str, Drill] = {
    "leaked_cluster": run_drills.leaked_cluster,
    "marked_failed": run_drills.marked_failed,
    "firehose": stream_drills.firehose,
    "kinesis_throttling": stream_drills.kinesis_throttling,
    "emulated_aws": run_drills.emulated_aws,
    "scheduler": run_drills.airflow_process("scheduler"),
    "dag_processor": run_drills.airflow_process("dag-processor"),
    "triggerer": run_drills.airflow_process("triggerer"),
    "spark_driver": driver_drills.spark_driver,
    "spark_driver_late": driver_drills.spark_driver_late,
    "clock_jump": driver_drills.clock_jump,
    "glue_conflict": run_drills.glue_conflict,
    "s3_unavailable": run_drills.s3_unavailable,
    "full_disk": run_drills.full_disk,
    "weather_storm": run_drills.weather_storm,
    "producer": stream_drills.producer,
    "firehose_worker": stream_drills.firehose_worker,
}

WITHOUT_EVENTS = frozenset({"leaked_cluster", "marked_failed"})
"""Those that send none and bring no job to its end."""
