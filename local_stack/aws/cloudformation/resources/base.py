"""What a resource type has to say for itself in order to be emulated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from secrets import choice
from string import ascii_uppercase, digits
from typing import Any, ClassVar

from botocore.client import BaseClient

from local_stack.aws.cloudformation.errors import ResourceError


@dataclass
class Call:
    """One request to a resource type.

    ``properties`` are evaluated and brought to the schema's types; ``previous`` are those before an
    update. A handler sets ``physical_id`` as soon as the resource exists (so that a failure later on
    can take it away again) and ``attributes`` for Fn::GetAtt. ``client`` gives boto3 clients of the
    stack's account and region.
    """

    client: Callable[[str], Any]
    stack_name: str
    logical_id: str
    account_id: str
    region: str
    partition: str
    properties: dict[str, Any]
    previous: dict[str, Any] = field(default_factory=dict)
    physical_id: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)

    def name(self, property_name: str, *, lower: bool = False, limit: int = 64) -> str:
        """The resource's own name: as the property says, else generated as CloudFormation does."""
        given = self.properties.get(property_name)
        if given:
            return str(given)
        suffix = "".join(choice(ascii_uppercase + digits) for _ in range(12))
        stem = f"{self.stack_name}-{self.logical_id}"[: limit - len(suffix) - 1]
        generated = f"{stem}-{suffix}"
        return generated.lower() if lower else generated

    def arn(self, service: str, resource: str) -> str:
        """An ARN in the stack's account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"

    def changed(self, property_name: str) -> bool:
        """Whether an update changes this property."""
        return bool(self.properties.get(property_name) != self.previous.get(property_name))


class ResourceType(ABC):
    """One resource type: how it is made, changed and removed through the emulated services' own APIs.

    ``supported`` names every property that is acted on: a template that uses another one is refused.
    ``readable`` are those that ``read`` gives: drift can be told of them, and of no type that has none.
    """

    type_name: ClassVar[str]
    supported: ClassVar[frozenset[str]]
    readable: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def create(self, call: Call) -> None:
        """Make the resource."""

    def update(self, call: Call) -> None:
        """Change it in place; only asked for properties that AWS does not fix at creation."""
        raise ResourceError(f"The emulation cannot update {self.type_name} in place")

    def read(self, call: Call) -> dict[str, Any] | None:
        """The readable properties as they are now; None if the resource is gone."""
        raise NotImplementedError(f"{self.type_name} has no readable properties")

    @abstractmethod
    def delete(self, call: Call) -> None:
        """Remove it. A resource that is gone already is removed."""


def only(value: Mapping[str, Any], allowed: Iterable[str], where: str) -> dict[str, Any]:
    """The mapping itself, if it holds nothing that would be ignored.

    Raises:
        ResourceError: naming the keys that the emulation would have to drop.
    """
    if unknown := sorted(value.keys() - set(allowed)):
        raise ResourceError(f"The emulation does not implement {', '.join(unknown)} of {where}")
    return dict(value)


def renamed(value: Mapping[str, Any], names: Mapping[str, str], where: str) -> dict[str, Any]:
    """The mapping with CloudFormation's keys turned into the API's; other keys are refused."""
    return {names[key]: item for key, item in only(value, names, where).items()}


def tag_mapping(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Tags as a mapping, as some APIs want them."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def ignoring(client: BaseClient, *error_codes: str) -> Callable[..., None]:
    """A function that calls an operation and takes these errors for success (it is gone already)."""

    def call(operation: str, **arguments: Any) -> None:
        try:
            getattr(client, operation)(**arguments)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in error_codes:
                raise

    return call
