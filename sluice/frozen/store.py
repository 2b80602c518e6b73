"""Where frozen versions lie in the lake bucket, and how they are written once and found again.

Layout below `frozen/<name>/`: `<id>/part-00000.parquet` and `<id>/manifest.json` (written last: a version exists when
its manifest does), `inputs/<digest>.json` (which id these inputs gave), `log/<time>-<id>.json` (versions by age).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sluice.errors import ContractError, TransientError
from sluice.frozen.model import DataFile, Frozen
from sluice.lake.objects import get_json, put_json_once

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyiceberg.catalog.glue import GlueCatalog

PREFIX = "frozen"
LATEST = "latest"
_RACES = 5
_EXISTS = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})


@dataclass(frozen=True, kw_only=True)
class Store:
    """The lake that holds frozen versions. `ask` runs one statement by Athena and returns the bytes that it scanned."""

    s3: S3Client
    bucket: str
    database: str
    catalog: Callable[[], GlueCatalog]
    ask: Callable[[str], int]

    def folder(self, name: str, version: str) -> str:
        """Return the key prefix of one version, without a slash at its end."""
        return f"{PREFIX}/{name}/{version}"

    def find_inputs(self, name: str, inputs: str) -> Frozen | None:
        """Return the version that these inputs gave; None if they were never frozen, or it was removed."""
        known = get_json(self.s3, bucket=self.bucket, key=f"{PREFIX}/{name}/inputs/{inputs}.json")
        return self.find(name, known["id"]) if known else None

    def find(self, name: str, version: str) -> Frozen | None:
        """Return the manifest of a version; None if there is none."""
        data = get_json(self.s3, bucket=self.bucket, key=f"{self.folder(name, version)}/manifest.json")
        return None if data is None else Frozen.from_dict(data)

    def resolve(self, reference: str) -> Frozen:
        """Return the version that `name`, `name@latest`, `name@<id>` or `sluice://...` names.

        The first digits of an id suffice where they are unique. Raises ContractError if there is no such version.
        """
        name, _, version = reference.removeprefix("sluice://").rpartition("/")[2].partition("@")
        ids = [id_ for _, id_ in self.log(name)]
        if not ids:
            raise ContractError(
                f"no version of {name!r} is frozen", file=PREFIX, place=name, remedy=f"run `sluice freeze {name}`"
            )
        found = {ids[-1]} if version in ("", LATEST) else {id_ for id_ in ids if id_.startswith(version)}
        manifest = self.find(name, found.pop()) if len(found) == 1 else None
        if manifest is None:
            raise ContractError(
                f"{len(found)} versions of {name} match {version!r}" if found else f"{name} has no version {version!r}",
                file=PREFIX, place=name, remedy=f"`sluice frozen list {name}` lists them",
            )  # fmt: skip
        return manifest

    def names(self) -> Sequence[str]:
        """List the sets that have versions."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{PREFIX}/", Delimiter="/"
        )
        found = (entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", []))
        return [prefix.split("/")[1] for prefix in found]

    def log(self, name: str) -> Sequence[tuple[str, str]]:
        """List (time, id) of all versions of a set, oldest first. One listing, whatever they hold."""
        entries = (key.rpartition("/")[2].removesuffix(".json") for key in self._keys(f"{PREFIX}/{name}/log/"))
        return [(stamp, version) for stamp, _, version in (entry.rpartition("-") for entry in sorted(entries))]

    def put_file(self, path: Path, *, key: str, rows: int, digests: tuple[bytes, bytes]) -> DataFile:
        """Upload a file unless the key exists, and describe the object. `digests` are its SHA-256 and MD5.

        Freezing again must not make a second object version: tools that pin versions would see a change.
        """
        sha256, md5 = digests
        for _ in range(_RACES):
            try:
                with path.open("rb") as body:
                    self.s3.put_object(
                        Bucket=self.bucket,
                        Key=key,
                        Body=body,
                        IfNoneMatch="*",
                        ChecksumSHA256=base64.b64encode(sha256).decode(),
                    )
            except ClientError as error:
                if error.response["Error"]["Code"] not in _EXISTS:
                    raise
            head = self._head(key)
            if head is not None:
                return DataFile(
                    key=key, size=head["ContentLength"], rows=rows, sha256=sha256.hex(), md5=md5.hex(),
                    etag=head["ETag"].strip('"'), version_id=head.get("VersionId", ""),
                )  # fmt: skip
        raise TransientError(f"s3://{self.bucket}/{key}: raced {_RACES} times")

    def put_manifest(self, frozen: Frozen) -> Frozen:
        """Write the manifest, then what finds it again. Returns the manifest that is there: the first writer wins."""
        folder = self.folder(frozen.name, frozen.id)
        winner = Frozen.from_dict(
            put_json_once(self.s3, bucket=self.bucket, key=f"{folder}/manifest.json", value=_plain(frozen))
        )
        stamp = winner.created.replace(":", "").replace("-", "")
        places = (f"log/{stamp}-{winner.id}.json", f"inputs/{frozen.inputs}.json")
        for place in places:
            put_json_once(self.s3, bucket=self.bucket, key=f"{PREFIX}/{frozen.name}/{place}", value={"id": winner.id})
        return winner

    def remove(self, frozen: Frozen) -> int:
        """Delete every object version of one frozen version, its log entry first. Returns how many there were."""
        entries = [key for key in self._keys(f"{PREFIX}/{frozen.name}/log/") if key.endswith(f"-{frozen.id}.json")]
        entries.append(f"{PREFIX}/{frozen.name}/inputs/{frozen.inputs}.json")
        return sum(self.sweep(prefix) for prefix in (*entries, f"{self.folder(frozen.name, frozen.id)}/"))

    def sweep(self, prefix: str) -> int:
        """Delete every object version below a prefix. Returns how many there were."""
        found = list(self._versions(prefix))
        for key, version in found:
            self.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=version)
        return len(found)

    def _head(self, key: str) -> Any | None:
        try:
            return self.s3.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                return None
            raise

    def _keys(self, prefix: str) -> Iterator[str]:
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            yield from (item["Key"] for item in page.get("Contents", []))

    def _versions(self, prefix: str) -> Iterator[tuple[str, str]]:
        for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix):
            for item in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                yield item["Key"], item["VersionId"]


def _plain(frozen: Frozen) -> Any:
    return json.loads(frozen.to_json())
