"""Frozen settings of one deployment, read from a mapping (an environment, a parsed ``.env``).

Nothing here reads the environment: the edges (command lines, DAG tasks, the quick start) do,
and hand a mapping in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from config import names
from config.environments import PROFILES, EnvironmentProfile
from config.weather import RAW_PREFIX, WeatherSettings

DEFAULT_REGION = "eu-north-1"
DEFAULT_DATABASE = "analytics"
DEFAULT_EMR_POLL_SECONDS = 15
DEFAULT_EMR_SERVICE_ROLE = "ClickstreamEmrServiceRole"
DEFAULT_EMR_JOB_FLOW_ROLE = "ClickstreamEmrEc2Role"

_BUCKET = re.compile(r"(?!xn--)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_DATABASE = re.compile(r"[a-z_][a-z0-9_]{0,254}")
_URL = re.compile(r"(https?://[A-Za-z0-9.\-\[\]:]+(/[\w./-]*)?)?")
_PARAMETER = re.compile(r"[\w./-]{0,1011}")
_WHEELS = re.compile(r"aarch64|x86_64|native")
_ROLE = re.compile(r"[\w+=,.@-]{1,64}")
_SECURITY_CONFIGURATION = re.compile(r"[\w.-]{0,128}")
_SECURITY_GROUPS = re.compile(r"(sg-[0-9a-f]{8,17}(,sg-[0-9a-f]{8,17}){2})?")
_SUBNET = re.compile(r"(subnet-[0-9a-f]{8,17})?")
_TOPIC = re.compile(r"(arn:aws[\w-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256})?")
_POLL_SECONDS = re.compile(r"[1-9]|[1-5][0-9]|60")


class ConfigError(ValueError):
    """The settings are unusable; the message lists every problem, one a line."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        listed = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(
            f"{len(problems)} problem(s) in the settings (set them in the environment or in .env; "
            f".env.example explains each):\n{listed}"
        )


@dataclass(frozen=True)
class Settings:
    """Where one deployment keeps its data.

    Buckets are names without scheme. ``environment`` is ``dev`` or ``prod``. ``emr_poll_seconds`` is
    how often a running step or cluster is asked for its state. ``emr_security_configuration``,
    ``emr_subnet_id`` and ``emr_security_groups`` (of the primary node, of the others and of EMR itself, with
    commas between) may be empty: no configuration of ours, a subnet and groups of EMR's choice.
    ``emr_wheels`` is the architecture of the clusters' machines, for the wheels that they install;
    ``native`` is that of the machine which publishes them. Without ``alerts_topic_arn`` alerts are only
    logged.
    """

    bronze_bucket: str
    iceberg_bucket: str
    scripts_bucket: str
    logs_bucket: str
    aws_region: str = DEFAULT_REGION
    glue_database: str = DEFAULT_DATABASE
    environment: str = "dev"
    emr_poll_seconds: int = DEFAULT_EMR_POLL_SECONDS
    emr_service_role: str = DEFAULT_EMR_SERVICE_ROLE
    emr_job_flow_role: str = DEFAULT_EMR_JOB_FLOW_ROLE
    emr_security_configuration: str = ""
    emr_subnet_id: str = ""
    emr_security_groups: str = ""
    emr_wheels: str = "aarch64"
    weather_api_url: str = ""
    weather_api_key_parameter: str = ""
    alerts_topic_arn: str = ""

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, str | None]) -> Settings:
        """Build settings from environment-style names (``BRONZE_BUCKET``, ``AWS_REGION``, ...).

        Other names in the mapping are ignored: it is usually a whole environment.

        Raises:
            ConfigError: naming every missing or malformed variable at once.
        """

        def read(name: str, default: str = "") -> str:
            return (mapping.get(name) or "").strip() or default

        problems: list[str] = []

        def matching(name: str, pattern: re.Pattern[str], hint: str, default: str = "") -> str:
            value = read(name, default)
            if not value:
                problems.append(f"{name} is not set: {hint}")
            elif not pattern.fullmatch(value):
                problems.append(f"{name}={value!r} is malformed: {hint}")
            return value

        def optional(name: str, pattern: re.Pattern[str], hint: str) -> str:
            value = read(name)
            if not pattern.fullmatch(value):
                problems.append(f"{name}={value!r} is malformed: {hint}")
            return value

        role_hint = "the name of an IAM role, without its ARN (an output of the stack emr-roles)"
        bucket_hint = "the name of an S3 bucket, without s3:// (an output of the stack clickstream-etl-ENV)"

        poll_seconds = matching(
            "EMR_POLL_SECONDS", _POLL_SECONDS, "whole seconds from 1 to 60", str(DEFAULT_EMR_POLL_SECONDS)
        )
        settings = cls(
            bronze_bucket=matching("BRONZE_BUCKET", _BUCKET, bucket_hint),
            iceberg_bucket=matching("ICEBERG_BUCKET", _BUCKET, bucket_hint),
            scripts_bucket=matching("SCRIPTS_BUCKET", _BUCKET, bucket_hint),
            logs_bucket=matching("LOGS_BUCKET", _BUCKET, bucket_hint),
            aws_region=matching("AWS_REGION", _REGION, "an AWS region such as eu-north-1", DEFAULT_REGION),
            glue_database=matching(
                "GLUE_DATABASE", _DATABASE, "lower-case letters, digits and underscores", DEFAULT_DATABASE
            ),
            environment=read("ENVIRONMENT", "dev"),
            emr_poll_seconds=int(poll_seconds) if poll_seconds.isdecimal() else DEFAULT_EMR_POLL_SECONDS,
            emr_service_role=matching("EMR_SERVICE_ROLE", _ROLE, role_hint, DEFAULT_EMR_SERVICE_ROLE),
            emr_job_flow_role=matching("EMR_JOB_FLOW_ROLE", _ROLE, role_hint, DEFAULT_EMR_JOB_FLOW_ROLE),
            emr_security_configuration=optional(
                "EMR_SECURITY_CONFIGURATION", _SECURITY_CONFIGURATION, "a name (letters, digits, . _ -)"
            ),
            emr_subnet_id=optional("EMR_SUBNET_ID", _SUBNET, "a subnet id such as subnet-0123456789abcdef0"),
            emr_security_groups=optional(
                "EMR_SECURITY_GROUPS",
                _SECURITY_GROUPS,
                "three ids of security groups with commas between: primary node, other nodes, EMR itself",
            ),
            emr_wheels=matching("EMR_WHEELS", _WHEELS, "aarch64, x86_64 or native", "aarch64"),
            weather_api_url=optional("WEATHER_API_URL", _URL, "http://HOST[:PORT] or https://HOST").rstrip(
                "/"
            ),
            weather_api_key_parameter=optional(
                "WEATHER_API_KEY_PARAMETER", _PARAMETER, "the name of an SSM parameter that holds the key"
            ),
            alerts_topic_arn=optional("ALERTS_TOPIC_ARN", _TOPIC, "the ARN of an SNS topic, or empty"),
        )
        if settings.environment not in PROFILES:
            problems.append(
                f"ENVIRONMENT={settings.environment!r} is unknown: use one of {', '.join(PROFILES)}"
            )
        if problems:
            raise ConfigError(problems)
        return settings

    @property
    def profile(self) -> EnvironmentProfile:
        """What differs between dev and prod."""
        return PROFILES[self.environment]

    @property
    def bronze_path(self) -> str:
        """Folder of the Parquet files that Firehose delivers, with ``dt=``/``hour=`` below (arrival, UTC)."""
        return f"s3://{self.bronze_bucket}/clickstream/"

    @property
    def conversion_errors_path(self) -> str:
        """Folder of the records that Firehose could not convert."""
        return f"s3://{self.bronze_bucket}/clickstream-errors/"

    @property
    def manifests_path(self) -> str:
        """Folder of the producers' manifests."""
        return f"s3://{self.bronze_bucket}/{names.MANIFESTS_PREFIX}"

    @property
    def weather_landing_path(self) -> str:
        """Folder of the raw weather, with ``dt=`` below."""
        return f"s3://{self.bronze_bucket}/{RAW_PREFIX}"

    @property
    def weather(self) -> WeatherSettings:
        """Which weather service to ask."""
        return WeatherSettings(self.weather_api_url, self.weather_api_key_parameter)

    @property
    def iceberg_warehouse(self) -> str:
        """Root of the Iceberg tables."""
        return f"s3://{self.iceberg_bucket}/"

    @property
    def bundles_path(self) -> str:
        """Folder of the content-addressed job bundles."""
        return f"s3://{self.scripts_bucket}/bundles/"

    @property
    def wheelhouse_path(self) -> str:
        """Folder of the content-addressed wheelhouses."""
        return f"s3://{self.scripts_bucket}/wheelhouse/"

    @property
    def emr_log_uri(self) -> str:
        """LogUri of the clusters: logs land at CLUSTER/steps/STEP/{stdout,stderr,controller}.gz below it."""
        return f"s3://{self.logs_bucket}/emr-logs/"

    @property
    def athena_output(self) -> str:
        """Where Athena writes its results."""
        return f"s3://{self.logs_bucket}/athena-results/"

    def report_uri(self, run_id: str) -> str:
        """Where the report of a run of the main DAG lies."""
        return f"s3://{self.logs_bucket}/reports/{names.DAG_ID}/{run_id}.html"
