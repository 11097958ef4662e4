-- Per day of arrival: delivered rows, and what they became: events, quarantine, further copies (duplicates).
-- What arrived since the last ingest counts among the duplicates until the next one.
-- Columns:
--   arrival_day     UTC date of arrival
--   delivered       rows that Firehose delivered as Parquet, count
--   events          events taken from them, count
--   quarantined     rows of them in quarantine, count
--   duplicates      all others: further copies of an event, and what was erased, count
--   duplicates_pct  share of duplicates, percent of the delivered rows
WITH delivered AS (
  SELECT date(dt) AS arrival_day, count(*) AS n FROM clickstream_raw GROUP BY dt
),
events AS (
  SELECT date(arrival_hour) AS arrival_day, count(*) AS n FROM clickstream_events GROUP BY date(arrival_hour)
),
quarantined AS (
  SELECT date(arrival_hour) AS arrival_day, count(*) AS n
  FROM clickstream_quarantine
  WHERE source_file NOT LIKE '%/clickstream-errors/%' AND state = 'open'
  GROUP BY date(arrival_hour)
)
SELECT
  delivered.arrival_day,
  delivered.n AS delivered,
  coalesce(events.n, 0) AS events,
  coalesce(quarantined.n, 0) AS quarantined,
  delivered.n - coalesce(events.n, 0) - coalesce(quarantined.n, 0) AS duplicates,
  100e0 * (delivered.n - coalesce(events.n, 0) - coalesce(quarantined.n, 0)) / delivered.n AS duplicates_pct
FROM delivered
LEFT JOIN events ON events.arrival_day = delivered.arrival_day
LEFT JOIN quarantined ON quarantined.arrival_day = delivered.arrival_day
ORDER BY arrival_day DESC
LIMIT 30
