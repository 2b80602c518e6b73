"""Both engines over the same tables: the offline Athena and a real Trino, with an answer of each to any statement."""

# ruff: noqa: E501  (rows of values stand in one line)

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa

from sluice.local.athena import AthenaError, Scans, execute
from sluice.local.trino import Answer, Trino, TrinoError

Verdict = Literal["same", "refused", "different"]
_BATCH = 8


def _at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def battery() -> pa.Table:
    """Rows with the values at which engines part: extremes, halves, NULLs, leap days, times before 1970."""
    big = (1 << 63) - 1
    return pa.table(
        {
            "id": pa.array(range(1, 12), pa.int32()),
            "i": pa.array([7, None, (1 << 31) - 1, -(1 << 31), 0, 7, -1, 2, 3, 1, 10], pa.int32()),
            "b": pa.array([10, None, big, -big - 1, 0, 20, -5, 3000000000, 3, 1, 10], pa.int64()),
            "x": pa.array([1.5, None, 1e300, -1e-300, 0.0, 2.5, -2.5, 1.005, 0.1, 3.0, 2.675], pa.float64()),
            "m": pa.array(
                [None if one is None else Decimal(one) for one in
                 ("1.50", None, "99999999.99", "-99999999.99", "0.00", "2.25", "-2.25", "0.05", "1.00", "3.33", "10.25")],
                pa.decimal128(10, 2),
            ),
            "w": pa.array([Decimal(n) for n in range(11)], pa.decimal128(38, 10)),
            "t": pa.array(
                ["apple", None, "", "Stra\u00dfe", "\u00e9\u0301", "a", "b%_", " pad ", "2024-02-29", "p", "x,y;z"], pa.string()
            ),
            "f": pa.array([True, None, False, True, False, True, None, False, True, False, True], pa.bool_()),
            "d": pa.array(
                [None if one is None else date.fromisoformat(one) for one in
                 ("2024-02-29", None, "9999-12-31", "0001-01-01", "1970-01-01", "2023-12-31", "1969-12-31", "2024-01-01",
                  "2024-03-31", "2012-12-31", "2000-02-28")],
                pa.date32(),
            ),
            "ts": pa.array(
                [_at(one) for one in
                 ("2024-02-29 23:59:59", None, "9999-12-31 23:59:59.999999", "0001-01-01 00:00:00", "1970-01-01 00:00:00",
                  "2024-12-30 23:59:59.999999", "1969-12-31 23:59:59.5", "2024-03-31 02:30:00", "2024-10-27 01:30:00.000900",
                  "2012-12-31 12:00:00", "2000-02-28 01:02:03")],
                pa.timestamp("us"),
            ),
        }
    )  # fmt: skip


def nested() -> pa.Table:
    """Arrays, structs and arrays of structs, with NULLs and empty texts inside."""
    address, line = (
        pa.struct([("zip", pa.string()), ("no", pa.int32())]),
        pa.struct([("sku", pa.string()), ("n", pa.int64())]),
    )
    return pa.table(
        {
            "id": pa.array([1, 2, 3, 4], pa.int32()),
            "address": pa.array([{"zip": "10", "no": 1}, None, {"zip": None, "no": 2}, {"zip": "", "no": None}], address),
            "tags": pa.array([["a", "b"], None, [], ["", None, "c"]], pa.list_(pa.string())),
            "lines": pa.array([[{"sku": "s", "n": 1}], [], [{"sku": None, "n": 2}], [{"sku": "", "n": None}]], pa.list_(line)),
            "f4": pa.array([1.1, None, -2.5, 0.0], pa.float32()),
            "m9": pa.array([Decimal("1.50"), None, Decimal("9999999.99"), Decimal("-0.01")], pa.decimal128(9, 2)),
            "m18": pa.array([Decimal("1.5000"), None, Decimal("99999999999999.9999"), Decimal(0)], pa.decimal128(18, 4)),
            "m38": pa.array([Decimal("1.5"), None, Decimal("-1E-10"), Decimal(0)], pa.decimal128(38, 10)),
            "at": pa.array([_at("2024-01-01 10:00:00"), None, _at("1969-12-31 23:00:00"), _at("2024-07-01 00:00:00")],
                           pa.timestamp("us")),
        }
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Both:
    """The two engines over one catalog."""

    trino: Trino
    database: str
    endpoint: str
    region: str
    keys: tuple[str, str]
    scans: Scans

    def offline(self, sql: str) -> Answer | str:
        """Ask the offline Athena; a text is the reason why it refuses."""
        try:
            result = execute(
                sql, database=self.database, endpoint=self.endpoint, region=self.region,
                credentials=(*self.keys, None), scans=self.scans,
            )  # fmt: skip
        except AthenaError as error:
            return str(error)
        return Answer(columns=list(result.columns), rows=list(result.rows))

    def real(self, sql: str) -> Answer | str:
        """Ask Trino; a text is the reason why it refuses."""
        try:
            return self.trino.ask(sql)
        except TrinoError as error:
            return str(error)

    def compare(self, statements: Sequence[str]) -> dict[str, tuple[Verdict, str]]:
        """Judge statements: same, refused by the offline Athena, or different, with what was answered."""
        return {sql: self._judge(sql, self.offline(sql)) for sql in statements}

    def compare_expressions(self, expressions: Sequence[str], *, where: str) -> dict[str, tuple[Verdict, str]]:
        """Judge expressions over `battery`; several are put in one statement while nothing is refused."""
        verdicts: dict[str, tuple[Verdict, str]] = {}
        for start in range(0, len(expressions), _BATCH):
            batch = expressions[start : start + _BATCH]
            mine = _each(batch, self.offline(_over(batch, where))) or {
                one: self.offline(_over([one], where)) for one in batch
            }
            answered = [one for one in batch if not isinstance(mine[one], str)]
            theirs = _each(answered, self.real(_over(answered, where))) if answered else {}
            if theirs is None:
                theirs = {one: self.real(_over([one], where)) for one in answered}
            for one in batch:
                refused = mine[one]
                verdicts[one] = ("refused", refused) if isinstance(refused, str) else _verdict(refused, theirs[one])
        return verdicts

    def _judge(self, sql: str, offline: Answer | str) -> tuple[Verdict, str]:
        if isinstance(offline, str):
            return "refused", offline
        return _verdict(offline, self.real(sql))


def _over(expressions: Sequence[str], where: str) -> str:
    items = ", ".join(f"{one} AS v{place}" for place, one in enumerate(expressions))
    return f"SELECT id, {items} FROM battery {where} ORDER BY id"


def _each(expressions: Sequence[str], together: Answer | str) -> dict[str, Answer | str] | None:
    """Take the answer to several expressions apart; None where one of them was refused, and with it all."""
    if isinstance(together, str):
        return None
    return {one: _column(together, place) for place, one in enumerate(expressions, start=1)}


def _column(answer: Answer, place: int) -> Answer:
    return Answer(
        columns=[answer.columns[0], (f"v{0}", answer.columns[place][1])],
        rows=[(row[0], row[place]) for row in answer.rows],
    )


def _verdict(offline: Answer | str, real: Answer | str) -> tuple[Verdict, str]:
    if isinstance(offline, str) or isinstance(real, str):
        return "different", f"offline {offline}, Trino {real}"
    kinds = [plain_type(kind) for _, kind in real.columns]
    mine = [plain_type(kind) for _, kind in offline.columns]
    if kinds != mine:
        return "different", f"types offline {mine}, Trino {kinds}"
    if rows_differ(offline.rows, real.rows):
        return "different", f"offline {offline.rows}, Trino {real.rows}"
    return "same", ""


def plain_type(kind: str) -> str:
    """Name a type without the lengths and precisions that Athena's API does not tell."""
    return re.sub(r"(varchar|char|timestamp|time)\(\d+\)", r"\1", kind).replace(" ", "")


def rows_differ(left: Sequence[Sequence[Any]], right: Sequence[Sequence[Any]]) -> bool:
    """Tell whether two results differ as multisets of rows; floats are equal within one part in 10^12."""
    a, b = sorted(map(_key, left)), sorted(map(_key, right))
    return Counter(a) != Counter(b)


def _key(row: Sequence[Any]) -> str:
    return repr([_canonical(cell) for cell in row])


def _canonical(value: Any) -> Any:
    match value:
        case float():
            return "nan" if math.isnan(value) else f"{value:.12e}" if math.isfinite(value) else str(value)
        case Decimal():
            return f"{value:f}"
        case datetime() | date() | time():
            return value.isoformat()
        case list() | tuple():
            return [_canonical(item) for item in value]
        case dict():
            return {name: _canonical(item) for name, item in value.items()}
        case _:
            return value
