-- Completeness per region (a block of 2 x 2 sensors): of its weather (Open-Meteo.com), and of its sensors' reports.
-- Columns:
--   region                ZONE_ROW_COLUMN of its first sensor
--   weather_rows          days times sensors with a row of weather, count
--   weather_complete_pct  of these, with all three measures, percent
--   report_days           days on which any event was measured, count
--   reporting_pct         of days times sensors, those with at least one event, percent
WITH places AS (
  SELECT DISTINCT region, sensor_id, CAST(substr(sensor_id, 8) AS bigint) AS number FROM weather_daily
),
weather AS (
  SELECT region, count(*) AS weather_rows, 100e0 * count_if(is_complete) / count(*) AS complete_pct
  FROM weather_daily
  GROUP BY region
),
reported AS (
  SELECT sensor_id, date(event_time) AS day FROM clickstream_events GROUP BY sensor_id, date(event_time)
),
calendar AS (
  SELECT count(DISTINCT day) AS days FROM reported
),
reports AS (
  SELECT places.region, count(reported.day) AS sensor_days, count(DISTINCT places.number) AS sensors
  FROM places
  LEFT JOIN reported ON reported.sensor_id = places.number
  GROUP BY places.region
)
SELECT
  weather.region,
  weather.weather_rows,
  weather.complete_pct AS weather_complete_pct,
  calendar.days AS report_days,
  100e0 * reports.sensor_days / nullif(calendar.days * reports.sensors, 0) AS reporting_pct
FROM weather
JOIN reports ON reports.region = weather.region
CROSS JOIN calendar
ORDER BY reporting_pct, weather_complete_pct, weather.region
