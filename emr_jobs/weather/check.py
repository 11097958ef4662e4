"""Before any cluster time is spent on weather: is the service there, as expected, and is there budget?"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import timedelta

from config.weather import CHECK_RESULT, UNSETTLED_DAYS
from emr_jobs.weather.budget import Budget
from emr_jobs.weather.clock import today
from emr_jobs.weather.documents import update
from emr_jobs.weather.extract import FETCH_ERRORS, Extract, Wish
from emr_jobs.weather.series import PlannedRequest, Source, Span


class CheckError(RuntimeError):
    """The weather branch should not start; the message says why."""


@dataclass(frozen=True)
class CheckResult:
    """What the next task reads. Dates and times are ISO 8601; weights as the service counts them."""

    checked_at: str
    archive_through: str
    budget_left: float
    planned_requests: int
    planned_weight: float

    def as_json(self) -> str:
        """The result as one line."""
        return json.dumps(asdict(self))


def check(extract: Extract, budget: Budget, wish: Wish) -> CheckResult:
    """Ask the archive for the last days of one sensor, look at the budget, and leave the result.

    Raises:
        CheckError: the service is away, answers something else, or the budget is used up.
        RangeError: the wish makes no sense.
    """
    wanted = extract.wanted_range(wish)
    now = today(extract.clock)
    probe = PlannedRequest(Source.ARCHIVE, (Span(0, now - timedelta(days=UNSETTLED_DAYS), now),))
    try:
        records = extract.client.fetch(probe)
    except FETCH_ERRORS as error:
        raise CheckError(f"The weather service cannot be used: {error}") from error
    known = [day for day, sensors in records.items() if None not in sensors[0].measures]
    if not known:
        raise CheckError(f"The weather archive knows none of the last {UNSETTLED_DAYS} days")
    requests = extract.plan(wanted, max(known), refetch=wish.refetch)
    result = CheckResult(
        checked_at=extract.clock.now().isoformat(),
        archive_through=max(known).isoformat(),
        budget_left=round(budget.remaining_today(), 1),
        planned_requests=len(requests),
        planned_weight=round(sum(request.weight for request in requests), 1),
    )
    update(extract.documents, CHECK_RESULT, lambda text: asdict(result))
    if requests and requests[0].weight > result.budget_left:
        raise CheckError(
            f"The request budget of the last 24 hours has {result.budget_left:.0f} left, "
            f"the next request weighs {requests[0].weight:.0f}"
        )
    return result
