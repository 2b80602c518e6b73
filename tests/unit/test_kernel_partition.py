"""Files whose rows are wide: a row group ends by its bytes, since all of it is in memory at once."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from sluice.kernel.layout.partition import write_parquet
from sluice.kernel.outcome import Limits
from sluice.kernel.session import session

_ROWS = 24_000
_WIDE = f"SELECT number % 2 AS half, repeat(hex(number % 16), 20000) AS text FROM range({_ROWS}) AS t(number)"


@pytest.mark.parametrize("partitions", [(), ("half",)])
def test_row_group_of_wide_rows_ends_by_its_bytes(tmp_path: Path, partitions: tuple[str, ...]) -> None:
    limits = Limits(memory_bytes=512 << 20, threads=1)
    with session(limits=limits, scratch=tmp_path / "scratch", directories=[tmp_path]) as connection:
        files = write_parquet(connection, _WIDE, folder=tmp_path / "data", partitions=partitions)
    assert sum(file.rows for file in files) == _ROWS
    groups = "SELECT max(row_group_num_rows) FROM parquet_metadata($1)"
    (rows,) = duckdb.execute(groups, [[str(file.path) for file in files]]).fetchone() or ()
    assert rows * 20_000 < 192 << 20
