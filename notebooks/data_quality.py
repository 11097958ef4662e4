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
# # Data quality
#
# What arrived, what of it is valid, how late it was, what is missing, and how fresh the tables are. All of it
# is asked of Athena, over the bronze table and the tables that the jobs wrote.

# %%
import os
from datetime import UTC, datetime

import boto3
import matplotlib.pyplot as plt
import pandas as pd
from charting import BAD, GOOD, NEUTRAL, Athena, name_source, use_style
from dotenv import find_dotenv, load_dotenv
from pyiceberg.catalog import load_catalog

from config.project_config import Settings
from config.tables import BRONZE, QUARANTINE, SILVER, TABLES
from config.weather import ATTRIBUTION

load_dotenv(find_dotenv(usecwd=True))
settings = Settings.from_mapping(os.environ)
athena = Athena(settings)
catalog = load_catalog("glue", **{"client.region": settings.aws_region, "s3.region": settings.aws_region})
use_style()

# %% [markdown]
# ## Where every record ended up
#
# A record that arrived is an event of the table `clickstream_events`, a further copy of one, or it lies in
# quarantine, with the reason: what Firehose could not convert (no JSON, a wrong type), and what breaks the data
# contract. What has arrived since the last run of `ingest_events` counts among the copies until the next one.


# %%
def count_conversion_failures(bucket: str, prefix: str) -> int:
    """How many records Firehose could not convert."""
    s3 = boto3.client("s3", region_name=settings.aws_region)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    bodies = (s3.get_object(Bucket=bucket, Key=key)["Body"] for key in keys)
    return sum(bool(line) for body in bodies for line in body.iter_lines())


failed = count_conversion_failures(*settings.conversion_errors_path.removeprefix("s3://").split("/", 1))
[delivered] = athena(f"SELECT count(*) AS n FROM {BRONZE.name}").n
[events] = athena(f"SELECT count(*) AS n FROM {SILVER.name}").n
reasons = athena(f"SELECT reason, count(*) AS n FROM {QUARANTINE.name} GROUP BY reason ORDER BY n DESC")
outcome = {
    "events": events,
    "further copies": delivered + failed - events - reasons.n.sum(),
    **{f"quarantine: {row.reason}": row.n for row in reasons.itertuples()},
}
records = sum(outcome.values())

figure, axes = plt.subplots(figsize=(9, 0.6 + 0.5 * len(outcome)))
colours = [GOOD, NEUTRAL, *[BAD] * (len(outcome) - 2)]
bars = axes.barh(list(outcome), list(outcome.values()), color=colours)
axes.bar_label(bars, [f" {count:,} ({count / records:.2%})" for count in outcome.values()])
axes.set(title=f"What became of {records:,} records", xlabel="Records (logarithmic)", xscale="log")
axes.set_xlim(0.8, max(outcome.values()) * 12)
axes.invert_yaxis()
axes.grid(axis="y", visible=False)
name_source(axes, "clickstream_raw, clickstream-errors/, clickstream_events, clickstream_quarantine")
plt.show()

# %% [markdown]
# ## Late data
#
# An event belongs to the day on which it was measured, whenever it arrives. How late do they arrive?

# %%
late = athena(f"""
SELECT CASE WHEN hours < 1 THEN 0 WHEN hours < 6 THEN 1 WHEN hours < 24 THEN 2 WHEN hours < 72 THEN 3 ELSE 4 END
         AS step, count(*) AS events
FROM (
  SELECT (to_unixtime(CAST(dt || ' ' || hour || ':00:00' AS timestamp)) - "timestamp") / 3600.0 AS hours
  FROM {BRONZE.name} WHERE "timestamp" IS NOT NULL
) GROUP BY 1 ORDER BY 1
""")
labels = ["under 1 hour", "1 to 6 hours", "6 to 24 hours", "1 to 3 days", "3 days and more"]
rows = late.set_index("step").events.reindex(range(len(labels)), fill_value=0)

figure, axes = plt.subplots(figsize=(9, 3))
bars = axes.bar(labels, rows, color=[GOOD, NEUTRAL, NEUTRAL, NEUTRAL, NEUTRAL])
axes.bar_label(bars, [f"{count:,}" for count in rows])
axes.set(title="From measurement to arrival", ylabel="Rows (logarithmic)", yscale="log")
axes.set_ylim(0.8, max(rows) * 4)
axes.grid(axis="x", visible=False)
name_source(axes, "clickstream_raw: the hour of arrival less the time of the event")
plt.show()

# %% [markdown]
# ## Missing measurements
#
# Temperature and humidity may be missing: a faulty sensor measures little. A healthy one that measures nothing
# would be news.

# %%
missing = athena(f"""
SELECT status, count(*) AS events,
       100e0 * count_if(temperature IS NULL) / count(*) AS no_temperature,
       100e0 * count_if(humidity IS NULL) / count(*) AS no_humidity
FROM {BRONZE.name} WHERE status <> '' GROUP BY status ORDER BY events DESC
""").head(6)

figure, axes = plt.subplots(figsize=(9, 3))
positions = range(len(missing))
axes.bar([p - 0.2 for p in positions], missing.no_temperature, width=0.38, color=GOOD, label="no temperature")
axes.bar([p + 0.2 for p in positions], missing.no_humidity, width=0.38, color=NEUTRAL, label="no humidity")
names = [f"{row.status}\n{row.events:,} rows" for row in missing.itertuples()]
axes.set(title="Rows without a measurement", ylabel="Percent", xticks=list(positions), xticklabels=names)
axes.grid(axis="x", visible=False)
axes.legend()
name_source(axes, "clickstream_raw")
plt.show()

# %% [markdown]
# ## Completeness of the weather
#
# Every region is a block of 2 x 2 sensors. A square below is a region; 100 percent is every sensor, every day,
# all three measures.

# %%
regions = athena("""
SELECT region, 100e0 * count_if(is_complete) / count(*) AS complete, avg(data_quality_score) AS score
FROM weather_daily GROUP BY region
""")
corner = regions.region.str.extract(r"ZONE_(\d+)_(\d+)").astype(int)
grid = regions.assign(row=corner[0], column=corner[1]).pivot(index="row", columns="column", values="complete")

figure, axes = plt.subplots(figsize=(5.2, 4))
image = axes.imshow(grid, cmap="RdYlGn", alpha=0.7, vmin=min(95, grid.min().min()), vmax=100, origin="lower")
for row in range(grid.shape[0]):
    for column in range(grid.shape[1]):
        axes.text(column, row, f"{grid.iloc[row, column]:.1f}", ha="center", va="center", fontsize=9)
axes.set(
    title="Complete days per region",
    xlabel="First column of the region",
    ylabel="First row of the region",
    xticks=range(len(grid.columns)),
    xticklabels=grid.columns,
    yticks=range(len(grid.index)),
    yticklabels=grid.index,
)
axes.grid(visible=False)
figure.colorbar(image, ax=axes, label="Percent", shrink=0.8)
name_source(axes, f"weather_daily.\n{ATTRIBUTION}")
plt.show()

# %% [markdown]
# ## What the last run measured
#
# The jobs measure their own input, compare it with limits, and refuse to publish what fails.

# %%
metrics = athena("""
SELECT table_name, metric, value, threshold, verdict, measured_at FROM data_quality_metrics
WHERE run_id = (SELECT max_by(run_id, measured_at) FROM data_quality_metrics)
ORDER BY table_name, metric
""")
verdict_colour = {"pass": f"color: {GOOD}", "fail": f"color: {BAD}; font-weight: bold"}
metrics.style.hide(axis="index").map(lambda verdict: verdict_colour.get(verdict, ""), subset=["verdict"])

# %% [markdown]
# ## Freshness
#
# When did events last arrive, and when was each table last published?

# %%
[newest] = athena(f"SELECT max(dt || ' ' || hour) AS newest FROM {BRONZE.name}").newest
arrived = datetime.strptime(f"{newest} +0000", "%Y-%m-%d %H %z")
print(f"The newest events arrived in the hour from {arrived:%Y-%m-%d %H:%M} UTC on.")

now = datetime.now(UTC)
ages = {}
for _, table in catalog.list_tables(settings.glue_database):
    if table in TABLES and TABLES[table].format == "iceberg":
        snapshot = catalog.load_table(f"{settings.glue_database}.{table}").current_snapshot()
        if snapshot:
            ages[table] = (
                now - datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC)
            ).total_seconds() / 60
ages = pd.Series(ages).sort_values(ascending=False)

figure, axes = plt.subplots(figsize=(9, 0.8 + 0.32 * len(ages)))
bars = axes.barh(ages.index, ages, color=GOOD)
axes.bar_label(bars, fmt=" %.0f")
axes.set(title="Minutes since the last commit", xlabel="Minutes")
axes.grid(axis="y", visible=False)
name_source(axes, "snapshots of the tables in the catalog")
plt.show()
