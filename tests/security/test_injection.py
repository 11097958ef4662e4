"""Names, paths and arguments that could mean more than they say are refused, or stay one argument."""

from __future__ import annotations

import argparse

import pytest

from config.jobs import ALL_JOBS, Bundle, emr_step
from config.project_config import ConfigError, Settings
from emr_jobs import maintain_tables, reconcile, replay_quarantine, roll_back
from emr_jobs.edge.arguments import job_parser
from ops import partitions
from ops.run_summary import main as run_summary

BUCKETS = {
    name: f"test-{name.partition('_')[0].lower()}"
    for name in ("BRONZE_BUCKET", "ICEBERG_BUCKET", "SCRIPTS_BUCKET", "LOGS_BUCKET")
}

HOSTILE = (
    "x; DROP TABLE y",
    "x' OR '1'='1",
    'x" --',
    "x`id`",
    "x$(id)",
    "x y",
    "x\ny",
    "../x",
    "X",
    "--help",
    "",
)
"""What a shell, SQL, a path or an option parser could take for more than a name."""

PARSERS: dict[str, argparse.ArgumentParser] = {
    "reconcile": reconcile.build_parser(),
    **{name: job_parser(job) for name, job in ALL_JOBS.items()},
}


def exit_codes(place: int, text: str) -> set[object]:
    """How the jobs' parsers leave when one of their arguments is this text."""
    codes = set()
    for name, parser in PARSERS.items():
        arguments = ["s3://bronze/clickstream/", "analytics", ALL_JOBS[name].table, "s3://iceberg/"]
        arguments[place] = text
        with pytest.raises(SystemExit) as left:
            parser.parse_args(arguments)
        codes.add(left.value.code)
    return codes


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("place", [1, 2])
def test_databases_and_tables_are_names(text: str, place: int) -> None:
    assert exit_codes(place, text) == {0 if text == "--help" else 2}


@pytest.mark.parametrize(
    "text", ["s3://b/x'; --", 's3://b/"x"', "s3://b/`x`", "s3://b/x;y", "s3://b/x\ny", "s3://b\\x"]
)
@pytest.mark.parametrize("place", [0, 3])
def test_paths_end_no_string(text: str, place: int) -> None:
    assert exit_codes(place, text) == {2}


@pytest.mark.parametrize("variable", ["BRONZE_BUCKET", "GLUE_DATABASE", "AWS_REGION", "EMR_SERVICE_ROLE"])
@pytest.mark.parametrize("text", [text for text in HOSTILE if text not in ("", "X", "--help")])
def test_settings_are_names(variable: str, text: str) -> None:
    with pytest.raises(ConfigError, match=variable):
        Settings.from_mapping({**BUCKETS, variable: text})


def test_a_steps_arguments_go_to_no_shell() -> None:
    hostile = "--run-id=x; rm -rf / $(id) `id`"
    settings = Settings.from_mapping(BUCKETS)
    for job in ALL_JOBS.values():
        step = emr_step(job, settings, Bundle("s3://test-scripts/bundles/1/"), hostile)
        jar = step["HadoopJarStep"]
        assert isinstance(jar, dict)
        assert jar["Jar"] == "command-runner.jar"
        assert jar["Args"].count(hostile) == 1, "it stays one argument, whatever it holds"
        assert not {"sh", "bash", "-c"} & set(jar["Args"])


def test_a_run_named_like_an_option_is_one_argument() -> None:
    arguments = ["s3://bronze/x/", "analytics", "clickstream_events", "s3://iceberg/", "--run-id=--full"]
    parsed = reconcile.build_parser().parse_args(arguments)
    assert (parsed.run_id, parsed.full) == ("--full", False)


@pytest.mark.parametrize("module", [maintain_tables, replay_quarantine, roll_back])
def test_jobs_run_by_hand_refuse_hostile_names_too(
    module: object, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        module.main(["s3://bronze/x/", "analytics; DROP", "t", "s3://iceberg/"])  # type: ignore[attr-defined]
    assert left.value.code == 2
    assert "is not a name" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["dt=2026-11-22/hour=03' OR '1'='1", "dt=x/hour=03", "hour=03", ""])
def test_a_partition_is_a_date_and_an_hour(text: str) -> None:
    with pytest.raises(SystemExit) as left:
        partitions.parse(["sample", text])
    assert left.value.code == 2


def test_a_run_id_ends_no_string() -> None:
    with pytest.raises(SystemExit) as left:
        run_summary(["--run", "x' OR '1'='1"])
    assert left.value.code == 2
