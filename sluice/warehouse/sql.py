"""The SQL that a refresh sends to Athena: a mart's SELECT, its tables pinned to snapshots, wrapped in CTAS or a view.

Text is spliced at the places that synth found (`Reference`), so Athena's query history shows the author's own words.
"""

from __future__ import annotations

from collections.abc import Mapping

from sluice.warehouse.mart import Mart


def pin(mart: Mart, snapshots: Mapping[str, int], views: Mapping[str, Mart]) -> str:
    """Return the mart's SELECT with each table `FOR VERSION AS OF` its snapshot.

    A view cannot be pinned: its own SELECT, pinned, is put in its place. KeyError where a table has no snapshot.
    """
    pieces, done = [], 0
    for reference in mart.references:
        name = reference.table
        if name in views:
            source = f"(\n{pin(views[name], snapshots, views)}\n)"
        else:
            source = f'"{name}" FOR VERSION AS OF {snapshots[name]:d}'
        pieces += [mart.sql[done : reference.start], source, "" if reference.aliased else f" AS {name}"]
        done = reference.end
    return "".join(pieces) + mart.sql[done:]


def pinned_tables(mart: Mart, views: Mapping[str, Mart]) -> tuple[str, ...]:
    """List the tables that `pin` needs snapshots of: the mart's sources, views replaced by theirs. Sorted."""
    found: set[str] = set()
    for name in mart.sources:
        found.update(pinned_tables(views[name], views) if name in views else (name,))
    return tuple(sorted(found))


def ctas(mart: Mart, select: str, *, database: str, table: str, location: str) -> str:
    """Write CREATE TABLE AS for Athena: an Iceberg table at `location`, which must be empty, partitioned as said."""
    options = ["table_type = 'ICEBERG'", "is_external = false", f"location = '{location}'", "format = 'PARQUET'"]
    if mart.partitioned_by:
        options.append("partitioning = ARRAY[" + ", ".join(f"'{entry}'" for entry in mart.partitioned_by) + "]")
    return f'CREATE TABLE "{database}"."{table}" WITH (\n  ' + ",\n  ".join(options) + f"\n) AS\n{select}"


def view(mart: Mart, *, database: str) -> str:
    """Write CREATE OR REPLACE VIEW for Athena. A view reads its tables as they are when it is queried."""
    return f'CREATE OR REPLACE VIEW "{database}"."{mart.name}" AS\n{mart.sql}'
