"""dlt: a resource that reads the CSV and judges each row in Python, a filesystem destination with Parquet.

dlt has no per-row rejects of its own, so the resource sends broken rows to a second table. It loads into one folder a
table; the partition by year comes from a table for each year, which `dispatch` makes of the rows.
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from job import AMOUNTS, COLUMNS, DATES, ENUMS, KEY, PATTERN, RANGES, WHOLE

_KINDS = {**dict.fromkeys(WHOLE, int), **dict.fromkeys(AMOUNTS, Decimal), **dict.fromkeys(DATES, date.fromisoformat)}
_PATTERN = re.compile(PATTERN)
_LIMITS = {name: (Decimal(low), equal, Decimal(high) if high else None) for name, (low, equal, high) in RANGES.items()}


def _judge(raw: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    row: dict[str, Any] = {}
    reasons = []
    for name in COLUMNS:
        text = raw[name]
        if text == "":
            reasons.append(f"required {name}")
            continue
        try:
            row[name] = _KINDS[name](text) if name in _KINDS else text
        except (ValueError, InvalidOperation):
            reasons.append(f"type {name}")
    for name, (low, equal, high) in _LIMITS.items():
        if name in row and (row[name] < low or (row[name] == low and not equal)):
            reasons.append(f"minimum {name}")
        if name in row and high is not None and row[name] > high:
            reasons.append(f"maximum {name}")
    reasons += [f"enum {name}" for name, values in ENUMS.items() if name in row and row[name] not in values]
    if "l_comment" in row and not _PATTERN.match(row["l_comment"]):
        reasons.append("pattern l_comment")
    return row, reasons


def _rows(source: Path) -> Iterator[dict[str, Any]]:
    seen: set[tuple[int, int]] = set()
    with source.open(newline="", encoding="utf-8") as file:
        for raw in csv.DictReader(file):
            row, reasons = _judge(raw)
            if not reasons:
                key = tuple(row[name] for name in KEY)
                if key in seen:
                    reasons = ["primaryKey"]
                seen.add(key)
            if reasons:
                yield {"to": "rejects", "reasons": "; ".join(reasons), "raw": ",".join(raw.values())}
                continue
            row["net_price"] = row["l_extendedprice"] * (1 - row["l_discount"])
            row["ship_days"] = (row["l_receiptdate"] - row["l_shipdate"]).days
            yield {"to": f"data_{row['l_shipdate'].year}", **row}


def main(source: Path, out: Path) -> None:
    """Write one folder for each year and `rejects` below `out`/lineitem."""
    import dlt  # noqa: PLC0415  (reads its settings when it is imported)

    columns: dict[str, Any] = {
        name: {"data_type": "decimal", "precision": 15, "scale": 2, "nullable": True} for name in AMOUNTS
    }
    columns["net_price"] = {"data_type": "decimal", "precision": 18, "scale": 4, "nullable": True}

    @dlt.resource(table_name=lambda row: row["to"], columns=columns, write_disposition="append")
    def lineitem() -> Iterator[dict[str, Any]]:
        yield from _rows(source)

    pipeline = dlt.pipeline(
        "lineitem",
        pipelines_dir=str(out.with_name("scratch")),
        destination=dlt.destinations.filesystem(str(out)),
        dataset_name="lineitem",
    )
    pipeline.run(lineitem(), loader_file_format="parquet")


if __name__ == "__main__":
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["NORMALIZE__DATA_WRITER__COMPRESSION"] = "zstd"
    os.environ["DATA_WRITER__DISABLE_COMPRESSION"] = "false"
    main(Path(sys.argv[1]), Path(sys.argv[2]))
