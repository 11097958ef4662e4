-- What reading a whole table costs: its files, bytes, rows, and Athena's price for a scan of all columns.
-- A query that reads fewer columns or days costs less: `python -m ops.ask NAME` tells what one has scanned.
-- Columns:
--   table_name      the Iceberg table
--   files           data files of the newest snapshot, count
--   megabytes       their size, 10^6 bytes
--   total_rows      their rows, count
--   kilobytes_file  mean size of a file, 10^3 bytes: small files make queries slow
--   full_scan_usd   US dollars for a scan of all of it, at 5 per 10^12 bytes and 10^7 bytes at least
WITH data_files AS (
  SELECT 'clickstream_events' AS table_name, record_count, file_size_in_bytes
  FROM "clickstream_events$files"
  WHERE content = 0
  UNION ALL
  SELECT 'clickstream_quarantine' AS table_name, record_count, file_size_in_bytes
  FROM "clickstream_quarantine$files"
  WHERE content = 0
  UNION ALL
  SELECT 'sensor_health' AS table_name, record_count, file_size_in_bytes
  FROM "sensor_health$files"
  WHERE content = 0
  UNION ALL
  SELECT 'status_health' AS table_name, record_count, file_size_in_bytes
  FROM "status_health$files"
  WHERE content = 0
  UNION ALL
  SELECT 'temp_humidity_kpis' AS table_name, record_count, file_size_in_bytes
  FROM "temp_humidity_kpis$files"
  WHERE content = 0
  UNION ALL
  SELECT 'event_geo_kpis_events' AS table_name, record_count, file_size_in_bytes
  FROM "event_geo_kpis_events$files"
  WHERE content = 0
  UNION ALL
  SELECT 'event_geo_kpis_faulty_geo' AS table_name, record_count, file_size_in_bytes
  FROM "event_geo_kpis_faulty_geo$files"
  WHERE content = 0
  UNION ALL
  SELECT 'weather_daily' AS table_name, record_count, file_size_in_bytes
  FROM "weather_daily$files"
  WHERE content = 0
  UNION ALL
  SELECT 'weather_region_daily' AS table_name, record_count, file_size_in_bytes
  FROM "weather_region_daily$files"
  WHERE content = 0
  UNION ALL
  SELECT 'sensor_weather_daily' AS table_name, record_count, file_size_in_bytes
  FROM "sensor_weather_daily$files"
  WHERE content = 0
  UNION ALL
  SELECT 'data_quality_metrics' AS table_name, record_count, file_size_in_bytes
  FROM "data_quality_metrics$files"
  WHERE content = 0
)
SELECT
  table_name,
  count(*) AS files,
  sum(file_size_in_bytes) / 1e6 AS megabytes,
  sum(record_count) AS total_rows,
  sum(file_size_in_bytes) / 1e3 / count(*) AS kilobytes_file,
  greatest(sum(file_size_in_bytes), 10000000) * 5 / 1e12 AS full_scan_usd
FROM data_files
GROUP BY table_name
ORDER BY megabytes DESC, table_name
