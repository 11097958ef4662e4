"""Athena's API errors."""

from __future__ import annotations

from moto.core.exceptions import JsonRESTError


class InvalidRequestError(JsonRESTError):
    """The request cannot be served as it is."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__("InvalidRequestException", message)


class ResourceNotFoundError(JsonRESTError):
    """What the request names does not exist."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__("ResourceNotFoundException", message)


class MetadataError(JsonRESTError):
    """The catalog has no such thing."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__("MetadataException", message)
