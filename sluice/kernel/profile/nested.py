"""The shape of a column whose cells are objects or arrays in JSON, nearly all of them."""

from __future__ import annotations

import json

import duckdb

from sluice.contract.infer import exceptions
from sluice.contract.shape import Shape, merged, shape_of

_SHAPES = 5_000  # different shapes of cells that are looked at


def find_shape(connection: duckdb.DuckDBPyConnection, cells: str) -> Shape | None:
    """Return the shape that nearly all of `cells` have, SQL of a relation with the column `cell`; None without one."""
    query = f"""
    SELECT CASE WHEN cell[1] IN ('{{', '[') AND json_valid(cell) THEN json_structure(CAST(cell AS JSON)) END, count(*)
    FROM {cells} WHERE cell IS NOT NULL GROUP BY ALL ORDER BY count(*) DESC, 1 LIMIT {_SHAPES}"""
    found = connection.execute(query).fetchall()
    most, odd, whole = exceptions(sum(count for _, count in found)), 0, None
    for text, count in found:
        shape = json.loads(text) if text else None
        together = merged(whole, shape) if shape is not None and whole is not None else shape
        if together is None or isinstance(together, str):
            odd += count
        else:
            whole = together
    return shape_of(whole) if whole is not None and odd <= most else None
