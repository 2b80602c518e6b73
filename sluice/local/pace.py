"""How fast waiting goes offline: one rule for visibility timeouts, batch windows, retries and Wait states."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Waiting shrinks by `scale` and never lasts longer than `longest` seconds. Timeouts that guard work stay real."""

    scale: float = 0.01
    longest: float = 0.25

    def seconds(self, real: float) -> float:
        """Return the seconds to wait here for a wait of `real` seconds on AWS."""
        return min(real * self.scale, self.longest)
