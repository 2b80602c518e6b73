"""The pandas way: read text, cast with errors coerced, masks for the rules, awswrangler's kind of partitioned dataset.

awswrangler itself writes to S3 only; its `to_parquet` calls pyarrow with the table of the frame, as is done here.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute
from pyarrow import dataset, parquet

sys.path.insert(0, str(Path(__file__).parents[1]))
from job import AMOUNTS, COLUMNS, DATES, ENUMS, KEY, PATTERN, RANGES, WHOLE, YEAR


def main(source: Path, out: Path) -> None:  # noqa: C901  (a notebook's way, as it would be written)
    """Write data/ and rejects/ below `out`."""
    raw = pd.read_csv(source, dtype="string[pyarrow]", keep_default_na=False, na_values=[""])
    typed = raw.copy(deep=False)
    for name in (*WHOLE, *AMOUNTS):
        typed[name] = pd.to_numeric(raw[name], errors="coerce")
    for name in DATES:
        typed[name] = pd.to_datetime(raw[name], format="%Y-%m-%d", errors="coerce")
    wrong: dict[str, pd.Series] = {}
    for name in COLUMNS:
        wrong[f"required {name}"] = raw[name].isna()
    for name in (*WHOLE, *AMOUNTS, *DATES):
        wrong[f"type {name}"] = typed[name].isna() & raw[name].notna()
    for name, (least, equal, most) in RANGES.items():
        wrong[f"minimum {name}"] = typed[name] < float(least) if equal else typed[name] <= float(least)
        if most:
            wrong[f"maximum {name}"] = typed[name] > float(most)
    for name, values in ENUMS.items():
        wrong[f"enum {name}"] = ~raw[name].isin(values) & raw[name].notna()
    wrong["pattern l_comment"] = ~raw["l_comment"].str.match(PATTERN).fillna(True).astype(bool)
    masks = {name: mask.fillna(False).astype(bool) for name, mask in wrong.items()}
    bad = pd.Series(False, index=raw.index)
    for mask in masks.values():
        bad |= mask
    repeated = typed.loc[~bad].duplicated(list(KEY), keep="first")
    masks["primaryKey"] = repeated.reindex(raw.index, fill_value=False)
    bad |= masks["primaryKey"]

    rejected = raw.loc[bad]
    reasons = pd.Series("", index=rejected.index)
    for name, mask in masks.items():
        hit = mask.loc[bad]
        reasons.loc[hit] = reasons.loc[hit] + name + "; "
    text = rejected.fillna("").agg(",".join, axis=1)
    good = typed.loc[~bad]
    good = good.assign(
        net_price=good["l_extendedprice"] * (1 - good["l_discount"]),
        ship_days=(good["l_receiptdate"] - good["l_shipdate"]).dt.days,
        **{YEAR: good["l_shipdate"].dt.year},
    )
    kinds = [(name, pa.int64()) for name in WHOLE] + [(name, pa.decimal128(15, 2)) for name in AMOUNTS]
    kinds += [(name, pa.date32()) for name in DATES]
    table = pa.Table.from_pandas(good, preserve_index=False)
    for name, kind in [*kinds, ("net_price", pa.decimal128(18, 4)), ("ship_days", pa.int32())]:
        column = table.schema.get_field_index(name)
        values = table.column(name)
        if pa.types.is_decimal(kind):  # frames hold doubles; whole units of the last digit become decimals exactly
            units = pa.compute.round(pa.compute.multiply(values.cast(pa.float64()), 10.0**kind.scale))
            whole = units.cast(pa.int64()).cast(pa.decimal128(19, 0))
            unit = pa.scalar(Decimal(1).scaleb(-kind.scale), pa.decimal128(kind.scale + 1, kind.scale))
            values = pa.compute.multiply(whole, unit)
        table = table.set_column(column, name, values.cast(kind))
    dataset.write_dataset(
        table,
        out / "data",
        format="parquet",
        partitioning=dataset.partitioning(pa.schema([(YEAR, pa.int32())]), flavor="hive"),
        file_options=dataset.ParquetFileFormat().make_write_options(compression="zstd"),
    )
    (out / "rejects").mkdir()
    parquet.write_table(
        pa.table({"reasons": pa.array(reasons), "raw": pa.array(text)}),
        out / "rejects" / "rejects.parquet",
        compression="zstd",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
