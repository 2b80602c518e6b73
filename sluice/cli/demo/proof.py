"""The demo's claims, each checked on what is there. Independent of the pipeline wherever it can be.

The monthly totals come from pyiceberg on one side and from DuckDB on the source file on the other; the rebuild starts
from the raw bucket and the contract alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from sluice.cli.demo.account import Account
from sluice.cli.demo.rebuild import rebuild
from sluice.cli.demo.scenario import PICTURE_KEY, SPOILT_MONTH, TOLD_TWICE, Sent, month_key

if TYPE_CHECKING:
    import pandas as pd

_MONTHLY = (
    "SELECT month, count(*) AS flights, sum(distance) AS miles, sum(arr_delay) AS minutes_late FROM {} "
    "GROUP BY month ORDER BY month"
)
_SOURCE_TYPES = "{'month': 'BIGINT', 'distance': 'BIGINT', 'arr_delay': 'BIGINT'}"


@dataclass(frozen=True, kw_only=True)
class Assertion:
    """One claim and whether it holds. `found` has the numbers."""

    claim: str
    holds: bool
    found: str


def prove(
    sent: Sent,
    accounts: Mapping[str, Account],
    *,
    marts: Mapping[str, pd.DataFrame],
    s3: Any,
    raw_bucket: str,
    scratch: Path,
) -> list[Assertion]:
    """Check every claim; none stops the others."""
    connection = duckdb.connect()
    try:
        return [
            _all_read(sent, accounts),
            _balanced(accounts),
            _in_table(accounts),
            _undoubled(connection, accounts),
            _duplicate_event(accounts["flights"]),
            _planted(sent, accounts["flights"]),
            _refused(accounts["flights"]),
            _engines(accounts),
            _rebuilt(connection, accounts, s3=s3, raw_bucket=raw_bucket, scratch=scratch),
            *_independent(connection, sent, accounts, scratch),
            _marts(marts, sent),
        ]
    finally:
        connection.close()


def _all_read(sent: Sent, accounts: Mapping[str, Account]) -> Assertion:
    given = {(delivery.key, delivery.version_id): delivery.records or 0 for delivery in sent.deliveries}
    read = {
        (load.key, load.version_id): load.counts.rows_read for account in accounts.values() for load in account.loads
    }
    return Assertion(
        claim="every record of every file was read once",
        holds=given == read,
        found=f"{sum(given.values()):,} in {len(given)} objects, {sum(read.values()):,} read by {len(read)} loads",
    )


def _balanced(accounts: Mapping[str, Account]) -> Assertion:
    every = [load.counts for account in accounts.values() for load in account.loads]
    off = [c for c in every if c.rows_read != c.rows_accepted + c.rows_rejected + c.rows_superseded]
    return Assertion(
        claim="read = accepted + rejected + superseded, for every load",
        holds=bool(every) and not off,
        found=f"{len(every) - len(off)} of {len(every)} loads balance",
    )


def _in_table(accounts: Mapping[str, Account]) -> Assertion:
    expected = {name: account.counts.rows_accepted - account.replaced for name, account in accounts.items()}
    found = {name: account.curated.num_rows for name, account in accounts.items()}
    return Assertion(
        claim="curated rows = accepted rows - rows of corrected files",
        holds=expected == found and all(found.values()),
        found=f"{sum(found.values()):,} rows in {len(found)} tables",
    )


def _undoubled(connection: duckdb.DuckDBPyConnection, accounts: Mapping[str, Account]) -> Assertion:
    doubled = 0
    for account in accounts.values():
        connection.register("curated", account.curated)
        for columns in (("_sluice_object", "_sluice_version", "_sluice_row"), account.plan.primary_key):
            if columns:
                names = ", ".join(f'"{column}"' for column in columns)
                sql = f"SELECT count(*) - count(DISTINCT ({names})) FROM curated"
                doubled += _one(connection, sql)
    return Assertion(claim="no record and no key stands twice", holds=not doubled, found=f"{doubled} doubled")


def _duplicate_event(flights: Account) -> Assertion:
    loads = [load for load in flights.loads if load.key == month_key(TOLD_TWICE)]
    return Assertion(
        claim="a duplicated event makes no second load",
        holds=len(loads) == 1,
        found=f"{len(loads)} load of {month_key(TOLD_TWICE)}",
    )


def _planted(sent: Sent, flights: Account) -> Assertion:
    columns = flights.rejects.select(["object", "row_number", "ordinal", "column", "rule"]).to_pylist()
    found = {
        row["row_number"]: (row["column"], row["rule"])
        for row in columns
        if row["ordinal"] == 1 and row["row_number"] is not None
    }
    objects = {row["object"] for row in columns if row["row_number"] is not None}
    expected = {record: (kind.column, kind.rule) for record, kind in sent.planted.items()}
    return Assertion(
        claim="exactly the spoilt rows are rejected, each for what is wrong with it",
        holds=found == expected and objects == {month_key(SPOILT_MONTH)},
        found=f"{len(expected)} planted, {len(found)} rejected, {len(found.items() & expected.items())} as expected",
    )


def _refused(flights: Account) -> Assertion:
    (load,) = [load for load in flights.loads if load.key == PICTURE_KEY]
    whole = [row for row in flights.rejects.to_pylist() if row["row_number"] is None]
    return Assertion(
        claim="the picture is refused as a whole, with a reason",
        holds=load.state == "REFUSED" and [row["object"] for row in whole] == [PICTURE_KEY],
        found=f"{load.state}: {load.reason}",
    )


def _engines(accounts: Mapping[str, Account]) -> Assertion:
    found = {
        name: sorted({engine for run in account.runs for engine in run.engines}) for name, account in accounts.items()
    }
    large = found.pop("flights_year")
    small = sorted({engine for engines in found.values() for engine in engines})
    return Assertion(
        claim="the large file went to Spark, the small ones to Lambda",
        holds=large == ["glue"] and small == ["lambda"],
        found=f"flights_year: {', '.join(large)}; the others: {', '.join(small)}",
    )


def _rebuilt(
    connection: duckdb.DuckDBPyConnection, accounts: Mapping[str, Account], *, s3: Any, raw_bucket: str, scratch: Path
) -> Assertion:
    total, unequal = 0, []
    for name, account in accounts.items():
        connection.register("curated", account.curated)
        files = rebuild(account.plan, s3=s3, raw_bucket=raw_bucket, scratch=scratch / name)
        connection.from_parquet([str(file) for file in files], union_by_name=True).create_view("rebuilt", replace=True)
        columns = ", ".join(f'"{column}"' for column in account.curated.column_names if column != "_sluice_run")
        # Sums of row hashes are equal exactly where the tables hold the same rows equally often, in any order.
        fingerprint = f"SELECT count(*), sum(CAST(hash({columns}) AS HUGEINT)), bit_xor(hash({columns})) FROM {{}}"
        curated, rebuilt = (connection.execute(fingerprint.format(one)).fetchone() for one in ("curated", "rebuilt"))
        total += rebuilt[0] if rebuilt else 0
        if curated != rebuilt:
            unequal.append(name)
    return Assertion(
        claim="the tables equal a rebuild from scratch, row for row",
        holds=not unequal and total > 0,
        found=f"{total:,} rows rebuilt from the raw bucket; tables that differ: {', '.join(unequal) or 'none'}",
    )


def _independent(
    connection: duckdb.DuckDBPyConnection, sent: Sent, accounts: Mapping[str, Account], scratch: Path
) -> Iterator[Assertion]:
    source = scratch / "source.csv"
    source.write_bytes(sent.year)
    reader = f"read_csv('{source}', nullstr = 'NA', types = {_SOURCE_TYPES})"
    expected = connection.execute(_MONTHLY.format(reader)).fetchall()
    for name in ("flights", "flights_year"):
        connection.register("curated", accounts[name].curated)
        found = connection.execute(_MONTHLY.format("curated")).fetchall()
        agree = sum(one == other for one, other in zip(expected, found, strict=False))
        yield Assertion(
            claim=f"monthly totals of {name} equal those in the source file",
            holds=expected == found,
            found=f"{agree} of {len(expected)} months agree on flights, miles and minutes late; {_sums(found)}",
        )


def _marts(marts: Mapping[str, pd.DataFrame], sent: Sent) -> Assertion:
    flights = len(sent.year.splitlines()) - 1
    found = {name: int(frame["flights"].sum()) for name, frame in marts.items() if "flights" in frame}
    return Assertion(
        claim="each mart accounts for every flight",
        holds=bool(found) and all(total == flights for total in found.values()),
        found=", ".join(f"{name} {total:,}" for name, total in found.items()),
    )


def _sums(rows: Sequence[tuple[int, int, int, int]]) -> str:
    flights, miles, minutes = (sum(row[at] for row in rows) for at in (1, 2, 3))
    return f"{flights:,} flights, {miles:,} miles, {minutes:,} minutes"


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row else 0
