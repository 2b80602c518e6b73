"""The job that every contender does, said once for those that have no contract to read.

Parse the CSV, cast 16 columns, check the rules, drop the later rows of a repeated key, derive two columns, write zstd
Parquet partitioned by the year of shipping; every rejected row goes to one more Parquet file with its reasons and its
text. Sluice takes the same from `contracts/lineitem.odcs.yaml`.
"""

from __future__ import annotations

WHOLE = ("l_orderkey", "l_partkey", "l_suppkey", "l_linenumber")  # BIGINT; the last one INTEGER
AMOUNTS = ("l_quantity", "l_extendedprice", "l_discount", "l_tax")  # DECIMAL(15,2)
DATES = ("l_shipdate", "l_commitdate", "l_receiptdate")
TEXTS = ("l_returnflag", "l_linestatus", "l_shipinstruct", "l_shipmode", "l_comment")
COLUMNS = (*WHOLE, *AMOUNTS, *TEXTS[:2], *DATES, *TEXTS[2:])
KEY = ("l_orderkey", "l_linenumber")

ENUMS = {
    "l_returnflag": ("R", "A", "N"),
    "l_linestatus": ("O", "F"),
    "l_shipinstruct": ("DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"),
    "l_shipmode": ("REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"),
}
PATTERN = "^[ -~]{1,44}$"  # of l_comment
# column: (least, whether the least itself is allowed, most)
RANGES = {
    "l_quantity": ("0", False, "50"),
    "l_extendedprice": ("0", True, None),
    "l_discount": ("0", True, "0.10"),
    "l_tax": ("0", True, "0.08"),
}
YEAR = "ship_year"
