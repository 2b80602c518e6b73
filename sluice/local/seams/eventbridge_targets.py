"""Gap (moto 5.2.5): EventBridge delivers within the caller's request, and not to Lambda or Step Functions.

moto's pattern matching is good and stays. With this seam a rule that matches hands the event on, and
`sluice.local.pump` delivers it to the rule's targets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.events.models import Rule

from sluice.local.seams.patch import replace

Sink = Callable[[Any, dict[str, Any]], None]  # rule, event


def install(sink: Sink) -> None:
    """Send (rule, event) to `sink` for each enabled rule that an event matches."""
    replace(Rule, "send_to_targets", lambda _original: _hand_on(sink))


def _hand_on(sink: Sink) -> Any:
    def send_to_targets(self: Any, original_event: dict[str, Any], transform_input: bool = True) -> None:  # noqa: ARG001
        listens = self.state == "ENABLED" and self.event_pattern.get_pattern()  # without a pattern it has a schedule
        if listens and self.event_pattern.matches_event(original_event):
            sink(self, dict(original_event))

    return send_to_targets
