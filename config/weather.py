"""Open-Meteo: what is asked of it, what a request weighs, and where its answers land.

Limits are those of the free tier (https://open-meteo.com/en/terms, and the service's own source).
Data by Open-Meteo.com under CC BY 4.0, non-commercial use: show ATTRIBUTION beside displayed data.
"""

from __future__ import annotations

from dataclasses import dataclass

ATTRIBUTION = "Weather data by Open-Meteo.com (https://open-meteo.com/), CC BY 4.0"

DAILY_VARIABLES = ("temperature_2m_max", "temperature_2m_min", "precipitation_sum")
"""The daily variables of a request, °C, °C and mm, in this order."""

ARCHIVE_URL = "https://archive-api.open-meteo.com"
FORECAST_URL = "https://api.open-meteo.com"
CUSTOMER_ARCHIVE_URL = "https://customer-archive-api.open-meteo.com"
CUSTOMER_FORECAST_URL = "https://customer-api.open-meteo.com"
ARCHIVE_PATH = "/v1/archive"
FORECAST_PATH = "/v1/forecast"

ARCHIVE_LAG_DAYS = 5
"""Days before today that the archive may lack where ``weather_check`` has not looked: ERA5's delay."""

FORECAST_PAST_DAYS = 92
"""How far back the forecast host answers, days before today."""

DEFAULT_DAYS = 365
"""Length of a first load, days, the last being today (UTC)."""

PROCESSING_VERSION = "1"
"""Version of the rules that turn raw weather into rows: raise it when they change."""

MAX_DISTANCE_KM = 10.0
"""Weather from farther away says nothing about a place; the grid's points are some 5 km apart."""

MAX_REQUEST_WEIGHT = 1_000.0
"""We ask for no more at once than a bit over a year of the whole grid: politer than the service's limit."""

MAX_REQUEST_LOCATIONS = 200
"""Keeps the address of a request under 8 KiB, which servers commonly accept."""

SETTLE_AFTER_DAYS = 7
"""Provisional days wait until the archive knows this many of them, then all are asked for at once:
up to 46 days weigh the same as one."""

UNSETTLED_DAYS = 10
"""The archive still fills in days as young as this: a null there is provisional, later it is missing."""

RAW_PREFIX = "raw/openmeteo/"
"""Landing folder in the bronze bucket, with ``dt=YYYY-MM-DD/`` below."""

RAW_FILE = "openmeteo.parquet"
"""The one file of a day."""

CHECKPOINT_PREFIX = "checkpoints/"
CHECKPOINT = "openmeteo.json"
GAP_LEDGER = "openmeteo-gaps.json"
BUDGET_LEDGER = "openmeteo-budget.json"
CHECK_RESULT = "openmeteo-check.json"
"""Documents in the bronze bucket below CHECKPOINT_PREFIX; in prod their truth is in DynamoDB."""

CHECKPOINT_KEY = "checkpoint"
"""Partition key (string) of the DynamoDB table of checkpoints; the value is a document's name."""

REFERENCE_DAYS = 14
REFERENCE_VARIABLES = 10


def request_weight(days: int, variables: int = len(DAILY_VARIABLES), locations: int = 1) -> float:
    """What a request counts against the limits, in units of one small call.

    Up to two weeks of up to ten variables at one location weigh 1; more of either weighs in
    proportion; locations add up. So 14 days cost no more than one, and a year of three variables
    at 100 locations:

    >>> round(request_weight(365, 3, 100))
    782
    """
    by_variables = variables / REFERENCE_VARIABLES
    return locations * max(1.0, by_variables, days / REFERENCE_DAYS * by_variables)


@dataclass(frozen=True)
class RequestLimits:
    """What the service allows one client: weights per window, locations and weight of one request."""

    per_minute: float = 600
    per_hour: float = 5_000
    per_day: float = 10_000
    locations_per_request: int = 1_000

    @property
    def weight_per_request(self) -> float:
        """A heavier request is refused with 400."""
        return self.per_hour


@dataclass(frozen=True)
class QualityRules:
    """When a day's weather is believed, and when a run's data is good enough to publish.

    Temperatures in °C, precipitation in mm a day: outside the records ever measured on Earth a
    value is absurd and becomes null. ``min_completeness`` is in percent of the rows.
    """

    temperature_min: float = -90.0
    temperature_max: float = 60.0
    precipitation_max: float = 2_000.0
    min_completeness: float = 95.0


QUALITY_RULES = QualityRules()
"""The platform's."""


@dataclass(frozen=True)
class WeatherSettings:
    """Which weather service to ask.

    ``api_url`` replaces both public hosts (the local stand-in, a proxy). ``api_key_parameter`` is
    the name of an SSM parameter (SecureString) that holds a customer's API key: the key itself
    never travels through environments, arguments or logs.
    """

    api_url: str = ""
    api_key_parameter: str = ""

    @property
    def archive_url(self) -> str:
        """Address of the archive endpoint."""
        host = CUSTOMER_ARCHIVE_URL if self.api_key_parameter else ARCHIVE_URL
        return (self.api_url or host) + ARCHIVE_PATH

    @property
    def forecast_url(self) -> str:
        """Address of the forecast endpoint."""
        host = CUSTOMER_FORECAST_URL if self.api_key_parameter else FORECAST_URL
        return (self.api_url or host) + FORECAST_PATH

    @property
    def options(self) -> tuple[str, ...]:
        """The settings as command-line options of weather_check and weather_extract."""
        url = ("--api-url", self.api_url) if self.api_url else ()
        parameter = ("--api-key-parameter", self.api_key_parameter) if self.api_key_parameter else ()
        return (*url, *parameter)
