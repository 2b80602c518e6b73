"""Polars: a lazy frame of text, strict casts as expressions, streamed to a stage and from there to partitions."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))
from job import AMOUNTS, COLUMNS, DATES, ENUMS, KEY, PATTERN, RANGES, TEXTS, WHOLE, YEAR

_ROW = "row"


def _typed(name: str) -> pl.Expr:
    if name in WHOLE:
        return pl.col(name).cast(pl.Int64, strict=False)
    if name in AMOUNTS:
        return pl.col(name).cast(pl.Decimal(15, 2), strict=False)
    if name in DATES:
        return pl.col(name).str.to_date("%Y-%m-%d", strict=False)
    return pl.col(name)


def _wrong() -> dict[str, pl.Expr]:
    wrong = {f"required {name}": pl.col(f"raw_{name}").is_null() for name in COLUMNS}
    for name in COLUMNS:
        if name not in TEXTS:
            wrong[f"type {name}"] = pl.col(name).is_null() & pl.col(f"raw_{name}").is_not_null()
    for name, (least, equal, most) in RANGES.items():
        low = pl.lit(least).cast(pl.Decimal(15, 2))
        wrong[f"minimum {name}"] = pl.col(name) < low if equal else pl.col(name) <= low
        if most:
            wrong[f"maximum {name}"] = pl.col(name) > pl.lit(most).cast(pl.Decimal(15, 2))
    for name, values in ENUMS.items():
        wrong[f"enum {name}"] = ~pl.col(name).is_in(values)
    wrong["pattern l_comment"] = ~pl.col("l_comment").str.contains(PATTERN)
    return {name: condition.fill_null(value=False) for name, condition in wrong.items()}


def main(source: Path, out: Path) -> None:
    """Write data/ and rejects/ below `out`."""
    out.mkdir(parents=True)
    raw = pl.scan_csv(source, schema=dict.fromkeys(COLUMNS, pl.String), row_index_name=_ROW)
    wrong = _wrong()
    typed = raw.select(
        _ROW,
        *[_typed(name) for name in COLUMNS],
        *[pl.col(name).alias(f"raw_{name}") for name in COLUMNS],
    ).with_columns(bad=pl.any_horizontal(*wrong.values()))
    stage = out / "stage.parquet"
    keys = [_ROW, *COLUMNS, "bad"]
    typed.select(*keys).filter(~pl.col("bad")).drop("bad").sink_parquet(stage, compression="lz4")
    reasons = pl.concat_str(
        *[pl.when(condition).then(pl.lit(name + "; ")).otherwise(pl.lit("")) for name, condition in wrong.items()]
    )
    text = pl.concat_str(*[pl.col(f"raw_{name}").fill_null("") for name in COLUMNS], separator=",")
    broken = typed.filter(pl.col("bad")).select(reasons=reasons, raw=text).collect(engine="streaming")
    good = pl.scan_parquet(stage)
    repeated = good.group_by(*KEY).agg(first=pl.col(_ROW).min(), n=pl.len()).filter(pl.col("n") > 1)
    repeated = repeated.select(*KEY, "first").collect(engine="streaming")
    losers = good.join(repeated.lazy(), on=list(KEY)).filter(pl.col(_ROW) != pl.col("first")).select(_ROW)
    losers = losers.collect(engine="streaming")
    texts = raw.join(losers.lazy(), on=_ROW, how="semi")
    texts = texts.select(
        reasons=pl.lit("primaryKey"),
        raw=pl.concat_str(*[pl.col(name).fill_null("") for name in COLUMNS], separator=","),
    )
    found = [broken, texts.collect(engine="streaming")] if len(losers) else [broken]
    (out / "rejects").mkdir()
    pl.concat(found).write_parquet(out / "rejects" / "rejects.parquet", compression="zstd")
    if len(losers):
        good = good.join(losers.lazy(), on=_ROW, how="anti")
    final = good.drop(_ROW).with_columns(
        net_price=(
            pl.col("l_extendedprice").cast(pl.Decimal(18, 4)) * (1 - pl.col("l_discount")).cast(pl.Decimal(18, 4))
        ).cast(pl.Decimal(18, 4)),
        ship_days=(pl.col("l_receiptdate") - pl.col("l_shipdate")).dt.total_days().cast(pl.Int32),
        **{YEAR: pl.col("l_shipdate").dt.year()},
    )
    final.sink_parquet(pl.PartitionBy(out / "data", key=YEAR, include_key=False), compression="zstd", mkdir=True)
    stage.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
