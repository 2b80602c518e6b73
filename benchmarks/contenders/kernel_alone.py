"""Sluice with one thread, as in a Spark task: nobody waits for anybody, so all CPU time is work."""

from __future__ import annotations

import sys
from pathlib import Path

from kernel import main

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), threads=1)
