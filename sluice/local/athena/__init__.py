"""Athena offline: SELECT, CTAS and views on DuckDB, over the Iceberg tables of the offline Glue catalog.

It answers as Athena does or refuses. What it takes is the SELECT subset (`sluice/warehouse/subset.py`); how each
construct is said in DuckDB is in `duck.py`, where rows come from in `tables.py`, what a statement does in `execute.py`.
"""

from sluice.local.athena.execute import AthenaError, Result, execute
from sluice.local.athena.tables import Scans

__all__ = ["AthenaError", "Result", "Scans", "execute"]
