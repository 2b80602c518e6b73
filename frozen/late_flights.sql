-- ---
-- description: One row a flight that arrived, with what is known of its aircraft and the weather at its departure.
-- key: [object, record]
-- entity: tailnum
-- label: late
-- time: time_hour
-- split: {train: 80, test: 20, seed: v1}
-- drift: {psi: 0.2, null_share: 0.05}
-- ---
SELECT
  f."_sluice_object" AS object,
  f."_sluice_row" AS record,
  f.carrier,
  f.tailnum,
  f.origin,
  f.dest,
  f.distance,
  f.hour,
  f.time_hour,
  p.seats,
  w.visib,
  w.precip,
  f.arr_delay >= 15 AS late
FROM flights f
LEFT JOIN planes p ON p.tailnum = f.tailnum
LEFT JOIN weather w ON w.origin = f.origin AND w.time_hour = f.time_hour
WHERE f.arr_delay IS NOT NULL AND f.tailnum IS NOT NULL
