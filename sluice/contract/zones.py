"""Time zones: local times to moments in UTC, strictly. DuckDB's ICU has the zones; it is built into the wheel.

When clocks go forward, an hour of local times never was; when they go back, an hour of them was twice. DuckDB picks a
moment in both cases; here neither is an exact value, so both are NULL.
"""

from __future__ import annotations

from sqlglot.time import TIMEZONES

from sluice.contract.sql import literal

UTC = frozenset({"utc", "etc/utc"})
_FIRST_MOMENT = "TIMESTAMP '0001-01-01 00:00:00'"
_LAST_MOMENT = "TIMESTAMP '9999-12-31 23:59:59.999999'"


def is_zone(name: str) -> bool:
    """Whether the name is an IANA time zone, in any case."""
    return name.lower() in TIMEZONES


def instant(expression: str) -> str:
    """A TIMESTAMPTZ expression as a UTC TIMESTAMP, NULL outside the years 1 to 9999; needs no session time zone."""
    moment = f"make_timestamp(epoch_us({expression}))"
    return f"CASE WHEN {moment} BETWEEN {_FIRST_MOMENT} AND {_LAST_MOMENT} THEN {moment} END"


def localized(local: str, zone: str) -> str:
    """A TIMESTAMP expression of a zone's clocks as a UTC TIMESTAMP; NULL where they show it never or twice.

    DuckDB takes the later one of two moments: a local time is there twice if the clocks show it one change of the
    offset earlier, too. The offsets a day before and a day after tell the change: no zone has two within two days.
    """
    name = literal(zone)
    moment = f"timezone({name}, {local})"
    change = f"({_offset(name, f'{moment} - INTERVAL 1 DAY')} - {_offset(name, f'{moment} + INTERVAL 1 DAY')})"
    return (
        f"CASE WHEN timezone({name}, {moment}) = {local}"
        f" AND ({change} = INTERVAL 0 SECOND OR timezone({name}, {moment} - {change}) <> {local})"
        f" THEN {instant(moment)} END"
    )


def _offset(zone: str, moment: str) -> str:
    return f"(timezone({zone}, {moment}) - timezone('UTC', {moment}))"
