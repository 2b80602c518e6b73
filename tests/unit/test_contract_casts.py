"""Each strict cast against a table of texts, in the kernel's own DuckDB."""

from __future__ import annotations

import duckdb
import pytest

from sluice.contract.casts import strict_cast
from sluice.contract.formats import formatted_cast
from sluice.contract.types import duckdb_type

BLANKS = [" 12", "12 ", " 12 ", "\t12", "12\n", "12\r", "1 2", "\x0b12", "12\x0c", "12\u00a0", "\u200912"]

# Type: texts and the values they have, printed by DuckDB.
# fmt: off
ACCEPTED: dict[str, dict[str, str]] = {
    "int": {
        "0": "0",
        "1": "1",
        "-1": "-1",
        "+5": "5",
        "007": "7",
        "-0": "0",
        "2147483647": "2147483647",
        "-2147483648": "-2147483648",
        "0000000000000000000000012": "12",
    },
    "long": {"9223372036854775807": "9223372036854775807", "-9223372036854775808": "-9223372036854775808", "+1": "1"},
    "decimal(5,2)": {
        "1": "1.00",
        "1.5": "1.50",
        "1.50": "1.50",
        "1.500": "1.50",
        "-999.99": "-999.99",
        "999.99": "999.99",
        "+1.25": "1.25",
        "01.25": "1.25",
        ".5": "0.50",
        "1.": "1.00",
        "-0": "0.00",
        "0": "0.00",
        "-.25": "-0.25",
    },
    "decimal(38,0)": {"9" * 38: "9" * 38, "12": "12", "-12.0": "-12"},
    "decimal(18,6)": {"123456789012.123456": "123456789012.123456", "0.0000010": "0.000001"},
    "double": {
        "1": "1.0",
        "1.5": "1.5",
        "-0.25": "-0.25",
        "+2": "2.0",
        "1e3": "1000.0",
        "1.5E-3": "0.0015",
        ".5": "0.5",
        "1.": "1.0",
        "10.357019999999999": "10.357019999999999",
        "0": "0.0",
    },
    "float": {"1.5": "1.5", "-2": "-2.0", "3e38": "3e+38"},
    "boolean": {"true": "true", "false": "false", "TRUE": "true", "False": "false", "tRuE": "true"},
    "date": {"2024-02-29": "2024-02-29", "0001-01-01": "0001-01-01", "9999-12-31": "9999-12-31"},
    "timestamp": {
        "2013-01-01T10:00:00Z": "2013-01-01 10:00:00",
        "2013-01-01 10:00:00": "2013-01-01 10:00:00",
        "2013-01-01T10:00:00": "2013-01-01 10:00:00",
        "2013-01-01 10:00:00Z": "2013-01-01 10:00:00",
        "2013-01-01T10:00": "2013-01-01 10:00:00",
        "2013-01-01 23:59:59.25": "2013-01-01 23:59:59.25",
        "2013-01-01 23:59:59.250": "2013-01-01 23:59:59.25",
        "2013-01-01T23:59:59.123456Z": "2013-01-01 23:59:59.123456",
        "2013-01-01T23:59:59.123456000Z": "2013-01-01 23:59:59.123456",
        "2013-01-01T10:00Z": "2013-01-01 10:00:00",
        "2013-01-01T10:00+02:00": "2013-01-01 08:00:00",
        "2013-01-01 10:00-05": "2013-01-01 15:00:00",
        "2013-01-01T10:00:00+02:00": "2013-01-01 08:00:00",
        "2013-01-01T10:00:00-0530": "2013-01-01 15:30:00",
        "2013-01-01 10:00:00.5+02": "2013-01-01 08:00:00.5",
        "2013-01-01T00:00:00+00:00": "2013-01-01 00:00:00",
        "0001-01-01T00:00:00Z": "0001-01-01 00:00:00",
        "9999-12-31T23:59:59.999999Z": "9999-12-31 23:59:59.999999",
        "2024-02-29T03:00:00Z": "2024-02-29 03:00:00",
    },
    "time": {"13:00:00": "13:00:00", "13:00": "13:00:00", "23:59:59.5": "23:59:59.5", "00:00:00": "00:00:00"},
    "string": {"": "", " a ": " a ", "NA": "NA", "\u00e4\u4e2d": "\u00e4\u4e2d"},
}
REFUSED: dict[str, list[str]] = {
    "int": [
        *BLANKS, "", "+", "-", "1.5", "1.0", "1.", "1e3", "1E3", "1_000", "1,000", "0x1F", "0b1", "--1", "+-1", "12a",
        "2147483648", "-2147483649", "\uff11\uff12", "nan", "inf", "true", "NULL", "1-", "\u22121", "\u0661",
    ],
    "long": [*BLANKS, "", "9223372036854775808", "1.5", "1e3", "1_000", "0x1F"],
    "decimal(5,2)": [
        *BLANKS, "", ".", "-", "+", "1.005", "1.001", "1000", "999.995", "1e2", "1_0", "1_0.5", "1,5", "nan", "inf",
        "1.2.3", "0.001", "12a", "1.50 ", "--1", "$1", "1.5e0",
    ],
    "decimal(38,0)": ["1" + "0" * 38, "0.5", "1e5", " 1"],
    "double": [
        *BLANKS, "", ".", "-", "nan", "NaN", "inf", "-inf", "Infinity", "infinity", "1e400", "-1e400", "1_000", "+-1",
        "+ 1", "1e", "e1", "0x10", "1d", "1f", "1,5", "1.5.", "--1", "1e5 ", "1e+", "1 e5",
    ],
    "float": ["1e39", "nan", " 1", "1_0", "+-1"],
    "boolean": ["", "1", "0", "t", "f", "yes", "no", "y", "n", "on", " true", "true ", "wahr", "tru"],
    "date": [
        "", "2024-2-1", "2024-02-1", "2024-02-30", "2023-02-29", "2024/02/01", "2024 02 01", "2024\\02\\01", "20240201",
        "01.02.2024", "epoch", "infinity", "-infinity", "today", "0000-01-01", "10000-01-01", "-001-01-01",
        "2024-02-01x",
        " 2024-02-01", "2024-02-01 ", "2024-02-01\n", "2024-02-01T00:00:00", "2024-02-01 (BC)", "2024-02-1x",
        "24-02-01",
        "20-3-11-12", "2024-13-01", "2024-00-10", "2024-02-00", "2024-02-01 BC",
    ],
    "timestamp": [
        "", "2013-01-01", "2013-01-01T10", "epoch", "infinity", "-infinity", "now", "2013-1-1T1:0:0",
        "2013-01-01T1:00:00Z",
        "2013-01-01T24:00:00Z", "2013-01-01 24:00:00", "2013-01-01T23:59:60Z", "2013-02-30T10:00:00Z",
        "2013-01-01T 1:00:00Z", "2013-01-01T\t1:00:00Z", "2013-01-01T10:00:1.Z", "2013-01-01T10:00:00.Z",
        "2013-01-01T10:00:00.1234567Z", "2013-01-01  10:00:00", " 2013-01-01T10:00:00Z", "2013-01-01T10:00:00Z ",
        "2013-01-01T10:00:00 Z", "2013-01-01T10:00:00z", "2013-01-01t10:00:00Z", "2013-01-01T10:00:00 UTC",
        "2013-01-01T10:00:00 Europe/Berlin", "2013-01-01T10:00:00+25:00", "2013-01-01T10:00:00+02:60",
        "2013-01-01T10:00:00+2", "2013/01/01T10:00:00Z", "2013-01-01 (BC) 10:00:00", "0000-01-01T00:00:00Z",
        "0000-12-31 00:00:00", "10000-01-01T00:00:00Z", "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-10:00", "\t013-11-12T10:11:12Z", "-013-11-12T10:11:12Z", "1357034400",
        "2013-01-01T10:60:00Z",
        "2013-01-01T10:00:00+14:00:30", "2013-01-01 10:00:00,5",
    ],
    "time": ["", "24:00:00", "1:00:00", "13:60:00", "13:00:60", "13:00:00Z", "13:00:00+02", " 13:00:00", "13"],
}
# fmt: on


def cast(texts: list[str | None], expression: str) -> list[tuple[str | None, str]]:
    """What the cast makes of each text, printed, and the type of the result."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"SELECT CAST(({expression}) AS VARCHAR), typeof({expression})"
            ' FROM (SELECT unnest(CAST($texts AS VARCHAR[])) AS "a ""cell""",'
            " unnest($numbers) AS number) ORDER BY number",
            {"texts": texts, "numbers": list(range(len(texts)))},
        ).fetchall()
    return [(str(value) if value is not None else None, kind) for value, kind in rows]


CELL = '"a ""cell"""'


@pytest.mark.parametrize("kind", ACCEPTED)
def test_an_exact_text_keeps_its_value(kind: str) -> None:
    found = cast(list(ACCEPTED[kind]), strict_cast(CELL, kind)[0])
    wrong = {text: got for (text, value), (got, _) in zip(ACCEPTED[kind].items(), found, strict=True) if got != value}
    assert wrong == {}
    assert {of for _, of in found} == {duckdb_type(kind)}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_text_that_is_no_exact_value_becomes_null(kind: str) -> None:
    found = cast([*REFUSED[kind]], strict_cast(CELL, kind)[0])
    accepted = {text: got for text, (got, _) in zip(REFUSED[kind], found, strict=True) if got is not None}
    assert accepted == {}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_a_missing_cell_stays_missing(kind: str) -> None:
    assert cast([None, None], strict_cast(CELL, kind)[0]) == [(None, duckdb_type(kind))] * 2


@pytest.mark.parametrize("zone", ["Pacific/Honolulu", "Asia/Kolkata"])
def test_timestamps_do_not_depend_on_the_time_zone_of_the_session(zone: str) -> None:
    expression = strict_cast("cell", "timestamp")[0]
    with duckdb.connect() as connection:
        connection.execute(f"SET TimeZone = '{zone}'")
        rows = connection.execute(
            f"SELECT CAST({expression} AS VARCHAR) FROM (SELECT unnest($1) AS cell)",
            [["2013-01-01T10:00:00+02:00", "2013-01-01 10:00:00", "2013-01-01T10:00:00Z"]],
        ).fetchall()
    assert rows == [("2013-01-01 08:00:00",), ("2013-01-01 10:00:00",), ("2013-01-01 10:00:00",)]


@pytest.mark.parametrize(
    ("kind", "form", "accepted", "refused"),
    [
        ("date", "dd/MM/yyyy", {"29/02/2024": "2024-02-29"}, ["1/2/2024", "30/02/2024", "2024-02-29", " 29/02/2024"]),
        ("date", "d.M.yyyy", {"1.2.2024": "2024-02-01", "12.11.2024": "2024-11-12"}, ["01.2.2024", "0.1.2024"]),
        ("date", "yyyyMMdd", {"20240229": "2024-02-29"}, ["2024-02-29", "20230229", "00000101"]),
        ("date", "dd-MMM-yyyy", {"01-FEB-2024": "2024-02-01"}, ["01-Febr-2024", "01-M\u00e4r-2024", "01-02-2024"]),
        ("date", "dd-MMM-yy", {"29-FEB-24": "2024-02-29", "01-jan-69": "1969-01-01"}, ["29-FEB-23", "01-JAN-2024"]),
        ("date", "dd.MM.yy", {"01.02.68": "2068-02-01"}, ["1.2.68", "30.02.24"]),
        (
            "timestamp",
            "yyyy-MM-dd HH:mm:ss.SSSSSSS",
            {
                "2024-02-29 01:02:03.1234560": "2024-02-29 01:02:03.123456",
                "9999-12-31 00:00:00.0000000": "9999-12-31 00:00:00",
            },
            ["2024-02-29 01:02:03.1234567", "2024-02-29 01:02:03.123456"],
        ),
        (
            "timestamp",
            "yyyy-MM-dd HH:mm:ss.SSSSSSS xxx",
            {"2024-02-29 13:00:00.0000000 +05:30": "2024-02-29 07:30:00"},
            ["2024-02-29 13:00:00.0000000"],
        ),
        ("date", "MMMM d, yyyy", {"February 1, 2024": "2024-02-01"}, ["Feb 1, 2024", "February 01, 2024"]),
        ("date", "yyyy'%'MM''dd", {"2024%02'29": "2024-02-29"}, ["2024-02-29"]),
        ("timestamp", "yyyy-MM-dd HH:mm:ss", {"2024-02-29 01:02:03": "2024-02-29 01:02:03"}, ["2024-02-29T01:02:03"]),
        ("timestamp", "MM/dd/yyyy hh:mm a", {"02/01/2024 12:30 AM": "2024-02-01 00:30:00"}, ["02/01/2024 13:30 AM"]),
        ("timestamp", "yyyy-MM-dd HH:mm:ss.SSS", {"2024-02-29 01:02:03.5": None}, ["2024-02-29"]),
        (
            "timestamp",
            "yyyy-MM-dd'T'HH:mm:ssXXX",
            {"2024-02-29T01:02:03+02:00": "2024-02-28 23:02:03", "2024-02-29T01:02:03Z": "2024-02-29 01:02:03"},
            ["2024-02-29T01:02:03", "2024-02-29T01:02:03+0200"],
        ),
        ("timestamp", "dd.MM.yyyy", {"29.02.2024": "2024-02-29 00:00:00"}, ["2024-02-29"]),
        ("time", "HH'h'mm", {"09h30": "09:30:00"}, ["9h30", "24h00", "09:30"]),
    ],
)
def test_a_format_of_the_contract_is_read_exactly(
    kind: str, form: str, accepted: dict[str, str], refused: list[str]
) -> None:
    found = cast([*accepted, *refused], formatted_cast(CELL, kind, form))
    assert [value for value, _ in found] == [*accepted.values(), *(None for _ in refused)]
    assert {of for _, of in found} == {duckdb_type(kind)}


@pytest.mark.parametrize(
    ("kind", "form", "reason"),
    [
        ("date", "dd/MM/yyy", "'yyy' is not supported"),
        ("date", "yyyy-MM", "lacks the field d"),
        ("date", "yyyy-MM-dd HH:mm", "use logicalType timestamp"),
        ("date", "yyyy-MM-MM", "says again"),
        ("timestamp", "yyyy-MM-dd hh:mm", "together with a"),
        ("timestamp", "EEE, d MMM yyyy", "'EEE' is not supported"),
        ("timestamp", "yyyy-MM-dd[ HH:mm]", "is not understood"),
        ("timestamp", "yyyy-MM-dd'T", "is not understood"),
        ("time", "yyyy HH:mm", "hours, minutes and seconds only"),
    ],
)
def test_an_ambiguous_format_is_refused_with_the_reason(kind: str, form: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("(", r"\(")):
        formatted_cast(CELL, kind, form)
