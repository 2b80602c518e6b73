"""One cell to one value: which strict cast a property asks for, with its format, time zone and spelling."""

from __future__ import annotations

from sluice.contract.casts import local_time, strict_cast
from sluice.contract.formats import formatted_cast
from sluice.contract.model import Property
from sluice.contract.plan import Format
from sluice.contract.spelling import spelled_cast
from sluice.contract.zones import UTC, is_zone


def cell_cast(item: Property, cell: str, kind: str) -> tuple[str, str]:
    """Return the expression over the VARCHAR `cell` that yields the type `kind`, and words for the expected text.

    Raises ContractError where format or time zone mean nothing for the type.
    """
    form = item.options.format
    zone = _zone(item, kind)
    if form is None or kind not in {"date", "timestamp", "time"}:
        return spelled_cast(cell, kind, item.spelling, zone=zone)
    try:
        expected = f"a {kind} like {form}" + (f", {local_time(zone)}" if zone else "")
        return formatted_cast(cell, kind, form, zone=zone), expected
    except ValueError as error:
        raise item.source.error(
            f"property {item.name}: format {form!r}: {error}", "write a Java date format, such as yyyy-MM-dd HH:mm:ss"
        ) from error


def value_cast(item: Property, cell: str, kind: str, *, form: Format) -> str:
    """The cast of a cell that the file holds as a value of some type: no format and no spelling of texts is its own.

    In a workbook what a formula failed to yield is such a cell, and no text (`readers.sheets`): it begins with `#`.
    """
    if kind == "string" and form == "xlsx":
        return f"CASE WHEN NOT starts_with({cell}, '#') THEN {cell} END"
    return strict_cast(cell, kind, zone=_zone(item, kind))[0]


def _zone(item: Property, kind: str) -> str | None:
    """The time zone of texts without an offset; None for UTC."""
    name = item.options.default_timezone
    if name is None or name.lower() in UTC:
        return None
    if not is_zone(name):
        raise item.source.error(
            f"property {item.name}: defaultTimezone {name!r} is not known", "write an IANA name, such as Europe/Berlin"
        )
    if kind != "timestamp":
        raise item.source.error(
            f"property {item.name}: defaultTimezone has no meaning for {kind}", "remove it, or use timestamp"
        )
    return name
