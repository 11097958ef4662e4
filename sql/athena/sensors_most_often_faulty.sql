-- The sensors with the largest share of faulty events, and how that compares with the whole fleet.
SELECT
  sensor_id,
  faulty_pct,
  faulty_count,
  total_count,
  faulty_pct - 100.0 * sum(faulty_count) OVER () / sum(total_count) OVER () AS above_fleet_pct
FROM sensor_health
WHERE total_count > 0
ORDER BY faulty_pct DESC, total_count DESC, sensor_id
LIMIT 20
