-- Which routes are flown, how often, by whom, and how well?
-- ---
-- materialized: table
-- description: One row per route from New York City, with distance, carriers, seats offered and punctuality.
-- keys: [origin, dest]
-- tests:
--   - not_null: [distance_miles, flights, carriers]
-- ---
WITH per_carrier AS (
    SELECT
        flights.origin,
        flights.dest,
        flights.carrier,
        count(*) AS flights,
        count_if(flights.dep_time IS NULL) AS cancelled,
        count_if(flights.arr_delay < 15) AS on_time,
        max(flights.distance) AS distance_miles,
        sum(flights.air_time) AS air_minutes,
        count(flights.air_time) AS flown,
        sum(CASE WHEN flights.dep_time IS NOT NULL THEN planes.seats END) AS seats
    FROM flights
    LEFT JOIN planes ON planes.tailnum = flights.tailnum
    GROUP BY flights.origin, flights.dest, flights.carrier
),

ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY origin, dest ORDER BY flights DESC, carrier) AS place
    FROM per_carrier
)

SELECT
    ranked.origin,
    ranked.dest,
    airports.name AS dest_airport,
    max(ranked.distance_miles) AS distance_miles,
    sum(ranked.flights) AS flights,
    count(*) AS carriers,
    max(CASE WHEN ranked.place = 1 THEN ranked.carrier END) AS busiest_carrier,
    sum(ranked.seats) AS seats_flown, -- of the aircraft that the register knows
    round(CAST(sum(ranked.air_minutes) AS double) / nullif(sum(ranked.flown), 0), 1) AS avg_air_minutes,
    round(CAST(sum(ranked.cancelled) AS double) / sum(ranked.flights), 4) AS cancelled_share,
    round(CAST(sum(ranked.on_time) AS double) / sum(ranked.flights), 4) AS on_time_share
FROM ranked
LEFT JOIN airports ON airports.faa = ranked.dest
GROUP BY ranked.origin, ranked.dest, airports.name
