"""Settings: read from a mapping, every problem in one message."""

import ast
import dataclasses
import sys
from pathlib import Path

import pytest

import config
from config.project_config import ConfigError, Settings

BUCKETS = {
    "BRONZE_BUCKET": "lake-bronze",
    "ICEBERG_BUCKET": "lake-iceberg",
    "SCRIPTS_BUCKET": "lake-scripts",
    "LOGS_BUCKET": "lake-logs",
}


def test_defaults_are_dev_in_stockholm():
    settings = Settings.from_mapping(BUCKETS)
    assert settings.environment == "dev"
    assert settings.aws_region == "eu-north-1"
    assert settings.glue_database == "analytics"
    assert settings.profile.emr_core_nodes == 2
    assert settings.profile.schedule is None


def test_prod_profile():
    profile = Settings.from_mapping({**BUCKETS, "ENVIRONMENT": "prod"}).profile
    assert profile.emr_core_nodes == 5
    assert profile.schedule == "0 3 * * *"
    assert (profile.log_retention_days, profile.data_retention_days) == (90, 365)


def test_paths():
    settings = Settings.from_mapping(BUCKETS)
    assert settings.bronze_path == "s3://lake-bronze/clickstream/"
    assert settings.conversion_errors_path == "s3://lake-bronze/clickstream-errors/"
    assert settings.manifests_path == "s3://lake-bronze/manifests/"
    assert settings.iceberg_warehouse == "s3://lake-iceberg/"
    assert settings.emr_log_uri == "s3://lake-logs/emr-logs/"


def test_every_problem_is_in_the_one_message():
    with pytest.raises(ConfigError) as caught:
        Settings.from_mapping(
            {
                "BRONZE_BUCKET": "s3://lake-bronze",
                "ICEBERG_BUCKET": "lake-iceberg",
                "LOGS_BUCKET": " ",
                "AWS_REGION": "Stockholm",
                "GLUE_DATABASE": "analytics; DROP",
                "ENVIRONMENT": "staging",
            }
        )
    message = str(caught.value)
    assert len(caught.value.problems) == 6
    for part in (
        "BRONZE_BUCKET='s3://lake-bronze' is malformed",
        "SCRIPTS_BUCKET is not set",
        "LOGS_BUCKET is not set",
        "AWS_REGION='Stockholm' is malformed",
        "GLUE_DATABASE='analytics; DROP' is malformed",
        "ENVIRONMENT='staging' is unknown: use one of dev, prod",
        ".env.example",
    ):
        assert part in message
    assert "ICEBERG_BUCKET" not in message


def test_what_a_cluster_runs_under_has_defaults_and_is_checked():
    settings = Settings.from_mapping(BUCKETS)
    assert (settings.emr_service_role, settings.emr_job_flow_role) == (
        "ClickstreamEmrServiceRole",
        "ClickstreamEmrEc2Role",
    )
    assert (settings.emr_security_configuration, settings.emr_subnet_id) == ("", "")
    assert settings.emr_security_groups == ""
    given = {"EMR_JOB_FLOW_ROLE": "EMR_EC2_DefaultRole", "EMR_SUBNET_ID": "subnet-0123456789abcdef0"}
    settings = Settings.from_mapping({**BUCKETS, **given})
    assert settings.emr_job_flow_role == "EMR_EC2_DefaultRole"
    assert settings.emr_subnet_id == "subnet-0123456789abcdef0"
    wrong = {
        "EMR_SERVICE_ROLE": "arn:aws:iam::1:role/x",
        "EMR_SUBNET_ID": "vpc-1",
        "EMR_SECURITY_GROUPS": "sg-01234567",
    }
    with pytest.raises(ConfigError, match="3 problem"):
        Settings.from_mapping({**BUCKETS, **wrong})


def test_settings_are_frozen():
    settings = Settings.from_mapping(BUCKETS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.environment = "prod"  # type: ignore[misc]


def test_config_imports_nothing_but_the_standard_library_and_itself():
    modules = sorted(Path(config.__file__).parent.glob("*.py"))
    assert len(modules) >= 8
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                top = name.split(".")[0]
                assert top == "config" or top in sys.stdlib_module_names, f"{module.name} imports {name}"
