"""Gap (moto 5.2.5): S3's EventBridge events have a constant sequencer and id, and come before the request is answered.

They are missing for delete markers and for deleting one of several versions. With this seam moto only reports changes
of a bucket that has EventBridge on; `sluice.local.pump` delivers it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import moto.s3.notifications as moto_notifications
from moto.s3.models import FakeKey, S3Backend

from sluice.local.seams.patch import replace

Sink = Callable[[str, dict[str, Any]], None]  # detail-type, detail

_REASONS = {
    "s3:ObjectCreated:Put": "PutObject",
    "s3:ObjectCreated:Post": "POST Object",
    "s3:ObjectCreated:Copy": "CopyObject",
    "s3:ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
}
_SEQUENCE = itertools.count(time.time_ns())  # above those of an earlier process: objects may be older than this one


def install(sink: Sink) -> None:
    """Send changes of objects to `sink`, as EventBridge events of S3."""
    replace(moto_notifications, "send_event", lambda _original: _created(sink))
    replace(S3Backend, "delete_object", lambda original: _deleted(original, sink))


def _created(sink: Sink) -> Any:
    def send_event(_account_id: str, event_name: Any, bucket: Any, key: Any) -> None:
        reason = _REASONS.get(str(getattr(event_name, "value", event_name)))
        if reason and _listens(bucket):
            sink("Object Created", _detail(bucket, key.name, key.version_id, reason, key))

    return send_event


def _deleted(delete_object: Any, sink: Sink) -> Any:
    def delete_and_tell(
        self: Any, bucket_name: str, key_name: str, version_id: Any = None, bypass: bool = False
    ) -> Any:
        bucket = self.get_bucket(bucket_name)
        versions = {str(version.version_id): version for version in bucket.keys.getlist(key_name, [])}
        done, meta = delete_object(self, bucket_name, key_name, version_id, bypass)
        if done and _listens(bucket):
            if version_id is None and bucket.is_versioned:
                detail = _detail(bucket, key_name, meta["version-id"], "DeleteObject")
                sink("Object Deleted", {**detail, "deletion-type": "Delete Marker Created"})
            elif version_id is None or isinstance(versions.get(str(version_id)), FakeKey):
                detail = _detail(bucket, key_name, version_id, "DeleteObject")
                sink("Object Deleted", {**detail, "deletion-type": "Permanently Deleted"})
        return done, meta

    return delete_and_tell


def _listens(bucket: Any) -> bool:
    configuration = bucket.notification_configuration
    return configuration is not None and configuration.event_bridge is not None


def _detail(bucket: Any, key: str, version_id: Any, reason: str, created: Any = None) -> dict[str, Any]:
    described: dict[str, Any] = {"key": key, "sequencer": f"{next(_SEQUENCE):018X}"}
    if created is not None:
        described |= {"size": created.size, "etag": created.etag.replace('"', "")}
    if bucket.is_versioned and version_id is not None:
        described["version-id"] = str(version_id)
    return {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": described,
        "request-id": "LOCAL",
        "requester": bucket.account_id,
        "source-ip-address": "127.0.0.1",
        "reason": reason,
    }
