-- What the newest measurement of each data-quality metric says; failed ones first.
-- Columns:
--   table_name   the table that the data is for
--   metric       what was measured
--   value        the result; rates are percent, counts are rows
--   threshold    the least acceptable value (of differences the only one); null without one
--   verdict      pass, fail, or none without a threshold
--   measured_at  when it was measured, UTC
WITH ranked AS (
  SELECT
    table_name,
    metric,
    value,
    threshold,
    verdict,
    measured_at,
    row_number() OVER (PARTITION BY table_name, metric ORDER BY measured_at DESC, run_id DESC) AS place
  FROM data_quality_metrics
)
SELECT table_name, metric, value, threshold, verdict, measured_at
FROM ranked
WHERE place = 1
ORDER BY CASE verdict WHEN 'fail' THEN 0 WHEN 'pass' THEN 1 ELSE 2 END, table_name, metric
