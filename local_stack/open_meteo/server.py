"""The stand-in's HTTP face: /v1/archive, /v1/forecast, /health, and /_admin for tests and drills.

Admin paths: GET /_admin/requests lists what was asked; POST /_admin/faults orders faults (a list of
objects with the fields of ``Fault``); PUT /_admin/limits changes limits (fields of
``RequestLimits``); POST /_admin/reset forgets requests, faults, used weights and changed limits.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from config.weather import ARCHIVE_PATH, FORECAST_PATH, RequestLimits
from local_stack.open_meteo.answers import answer
from local_stack.open_meteo.faults import Fault, FaultPlan, corrupted
from local_stack.open_meteo.limits import ConcurrencyLimiter, RateLimiter
from local_stack.open_meteo.query import Endpoint, RefusedError, parse_query
from local_stack.open_meteo.weather_model import WeatherModel

_APPENDED_ERROR = b'"error":true,"reason":"Unexpected error while streaming data: timeoutReached"}'


@dataclass(frozen=True)
class ServedRequest:
    """One line of the request log: what was asked and how it ended."""

    endpoint: str
    locations: int
    start: str
    end: str
    weight: float
    status: int
    fault: str | None
    at: float


@dataclass
class OpenMeteoStandIn:
    """State and behaviour of one stand-in.

    ``latency`` is seconds per answered request; ``archive_lag_days`` how many of the last days the
    archive does not know yet; ``clock`` gives epoch seconds.
    """

    seed: int = 42
    latency: float = 0.0
    archive_lag_days: int = 2
    limits: RequestLimits = field(default_factory=RequestLimits)
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        """Start with no requests, no faults and empty windows."""
        self.model = WeatherModel(self.seed)
        self.faults = FaultPlan()
        self.requests: list[ServedRequest] = []
        self._rates = RateLimiter(self.limits, self.clock)
        self._turns = ConcurrencyLimiter()

    @property
    def today(self) -> date:
        """The current date, UTC."""
        return datetime.fromtimestamp(self.clock(), UTC).date()

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route(ARCHIVE_PATH, self._archive),
                Route(FORECAST_PATH, self._forecast),
                Route("/health", self._health),
                Route("/_admin/requests", self._list_requests),
                Route("/_admin/faults", self._order_faults, methods=["POST"]),
                Route("/_admin/limits", self._change_limits, methods=["PUT"]),
                Route("/_admin/reset", self._reset, methods=["POST"]),
            ],
        )

    def reset(self) -> None:
        """Forget requests, faults, used weights and changed limits."""
        self.requests.clear()
        self.faults.clear()
        self._rates.limits = self.limits
        self._rates.reset()

    async def _archive(self, request: Request) -> Response:
        return await self._serve("archive", request)

    async def _forecast(self, request: Request) -> Response:
        return await self._serve("forecast", request)

    async def _serve(self, endpoint: Endpoint, request: Request) -> Response:
        client = request.client.host if request.client else "unknown"
        fault = self.faults.next()
        try:
            self._rates.check(client)
            async with self._turns.turn(client):
                return await self._answer(endpoint, request, client, fault)
        except RefusedError as refused:
            self._log(endpoint, request, 0.0, refused.status, fault)
            return _error(refused.status, refused.reason)

    async def _answer(
        self, endpoint: Endpoint, request: Request, client: str, fault: Fault | None
    ) -> Response:
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        if fault and fault.kind == "status":
            raise RefusedError(fault.status, fault.reason)
        query = parse_query(endpoint, request.query_params, self.today, self._rates.limits)
        await asyncio.sleep(self.latency)
        known_until = self.today - timedelta(days=self.archive_lag_days)
        answers = await asyncio.to_thread(answer, query, self.model, known_until)
        self._rates.count(client, query.weight)
        self._log(endpoint, request, query.weight, 200, fault)
        if fault:
            answers = corrupted(answers, fault.kind)
        content: Any = answers[0] if len(query.locations) == 1 else answers
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        return _with_transport_fault(body, fault)

    def _log(self, endpoint: str, request: Request, weight: float, status: int, fault: Fault | None) -> None:
        params = request.query_params
        self.requests.append(
            ServedRequest(
                endpoint=endpoint,
                locations=len([part for part in params.get("latitude", "").split(",") if part]),
                start=params.get("start_date", ""),
                end=params.get("end_date", ""),
                weight=weight,
                status=status,
                fault=fault.kind if fault else None,
                at=self.clock(),
            )
        )

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "seed": self.seed})

    async def _list_requests(self, request: Request) -> Response:
        return JSONResponse([asdict(served) for served in self.requests])

    async def _order_faults(self, request: Request) -> Response:
        try:
            ordered = [Fault(**fault) for fault in await request.json()]
        except (TypeError, ValueError) as error:
            return _error(400, str(error))
        for fault in ordered:
            self.faults.order(fault)
        return JSONResponse({"ordered": len(ordered)})

    async def _change_limits(self, request: Request) -> Response:
        try:
            self._rates.limits = RequestLimits(**await request.json())
        except (TypeError, ValueError) as error:
            return _error(400, str(error))
        return JSONResponse(asdict(self._rates.limits))

    async def _reset(self, request: Request) -> Response:
        self.reset()
        return JSONResponse({"status": "ok"})


def _error(status: int, reason: str) -> Response:
    return JSONResponse({"error": True, "reason": reason}, status_code=status)


def _with_transport_fault(body: bytes, fault: Fault | None) -> Response:
    kind = fault.kind if fault else None
    if kind == "html":
        return HTMLResponse("<html><body><h1>Welcome to the hotel's network</h1></body></html>")
    if kind == "truncated":
        body = body[: len(body) // 2]
    if kind == "appended":
        body = body[: len(body) // 2] + _APPENDED_ERROR
    headers = {"content-length": str(len(body) + 1)} if kind == "dropped" else None
    return Response(body, media_type="application/json; charset=utf-8", headers=headers)
