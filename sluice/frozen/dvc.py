"""A frozen version as a `.dvc` file that the real DVC pulls. Nothing is copied or uploaded: it names object versions.

The form is that of `dvc import-url --version-aware`: a dependency with an object version, and an output beside the
file. The `md5` of the stage is computed as DVC 3 computes it (`dvc/stage/utils.py`, compute_md5); without it
`dvc status` says that the checksum changed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from sluice.frozen.model import DataFile, Frozen

REMOTE = "sluice"
_NOT_HASHED = frozenset({"frozen", "size", "nfiles", "isexec", "desc", "type", "labels", "meta", "locked"})


def write_dvc_file(frozen: Frozen, *, bucket: str, folder: Path) -> Path:
    """Write `<name>.parquet.dvc` into `folder`, or `<name>.dvc` for a directory where the version has several files.

    Args:
        frozen: The version.
        bucket: The lake bucket, which the file names in a comment: the remote is part of the repository's config.
        folder: Any folder of a DVC repository.

    Returns:
        The path of the file. Writing it again for the same version changes nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stage = _one_file(frozen, frozen.files[0]) if len(frozen.files) == 1 else _directory(frozen)
    path = folder / (f"{frozen.name}.parquet.dvc" if len(frozen.files) == 1 else f"{frozen.name}.dvc")
    meta = {
        "sluice": {
            "uri": frozen.uri, "rows": frozen.rows, "digest": frozen.digest,
            "snapshots": {pin.table: str(pin.snapshot) for pin in frozen.pins},
        }
    }  # fmt: skip
    said = (
        f"# {frozen.uri}, written by `sluice freeze --dvc`. Once for each repository:\n"
        f"#   dvc remote add {REMOTE} s3://{bucket}/frozen && dvc remote modify {REMOTE} version_aware true\n"
    )
    document = {"md5": stage_md5(stage), **stage, "meta": meta}
    path.write_text(said + yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def stage_md5(stage: dict[str, Any]) -> str:
    """Return the MD5 of a stage as DVC has it: of its JSON with sorted keys, without what does not tell it apart."""
    return hashlib.md5(json.dumps(_filtered(stage), sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def _filtered(value: Any) -> Any:
    if isinstance(value, list):
        return [_filtered(item) for item in value]
    if isinstance(value, dict):
        return {key: _filtered(item) for key, item in value.items() if key not in _NOT_HASHED}
    return value


def _place(frozen: Frozen) -> str:
    return f"remote://{REMOTE}/{frozen.name}/{frozen.id}"


def _one_file(frozen: Frozen, file: DataFile) -> dict[str, Any]:
    name = file.key.rpartition("/")[2]
    return {
        "frozen": True,
        "deps": [
            {
                "path": f"{_place(frozen)}/{name}", "hash": "md5", "size": file.size, "etag": file.etag,
                "version_id": file.version_id, "fs_config": {"version_aware": True},
            }
        ],
        "outs": [
            {"path": f"{frozen.name}.parquet", "hash": "md5", "md5": file.md5, "size": file.size, "push": False}
        ],
    }  # fmt: skip


def _directory(frozen: Frozen) -> dict[str, Any]:
    whole = {"hash": "md5", "size": frozen.bytes, "nfiles": len(frozen.files)}
    names = [(file, file.key.rpartition("/")[2]) for file in frozen.files]
    there = [
        {"relpath": name, "size": file.size, "etag": file.etag, "version_id": file.version_id} for file, name in names
    ]
    here = [{"relpath": name, "md5": file.md5, "size": file.size} for file, name in names]
    return {
        "frozen": True,
        "deps": [{"path": _place(frozen), **whole, "fs_config": {"version_aware": True}, "files": there}],
        "outs": [{"path": frozen.name, **whole, "push": False, "files": here}],
    }
