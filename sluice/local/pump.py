"""Delivers in place of AWS: events through rules to targets, schedules, asynchronous invocations.

Schedules fire when told. On request S3 events come twice or out of order.
Queues are emptied by `sluice.local.polling`. Calls go through the gateway as the service or role that AWS would use.
"""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from moto.events.models import events_backends
from moto.events.utils import EventTemplateParser
from moto.scheduler.models import scheduler_backends

from sluice.local.pace import Pace
from sluice.local.principals import ACCOUNT, Principals
from sluice.local.seams.lambda_workers import Answer

EVENTS = "events.amazonaws.com"
SCHEDULER = "scheduler.amazonaws.com"
_ATTEMPTS = 3  # then the dead-letter queue; AWS tries for 24 hours
_REMEMBERED = 10_000

Event = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Chaos:
    """How unreliable the delivery of S3 events is: shares of events that come twice, or after their successor."""

    seed: int
    duplicate: float = 0.0
    reorder: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Undelivered:
    """An event or invocation that AWS would have given up."""

    target: str
    reason: str


class Pump:
    """EventBridge, its scheduler, and Lambda's asynchronous queue."""

    def __init__(self, principals: Principals, *, pace: Pace, chaos: Chaos | None = None) -> None:
        self._principals, self._pace, self._chaos = principals, pace, chaos or Chaos(seed=0)
        self._random = random.Random(self._chaos.seed)  # noqa: S311  (a seeded simulation)
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="pump")
        self._lock = threading.Lock()
        self._held: list[Event] = []
        self._history: deque[Event] = deque(maxlen=_REMEMBERED)
        self._closed = False
        self.in_flight = 0
        self.events = 0  # of S3, which EventBridge charges; those of other services are free
        self.undelivered: list[Undelivered] = []

    @property
    def idle(self) -> bool:
        """Whether nothing is under way. Held events are let go by asking."""
        self.release()
        return self.in_flight == 0

    def close(self) -> None:
        """Stop delivering."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    # -- events in

    def on_s3(self, detail_type: str, detail: dict[str, Any]) -> None:
        """An object was created or deleted in a bucket with EventBridge on."""
        event = self._event("aws.s3", detail_type, detail, [f"arn:aws:s3:::{detail['bucket']['name']}"])
        with self._lock:
            self._history.append(event)
            self.events += 1
            hold = self._random.random() < self._chaos.reorder
            times = 2 if self._random.random() < self._chaos.duplicate else 1
            if hold:
                self._held.append(event)
                return
        for _ in range(times):
            self._publish(event)
        self.release()

    def release(self) -> None:
        """Let events go that were held back to come late."""
        with self._lock:
            held, self._held = self._held, []
        for event in held:
            self._publish(event)

    def duplicate(self, bucket: str, key: str) -> Event:
        """Deliver the last S3 event of an object once more, as at-least-once delivery may."""
        with self._lock:
            found = next(
                event for event in reversed(self._history)
                if event["detail"]["bucket"]["name"] == bucket and event["detail"]["object"]["key"] == key
            )  # fmt: skip
        self._publish(found)
        return found

    def emit(self, source: str, detail_type: str, detail: Mapping[str, Any], resource: str) -> None:
        """Send an event of an AWS service about a resource of its own."""
        self._publish(self._event(source, detail_type, detail, [resource]))

    def _publish(self, event: Event) -> None:
        for rule in list(events_backends[ACCOUNT][self._principals.region].event_buses["default"].rules.values()):
            rule.send_to_targets(event)

    def on_match(self, rule: Any, event: Event) -> None:
        """A rule matches an event: deliver it to each of the rule's targets."""
        event.pop("ingestion-time", None)
        if not isinstance(event.get("time"), str):  # moto's put_events says it in seconds
            event["time"] = _now()
        for target in rule.targets:
            self.submit(partial(self._deliver, target, _input(target, event), source=rule.arn))

    def tick(self, name: str) -> int:
        """Fire the schedules whose name contains `name` (case and dashes do not matter). Returns how many."""
        wanted, fired = _plain(name), 0
        for rule in events_backends[ACCOUNT][self._principals.region].event_buses["default"].rules.values():
            if rule.scheduled_expression and wanted in _plain(rule.name):
                event = self._event("aws.events", "Scheduled Event", {}, [rule.arn])
                for target in rule.targets:
                    self.submit(partial(self._deliver, target, _input(target, event), source=rule.arn))
                fired += 1
        for group in scheduler_backends[ACCOUNT][self._principals.region].schedule_groups.values():
            for schedule in group.schedules.values():
                if wanted in _plain(schedule.name):
                    body = schedule.target.get("Input", "{}")
                    self.submit(partial(self._deliver, schedule.target, body, by=SCHEDULER))
                    fired += 1
        return fired

    def schedules(self) -> Mapping[str, str]:
        """Say which rules have a schedule: expressions by name."""
        rules = events_backends[ACCOUNT][self._principals.region].event_buses["default"].rules.values()
        return {rule.name: rule.scheduled_expression for rule in list(rules) if rule.scheduled_expression}

    # -- deliveries out

    def submit(self, work: Callable[[], None]) -> None:
        """Run something beside, counted as in flight until it is done."""
        if self._closed:
            return
        with self._lock:
            self.in_flight += 1

        def run() -> None:
            try:
                work()
            finally:
                with self._lock:
                    self.in_flight -= 1

        self._threads.submit(run)

    def invoke_later(self, name: str, run: Callable[[], Answer]) -> None:
        """An asynchronous Lambda invocation: a failing function is tried twice more."""

        def attempts() -> None:
            for attempt in range(_ATTEMPTS):
                answer = run()
                if not answer.failed:
                    return
                time.sleep(self._pace.seconds(60 * (attempt + 1)))
            self.undelivered.append(Undelivered(target=name, reason=answer.payload))

        self.submit(attempts)

    def _deliver(self, target: Mapping[str, Any], body: str, *, by: str = EVENTS, source: str = "") -> None:
        for attempt in range(_ATTEMPTS):
            try:
                self._send(target, body, by, source)
            except Exception as error:  # noqa: BLE001  (whatever the target said: try again, then give up)
                reason = f"{type(error).__name__}: {error}"
                time.sleep(self._pace.seconds(2**attempt))
            else:
                return
        self.undelivered.append(Undelivered(target=target["Arn"], reason=reason))
        if queue := target.get("DeadLetterConfig", {}).get("Arn"):
            self._send({"Arn": queue}, body, by, source)

    def _send(self, target: Mapping[str, Any], body: str, by: str, source: str) -> None:
        """One delivery: a scheduled target is always called as its role, an event target where it names one.

        Without a role the target's own policy decides, and looks at `source`: the rule.
        """
        arn, role = target["Arn"], target.get("RoleArn")
        service = arn.split(":")[2]
        sdk_name = {"states": "stepfunctions"}.get(service, service)
        client = self._principals.client(role or by, sdk_name, service=by, source=source)
        match service:
            case "sqs":
                client.send_message(QueueUrl=_queue_url(client, arn), MessageBody=body)
            case "states":
                client.start_execution(stateMachineArn=arn, input=body)
            case "lambda":
                client.invoke(FunctionName=arn, InvocationType="Event", Payload=body)
            case "sns":
                client.publish(TopicArn=arn, Message=body)
            case _:
                raise NotImplementedError(arn)  # the deployer has refused it

    def _event(self, source: str, detail_type: str, detail: Mapping[str, Any], resources: list[str]) -> Event:
        return {
            "version": "0", "id": str(uuid.uuid4()), "detail-type": detail_type, "source": source, "account": ACCOUNT,
            "time": _now(), "region": self._principals.region, "resources": resources, "detail": dict(detail),
        }  # fmt: skip


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _queue_url(client: Any, arn: str) -> str:
    return f"{client.meta.endpoint_url}/{ACCOUNT}/{arn.rpartition(':')[2]}"


def _input(target: Mapping[str, Any], event: Event) -> str:
    """Return the input of a target: the event, a constant, a part of the event, or a template filled from it."""
    if "Input" in target:
        return str(target["Input"])
    if path := target.get("InputPath"):
        value: Any = event
        for step in path.removeprefix("$").strip(".").split("."):
            value = value[step] if step else value
        return json.dumps(value)
    if transformer := target.get("InputTransformer"):
        paths = transformer.get("InputPathsMap", {})
        return json.dumps(EventTemplateParser.parse(transformer["InputTemplate"], paths, event))
    return json.dumps(event)
