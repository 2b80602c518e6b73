"""Local times: those that clocks show once have their moment, those of the changes have none."""

from __future__ import annotations

import duckdb
import pytest

from sluice.contract.casts import strict_cast
from sluice.contract.formats import formatted_cast
from sluice.contract.zones import UTC, is_zone

# Zone: texts and their moment in UTC; None where the clocks show the time never or twice. From the IANA database.
# fmt: off
MOMENTS: dict[str, dict[str, str | None]] = {
    "Europe/Berlin": {
        "2024-01-15 12:00:00": "2024-01-15 11:00:00",
        "2024-07-15T12:00:00.5": "2024-07-15 10:00:00.5",
        "2024-03-31 01:59:59": "2024-03-31 00:59:59",
        "2024-03-31 02:00:00": None,
        "2024-03-31 02:59:59": None,
        "2024-03-31 03:00:00": "2024-03-31 01:00:00",
        "2024-10-27 01:59:59": "2024-10-26 23:59:59",
        "2024-10-27 02:00:00": None,
        "2024-10-27 02:59:59": None,
        "2024-10-27 03:00:00": "2024-10-27 02:00:00",
        "2024-10-27 02:30:00+02:00": "2024-10-27 00:30:00",  # an offset says which of the two it is
        "2024-10-27T02:30:00Z": "2024-10-27 02:30:00",
        "2024-03-31": None,
        "0000-12-31 12:00:00": None,
        "0001-01-01 00:00:00": None,  # before the first moment of UTC
    },
    "Australia/Lord_Howe": {  # goes by half an hour
        "2024-04-07 01:29:59": "2024-04-06 14:29:59",
        "2024-04-07 01:30:00": None,
        "2024-04-07 02:00:00": "2024-04-06 15:30:00",
        "2024-10-06 02:15:00": None,
        "2024-10-06 02:30:00": "2024-10-05 15:30:00",
    },
    "Pacific/Apia": {"2011-12-29 12:00:00": "2011-12-29 22:00:00", "2011-12-30 12:00:00": None},  # a day that never was
    "Asia/Kolkata": {"2024-02-29 00:00:00": "2024-02-28 18:30:00"},
}
# fmt: on


def cast(texts: list[str], expression: str) -> list[str | None]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/New_York'")  # must not matter
        rows = connection.execute(
            f"SELECT CAST(({expression}) AS VARCHAR) FROM (SELECT unnest($1) AS cell)", [texts]
        ).fetchall()
    return [value for (value,) in rows]


@pytest.mark.parametrize("zone", MOMENTS)
def test_a_local_time_is_read_where_it_is_one_moment_and_refused_where_it_is_none_or_two(zone: str) -> None:
    found = cast(list(MOMENTS[zone]), strict_cast("cell", "timestamp", zone=zone)[0])
    assert dict(zip(MOMENTS[zone], found, strict=True)) == MOMENTS[zone]


def test_a_format_without_an_offset_is_read_in_the_zone() -> None:
    texts = ["31.03.2024 02:30", "31.03.2024 03:30", "27.10.2024 02:30"]
    found = cast(texts, formatted_cast("cell", "timestamp", "dd.MM.yyyy HH:mm", zone="Europe/Berlin"))
    assert found == [None, "2024-03-31 01:30:00", None]


def test_the_kernel_knows_each_zone_that_a_contract_may_name() -> None:
    with duckdb.connect() as connection:
        known = {name.lower() for (name,) in connection.execute("SELECT name FROM pg_timezone_names()").fetchall()}
    from sqlglot.time import TIMEZONES  # noqa: PLC0415  (the list behind is_zone)

    assert len(TIMEZONES) > 400
    assert known >= TIMEZONES
    assert is_zone("Europe/Berlin")
    assert not is_zone("Europe/Atlantis")
    assert all(map(is_zone, UTC))
