"""By hand: take back what was published to a table, to one of its earlier snapshots.

A KPI table that was rolled back is computed anew by its next run on the table of events.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pyspark.sql import SparkSession

from config.tables import TABLES
from emr_jobs.edge.arguments import name_argument, warehouse_argument
from emr_jobs.edge.command import run_command
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.rollback import roll_back
from emr_jobs.lake.tables import Snapshot, load_table, qualified_name

LEDGER_PROPERTY = "lakehouse.ledger"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="spark-submit roll_back.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='Snapshots of a table, in Athena: SELECT * FROM "analytics"."TABLE$snapshots"',
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
    """Roll a table back, but not one that keeps a ledger of what it has taken in.

    Raises:
        LakeError: there is no such table, or it cannot be rolled back to there; the message says why.
    """
    name = qualified_name(database, table)
    if not spark.catalog.tableExists(name):
        raise LakeError(f"There is no table {name}")

    if LEDGER_PROPERTY in load_table(spark, name).properties():
        raise LakeError(
            f"{name} keeps a ledger of the files that it has taken in: with its rows alone taken back, "
            "these files would be lost"
        )
    return roll_back(spark, name, TABLES[table], to_snapshot)


if __name__ == "__main__":
    sys.exit(main())
