-- How much is ordered, where, on each day?
-- ---
-- materialized: table
-- description: One row per day and country.
-- keys: [placed_on, country]
-- tests:
--   - not_null: [orders]
-- ---
SELECT
    placed_on,
    country,
    count(*) AS orders,
    sum(amount) AS amount
FROM orders
GROUP BY placed_on, country
