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
# # Explore the lakehouse
#
# The live tables, through the engines that people use: Athena for SQL, pyiceberg and DuckDB for what fits on
# this machine, Spark for what does not. `docs/tables.md` says what every table and column means.
#
# An empty lakehouse? Send events (`kinesis/producer.py`) and run the DAG `clickstream_emr_kpis` first.

# %%
import os

import duckdb
import matplotlib.pyplot as plt
import pandas as pd
from charting import BAD, GOOD, NEUTRAL, RAIN, Athena, name_source, use_style
from dotenv import find_dotenv, load_dotenv
from pyiceberg.catalog import load_catalog
from pyspark.sql import SparkSession

from config.grid import GRID
from config.project_config import Settings
from config.tables import TABLES
from config.weather import ATTRIBUTION

load_dotenv(find_dotenv(usecwd=True))
settings = Settings.from_mapping(os.environ)
athena = Athena(settings)
catalog = load_catalog("glue", **{"client.region": settings.aws_region, "s3.region": settings.aws_region})
use_style()
print(f"Database {settings.glue_database} in {settings.iceberg_warehouse}, {settings.aws_region}")

# %% [markdown]
# ## What is there
#
# pyiceberg reads a table's description from the catalog: how many rows it has costs no query.


# %%
def described(name: str) -> dict[str, object]:
    """A line about an Iceberg table: what it is, its size and its last commit."""
    snapshot = catalog.load_table(f"{settings.glue_database}.{name}").current_snapshot()
    summary = snapshot.summary if snapshot and snapshot.summary else {}
    return {
        "table": name,
        "rows": int(summary.get("total-records") or 0),
        "kB": round(int(summary.get("total-files-size") or 0) / 1000, 1),
        "last commit, UTC": pd.Timestamp(snapshot.timestamp_ms, unit="ms").floor("s") if snapshot else None,
        "is": TABLES[name].doc if name in TABLES else "",
    }


iceberg_tables = sorted(
    name
    for _, name in catalog.list_tables(settings.glue_database)
    if name not in TABLES or TABLES[name].format == "iceberg"
)
tables = pd.DataFrame([described(name) for name in iceberg_tables])
tables.style.hide(axis="index").format({"rows": "{:,}"}).set_properties(**{"text-align": "left"})

# %% [markdown]
# ## Sensor health
#
# Where are the sensors that fail? The fleet stands on a grid; a place may be faulty without its sensor being
# the worst, so both are shown.

# %%
health = athena(
    "SELECT sensor_id, faulty_count, total_count, faulty_pct FROM sensor_health ORDER BY faulty_pct DESC"
)
on_grid = health[health.sensor_id.between(0, GRID.size - 1)].copy()
places = [GRID.place(sensor) for sensor in on_grid.sensor_id]
on_grid["latitude"], on_grid["longitude"] = zip(*places, strict=True)
faulty_places = athena("SELECT latitude, longitude, faulty_count FROM event_geo_kpis_faulty_geo")

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5), sharey=True)
dots = left.scatter(
    on_grid.longitude,
    on_grid.latitude,
    c=on_grid.faulty_pct,
    cmap="YlOrRd",
    marker="s",
    s=260,
    edgecolor="white",
)
figure.colorbar(dots, ax=left, label="Faulty events, percent", shrink=0.8)
for row in on_grid.head(5).itertuples():
    left.annotate(
        f"{row.sensor_id}", (row.longitude, row.latitude), ha="center", va="center", fontsize=7, color="white"
    )
left.set(title="Share of faulty events per sensor", xlabel="Longitude, degrees", ylabel="Latitude, degrees")
right.scatter(on_grid.longitude, on_grid.latitude, color=NEUTRAL, s=6, label="a sensor")
right.scatter(
    faulty_places.longitude,
    faulty_places.latitude,
    s=12 + 500 * faulty_places.faulty_count / faulty_places.faulty_count.max(),
    color=BAD,
    alpha=0.6,
    label=f"faulty events, at most {faulty_places.faulty_count.max():,}",
)
right.set(title="Faulty events per place", xlabel="Longitude, degrees")
right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, markerscale=0.6)
name_source(left, "sensor_health, event_geo_kpis_faulty_geo (the five worst sensors are numbered)")
plt.show()

# %%
health.head(10).style.hide(axis="index").format({"faulty_pct": "{:.2f} %"})

# %% [markdown]
# ## Climate
#
# A year of weather over the grid, and what the sensors measured in the days that the lakehouse has events of.

# %%
weather = athena("""
SELECT dt, min(temperature_min) AS lowest, avg(temperature_avg) AS mean, max(temperature_max) AS highest,
       avg(precipitation) AS precipitation
FROM weather_daily GROUP BY dt ORDER BY dt
""")
measured = athena("""
SELECT day, avg(avg_temp) AS mean, min(min_temp) AS lowest, max(max_temp) AS highest, count(*) AS places
FROM temp_humidity_kpis WHERE avg_temp IS NOT NULL GROUP BY day ORDER BY day
""")

figure, (above, below) = plt.subplots(2, 1, figsize=(11, 5.5), sharex=True, height_ratios=[3, 1])
above.fill_between(
    weather.dt, weather.lowest, weather.highest, color=GOOD, alpha=0.2, label="lowest to highest"
)
above.plot(weather.dt, weather["mean"], color=GOOD, label="mean of the grid")
above.plot(measured.day, measured["mean"], "o", color=BAD, markersize=4, label="measured by the sensors")
above.set(title="Temperature over the grid", ylabel="°C")
above.legend(loc="upper left", ncols=3)
below.bar(weather.dt, weather.precipitation, width=1, color=RAIN)
below.set(title="Precipitation", ylabel="mm a day", xlabel="Day, UTC")
name_source(above, f"weather_daily, temp_humidity_kpis. {ATTRIBUTION}")
plt.show()

# %% [markdown]
# ## Measured beside forecast
#
# Each place's mean of a day beside the mean of the nearest grid point's weather. Sensors that stand on the line
# agree with the weather; what is far off is a faulty sensor, or a sunny wall. (With the emulated AWS, sensors and
# weather are two simulations that know nothing of each other.)

# %%
both = athena("""
SELECT day, latitude, longitude, avg_temp, weather_temperature_avg, distance_km,
       avg_temp - weather_temperature_avg AS difference
FROM sensor_weather_daily WHERE avg_temp IS NOT NULL AND weather_temperature_avg IS NOT NULL
""")
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5))
left.scatter(both.weather_temperature_avg, both.avg_temp, s=14, color=GOOD, alpha=0.5)
ends = [
    both[["weather_temperature_avg", "avg_temp"]].min().min(),
    both[["weather_temperature_avg", "avg_temp"]].max().max(),
]
left.plot(ends, ends, color=NEUTRAL, linestyle="--", label="equal")
left.set(
    title="A place and a day each", xlabel="Weather, mean °C", ylabel="Measured, mean °C", aspect="equal"
)
left.legend(loc="upper left")
right.hist(both.difference, bins=30, color=GOOD)
right.axvline(both.difference.median(), color=BAD, label=f"median {both.difference.median():+.1f} °C")
right.set(title="Measured less weather", xlabel="Difference, °C", ylabel="Places and days")
right.legend()
name_source(left, f"sensor_weather_daily. {ATTRIBUTION}")
plt.show()

# %% [markdown]
# ## SQL without a service: DuckDB over pyiceberg
#
# pyiceberg reads a table into Arrow, DuckDB asks SQL of it: free, and fast for what fits into memory.

# %%
sensor_health = catalog.load_table(f"{settings.glue_database}.sensor_health").scan().to_arrow()
duckdb.sql("""
SELECT CASE WHEN faulty_pct < 5 THEN 'a: under 5 %' WHEN faulty_pct < 20 THEN 'b: 5 to 20 %' ELSE 'c: above' END
         AS faulty, count(*) AS sensors, sum(total_count) AS events
FROM sensor_health GROUP BY 1 ORDER BY 1
""").df()

# %% [markdown]
# ## Spark, for what does not fit
#
# The same table, the same catalog. Three engines, one answer:

# %%
spark = SparkSession.builder.appName("explore_lakehouse").getOrCreate()
name = f"{settings.glue_database}.sensor_health"
by_engine = pd.Series(
    {
        "Athena": int(athena("SELECT sum(total_count) AS n FROM sensor_health").n[0]),
        "DuckDB": int(duckdb.sql("SELECT sum(total_count) FROM sensor_health").fetchone()[0]),
        "Spark": spark.sql(f"SELECT sum(total_count) FROM glue.{name}").first()[0],
    },
    name="events",
)
spark.stop()
assert by_engine.nunique() == 1, by_engine
by_engine.to_frame()
