"""The strict casts against a second implementation of the same promise, in plain Python."""

from __future__ import annotations

import datetime as dt
import math
import re
import struct
from collections.abc import Callable, Iterator
from decimal import Decimal

import duckdb
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from sluice.contract.casts import strict_cast

CLOCK = r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})0*)?)?"


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def whole(text: str, bits: int) -> str | None:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        return None
    value = int(text)
    return str(value) if -(1 << bits - 1) <= value < 1 << bits - 1 else None


def fixed(text: str, precision: int, scale: int) -> str | None:
    if not re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", text):
        return None
    value = Decimal(text).normalize()
    units = value.scaleb(scale)
    if units != units.to_integral_value() or abs(units) >= 10**precision:
        return None
    return f"{value or abs(value):.{scale}f}"


def floating(text: str) -> str | None:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return None
    value = float(text)
    mantissa = re.split("[eE]", text)[0]
    too_small = value == 0 and re.search("[1-9]", mantissa) is not None
    return None if math.isinf(value) or too_small else struct.pack(">d", value).hex()


def day(text: str) -> str | None:
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def moment(text: str) -> str | None:
    found = re.fullmatch(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[T ]{CLOCK}(Z|[+-]\d\d(?::?\d\d)?)?", text, re.ASCII)
    if not found:
        return None
    date, hour, minute, second, fraction, zone = found.groups()
    try:
        value = dt.datetime.fromisoformat(f"{date}T{hour}:{minute}:{second or '00'}.{(fraction or '0').ljust(6, '0')}")
        if zone and zone != "Z":
            hours, minutes = int(zone[1:3]), int(zone[3:].removeprefix(":") or 0)
            if hours >= 24 or minutes >= 60:
                return None
            value -= (1 if zone[0] == "+" else -1) * dt.timedelta(hours=hours, minutes=minutes)
    except (ValueError, OverflowError):
        return None
    return value.isoformat(sep=" ")


NEAR = st.one_of(
    st.from_regex(r"[+-]?[0-9]{1,12}(\.[0-9]{0,4})?", fullmatch=True),
    st.from_regex(r"[+-]?[0-9]{1,3}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.floats().map(repr),
    st.dates().map(str),
    st.datetimes().map(str),
    st.datetimes(timezones=st.timezones()).map(lambda value: value.isoformat()),
    st.from_regex(rf"(19|20)[0-9]{{2}}-[01][0-9]-[0-3][0-9][T ]{CLOCK}(Z|[+-][0-2][0-9]:?[0-6][0-9])?", fullmatch=True),
    st.from_regex(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}T[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}Z", fullmatch=True),
)
SPOILT = st.tuples(NEAR, st.integers(0, 30), st.sampled_from(" \t\n+-._:/eExTZ09a("), st.booleans()).map(
    lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] + drawn[3] :]
)
CHARACTERS = st.sampled_from(" \t\n+-.,_:/0123456789eExTZinfya")
ANY = st.one_of(
    st.text(CHARACTERS, max_size=24), st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8)
)
TEXTS = st.lists(st.one_of(NEAR, SPOILT, ANY), min_size=20, max_size=60)


@pytest.mark.parametrize(
    ("kind", "printed", "reference"),
    [
        ("int", "CAST({} AS VARCHAR)", lambda text: whole(text, 32)),
        ("long", "CAST({} AS VARCHAR)", lambda text: whole(text, 64)),
        ("decimal(6,2)", "CAST({} AS VARCHAR)", lambda text: fixed(text, 6, 2)),
        ("decimal(9,0)", "CAST({} AS VARCHAR)", lambda text: fixed(text, 9, 0)),
        ("double", "{}", floating),
        ("date", "CAST({} AS VARCHAR)", day),
        ("timestamp", "{}", moment),
    ],
)
@given(texts=TEXTS)
@example(texts=["0", ".0", ".5", "-.00", "5.", "."])
@settings(max_examples=25, deadline=None, phases=set(Phase) - {Phase.explain})
def test_a_cast_yields_what_plain_python_yields(
    connection: duckdb.DuckDBPyConnection,
    kind: str,
    printed: str,
    reference: Callable[[str], str | None],
    texts: list[str],
) -> None:
    rows = connection.execute(
        f"SELECT {printed.format('(' + strict_cast('cell', kind)[0] + ')')}"
        " FROM (SELECT unnest(CAST($texts AS VARCHAR[])) AS cell, unnest($numbers) AS number) ORDER BY number",
        {"texts": texts, "numbers": list(range(len(texts)))},
    ).fetchall()
    found = dict(zip(texts, (shown(value) for (value,) in rows), strict=True))
    assert found == {text: reference(text) for text in texts}


def shown(value: object) -> str | None:
    if isinstance(value, float):
        return struct.pack(">d", value).hex()
    return None if value is None else str(value)
