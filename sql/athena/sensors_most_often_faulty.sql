-- The sensors with the largest share of faulty events, and how that compares with the whole fleet.
-- Columns:
--   sensor_id        number of the sensor
--   faulty_pct       share of its events with status faulty, percent
--   faulty_count     those events, count
--   total_count      all its events, count
--   above_fleet_pct  its share less that of the whole fleet, percentage points
SELECT
  sensor_id,
  faulty_pct,
  faulty_count,
  total_count,
  faulty_pct - 100e0 * sum(faulty_count) OVER () / sum(total_count) OVER () AS above_fleet_pct
FROM sensor_health
WHERE total_count > 0
ORDER BY faulty_pct DESC, total_count DESC, sensor_id
LIMIT 20
