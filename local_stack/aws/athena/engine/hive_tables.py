"""Hive tables of Parquet files: partitions projected or registered in Glue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from local_stack.aws.athena import storage
from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.catalog import Catalog, GlueColumn, GlueTable
from local_stack.aws.athena.engine.errors import QueryError, not_supported
from local_stack.aws.athena.engine.parquet_files import check_file
from local_stack.aws.athena.engine.projection import accepted_values, is_enabled, location_pattern
from local_stack.aws.athena.engine.scope import Field, Relation
from local_stack.aws.athena.engine.temporal import rounded_timestamp
from local_stack.aws.athena.engine.typenames import hive_type
from local_stack.aws.athena.engine.types import Kind, SqlType, quote, text
from local_stack.aws.athena.storage import NoSuchBucketError, StoredFile

_DEFAULT_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_FOLDER = r"'^(.*/)'"
_NO_FILE = "CAST('' AS VARCHAR) AS filename"


@dataclass(frozen=True)
class Partitions:
    """How a file's name tells the values of the partition keys.

    ``pattern`` is a regular expression with a group per key; where the folders follow no pattern,
    ``folders`` (with a slash behind them) lead to their values. DuckDB applies either to the names
    before it opens files, so that a filter prunes them.
    """

    pattern: str | None = None
    folders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def value(self, index: int) -> str:
        """SQL of the value of a key, by its place."""
        if self.pattern is not None:
            found = f"regexp_extract(filename, {text(self.pattern)}, {index + 1})"
        else:
            entries = ", ".join(
                f"{text(folder)}: {text(values[index])}" for folder, values in self.folders.items()
            )
            found = (
                f"CAST(MAP {{{entries}}} AS MAP(VARCHAR, VARCHAR))[regexp_extract(filename, {_FOLDER}, 1)]"
            )
        return f"nullif({found}, {text(_DEFAULT_PARTITION)})"


def column_types(columns: tuple[GlueColumn, ...]) -> list[tuple[str, SqlType]]:
    """Names and types of Glue columns.

    Raises:
        QueryError: NOT_SUPPORTED, naming a type that is not read.
    """
    return [(column.name, hive_type(column.type)) for column in columns]


def table_relation(catalog: Catalog, table: GlueTable, alias: str, now: datetime) -> Relation:
    """The rows of the table.

    Raises:
        QueryError: NOT_SUPPORTED for another format, HIVE_BAD_DATA for files of another type.
    """
    if not table.is_parquet:
        raise not_supported(f"the format of table {table.name} ({table.serde or 'none'})")
    data, keys = column_types(table.columns), column_types(table.partition_keys)
    partitions, files = find_files(catalog, table, now)
    # DuckDB reads the files, and knows no callers.
    for folder in sorted({file.uri.rpartition("/")[0] for file in files}):
        storage.check_readable(folder)
    for file in files:
        check_file(file, data)
    columns = [(name, type_, _column(name, type_)) for name, type_ in data]
    columns += [(name, type_, _key(index, type_, partitions)) for index, (name, type_) in enumerate(keys)]
    columns.append(("$path", types.VARCHAR, "filename"))
    if files:
        source = _scan([file.uri for file in files], data)
    else:
        nothing = [f"CAST(NULL AS {type_.duckdb}) AS {quote(name)}" for name, type_ in data]
        source = f"(SELECT {', '.join([*nothing, _NO_FILE])} WHERE FALSE)"
    listed = ", ".join(f"{sql} AS c{index}" for index, (_, _, sql) in enumerate(columns))
    fields = (
        Field(name, type_, f"{alias}.c{index}", (table.database, table.name), is_hidden=name == "$path")
        for index, (name, type_, _) in enumerate(columns)
    )
    return Relation(f"(SELECT {listed} FROM {source}) AS {alias}", tuple(fields))


def _scan(uris: list[str], columns: list[tuple[str, SqlType]]) -> str:
    """Columns by name; one that a file lacks is NULL."""
    schema = ", ".join(
        f"{text(name)}: {{name: {text(name)}, type: {text(type_.duckdb)}, default_value: NULL}}"
        for name, type_ in columns
    )
    return f"read_parquet([{', '.join(map(text, uris))}], schema = MAP {{{schema}}}, filename = true)"


def _column(name: str, type_: SqlType) -> str:
    if type_.kind is Kind.TIMESTAMP:
        return rounded_timestamp(quote(name), types.timestamp(6), type_)
    if type_.is_nested and "timestamp" in str(type_):
        raise not_supported(f"a timestamp inside the column {name}")
    return quote(name)


def _key(index: int, type_: SqlType, partitions: Partitions) -> str:
    value = partitions.value(index)
    return value if type_.kind is Kind.VARCHAR else f"CAST({value} AS {type_.duckdb})"


def find_files(catalog: Catalog, table: GlueTable, now: datetime) -> tuple[Partitions, list[StoredFile]]:
    """The table's partitions that hold files, and the files."""
    try:
        if not table.partition_keys:
            return Partitions(), [
                file for file in storage.list_files(_folder(table.location)) if _is_data(file)
            ]
        if is_enabled(table.parameters):
            return _projected(table, now)
        return _registered(catalog, table)
    except NoSuchBucketError as error:
        message = f"The specified bucket does not exist: {error}"
        raise QueryError("HIVE_FILESYSTEM_ERROR", message) from error


def _folder(location: str) -> str:
    return location.rstrip("/") + "/"


def _is_data(file: StoredFile) -> bool:
    """Hive ignores hidden and empty files."""
    name = file.uri.rpartition("/")[2]
    return file.size > 0 and bool(name) and not name.startswith(("_", "."))


def _projected(table: GlueTable, now: datetime) -> tuple[Partitions, list[StoredFile]]:
    keys = tuple(key.name for key in table.partition_keys)
    template = table.parameters.get("storage.location.template") or _hive_template(table)
    prefix, pattern = location_pattern(template, keys)
    tests = {key: accepted_values(table.parameters, key, now) for key in keys}
    files = []
    for file in storage.list_files(prefix):
        match = pattern.match(file.uri)
        if match and _is_data(file) and all(tests[key](match[key]) for key in keys):
            files.append(file)
    is_in_order = tuple(pattern.groupindex) == keys
    if is_in_order:
        return Partitions(pattern=f"^{pattern.pattern}"), files
    return Partitions(folders=_folders(files, pattern, keys)), files


def _hive_template(table: GlueTable) -> str:
    return _folder(table.location) + "/".join(f"{key.name}=${{{key.name}}}" for key in table.partition_keys)


def _folders(
    files: list[StoredFile], pattern: re.Pattern[str], keys: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    matches = {file.uri.rpartition("/")[0] + "/": pattern.match(file.uri) for file in files}
    return {folder: tuple(match[key] for key in keys) for folder, match in matches.items() if match}


def _registered(catalog: Catalog, table: GlueTable) -> tuple[Partitions, list[StoredFile]]:
    keys = tuple(key.name for key in table.partition_keys)
    _, pattern = location_pattern(_hive_template(table), keys)
    folders: dict[str, tuple[str, ...]] = {}
    files = []
    listings: dict[str, list[StoredFile]] = {}
    follows_pattern = True
    for partition in catalog.partitions(table):
        folder = _folder(partition.location)
        match = pattern.fullmatch(folder)
        follows_pattern &= match is not None and match.groups() == partition.values
        root = _folder(table.location) if folder.startswith(_folder(table.location)) else folder
        if root not in listings:
            listings[root] = storage.list_files(root)
        for file in listings[root]:
            if file.uri.startswith(folder) and _is_data(file):
                folders[file.uri.rpartition("/")[0] + "/"] = partition.values
                files.append(file)
    return Partitions(pattern=f"^{pattern.pattern}") if follows_pattern else Partitions(
        folders=folders
    ), files
