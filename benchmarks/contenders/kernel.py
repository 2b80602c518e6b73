"""Sluice: the kernel as a Lambda calls it, with a plan that was compiled from the contract beforehand."""

from __future__ import annotations

import sys
from pathlib import Path

from sluice.contract.plan import Plan
from sluice.kernel.outcome import Limits, SourceFile
from sluice.kernel.transform import transform


def main(source: Path, out: Path, memory_gb: float, threads: int = 2) -> None:
    """Write data/ and rejects/ below `out`."""
    # The package that is deployed has no pandas; here DuckDB would import it to look at the type of a parameter.
    sys.modules["pandas"] = None  # type: ignore[assignment]
    plan = Plan.from_json((Path(__file__).parents[2] / "build" / "bench" / "lineitem.json").read_text())
    given = SourceFile(
        path=source,
        load_id="6f1ed002ab5595859014ebf0951522d9",
        key="lineitem/2026-06-01.csv",
        version_id="3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY",
        order="2026-06-01T00:00:00Z lineitem/2026-06-01.csv 000000",
    )
    limits = Limits(memory_bytes=round(memory_gb * 1e9), threads=threads)
    transform([given], plan, out=out, scratch=out.with_name("scratch"), run_id="lineitem-1", limits=limits)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
