"""Athena offline: SELECT, CTAS and views on DuckDB, over the Iceberg tables of the offline Glue catalog.

It answers as Athena does or refuses. It takes the SELECT subset (`sluice/warehouse/subset.py`). `duck.py` writes each
construct in DuckDB's SQL, `tables.py` finds the rows, `execute.py` runs statements.
"""

from sluice.local.athena.execute import AthenaError, Result, execute
from sluice.local.athena.tables import Scans

__all__ = ["AthenaError", "Result", "Scans", "execute"]
