"""The HTTP client: one request in flight, within the budget, patient with what may pass."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import timedelta

import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from config.weather import DAILY_VARIABLES, WeatherSettings
from emr_jobs.weather.answers import MalformedAnswerError, Records, parse_answer
from emr_jobs.weather.budget import Budget
from emr_jobs.weather.clock import Clock
from emr_jobs.weather.series import PlannedRequest, Sensor, Source

log = logging.getLogger(__name__)

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
"""A year of 100 locations takes the service a few seconds."""

_ATTEMPTS = 6
_AFTER_WINDOW = timedelta(seconds=2)
"""Our clock and the service's may differ by a little."""

_backoff = wait_random_exponential(multiplier=1, max=60)


class RequestRefusedError(RuntimeError):
    """The service says that the request itself is wrong: asking again cannot help."""


class RateLimitedError(RuntimeError):
    """429: a limit was reached. ``scope`` is minute, hour, day, or concurrency."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"429: {reason}")
        scopes = {"Minutely": "minute", "Hourly": "hour", "Daily": "day", "Monthly": "day"}
        self.scope = scopes.get(reason.split(" ", 1)[0], "concurrency")


class ServiceUnavailableError(RuntimeError):
    """5xx, no connection, a time-out: it may pass."""


class TooLateError(RuntimeError):
    """A rate limit ends later than this run may wait."""


class OpenMeteoClient:
    """Asks Open-Meteo for daily weather.

    ``max_wait`` bounds the time that one request may spend waiting for rate limits to pass.
    """

    def __init__(
        self,
        settings: WeatherSettings,
        sensors: Sequence[Sensor],
        budget: Budget,
        clock: Clock,
        max_wait: timedelta,
        api_key: str | None = None,
    ) -> None:
        self._settings = settings
        self._sensors = sensors
        self._budget = budget
        self._clock = clock
        self._max_wait = max_wait
        headers = {"Accept": "application/json", "User-Agent": "sensor-lakehouse"}
        if api_key:
            headers["X-Api-Key"] = api_key
        self._http = httpx.Client(timeout=_TIMEOUT, headers=headers)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def fetch(self, request: PlannedRequest) -> Records:
        """Ask until there is a good answer.

        Rate limits are waited out as long as ``max_wait`` allows; what else may pass (5xx, time-outs,
        broken answers) is tried six times with growing pauses.

        Raises:
            RequestRefusedError: the service refuses the request as such (400 and the like).
            TooLateError, BudgetExhaustedError: a limit frees up too late for this run.
            ServiceUnavailableError, MalformedAnswerError: no good answer in six attempts.
        """
        deadline = self._clock.now() + self._max_wait
        while True:
            try:
                return self._fetch_patiently(request)
            except RateLimitedError as limited:
                wait = self._time_to_wait(limited)
                if self._clock.now() + wait > deadline:
                    raise TooLateError(f"{limited}; this run may not wait {wait} for it") from limited
                log.warning("%s. Waiting %.0f s", limited, wait.total_seconds())
                self._clock.sleep(wait.total_seconds())

    def _fetch_patiently(self, request: PlannedRequest) -> Records:
        retrying = Retrying(
            retry=retry_if_exception_type((ServiceUnavailableError, MalformedAnswerError)),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=_backoff,
            sleep=self._clock.sleep,
            before_sleep=_log_retry,
            reraise=True,
        )
        return retrying(self._fetch_once, request)

    def _fetch_once(self, request: PlannedRequest) -> Records:
        spending = self._budget.spend(request.weight)
        try:
            response = self._http.get(self._url(request.source), params=self._params(request))
        except httpx.ConnectError as error:
            self._budget.refund(spending)
            raise ServiceUnavailableError(f"no connection to {error.request.url.host}: {error}") from error
        except httpx.TransportError as error:
            raise ServiceUnavailableError(f"{type(error).__name__} from {error.request.url.host}") from error
        if response.status_code != httpx.codes.OK:
            self._budget.refund(spending)
            raise _failure(response)
        return parse_answer(request, response.content)

    def _time_to_wait(self, limited: RateLimitedError) -> timedelta:
        now = self._clock.now()
        if limited.scope == "minute":
            return now.replace(second=0, microsecond=0) + timedelta(minutes=1) - now + _AFTER_WINDOW
        if limited.scope == "hour":
            return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1) - now + _AFTER_WINDOW
        if limited.scope == "day":
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            return midnight - now + _AFTER_WINDOW
        return timedelta(seconds=5)

    def _url(self, source: Source) -> str:
        return self._settings.archive_url if source is Source.ARCHIVE else self._settings.forecast_url

    def _params(self, request: PlannedRequest) -> dict[str, str]:
        places = [self._sensors[span.sensor] for span in request.spans]
        intervals = {(span.start, span.end) for span in request.spans}
        spans = request.spans[:1] if len(intervals) == 1 else request.spans
        return {
            "latitude": ",".join(str(place.latitude) for place in places),
            "longitude": ",".join(str(place.longitude) for place in places),
            "daily": ",".join(DAILY_VARIABLES),
            "timezone": "GMT",
            "start_date": ",".join(span.start.isoformat() for span in spans),
            "end_date": ",".join(span.end.isoformat() for span in spans),
        }


def _failure(response: httpx.Response) -> RuntimeError:
    reason = _reason(response)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return RateLimitedError(reason)
    if response.is_server_error:
        return ServiceUnavailableError(f"{response.status_code} from {response.url.host}: {reason}")
    return RequestRefusedError(f"{response.status_code} from {response.url.host}: {reason}")


def _reason(response: httpx.Response) -> str:
    try:
        return str(json.loads(response.content)["reason"])
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    pause = state.next_action.sleep if state.next_action else 0.0
    log.warning("Attempt %d: %s. Again in %.0f s", state.attempt_number, error, pause)
