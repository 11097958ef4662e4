"""AWS's resource schemas as the emulation uses them."""

from __future__ import annotations

import pytest

from local_stack.aws.cloudformation.errors import ResourceError
from local_stack.aws.cloudformation.resources import REGISTRY
from local_stack.aws.cloudformation.schemas import ResourceSchema, schema_of


def schema(type_name: str) -> ResourceSchema:
    found = schema_of(type_name, "eu-north-1")
    assert found is not None
    return found


def test_every_emulated_property_is_a_property_of_aws() -> None:
    assert len(REGISTRY) >= 14
    for type_name, resource_type in REGISTRY.items():
        assert resource_type.supported <= schema(type_name).properties, type_name


def test_a_type_that_aws_does_not_have_has_no_schema() -> None:
    assert schema_of("AWS::S3::Bukkit", "eu-north-1") is None


def test_scalars_take_the_type_of_the_schema() -> None:
    stream = schema("AWS::Kinesis::Stream").coerce({"ShardCount": "4", "Name": 7})
    assert stream == {"ShardCount": 4, "Name": "7"}
    bucket = schema("AWS::S3::Bucket").coerce(
        {
            "PublicAccessBlockConfiguration": {"BlockPublicAcls": "true"},
            "LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "ExpirationInDays": "90"}]},
        }
    )
    assert bucket["PublicAccessBlockConfiguration"] == {"BlockPublicAcls": True}
    assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 90


def test_fixed_properties_mean_a_new_resource_also_inside_a_structure() -> None:
    table = schema("AWS::Glue::Table")
    assert table.fixed_at_creation("TableInput", {"Name": "a"}, {"Name": "b"})
    assert not table.fixed_at_creation("TableInput", {"Name": "a", "Owner": "x"}, {"Name": "a", "Owner": "y"})


@pytest.mark.parametrize(
    ("properties", "place"),
    [
        ({"RetentionInDays": 8}, "RetentionInDays"),
        ({"RetentionInDays": "many"}, "RetentionInDays"),
        ({"LogGroupName": "no spaces please"}, "LogGroupName"),
    ],
)
def test_values_that_aws_refuses_are_refused(properties: dict[str, object], place: str) -> None:
    with pytest.raises(ResourceError, match=f"#/{place}"):
        schema("AWS::Logs::LogGroup").validate(properties)
