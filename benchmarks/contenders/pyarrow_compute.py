"""pyarrow with numpy: batches of text, compute functions for casts and rules, one dataset written at the end."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, dataset, parquet

sys.path.insert(0, str(Path(__file__).parents[1]))
from job import AMOUNTS, COLUMNS, DATES, ENUMS, KEY, PATTERN, RANGES, WHOLE, YEAR

_KINDS = {
    **dict.fromkeys(WHOLE, (r"^[+-]?[0-9]{1,18}$", pa.int64())),
    **dict.fromkeys(AMOUNTS, (r"^[+-]?[0-9]{1,13}(\.[0-9]{1,2})?$", pa.decimal128(15, 2))),
    **dict.fromkeys(DATES, (r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", pa.date32())),
}


def _judged(batch: pa.RecordBatch) -> tuple[pa.Table, dict[str, pa.Array]]:
    """The typed columns of a batch, NULL where a cell has the wrong form, and which rules each row breaks."""
    columns: dict[str, pa.Array] = {}
    wrong: dict[str, pa.Array] = {}
    for name in COLUMNS:
        text = batch.column(name)
        wrong[f"required {name}"] = pc.is_null(text)
        columns[name] = text
        if name in _KINDS:
            form, kind = _KINDS[name]
            fits = pc.match_substring_regex(text, form)
            wrong[f"type {name}"] = pc.invert(fits)
            columns[name] = pc.if_else(fits, text, None).cast(kind)
    for name, (least, equal, most) in RANGES.items():
        low = pa.scalar(least).cast(pa.decimal128(15, 2))
        wrong[f"minimum {name}"] = (pc.less if equal else pc.less_equal)(columns[name], low)
        if most:
            wrong[f"maximum {name}"] = pc.greater(columns[name], pa.scalar(most).cast(pa.decimal128(15, 2)))
    for name, values in ENUMS.items():
        wrong[f"enum {name}"] = pc.invert(pc.is_in(columns[name], pa.array(values)))
    wrong["pattern l_comment"] = pc.invert(pc.match_substring_regex(columns["l_comment"], PATTERN))
    return pa.table(columns), {name: pc.fill_null(mask, fill_value=False) for name, mask in wrong.items()}


def _rejects(batch: pa.RecordBatch, masks: dict[str, pa.Array], bad: pa.Array) -> pa.Table:
    cells = [pc.fill_null(column, "") for column in batch.filter(bad).columns]
    words = [pc.if_else(mask.filter(bad), name, None) for name, mask in masks.items()]
    return pa.table(
        {
            "reasons": pc.binary_join_element_wise(*words, "; ", null_handling="skip"),
            "raw": pc.binary_join_element_wise(*cells, ","),
        }
    )


def main(source: Path, out: Path) -> None:
    """Write data/ and rejects/ below `out`."""
    convert = csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()), strings_can_be_null=True)
    convert.quoted_strings_can_be_null = False
    convert.null_values = [""]
    good: list[pa.Table] = []
    rejected: list[pa.Table] = []
    with csv.open_csv(source, read_options=csv.ReadOptions(block_size=16 << 20), convert_options=convert) as reader:
        for batch in reader:
            typed, masks = _judged(batch)
            bad = np.logical_or.reduce([mask.to_numpy(zero_copy_only=False) for mask in masks.values()])
            good.append(typed.filter(pa.array(~bad)))
            if bad.any():
                rejected.append(_rejects(batch, masks, pa.array(bad)))
    table = pa.concat_tables(good)
    order, line = (table.column(name).to_numpy() for name in KEY)
    key = order * 8 + line
    _, first = np.unique(key, return_index=True)
    if len(first) < len(key):
        later = np.ones(len(key), dtype=bool)
        later[first] = False
        lost = table.filter(pa.array(later))
        cells = [column.cast(pa.string()) for column in lost.columns]
        raw = pc.binary_join_element_wise(*cells, ",")
        rejected.append(pa.table({"reasons": pa.array(["primaryKey"] * len(lost)), "raw": raw}))
        table = table.filter(pa.array(~later))
    one = pa.scalar("1.00").cast(pa.decimal128(3, 2))
    net = pc.multiply(table["l_extendedprice"], pc.subtract(one, table["l_discount"])).cast(pa.decimal128(18, 4))
    days = pc.subtract(table["l_receiptdate"].cast(pa.int32()), table["l_shipdate"].cast(pa.int32()))
    table = table.append_column("net_price", net).append_column("ship_days", days)
    table = table.append_column(YEAR, pc.year(table["l_shipdate"]).cast(pa.int32()))
    dataset.write_dataset(
        table,
        out / "data",
        format="parquet",
        partitioning=dataset.partitioning(pa.schema([(YEAR, pa.int32())]), flavor="hive"),
        file_options=dataset.ParquetFileFormat().make_write_options(compression="zstd"),
    )
    (out / "rejects").mkdir()
    if rejected:
        parquet.write_table(pa.concat_tables(rejected), out / "rejects" / "rejects.parquet", compression="zstd")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
