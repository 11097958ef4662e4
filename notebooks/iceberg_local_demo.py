# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Iceberg in a folder
#
# What a table format does for a lakehouse, shown on this machine: **no AWS, no account, no network**. The
# catalog is a folder. Every statement below works the same on the catalog `glue`.

# %%
import os
import tempfile
from pathlib import Path

import duckdb
import matplotlib.pyplot as plt
from charting import BAD, GOOD, name_source, use_style
from pyiceberg.table import StaticTable
from pyspark.sql import SparkSession

from local_stack.spark.install import ensure_runtime

use_style()
warehouse = Path(tempfile.mkdtemp(prefix="iceberg-demo-"))
runtime = ensure_runtime()
os.environ.update(runtime.environment())
settings = runtime.driver_settings() | {
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    "spark.sql.catalog.local": "org.apache.iceberg.spark.SparkCatalog",
    "spark.sql.catalog.local.type": "hadoop",
    "spark.sql.catalog.local.warehouse": str(warehouse),
}
spark = SparkSession.builder.appName("iceberg_local_demo").config(map=settings).getOrCreate()


def run(sql: str) -> None:
    """Run a statement that has no rows."""
    spark.sql(sql)


def show(sql: str) -> None:
    """Run a query and print its rows."""
    spark.sql(sql).show(truncate=False)


# %% [markdown]
# ## Create and append
#
# A table is partitioned by a *transform* of a column, `days(measured_at)`: queries that filter on the time
# read only the days they need, and nobody has to know how the files are laid out.

# %%
run("""
CREATE TABLE local.demo.readings (sensor_id bigint, measured_at timestamp, temperature double)
USING iceberg
PARTITIONED BY (days(measured_at))
""")

# %% [markdown]
# Twelve deliveries, one every two hours, as a stream makes them: each is one commit, and one small file.

# %%
for hour in range(0, 24, 2):
    run(f"""
    INSERT INTO local.demo.readings
    SELECT id AS sensor_id,
           timestamp'2026-06-01 00:00:00' + make_interval(0, 0, 0, 0, {hour}, 0, id) AS measured_at,
           round(15 + 6 * sin((pi() * ({hour} - 8)) / 12) + id % 10 / 10, 1) AS temperature
    FROM range(100)
    """)

# %%
show("""
SELECT count(*) AS readings, min(temperature) AS coldest, max(temperature) AS warmest FROM local.demo.readings
""")

# %%
curve = spark.sql("""
SELECT hour(measured_at) AS hour, min(temperature), avg(temperature), max(temperature)
FROM local.demo.readings GROUP BY 1 ORDER BY 1
""").collect()
hours, lowest, mean, highest = zip(*curve, strict=True)
figure, axes = plt.subplots(figsize=(8, 3.2))
axes.fill_between(hours, lowest, highest, color=GOOD, alpha=0.2, label="lowest to highest of 100 sensors")
axes.plot(hours, mean, color=GOOD, marker="o", label="mean")
axes.set(title="A made-up day", xlabel="Hour of 1 June 2026, UTC", ylabel="Temperature, °C", xticks=hours)
axes.legend(loc="upper left")
name_source(axes, "local.demo.readings, synthetic")
plt.show()

# %% [markdown]
# ## Time travel
#
# Every commit is a snapshot, and every snapshot stays readable until it is expired.

# %%
snapshots = spark.sql(
    "SELECT snapshot_id, operation FROM local.demo.readings.snapshots ORDER BY committed_at"
)
history = [row.snapshot_id for row in snapshots.collect()]
print(f"{len(history)} snapshots")
show(f"SELECT count(*) AS readings_of_the_first_three FROM local.demo.readings VERSION AS OF {history[2]}")

# %% [markdown]
# A mistake is taken back by going back, not by repairing: `DELETE` without a filter that was meant, and
# `rollback_to_snapshot`.

# %%
run("DELETE FROM local.demo.readings WHERE sensor_id < 90")
show("SELECT count(*) AS after_the_slip FROM local.demo.readings")
run(f"CALL local.system.rollback_to_snapshot('demo.readings', {history[-1]})")
show("SELECT count(*) AS after_the_rollback FROM local.demo.readings")
assert spark.table("local.demo.readings").count() == 1200

# %% [markdown]
# ## Schema evolution
#
# Columns are known by number, not by name or position: adding, renaming and widening rewrite no file, and old
# files are read as if they had always had the new columns.

# %%
run("ALTER TABLE local.demo.readings ADD COLUMN humidity double AFTER temperature")
run("ALTER TABLE local.demo.readings RENAME COLUMN temperature TO temperature_c")
run("INSERT INTO local.demo.readings VALUES (100, timestamp'2026-06-01 23:00:00', 14.2, 61.5)")
show("SELECT * FROM local.demo.readings ORDER BY sensor_id DESC LIMIT 3")

# %% [markdown]
# ## Branches: write, audit, publish
#
# A branch is a line of snapshots beside `main`. Readers of the table see nothing of it until it is published,
# and then all of it at once. The jobs of this project publish their tables so.

# %%
run("ALTER TABLE local.demo.readings CREATE BRANCH audit")
run("""
INSERT INTO local.demo.readings.branch_audit
SELECT id, timestamp'2026-06-02 00:00:00', 999.0, 50.0 FROM range(5)
""")
absurd = spark.sql("SELECT count(*) FROM local.demo.readings VERSION AS OF 'audit' WHERE temperature_c > 70")
print(
    f"On the branch, {absurd.first()[0]} absurd temperatures: refused. On main, readers saw nothing of them."
)
run("ALTER TABLE local.demo.readings DROP BRANCH audit")

# %%
run("ALTER TABLE local.demo.readings CREATE BRANCH audit")
run("""
INSERT INTO local.demo.readings.branch_audit
SELECT id, timestamp'2026-06-02 00:00:00', 15.5, 50.0 FROM range(5)
""")
run("CALL local.system.fast_forward('demo.readings', 'main', 'audit')")
run("ALTER TABLE local.demo.readings DROP BRANCH audit")
show("SELECT count(*) AS published FROM local.demo.readings WHERE measured_at >= '2026-06-02'")

# %% [markdown]
# ## Compaction
#
# Many small files make slow queries. Compaction joins them, as one more commit: who reads meanwhile is not
# disturbed, and no row changes.


# %%
def files_per_day() -> dict[str, int]:
    """How many data files each day's partition has."""
    rows = spark.sql("""
    SELECT date_format(partition.measured_at_day, 'd MMMM') AS day, count(*) AS files
    FROM local.demo.readings.files GROUP BY partition.measured_at_day ORDER BY partition.measured_at_day
    """)
    return {row.day: row.files for row in rows.collect()}


before = files_per_day()
run("CALL local.system.rewrite_data_files(table => 'demo.readings', options => map('min-input-files', '2'))")
after = files_per_day()

# %%
figure, axes = plt.subplots(figsize=(8, 2.6))
days = list(before)
rows = range(len(days))
axes.barh([row + 0.2 for row in rows], before.values(), height=0.38, color=BAD, label="before compaction")
axes.barh([row - 0.2 for row in rows], after.values(), height=0.38, color=GOOD, label="after")
axes.set(title="Data files of the table", xlabel="Files", yticks=list(rows), yticklabels=days)
axes.grid(axis="y", visible=False)
axes.legend(loc="upper right")
name_source(axes, "local.demo.readings.files")
plt.show()

# %% [markdown]
# ## One table, many engines
#
# The table is files and a description of them: here pyiceberg reads what Spark wrote, and DuckDB asks SQL of it.

# %%
newest = max(
    (warehouse / "demo" / "readings" / "metadata").glob("*.metadata.json"), key=lambda f: f.stat().st_mtime
)
readings = StaticTable.from_metadata(str(newest)).scan().to_arrow()
answer = duckdb.sql("SELECT count(*) AS readings, round(avg(temperature_c), 2) AS mean_c FROM readings")
print(answer)
assert answer.fetchone()[0] == spark.table("local.demo.readings").count() == 1206

# %%
spark.stop()
