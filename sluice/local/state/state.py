"""The state of one offline AWS on disk: restored before anybody calls, written down after each call that changes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sluice.local.request import Request
from sluice.local.state.entries import (
    items_after,
    parameters_after,
    restore_items,
    restore_parameters,
    restore_tables,
    tables_after,
)
from sluice.local.state.image import Image
from sluice.local.state.journal import Entry, Journal, read, rewrite
from sluice.local.state.objects import Objects

_SUCCEEDED = 300  # statuses below it


class State:
    """A folder with a journal and the bodies of objects.

    Args:
        folder: Made where it is not there.
        region: Of the offline AWS.
        ssm: A client of it that writes parameters.
    """

    def __init__(self, folder: Path, *, region: str, ssm: Any) -> None:
        self._path, self._region = folder / "journal.jsonl", region
        image = Image.of(read(self._path))
        if image.is_wasteful:
            rewrite(self._path, image)
        self._objects = Objects(folder / "objects", region=region)
        self._objects.restore(image.objects)
        restore_items(image.items.values(), region)
        restore_tables(image.tables.values(), region)
        restore_parameters(image.parameters.values(), ssm)
        self.restored = len(image)
        self._journal = Journal(self._path)

    def note(self, request: Request, status: int) -> None:
        """Record the changes of a call. Calls of one service, or on one object, take turns."""
        if request.service == "s3":
            for bucket, key in _touched(request):
                self._objects.note(bucket, key, self._journal)
            return
        for entry in self._after(request, status):
            self._journal.append(entry)

    def _after(self, request: Request, status: int) -> Iterator[Entry]:
        match request.service:
            case "dynamodb":
                yield from items_after(request, self._region)
            case "glue":
                yield from tables_after(request, self._region)
            case "ssm" if status < _SUCCEEDED:
                yield from parameters_after(request)

    def close(self) -> None:
        """Stop writing."""
        self._journal.close()


def _touched(request: Request) -> Iterator[tuple[str, str]]:
    """Yield the objects that a call of S3 may have changed."""
    bucket = request.fields.get("Bucket", "")
    match request.operation:
        case "PutObject" | "CopyObject" | "CompleteMultipartUpload" | "DeleteObject":
            yield bucket, request.fields["Key"]
        case "DeleteObjects":
            yield from dict.fromkeys((bucket, named["Key"]) for named in request.fields["Delete"])
