"""Specifications of the weather tables, and of the table of data-quality metrics."""

from __future__ import annotations

from config.table_spec import DAILY, Column, TableSpec

_DT = Column("dt", "date", "UTC date", nullable=False)
_REGION = Column("region", "string", "Block of 2 x 2 sensors, ZONE_ROW_COLUMN of its first", nullable=False)
_LATITUDE = Column("latitude", "double", "Degrees", nullable=False)
_LONGITUDE = Column("longitude", "double", "Degrees", nullable=False)
_REGION_AVG_TEMP = Column("region_avg_temp", "double", "Mean of temperature_avg over the region, °C")
_REGION_PRECIPITATION = Column(
    "region_total_precipitation", "double", "Sum of precipitation over the region's sensors, mm"
)

RAW_WEATHER = TableSpec(
    name="raw_weather",
    doc="What Open-Meteo answered, one file a day.",
    columns=(
        Column("sensor_id", "string", "Name of the grid point, SENSOR_0042", nullable=False),
        Column("latitude", "double", "As requested, degrees", nullable=False),
        Column("longitude", "double", "As requested, degrees", nullable=False),
        Column("temperature_2m_max", "double", "°C"),
        Column("temperature_2m_min", "double", "°C"),
        Column("precipitation_sum", "double", "mm"),
        Column("source", "string", "archive, or forecast: provisional", nullable=False),
    ),
    key=("sensor_id",),
    partition=("dt",),
    sort=("sensor_id",),
    format="parquet",
)
"""The files of the landing; no table of the catalog."""

WEATHER_DAILY = TableSpec(
    name="weather_daily",
    doc="Daily weather at every grid point, one decimal, half up. Weather data by Open-Meteo.com, CC BY 4.0",
    columns=(
        _DT,
        Column("sensor_id", "string", "Name of the grid point, SENSOR_0042", nullable=False),
        _REGION,
        _LATITUDE,
        _LONGITUDE,
        Column("temperature_max", "double", "Highest air temperature of the day, °C"),
        Column("temperature_min", "double", "Lowest air temperature of the day, °C"),
        Column("precipitation", "double", "Precipitation of the day, mm"),
        Column("temperature_max_f", "double", "temperature_max in °F"),
        Column("temperature_min_f", "double", "temperature_min in °F"),
        Column("temperature_avg", "double", "Mean of temperature_max and temperature_min, °C"),
        Column("temperature_range", "double", "temperature_max less temperature_min, °C"),
        Column(
            "temp_category",
            "string",
            "By temperature_avg: freezing < 0 <= cold < 10 <= mild < 20 <= warm < 30 <= hot",
        ),
        Column(
            "precipitation_level",
            "string",
            "By precipitation: none 0 < light < 2.5 <= moderate < 10 <= heavy < 50 <= extreme",
        ),
        Column("is_complete", "boolean", "Whether all three measures are there", nullable=False),
        Column(
            "data_quality_score",
            "int",
            "40 for each temperature present, 20 for precipitation",
            nullable=False,
        ),
        _REGION_AVG_TEMP,
        _REGION_PRECIPITATION,
        Column("processed_at", "timestamp", "When the row last changed", nullable=False),
        Column("processing_version", "string", "Version of the rules that made the row", nullable=False),
    ),
    key=("dt", "sensor_id"),
    partition=("months(dt)",),
    sort=("dt", "sensor_id"),
    late_after_hours=DAILY,
)

WEATHER_REGION_DAILY = TableSpec(
    name="weather_region_daily",
    doc="Daily weather of each region. Nulls are skipped. Weather data by Open-Meteo.com (CC BY 4.0).",
    columns=(
        _DT,
        _REGION,
        Column("sensors", "bigint", "Sensors of the region with a row that day", nullable=False),
        _REGION_AVG_TEMP,
        _REGION_PRECIPITATION,
    ),
    key=("dt", "region"),
    partition=("months(dt)",),
    sort=("dt", "region"),
    late_after_hours=DAILY,
)

SENSOR_WEATHER_DAILY = TableSpec(
    name="sensor_weather_daily",
    doc="Measured climate per day and place beside the weather of the nearest grid point. "
    "Weather data by Open-Meteo.com (CC BY 4.0).",
    columns=(
        Column("day", "date", "UTC date of measurement and weather", nullable=False),
        Column("latitude", "double", "Place of the measurements, degrees", nullable=False),
        Column("longitude", "double", "Place of the measurements, degrees", nullable=False),
        Column("avg_temp", "double", "Mean measured air temperature, °C"),
        Column("min_temp", "double", "Lowest measured air temperature, °C"),
        Column("max_temp", "double", "Highest measured air temperature, °C"),
        Column("avg_humidity", "double", "Mean measured relative humidity, percent"),
        Column("min_humidity", "double", "Lowest measured relative humidity, percent"),
        Column("max_humidity", "double", "Highest measured relative humidity, percent"),
        Column("weather_sensor_id", "string", "Nearest grid point; null beyond the limit"),
        Column("distance_km", "double", "Distance to it, km, 3 decimals; null beyond the limit"),
        Column("weather_temperature_max", "double", "Highest air temperature there, °C"),
        Column("weather_temperature_min", "double", "Lowest air temperature there, °C"),
        Column("weather_temperature_avg", "double", "Mean of the two, °C"),
        Column("weather_precipitation", "double", "Precipitation there, mm"),
        Column("temp_category", "string", "Category of weather_temperature_avg"),
        Column("precipitation_level", "string", "Level of weather_precipitation"),
    ),
    key=("day", "latitude", "longitude"),
    partition=("months(day)",),
    sort=("day", "latitude", "longitude"),
    late_after_hours=DAILY,
)

DATA_QUALITY_METRICS = TableSpec(
    name="data_quality_metrics",
    doc="What each run found about the quality of its data.",
    columns=(
        Column("run_id", "string", "The run that measured", nullable=False),
        Column("table_name", "string", "The table that the data is for", nullable=False),
        Column("metric", "string", "What was measured", nullable=False),
        Column("value", "double", "The result; rates are percent, counts are rows", nullable=False),
        Column(
            "threshold",
            "double",
            "The least acceptable value (of differences the only one), or null",
        ),
        Column("verdict", "string", "pass, fail, or none without a threshold", nullable=False),
        Column("measured_at", "timestamp", "When it was measured", nullable=False),
    ),
    key=("run_id", "table_name", "metric"),
    sort=("run_id", "table_name", "metric"),
)

WEATHER_TABLES = (WEATHER_DAILY, WEATHER_REGION_DAILY, SENSOR_WEATHER_DAILY, DATA_QUALITY_METRICS)
