"""By hand: take back what was published to a table, to one of its earlier snapshots.

Of the table of events, the files that the commits had taken in are owed again: the next ingest reads them
anew. Its quarantine follows: entries that the commits had superseded or replayed are open again. KPI tables
follow with their next run; one that was rolled back itself is then computed anew.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from config.tables import QUARANTINE, SILVER, TABLES
from emr_jobs.edge.arguments import name_argument, warehouse_argument
from emr_jobs.edge.command import run_command
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.event_tables import EventTables
from emr_jobs.lake.rollback import roll_back, roll_back_events
from emr_jobs.lake.silver import Delivery, SilverLake
from emr_jobs.lake.tables import Snapshot, qualified_name


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="spark-submit roll_back.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='What a table was published as, in Athena: SELECT * FROM "analytics"."TABLE$history"',
    )
    parser.add_argument("database", metavar="ICEBERG_DB", type=name_argument, help="database of the table")
    iceberg = [name for name, spec in TABLES.items() if spec.format == "iceberg"]
    parser.add_argument("table", metavar="ICEBERG_TABLE", choices=iceberg, help="one of the lake's tables")
    parser.add_argument(
        "warehouse", metavar="ICEBERG_WAREHOUSE", type=warehouse_argument, help="root folder of the tables"
    )
    parser.add_argument("--to-snapshot", type=int, required=True, help="id of the snapshot to go back to")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Roll back, say what is published as one JSON line on stdout, and return the exit status."""
    options = build_parser().parse_args(argv)
    return run_command(
        "roll_back",
        options.warehouse,
        lambda spark: restore(spark, options.database, options.table, options.to_snapshot),
        lambda published: {"table": options.table, "snapshot": published.id, "rows": published.rows},
    )


def restore(spark: SparkSession, database: str, table: str, to_snapshot: int) -> Snapshot:
    """Roll a table back; the table of events together with its quarantine.

    Raises:
        LakeError: there is no such table, or it cannot be rolled back to there; the message says why.
    """
    if table == QUARANTINE.name:
        raise LakeError(f"{table} follows {SILVER.name}: roll that back")
    if table == SILVER.name:
        tables = EventTables.existing(spark, database, table)
        return roll_back_events(SilverLake(spark, Delivery(""), tables, datetime.now(UTC)), to_snapshot)
    name = qualified_name(database, table)
    if not spark.catalog.tableExists(name):
        raise LakeError(f"There is no table {name}")
    return roll_back(spark, name, TABLES[table], to_snapshot)


if __name__ == "__main__":
    sys.exit(main())
