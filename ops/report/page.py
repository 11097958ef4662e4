"""The facts of a run as one HTML page that needs nothing else: no scripts, fonts or pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from config.grid import GRID
from config.reconciliation import Account
from config.weather import ATTRIBUTION
from lakehouse.cluster_runs import ClusterRun
from ops.report import figures
from ops.report.facts import Facts, Rows

WORST_SENSORS = 8

_PREFIX = "reconcile_"
_COUNTS = {field.name for field in fields(Account)} - {"kpis"}


@dataclass(frozen=True)
class Tile:
    """A figure of the page's head; ``tone`` is good, bad or plain."""

    label: str
    value: str
    note: str = ""
    tone: str = "plain"


@dataclass(frozen=True)
class Line:
    """A line of the reconciliation: what, how many, and whether the equation that it completes holds."""

    label: str
    count: int
    holds: bool | None = None


def render(facts: Facts) -> str:
    """The page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(time=_time, ago=_ago, size=_size)
    return environment.get_template("page.html.j2").render(
        facts=facts,
        run=facts.run,
        tiles=_tiles(facts),
        figures={name: Markup(svg) for name, svg in _figures(facts).items()},  # noqa: S704 - made by figures.py
        account=_account(facts.answers["reconciled"]),
        checks=_checks(facts.answers["reconciled"]),
        metrics=[row for row in facts.answers["quality_of_newest_run"] if not _is_reconciled(row)],
        attribution=ATTRIBUTION,
        outside=_off_grid(facts.answers["sensors"]),
    )


def _time(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else ""


def _ago(hours: float) -> str:
    """How long ago, in the unit that people would use."""
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days"


def _size(count: float) -> str:
    """A number of bytes, in the unit that people would use."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def _is_reconciled(row: Mapping[str, Any]) -> bool:
    return str(row["metric"]).startswith(_PREFIX)


def _tiles(facts: Facts) -> list[Tile]:
    answers = facts.answers
    [totals] = answers["totals"] or [{"events": None, "faulty": 0, "sensors": 0}]
    tiles = []
    failed = [row for row in answers["reconciled"] if row["verdict"] == "fail"]
    if answers["reconciled"]:
        words = f"{len(failed)} differ" if failed else "agrees"
        note, tone = ("see below", "bad") if failed else ("every record accounted for", "good")
        tiles.append(Tile("Reconciliation", words, note, tone))
    if totals["events"]:
        share = 100 * totals["faulty"] / totals["events"]
        tiles += [
            Tile("Events", f"{totals['events']:,}", f"of {totals['sensors']:,} sensors"),
            Tile("Faulty events", f"{share:.1f} %", f"{totals['faulty']:,} events"),
        ]
    account = {row["metric"].removeprefix(_PREFIX): row["value"] for row in answers["reconciled"]}
    if account:
        tiles += [
            Tile("Quarantine", f"{account.get('quarantined', 0):,.0f}", "open entries"),
            Tile("Duplicates", f"{account.get('duplicates', 0):,.0f}", "further copies, not counted"),
        ]
    if answers["weather"]:
        complete = sum(row["complete"] for row in answers["weather"]) / len(answers["weather"])
        note, tone = f"{len(answers['weather']):,} days", "good" if complete >= 95 else "bad"
        tiles.append(Tile("Weather complete", f"{complete:.1f} %", note, tone))
    return tiles


def _figures(facts: Facts) -> dict[str, str]:
    """The charts that there are data for, by name."""
    answers, found = facts.answers, {}
    on_grid = [row for row in answers["sensors"] if 0 <= row["sensor_id"] < GRID.size]
    if on_grid:
        found["map"] = figures.place_map(
            [_place(row) for row in on_grid], "Faulty events per sensor, percent"
        )
    worst = sorted(answers["sensors"], key=lambda row: (-row["faulty_pct"], row["sensor_id"]))[:WORST_SENSORS]
    if worst:
        found["worst"] = figures.bars(
            [_worst(row) for row in worst], "Sensors with most faulty events, percent"
        )
    if answers["events"]:
        found["events"] = figures.stacked_days(*_by_day(answers["events"]), "Events per day and type")
    if answers["statuses"]:
        found["statuses"] = figures.bars(
            [
                figures.Bar(row["status"], row["sensor_count"], f"{row['sensor_count']:,} sensors")
                for row in answers["statuses"]
            ],
            "Distinct sensors that reported each status",
        )
    if answers["weather"]:
        days = [
            figures.Climate(row["dt"], row["lowest"], row["mean"], row["highest"])
            for row in answers["weather"]
        ]
        measured = {row["day"]: row["mean"] for row in answers["measured"]}
        found["climate"] = figures.climate(days, measured, "Temperature over the grid, °C")
        found["rain"] = figures.bars(_rain(answers["weather"]), "Precipitation per month, mm")
    if answers["quarantine_by_day"]:
        found["quarantine"] = figures.bars(_reasons(answers["quarantine_by_day"]), "Quarantine by reason")
    if facts.run and any(step.started for step in facts.run.cluster.steps):
        found["timings"] = figures.spans(_spans(facts.run.cluster, facts.made_at), "Seconds per step")
    return found


def _place(row: Mapping[str, Any]) -> figures.Place:
    latitude, longitude = GRID.place(row["sensor_id"])
    title = f"Sensor {row['sensor_id']}: {row['faulty_pct']:.2f} % of {row['total_count']:,} events faulty"
    return figures.Place(latitude, longitude, row["faulty_pct"], title)


def _worst(row: Mapping[str, Any]) -> figures.Bar:
    shown = f"{row['faulty_pct']:.1f} % of {row['total_count']:,}"
    return figures.Bar(f"Sensor {row['sensor_id']}", row["faulty_pct"], shown, figures.RED)


def _off_grid(sensors: Rows) -> int:
    return sum(not 0 <= row["sensor_id"] < GRID.size for row in sensors)


def _by_day(rows: Rows) -> tuple[list[date], dict[str, dict[date, float]]]:
    series: dict[str, dict[date, float]] = {}
    for row in rows:
        series.setdefault(row["event_type"], {})[row["day"]] = row["event_count"]
    first, last = rows[0]["day"], rows[-1]["day"]
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    ordered = dict(sorted(series.items(), key=lambda item: -sum(item[1].values())))
    return days, ordered


def _rain(weather: Rows) -> list[figures.Bar]:
    months: dict[str, float] = {}
    for row in weather:
        month = f"{row['dt']:%Y-%m}"
        months[month] = months.get(month, 0) + (row["precipitation"] or 0)
    return [figures.Bar(month, sum_, f"{sum_:.0f} mm") for month, sum_ in list(months.items())[-6:]]


def _reasons(rows: Rows) -> list[figures.Bar]:
    entries: dict[str, int] = {}
    for row in rows:
        entries[row["reason"]] = entries.get(row["reason"], 0) + row["entries"]
    ordered = sorted(entries.items(), key=lambda item: (-item[1], item[0]))
    return [figures.Bar(reason, count, f"{count:,}", figures.AMBER) for reason, count in ordered]


def _spans(cluster: ClusterRun, now: datetime) -> list[tuple[str, float, float, bool]]:
    def seconds(moment: datetime) -> float:
        return (moment - cluster.created).total_seconds()

    starts = [("cluster starts", 0.0, seconds(cluster.ready), True)] if cluster.ready else []
    ran = [
        (step.job, seconds(step.started), seconds(step.ended or now), step.state in ("COMPLETED", "RUNNING"))
        for step in cluster.steps
        if step.started
    ]
    return [*starts, *sorted(ran, key=lambda span: span[1])]


def _account(reconciled: Rows) -> list[Line]:
    """The account of the last reconciliation, in the words of config/reconciliation.py."""
    counts = {row["metric"].removeprefix(_PREFIX): int(row["value"]) for row in reconciled}
    if not counts:
        return []
    known: dict[str, Any] = {name: count for name, count in counts.items() if name in _COUNTS}
    account = Account(**known)
    return [
        Line(label, count, None if check is None else not counts.get(check.name, check.difference))
        for label, count, check in account.lines
    ]


def _checks(reconciled: Rows) -> list[tuple[str, int]]:
    """The KPI tables that were compared with the events that they reflect, and by how many they differ."""
    prefix = f"{_PREFIX}miscounted_"
    return [
        (row["metric"].removeprefix(prefix), int(row["value"]))
        for row in sorted(reconciled, key=lambda row: row["metric"])
        if row["metric"].startswith(prefix)
    ]
