"""Which columns tell the rows of a sample apart. A few repeats leave a column that is named like a key the key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import duckdb

from sluice.contract.infer import Inferred, is_keyish, key_candidates
from sluice.kernel.outcome import Limits, OutputFile
from sluice.kernel.profile.samples import folders, scan
from sluice.kernel.session import session

_SAMPLE = 10_000  # rows that must be told apart before all are asked
_MOST_COLUMNS = 3
_MOST_CANDIDATES = 12
_THIN = 20  # rows: in fewer, uniqueness alone says nothing
_NEARLY = 50  # one row in so many may repeat a key


@dataclass(frozen=True, kw_only=True)
class Key:
    """Places of the columns of a key. `repeats` rows have the key of another row of their sample; `shared` keys stand
    in more than one sample.
    """

    places: tuple[int, ...] = ()
    repeats: int = 0
    shared: int = 0


def find_key(files: Sequence[OutputFile], columns: Sequence[Inferred], *, folder: Path, limits: Limits) -> Key:
    """Return the fewest columns that together tell (nearly) all rows of each sample apart; none where none do, or
    where there are too few rows to say.
    """
    rows = max((column.profile.rows for column in columns), default=0)
    candidates = list(key_candidates(columns))[:_MOST_CANDIDATES]
    named = [at for at in candidates if is_keyish(columns[at])]
    if rows < _THIN:
        candidates = named
    with session(limits=limits, scratch=folder / "scratch", directories=folders(files)) as connection:
        for places, allowed in _attempts(named, candidates, rows):
            most = 1
            for at in places:
                most *= max(1, columns[at].profile.distinct)
            repeats = _repeats(connection, files, places, allowed) if most >= (rows - allowed) / 100 else None
            if repeats is not None:
                return Key(places=tuple(sorted(places)), repeats=repeats, shared=_shared(connection, files, places))
    return Key()


def _attempts(named: Sequence[int], candidates: Sequence[int], rows: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """Sets of columns, each with the number of repeats that it may have, in the order in which a person would try."""
    yield from (((at,), 0) for at in named)
    if rows >= _THIN:
        yield from (((at,), rows // _NEARLY + 1) for at in named)
    for width in range(1, _MOST_COLUMNS + 1):
        yield from ((places, 0) for places in combinations(candidates, width))


def _repeats(
    connection: duckdb.DuckDBPyConnection, files: Sequence[OutputFile], places: Sequence[int], allowed: int
) -> int | None:
    """The number of rows that repeat a key of their sample; None where they are more than `allowed`."""
    names = ", ".join(f"c{at}" for at in places)
    repeats = 0
    for source in (f"(FROM {scan(files)} LIMIT {_SAMPLE})", scan(files)):
        query = f"""SELECT coalesce(sum(rows - 1), 0) FROM (
            SELECT count(*) AS rows FROM {source} GROUP BY _sluice_load, {names})"""
        (repeats,) = connection.execute(query).fetchone() or (0,)
        if repeats > allowed:
            return None
    return int(repeats)


def _shared(connection: duckdb.DuckDBPyConnection, files: Sequence[OutputFile], places: Sequence[int]) -> int:
    names = ", ".join(f"c{at}" for at in places)
    query = f"""SELECT count(*) FROM (
        SELECT {names} FROM {scan(files)} GROUP BY {names} HAVING count(DISTINCT _sluice_load) > 1)"""
    (shared,) = connection.execute(query).fetchone() or (0,)
    return int(shared)
