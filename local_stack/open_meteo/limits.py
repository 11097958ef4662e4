"""The service's limits: weight per minute, hour and day, and one running request per client."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from config.weather import RequestLimits
from local_stack.open_meteo.query import RefusedError

_MAX_QUEUED = 5

_WINDOWS = (
    (60, "Minutely API request limit exceeded. Please try again in one minute."),
    (3600, "Hourly API request limit exceeded. Please try again in the next hour."),
    (86400, "Daily API request limit exceeded. Please try again tomorrow."),
)


class RateLimiter:
    """Weights per client in windows of the clock.

    As in the service, a client is refused once it has reached a limit, and only answered requests
    count: the last one before the limit may overshoot it.
    """

    def __init__(self, limits: RequestLimits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self._clock = clock
        self._used: dict[tuple[str, int], tuple[int, float]] = {}

    def check(self, client: str) -> None:
        """Refuse a client that is over a limit.

        Raises:
            RefusedError: 429, saying which limit.
        """
        allowed = (self.limits.per_minute, self.limits.per_hour, self.limits.per_day)
        for (seconds, reason), limit in zip(_WINDOWS, allowed, strict=True):
            if self._weight(client, seconds) >= limit:
                raise RefusedError(429, reason)

    def count(self, client: str, weight: float) -> None:
        """Add an answered request's weight to every window."""
        for seconds, _ in _WINDOWS:
            used = self._weight(client, seconds) + weight
            self._used[client, seconds] = (self._window(seconds), used)

    def reset(self) -> None:
        """Forget what was used."""
        self._used.clear()

    def _window(self, seconds: int) -> int:
        return int(self._clock() // seconds)

    def _weight(self, client: str, seconds: int) -> float:
        window, weight = self._used.get((client, seconds), (-1, 0.0))
        return weight if window == self._window(seconds) else 0.0


class ConcurrencyLimiter:
    """One running request per client; up to five more wait, further ones are refused."""

    def __init__(self) -> None:
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._present: defaultdict[str, int] = defaultdict(int)

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for this client's turn.

        Raises:
            RefusedError: 429 where too many wait already.
        """
        if self._present[client] > _MAX_QUEUED:
            raise RefusedError(429, "Too many concurrent requests")
        self._present[client] += 1
        try:
            async with self._turns[client]:
                yield
        finally:
            self._present[client] -= 1
