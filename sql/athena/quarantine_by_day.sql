-- What lies in quarantine, by day of arrival and reason, and how much of it has been replayed.
-- Columns:
--   arrival_day  UTC date of arrival; null where it is not known
--   reason       why it is no event: a reason of the data contract, or Firehose's error code
--   entries      entries, count; those neither open nor replayed are superseded: duplicates or events now
--   open         of these, still open, count
--   replayed     of these, replayed as they were or corrected, count
--   example      one of them: the event as JSON, or (failed conversions) its bytes as base64, 120 characters
SELECT
  date(arrival_hour) AS arrival_day,
  reason,
  count(*) AS entries,
  count_if(state = 'open') AS open,
  count_if(state = 'replayed') AS replayed,
  substr(min(raw), 1, 120) AS example
FROM clickstream_quarantine
GROUP BY date(arrival_hour), reason
ORDER BY arrival_day DESC NULLS LAST, entries DESC, reason
LIMIT 100
