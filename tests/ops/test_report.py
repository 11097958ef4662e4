"""The report of a run: the figures, and the page as a browser shows it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import boto3
import pytest

from config import names
from config.project_config import Settings
from config.run_tables import CLUSTER, RUN_METRICS
from lakehouse.cluster_runs import ClusterRun, StepRun
from ops.report import __main__ as command
from ops.report import figures, page
from ops.report.facts import Facts, Run, find_run, gather
from tests.support.analyst_lake import fill
from tests.support.athena import Athena
from tests.support.emulated_aws import EmulatedAws

BEGUN = datetime(2026, 6, 10, 3, tzinfo=UTC)


def after(seconds: float) -> datetime:
    """So long after the run began."""
    return BEGUN + timedelta(seconds=seconds)


RUN = Run(
    "manual__2026-06-10T03:00:00+00:00",
    ClusterRun(
        id="j-1",
        state="TERMINATED",
        created=BEGUN,
        ready=after(20),
        ended=after(90),
        core_nodes=2,
        steps=(
            StepRun("reconcile", "PENDING", None, None),
            StepRun("kpi_event_geo", "FAILED", after(60), after(85)),
            StepRun("ingest_events", "COMPLETED", after(20), after(60)),
        ),
    ),
)
PHONE, DESK = 390, 1200


def settings_of(lakehouse: Athena) -> Settings:
    bucket = lakehouse.bucket
    return Settings(bucket, bucket, bucket, bucket, glue_database=lakehouse.database)


def session_of(lakehouse: Athena, patch: pytest.MonkeyPatch) -> boto3.session.Session:
    patch.setenv("AWS_ENDPOINT_URL", lakehouse.account.aws.endpoint)
    return lakehouse.account.session()


@pytest.fixture
def facts(lakehouse: Athena, monkeypatch: pytest.MonkeyPatch) -> Facts:
    """Of the small lakehouse, with a run that failed."""
    return replace(gather(session_of(lakehouse, monkeypatch), settings_of(lakehouse)), run=RUN)


# ---- the figures


@pytest.mark.parametrize(
    "svg",
    [
        figures.bars([figures.Bar("a <b> & c", 3, "3"), figures.Bar("none", 0, "0")], "bars"),
        figures.bars([], "no bars"),
        figures.spans([("step", 1.0, 3.0, False)], "spans"),
        figures.stacked_days([date(2026, 6, 1)], {"x": {date(2026, 6, 1): 2}, "y": {}}, "days"),
        figures.climate([figures.Climate(date(2026, 6, 1), 1, 2, 3)], {date(2026, 6, 1): 2.5}, "climate"),
        figures.place_map([figures.Place(52.5, 13.4, 10, "only one")], "map"),
    ],
    ids=["bars", "no bars", "spans", "days", "climate", "map"],
)
def test_figures_are_svg_that_names_itself(svg: str) -> None:
    root = ET.fromstring(svg)  # noqa: S314 - of our own making
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.attrib["aria-label"]
    for element in root.iter():
        for name in ("width", "height", "r"):
            assert float(element.attrib.get(name, 0)) >= 0


def test_bars_are_as_long_as_their_values() -> None:
    root = ET.fromstring(figures.bars([figures.Bar("a", 10, "10"), figures.Bar("b", 5, "5")], "x"))  # noqa: S314
    widths = [float(each.attrib["width"]) for each in root.iter() if each.attrib.get("fill") == figures.BLUE]
    assert widths == [figures.WIDTH, figures.WIDTH / 2]


def test_the_colour_of_a_share_gets_redder() -> None:
    shades = [figures.shade(share) for share in (0, 5, 25, 50)]
    assert len(set(shades)) == 4
    assert figures.shade(50) == figures.shade(90) == "#b3382c"


# ---- what it is made of


@pytest.mark.aws
def test_a_page_tells_what_the_tables_hold(facts: Facts) -> None:
    html = page.render(facts)
    for part in (
        "22</b>",  # events
        "13.6 %",  # of them faulty
        "1 differ",  # undelivered
        "Sensor 1",
        "humidity_out_of_range",
        "timestamp_too_old",
        "clickstream_events",
        "Completeness Rate",
        "kpi_event_geo",
        "25 s, failed",
        "Open-Meteo.com",
        "No run has been recorded yet",
        RUN.run_id,
    ):
        assert part in html, part
    assert "Not there yet" not in html


@pytest.mark.aws
def test_a_lake_without_tables_says_what_is_missing(
    lakehouse: Athena, monkeypatch: pytest.MonkeyPatch
) -> None:
    lakehouse.account.client("glue").create_database(DatabaseInput={"Name": "new_lake"})
    settings = replace(settings_of(lakehouse), glue_database="new_lake")
    found = gather(session_of(lakehouse, monkeypatch), settings)
    assert not any(found.answers.values())
    html = page.render(found)
    assert "No run has been recorded yet" in html
    assert "Not there yet" in html
    assert "TABLE_NOT_FOUND" in html


@pytest.mark.aws
def test_recent_runs_are_told_with_what_they_took(
    emulated_aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = {"state": "COMPLETED", "retries": 0}
    added = [
        {**ended, "part": "ingest_events", "seconds": 40.0, "rows": 20_000, "bytes": 1_500_000},
        {**ended, "part": "reconcile", "seconds": 9.0, "rows": 12, "bytes": 4_000, "retries": 1},
        {**ended, "part": "kpi_event_geo", "state": "FAILED", "rows": 0, "bytes": 0, "retries": 2},
        {"part": CLUSTER, "state": "TERMINATED", "seconds": 612.4, "retries": 0}
        | {"cluster_hours": 0.51, "cost_usd": 0.1249},
    ]
    runs = [
        {"dag_id": names.DAG_ID, "run_id": f"run-{hour}", "started_at": after(3600 * hour)}
        for hour in range(12)
    ]
    rows = [{**run, **row, "measured_at": BEGUN} for run in runs for row in added]
    lake = Athena.in_new_account(emulated_aws)
    fill(lake, {RUN_METRICS.name: rows})

    facts = gather(session_of(lake, monkeypatch), settings_of(lake))
    found = facts.answers["runs"]

    assert [row["started_at"] for row in found] == [after(3600 * hour) for hour in range(11, 1, -1)]
    assert {(row["jobs"], row["undone"], row["rows"], row["bytes"]) for row in found} == {
        (3, 1, 20_012, 1_504_000)
    }
    assert {(row["seconds"], row["retries"], row["cluster_hours"], row["cost_usd"]) for row in found} == {
        (612.4, 3, 0.51, 0.1249)
    }
    html = page.render(facts)
    told = (
        "2026-06-10 14:00",
        "3 jobs, 3 retries, ",
        "1 not done",
        "20,012",
        "2 MB",
        "612 s",
        "0.51 h",
        "$0.12",
    )
    assert [part for part in told if part not in html] == []
    assert "No run has been recorded yet" not in html


@pytest.mark.aws
def test_the_newest_run_is_found_by_its_cluster(lakehouse: Athena) -> None:
    emr = lakehouse.account.client("emr")
    assert find_run(emr) is None
    for run_id in ("first", "second"):
        emr.run_job_flow(
            Name=f"{names.DAG_ID}/{run_id}",
            ReleaseLabel="emr-7.14.0",
            Instances={"InstanceCount": 1, "MasterInstanceType": "m6g.xlarge"},
            ServiceRole="service",
            JobFlowRole="machine",
        )
    newest, first = find_run(emr), find_run(emr, "first")
    assert newest is not None
    assert newest.run_id == "second"
    assert first is not None
    assert first.run_id == "first"
    assert find_run(emr, "third") is None


# ---- the command


@pytest.fixture
def environment(lakehouse: Athena, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Athena:
    """The process's environment leads to the small lakehouse."""
    for name, value in {
        **lakehouse.account.environment,
        **{f"{part}_BUCKET": lakehouse.bucket for part in ("BRONZE", "ICEBERG", "SCRIPTS", "LOGS")},
        "GLUE_DATABASE": lakehouse.database,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return lakehouse


@pytest.mark.aws
def test_it_is_written_to_a_file_and_beside_the_run(
    environment: Athena, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "gather", lambda *arguments: replace(gather(*arguments[:2]), run=RUN))
    output = tmp_path / "folder" / "report.html"
    assert command.main(["--output", str(output)]) == 0
    key = f"reports/{names.DAG_ID}/{RUN.run_id}.html"
    assert capsys.readouterr().out.split() == [str(output), f"s3://{environment.bucket}/{key}"]
    stored = environment.account.client("s3").get_object(Bucket=environment.bucket, Key=key)
    assert stored["Body"].read() == output.read_bytes()
    assert stored["ContentType"] == "text/html; charset=utf-8"


@pytest.mark.aws
def test_a_run_that_emr_does_not_know_is_refused(
    environment: Athena, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--run", "no-such-run", "--output", str(tmp_path / "r.html")]) == 1
    assert "EMR knows no cluster of the run no-such-run" in capsys.readouterr().err


@pytest.mark.aws
def test_with_nothing_to_report_there_is_no_page(
    environment: Athena,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GLUE_DATABASE", "nothing_here")
    environment.account.client("glue").create_database(DatabaseInput={"Name": "nothing_here"})
    assert command.main(["--output", str(tmp_path / "r.html")]) == 1
    assert "there is nothing to report yet" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


# ---- in a browser


Browse = Callable[[str], tuple[str, str]]


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """Shows a page in headless Chromium; returns its document and what was written to the console."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed (Debian's package chromium)")

    def show(html: str) -> tuple[str, str]:
        file = tmp_path / "page.html"
        file.write_text(html, encoding="utf-8")
        options = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
        ]
        options += ["--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom", file.as_uri()]
        done = subprocess.run([program, *options], capture_output=True, text=True, check=True, timeout=120)
        return done.stdout, "\n".join(re.findall(r".*CONSOLE.*", done.stderr))

    return show


def framed(html: str, *widths: int) -> str:
    """The page in frames of these widths; the title then says how wide its content is in each."""
    frames = "".join(
        f'<iframe width="{width}" height="20000" style="border:0" srcdoc="{escape(html)}"></iframe>'
        for width in widths
    )
    measure = (
        "<script>onload = () => { document.title = [...document.querySelectorAll('iframe')]"
        ".map(frame => frame.contentDocument.documentElement.scrollWidth).join(' '); }</script>"
    )
    return f"<!doctype html><title>-</title>{frames}{measure}"


@pytest.mark.aws
def test_a_browser_shows_it_without_complaint_on_phone_and_desk(facts: Facts, browse: Browse) -> None:
    html = page.render(facts)
    document, console = browse(framed(html, PHONE, DESK))
    assert console == ""
    title = re.search(r"<title>(.*?)</title>", document)
    assert title is not None
    assert title[1] == f"{PHONE} {DESK}", "something is wider than the screen"


def test_the_browser_would_have_complained(browse: Browse) -> None:
    wide = '<div style="width: 800px">wide</div><script>console.error("broken"); missing()</script>'
    document, console = browse(framed(wide, PHONE))
    assert "<title>8" in document
    assert "broken" in console
    assert "missing is not defined" in console


@pytest.mark.aws
def test_it_needs_nothing_from_elsewhere(facts: Facts) -> None:
    html = page.render(facts)
    assert not re.search(r"<script|<img|<iframe|@import|url\(|\bsrc=", html)
    assert set(re.findall(r'href="([^"]*)"', html)) == {"data:,"}


def test_names_of_the_data_cannot_break_the_page(any_settings: Settings) -> None:
    evil = "<script>alert(1)</script>"
    empty = ("totals", "sensors", "events", "weather", "measured", "reconciled", "late_data", "runs")
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in empty}
    answers |= {
        "statuses": [{"status": evil, "sensor_count": 1}],
        "quarantine_by_day": [{"reason": evil, "entries": 1}],
        "quality_of_newest_run": [
            {"table_name": evil, "metric": evil, "value": 1.0, "threshold": None, "verdict": "none"}
        ],
        "freshness_of_tables": [{"table_name": evil, "total_rows": 1, "age_hours": 1.0}],
    }
    html = page.render(Facts(any_settings, BEGUN, None, answers))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 5


@pytest.fixture
def any_settings() -> Settings:
    """Settings of no account."""
    return Settings("bronze", "iceberg", "scripts", "logs")
