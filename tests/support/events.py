"""A valid event."""

from __future__ import annotations

from typing import Any

VALID_EVENT: dict[str, Any] = {
    "sensor_id": 42,
    "temperature": 21.5,
    "humidity": 40.0,
    "location": {"latitude": 52.52, "longitude": 13.405},
    "status": "active",
    "event_type": "reading",
}
"""All but its identity: uuid and timestamp."""
