"""Records of a large object that may share their primary key with another one, found before any record is written.

A repeated key that is found late is dear: files of whole records are written again, and texts are looked up again. So
where the first records of an object repeat keys, all its keys are read once, ahead of everything else. Records whose
key has a hash of its own repeat nobody. The others are suspects: they go aside with their texts, and once it is known
which of them are sound, those few are judged (`repeats`).
"""

from __future__ import annotations

import duckdb

from sluice.contract.plan import Plan
from sluice.contract.sql import quote
from sluice.kernel.judging.examine import typed
from sluice.kernel.readers.records import Records

_FIRST = 250_000  # records that tell whether reading all keys ahead is worth it: a hundredth of its cost at 30 million


def look_ahead(connection: duckdb.DuckDBPyConnection, records: Records, plan: Plan) -> bool:
    """Fill the table `suspects` with the hashes of keys that records of one object share; return whether it was done.

    If the first records repeat no key, it is not: then all must be judged later. So it is with promises about other
    columns, which are judged before keys, and with protected keys, which may become equal by what is stored of them.
    Fails as the reader of the records does.
    """
    connection.execute("CREATE OR REPLACE TABLE suspects (key_hash UBIGINT)")  # for cursors, too
    protected = any(column.protect for column in plan.columns if column.name in plan.primary_key)
    if not plan.primary_key or plan.unique or protected:
        return False
    sql, parameters = typed(records, plan, plan.primary_key)
    missing = " OR ".join(f"{quote(name)} IS NULL" for name in plan.primary_key)
    # No WHERE: DuckDB would push it down and compute each key twice.
    keys = f"SELECT CASE WHEN {missing} THEN NULL ELSE {_key_hash(plan)} END AS key_hash FROM ({sql})"
    first = f"SELECT count(key_hash) > count(DISTINCT key_hash) FROM ({keys} LIMIT {_FIRST})"
    (some_repeat,) = connection.execute(first, parameters).fetchone() or (False,)
    if some_repeat:
        # Keys with nothing in them count 0.
        connection.execute(
            f"INSERT INTO suspects SELECT key_hash FROM ({keys}) GROUP BY key_hash HAVING count(key_hash) > 1",
            parameters,
        )
    return bool(some_repeat)


def is_suspect(plan: Plan) -> str:
    """Return SQL over a typed record."""
    return f"{_key_hash(plan)} IN (SELECT key_hash FROM suspects)"


def _key_hash(plan: Plan) -> str:
    """Return SQL over a typed record: equal keys have equal hashes."""
    return f"hash({', '.join(map(quote, plan.primary_key))})"
