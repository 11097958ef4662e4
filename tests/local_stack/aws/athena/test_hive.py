"""Tables of Parquet files: projected and registered partitions, files of another shape."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from config import tables
from tests.support.athena import Athena

pytestmark = pytest.mark.aws

COLUMNS = {column.name: column.type for column in tables.BRONZE.columns}
KEYS = {column.name: column.type for column in tables.BRONZE_PARTITION_COLUMNS}
TODAY = datetime.now(UTC).date()
HOURS = ",".join(f"{hour:02d}" for hour in range(24))


def projection(athena: Athena, name: str) -> dict[str, str]:
    """The properties of the bronze table, as cloudformation/glue_catalog.yaml declares them."""
    return {
        "projection.enabled": "true",
        "projection.dt.type": "date",
        "projection.dt.format": "yyyy-MM-dd",
        "projection.dt.range": "NOW-100DAYS,NOW",
        "projection.dt.interval": "1",
        "projection.dt.interval.unit": "DAYS",
        "projection.hour.type": "enum",
        "projection.hour.values": HOURS,
        "storage.location.template": f"{athena.location}/{name}/dt=${{dt}}/hour=${{hour}}/",
    }


def events(*sensors: int) -> pa.Table:
    return pa.table(
        {
            "sensor_id": sensors,
            "temperature": pa.array([None if n == 2 else n * 10.0 for n in sensors], pa.float64()),
            "location": pa.array([{"latitude": 52.5, "longitude": 13.0 + n} for n in sensors]),
            "status": ["active"] * len(sensors),
            "timestamp": [1704067200 + n for n in sensors],
        }
    )


@pytest.fixture(scope="module")
def bronze(athena: Athena) -> str:
    """Yesterday's and today's events, and files that the projection does not see."""
    name = "bronze"
    athena.create_hive_table(name, COLUMNS, KEYS, projection(athena, name))
    for sensor, (days, hour) in enumerate([(1, "00"), (0, "00"), (0, "07")], 1):
        athena.put_parquet(f"{name}/dt={TODAY - timedelta(days)}/hour={hour}/a.parquet", events(sensor))
    athena.put_parquet(f"{name}/dt=2001-01-01/hour=00/old.parquet", events(90))
    athena.put_parquet(f"{name}/dt={TODAY}/hour=24/odd.parquet", events(91))
    athena.put_parquet(f"{name}/dt={TODAY}/hour=00/_hidden.parquet", events(92))
    athena.account.client("s3").put_object(
        Bucket=athena.bucket, Key=f"{name}/dt={TODAY}/hour=00/empty", Body=b""
    )
    return name


def test_columns_keys_and_those_that_files_lack(athena: Athena, bronze: str):
    assert athena.rows(f"SELECT * FROM {bronze} WHERE sensor_id = 2") == [
        (
            "2",
            None,
            None,
            "{latitude=52.5, longitude=15.0}",
            "active",
            None,
            "1704067202",
            None,
            str(TODAY),
            "00",
        )
    ]


def test_projected_partitions_alone(athena: Athena, bronze: str):
    yesterday = TODAY - timedelta(1)
    assert athena.rows(f"SELECT dt, hour, count(*) FROM {bronze} GROUP BY dt, hour ORDER BY 1, 2") == [
        (str(yesterday), "00", "1"),
        (str(TODAY), "00", "1"),
        (str(TODAY), "07", "1"),
    ]


def test_partition_filters_prune_files(athena: Athena, bronze: str):
    def scanned(condition: str) -> int:
        execution = athena.ask(f"SELECT sum(sensor_id) FROM {bronze} WHERE {condition}")
        return int(execution["Statistics"]["DataScannedInBytes"])

    everything = scanned("true")
    assert 0 < scanned(f"dt = '{TODAY}' AND hour >= '07'") * 2 < everything
    assert scanned("dt < '2001-02-01'") == 0


def test_struct_fields_and_times(athena: Athena, bronze: str):
    sql = f"""
        SELECT date(from_unixtime("timestamp")) AS day, round(location.latitude, 6), avg(temperature)
        FROM {bronze} GROUP BY 1, 2
    """
    assert athena.rows(sql) == [("2024-01-01", "52.5", "20.0")]


def test_the_path_column(athena: Athena, bronze: str):
    path = f"{athena.location}/{bronze}/dt={TODAY}/hour=07/a.parquet"
    assert athena.rows(f'SELECT "$path" FROM {bronze} WHERE sensor_id = 3') == [(path,)]


def test_registered_partitions(athena: Athena):
    name = "registered"
    athena.create_hive_table(name, {"n": "bigint"}, {"year": "int", "zone": "string"})
    glue = athena.account.client("glue")
    for values, folder in ((["2023", "a"], "year=2023/zone=a"), (["2024", "b"], "elsewhere")):
        athena.put_parquet(f"{name}/{folder}/a.parquet", pa.table({"n": [int(values[0])]}))
        location = {"Location": f"{athena.location}/{name}/{folder}/"}
        glue.create_partition(
            DatabaseName=athena.database,
            TableName=name,
            PartitionInput={"Values": values, "StorageDescriptor": location},
        )
    athena.put_parquet(f"{name}/year=2025/zone=c/unregistered.parquet", pa.table({"n": [2025]}))
    assert athena.rows(f"SELECT n, year + 1, zone FROM {name} ORDER BY n") == [
        ("2023", "2024", "a"),
        ("2024", "2025", "b"),
    ]
    assert athena.rows(f"SELECT n FROM {name} WHERE year = 2024 AND zone = 'b'") == [("2024",)]
    assert athena.rows(f"SHOW PARTITIONS {name}") == [("year=2023/zone=a",), ("year=2024/zone=b",)]


def test_partitions_in_the_order_of_their_keys_alone(athena: Athena):
    name = "swapped"
    parameters = {
        "projection.enabled": "true",
        "projection.zone.type": "injected",
        "projection.n.type": "integer",
        "projection.n.range": "0,9",
        "storage.location.template": f"{athena.location}/{name}/${{n}}/of-${{zone}}/",
    }
    athena.create_hive_table(name, {"x": "bigint"}, {"zone": "string", "n": "int"}, parameters)
    assert athena.rows(f"SELECT zone, n, x FROM {name}") == []
    athena.put_parquet(f"{name}/7/of-a/f.parquet", pa.table({"x": [1]}))
    assert athena.rows(f"SELECT zone, n + 1, x FROM {name} WHERE zone = 'a' AND n = 7") == [("a", "8", "1")]


def test_a_table_without_partitions(athena: Athena):
    athena.create_hive_table("plain", {"N": "bigint", "x": "double", "t": "timestamp"})
    assert athena.rows("SELECT count(*) FROM plain") == [("0",)]
    times = pa.array([datetime(2024, 1, 1, 0, 0, 0, 1500)], pa.timestamp("us"))
    athena.put_parquet("plain/a.parquet", pa.table({"n": pa.array([1], pa.int32()), "t": times}))
    athena.put_parquet("plain/below/b.parquet", pa.table({"X": [2.5], "N": [2]}))
    assert athena.rows("SELECT * FROM plain ORDER BY n") == [
        ("1", None, "2024-01-01 00:00:00.002"),
        ("2", "2.5", None),
    ]


def test_a_file_of_another_type(athena: Athena):
    athena.create_hive_table("mistyped", {"n": "bigint", "s": "struct<a:double>"})
    athena.put_parquet("mistyped/a.parquet", pa.table({"n": ["one"]}))
    assert athena.failure("SELECT * FROM mistyped").startswith(
        "HIVE_BAD_DATA: Field n's type string in parquet file"
    )
    athena.put_parquet("mistyped/a.parquet", pa.table({"s": pa.array([{"a": "x"}])}))
    assert athena.failure("SELECT * FROM mistyped").startswith(
        "HIVE_BAD_DATA: Field s's type struct<a: string>"
    )


def test_a_file_that_is_not_parquet(athena: Athena):
    athena.create_hive_table("broken", {"n": "bigint"})
    athena.account.client("s3").put_object(
        Bucket=athena.bucket, Key="broken/a.parquet", Body=b"not parquet at all"
    )
    assert athena.failure("SELECT * FROM broken").startswith(
        "HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split"
    )


def test_other_formats_are_refused(athena: Athena):
    athena.create_hive_table("lines", {"n": "bigint"}, serde="org.openx.data.jsonserde.JsonSerDe")
    assert athena.failure("SELECT * FROM lines").startswith("NOT_SUPPORTED: the format of table lines")


def test_a_replaced_file_is_read_anew(athena: Athena):
    athena.create_hive_table("replaced", {"n": "bigint"})
    for n in (1, 2):
        athena.put_parquet("replaced/a.parquet", pa.table({"n": [n]}))
        assert athena.rows("SELECT n FROM replaced") == [(str(n),)]
