"""What silver and quarantine must hold, computed by DuckDB from the bronze files alone.

It shares no code with ingest, and follows the contract: of each content under an identity its smallest
position stands for it; the smallest of all is the event, the others are conflicts, all else repeats.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Template

import duckdb

from tests.support.event_truth import VALID

COPIES = """
    CREATE TABLE copy AS
    WITH rows AS (
        SELECT *, coalesce($VALID, false) AS is_valid,
            to_json({
                'a': sensor_id, 'b': temperature::VARCHAR, 'c': humidity::VARCHAR, 'd': location::VARCHAR,
                'e': status, 'f': event_type
            })::VARCHAR AS content
        FROM read_parquet(
            '$FOLDER/**/*.parquet', filename = true, file_row_number = true,
            hive_partitioning = true, hive_types = {'dt': VARCHAR, 'hour': VARCHAR})
    )
    SELECT *,
        row_number() OVER (PARTITION BY uuid, "timestamp" ORDER BY filename, file_row_number)
            AS of_identity,
        row_number() OVER (PARTITION BY uuid, "timestamp", content ORDER BY filename, file_row_number)
            AS of_content
    FROM rows WHERE is_valid
"""


@dataclass(frozen=True)
class LakeTruth:
    """Positions (file, row) of events and conflicts, number of rejects, duplicates by arrival day."""

    events: set[tuple[str, int]]
    conflicts: set[tuple[str, int]]
    rejected: int
    duplicates: dict[str, int]


def lake_truth(bronze_folder: Path) -> LakeTruth:
    """The truth about the Parquet files below ``bronze_folder`` (dt=/hour=)."""
    database = duckdb.connect()
    database.execute(Template(COPIES).substitute(VALID=VALID, FOLDER=bronze_folder))

    def positions(condition: str) -> set[tuple[str, int]]:
        found = database.execute(f"SELECT filename, file_row_number FROM copy WHERE {condition}").fetchall()
        return {(f"file:{file}", row) for file, row in found}

    days = database.execute(
        "SELECT dt, count(*) FROM copy WHERE of_identity > 1 AND of_content > 1 GROUP BY dt"
    ).fetchall()
    (rows,) = database.execute(
        f"SELECT count(*) FROM read_parquet('{bronze_folder}/**/*.parquet')"
    ).fetchone()  # type: ignore[misc]
    (valid,) = database.execute("SELECT count(*) FROM copy").fetchone()  # type: ignore[misc]
    return LakeTruth(
        events=positions("of_identity = 1"),
        conflicts=positions("of_identity > 1 AND of_content = 1"),
        rejected=rows - valid,
        duplicates=dict(days),
    )
