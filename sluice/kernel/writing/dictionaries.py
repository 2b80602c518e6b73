"""Up to how many values a column of a large file gets a dictionary: a guess by the first records.

DuckDB fills a dictionary for each column and row group until it turns out to be too large, which is lost time for
columns of many values: a fortieth of all where most are such. A lower limit saves that, but where a text has some ten
thousand values its files would be larger by a tenth and slower to read.
"""

from __future__ import annotations

import duckdb

from sluice.contract.plan import Plan
from sluice.contract.sql import quote
from sluice.kernel.judging.examine import typed
from sluice.kernel.readers.records import Records

_SAMPLE = 30_000  # records: a quarter of a row group
_FEW = 2_000  # values: more of them do not pay unless they are texts
_RARE, _OFTEN = 1_000, 20_000  # values in the sample: fewer make a small dictionary, more make none under any limit


def most_in_dictionary(connection: duckdb.DuckDBPyConnection, records: Records, plan: Plan) -> int | None:
    """Return the limit for files of these records, None for DuckDB's own. Fails as the reader of the records does."""
    texts = [column.name for column in plan.columns if column.type == "string"]
    if not texts:
        return _FEW
    select, parameters = typed(records, plan, texts)
    counts = ", ".join(f"approx_count_distinct({quote(name)})" for name in texts)
    found = connection.execute(f"SELECT {counts} FROM ({select} LIMIT {_SAMPLE})", parameters).fetchone() or ()
    return None if any(_RARE < count < _OFTEN for count in found) else _FEW
