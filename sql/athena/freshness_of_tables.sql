-- Freshness of each table: its last commit, how long ago that was, and its rows then.
-- Columns:
--   table_name   the Iceberg table
--   last_commit  time of its newest snapshot, UTC
--   age_hours    hours from then until now
--   total_rows   rows of the table in that snapshot, count
--   operation    what that commit did: append, overwrite, delete or replace (compaction: no new data)
WITH commits AS (
  SELECT 'clickstream_events' AS table_name, committed_at, operation, element_at(summary, 'total-records') AS total_rows
  FROM "clickstream_events$snapshots"
  UNION ALL
  SELECT 'clickstream_quarantine' AS table_name, committed_at, operation, element_at(summary, 'total-records') AS total_rows
  FROM "clickstream_quarantine$snapshots"
  UNION ALL
  SELECT 'sensor_health' AS table_name, committed_at, operation, element_at(summary, 'total-records') AS total_rows
  FROM "sensor_health$snapshots"
  UNION ALL
  SELECT 'status_health' AS table_name, committed_at, operation, element_at(summary, 'total-records') AS total_rows
  FROM "status_health$snapshots"
  UNION ALL
  SELECT 'temp_humidity_kpis' AS table_name, committed_at, operation, element_at(summary, 'total-records') AS total_rows
  FROM "temp_humidity_kpis$snapshots"
  UNION ALL
  SELECT 'event_geo_kpis_events' AS table_name, committed_at, operation, element_at(summary, 'total-records') AS total_rows
  FROM "event_geo_kpis_events$snapshots"
  UNION ALL
  SELECT 'event_geo_kpis_faulty_geo' AS table_name, committed_at, operation, element_at(summary, 'total-records') AS total_rows
  FROM "event_geo_kpis_faulty_geo$snapshots"
  UNION ALL
  SELECT 'weather_daily' AS table_name, committed_at, operation, element_at(summary, 'total-records') AS total_rows
  FROM "weather_daily$snapshots"
  UNION ALL
  SELECT 'weather_region_daily' AS table_name, committed_at, operation, element_at(summary, 'total-records') AS total_rows
  FROM "weather_region_daily$snapshots"
  UNION ALL
  SELECT 'sensor_weather_daily' AS table_name, committed_at, operation, element_at(summary, 'total-records') AS total_rows
  FROM "sensor_weather_daily$snapshots"
  UNION ALL
  SELECT 'data_quality_metrics' AS table_name, committed_at, operation, element_at(summary, 'total-records') AS total_rows
  FROM "data_quality_metrics$snapshots"
),
ranked AS (
  SELECT
    table_name,
    committed_at,
    operation,
    total_rows,
    row_number() OVER (PARTITION BY table_name ORDER BY committed_at DESC) AS place
  FROM commits
)
SELECT
  table_name,
  committed_at AS last_commit,
  date_diff('second', committed_at, current_timestamp) / 3600e0 AS age_hours,
  CAST(total_rows AS bigint) AS total_rows,
  operation
FROM ranked
WHERE place = 1
ORDER BY last_commit, table_name
