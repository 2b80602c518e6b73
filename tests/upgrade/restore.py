"""Bring the state that a release left (`record.py`) back into moto: objects with their versions, ledger, catalog."""

from __future__ import annotations

import json
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from sluice.contract.plan import Plan
from tests.stage.core_world import REGION, World

RELEASES = sorted(Path(__file__).parent.glob("release-*.zip"))


def restored(file: Path, name: str, plan: Plan, endpoint: str) -> World:
    """Return a world of present code over the state of one of the datasets in the file."""
    with zipfile.ZipFile(file) as archive:
        state = json.loads(archive.read("state.json"))[name]
        world = World(endpoint, plan, **state["names"])
        for at, entry in enumerate(state["objects"]):
            _put(world, entry, archive.read(entry["body"]), at)
    ledger = boto3.client("dynamodb", region_name=REGION)
    for item in state["ledger"]:
        ledger.put_item(TableName=world.settings.ledger_table, Item=item)
    for table in state["tables"]:
        world.services.glue.create_table(DatabaseName=world.settings.database, TableInput=table)
    return world


def _put(world: World, entry: dict[str, Any], body: bytes, at: int) -> None:
    bucket = getattr(world.settings, entry["bucket"])
    world.raw.put_object(Bucket=bucket, Key=entry["key"], Body=body)
    stored = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[bucket].keys.getlist(entry["key"])[-1]
    stored._version_id = entry["version"]
    moment = datetime.fromisoformat(entry["modified"]) + timedelta(microseconds=1000 * at)  # S3 shows whole seconds
    stored.last_modified = moment.replace(tzinfo=None)
