"""What the questions of sql/athena answer about ``tests.support.analyst_lake``, worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime


def june(day: int) -> date:
    """A day of June 2026."""
    return date(2026, 6, day)


def time(day: int, hour: int, minute: int = 0) -> datetime:
    """A time of June 2026, UTC."""
    return datetime(2026, 6, day, hour, minute, tzinfo=UTC)


ANSWERS: dict[str, list[tuple[object, ...]]] = {
    "sensors_most_often_faulty": [
        # 3 of the fleet's 22 events are faulty.
        (1, 75.0, 3, 4, 75 - 300 / 22),
        (5, 0.0, 0, 7, -300 / 22),
        (6, 0.0, 0, 7, -300 / 22),
        (2, 0.0, 0, 2, -300 / 22),
        (3, 0.0, 0, 1, -300 / 22),
        (4, 0.0, 0, 1, -300 / 22),
    ],
    "worst_sensors_this_week": [
        # Three of six sensors or more reported on the 4th, 5th, 8th, 9th and 10th.
        (4, 100.0, "silent", 0.0, 0.0, 100.0, 0, None),
        (3, 80.0, "silent", 0.0, 0.0, 80.0, 1, None),
        (1, 75.0, "faulty", 75.0, 25.0, 40.0, 4, "alert"),
        (2, 60.0, "silent", 0.0, 50.0, 60.0, 2, None),
        (5, 400 / 7, "unmeasured", 0.0, 400 / 7, 0.0, 7, None),
    ],
    "measured_against_weather": [
        (june(10), 2, 5.5, 8.0, 1),
        (june(9), 1, -10.0, 10.0, 0),
    ],
    "outside_weather_range": [
        (june(9), 52.5, 13.5, 6.0, 11.0, 21.0, -5.0, 0.5),
        (june(10), 52.5, 13.3, 25.0, 12.0, 22.0, 3.0, 1.5),
    ],
    "completeness_by_region": [
        # Events on eight days. Sensors 2 and 3 reported on 2 and 1 of them, sensor 1 on 3.
        ("ZONE_0_2", 4, 100.0, 8, 300 / 16),
        ("ZONE_0_0", 2, 50.0, 8, 300 / 8),
    ],
    "late_data": [
        (june(10), 6, 2, 0, 0, 200 / 6, 24.0, june(9)),
        (june(9), 3, 1, 1, 1, 100 / 3, 96.0, june(5)),
        (june(8), 3, 0, 0, 0, 0.0, 0.0, june(8)),
        *((june(day), 2, 0, 0, 0, 0.0, 0.0, june(day)) for day in (7, 6, 5)),
        (june(4), 4, 0, 0, 0, 0.0, 1 / 60, june(3)),
    ],
    "duplicates_by_day": [
        (june(10), 9, 6, 1, 2, 200 / 9),
        (june(4), 5, 4, 1, 0, 0.0),
    ],
    "quarantine_by_day": [
        (june(10), "humidity_out_of_range", 2, 1, 1, '{"humidity": 100.5}'),
        (june(10), "MALFORMED_DATA", 1, 1, 0, "bm8="),
        (june(4), "timestamp_too_old", 1, 1, 0, "{}"),
        (None, "MALFORMED_DATA", 1, 1, 0, None),
    ],
    "busiest_places": [
        # The week has 21 events; that of sensor 4 is older.
        (52.5, 13.4, 14, 2, 1400 / 21, 0.0, 11.0),
        (52.5, 13.5, 4, 1, 400 / 21, 75.0, 20.0),
        (52.5, 13.3, 3, 2, 300 / 21, 0.0, 65 / 3),
    ],
    "silent_sensors": [
        (4, time(3, 23, 59), 7, "maintenance", 1),
        (3, time(5, 8), 5, "active", 1),
    ],
    "quality_of_newest_run": [
        ("clickstream_events", "reconcile_undelivered", 2.0, 0.0, "fail", time(10, 3, 10)),
        ("weather_daily", "Completeness Rate", 99.5, 95.0, "pass", time(10, 3)),
        ("weather_daily", "Total Rows", 600.0, None, "none", time(10, 3)),
    ],
}

OF_THE_TABLES = {"freshness_of_tables", "cost_of_reading_tables"}
"""Questions about snapshots and files: what they answer depends on when and by whom tables are written."""
