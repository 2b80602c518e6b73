"""How many requests this process made to S3 for tables. pyarrow makes them in C++, where no hook of the SDK sees them.

Without pyiceberg, so that every function may ask; `files.py` counts.
"""

from __future__ import annotations

import threading
from collections import Counter

_COUNTS: Counter[str] = Counter()  # of the process, as its connections are
_LOCK = threading.Lock()


def count(*operations: str) -> None:
    """Note requests by `service.Operation`."""
    with _LOCK:
        _COUNTS.update(operations)


def requests_of_tables() -> Counter[str]:
    """Counts since the process began."""
    with _LOCK:
        return Counter(_COUNTS)
