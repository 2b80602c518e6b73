"""What must hold after every commit and at rest, read from AWS by other means than Sluice's.

A reader here follows the catalog's metadata to the Parquet files, as any engine would. `Watch` looks whenever a table
changes; `at_rest` compares tables and ledger with the reference model.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pyarrow.parquet as pq
from moto.core import DEFAULT_ACCOUNT_ID
from moto.glue.models import glue_backends
from moto.s3.models import s3_backends
from pyiceberg.table import StaticTable

from tests.simulation import model
from tests.simulation.aws import REGION, GateIO
from tests.simulation.gate import Call
from tests.simulation.world import DATABASE, DATASET, LAKE, World, contract_of

REJECTS = f"{DATASET}__rejects"


@dataclass(frozen=True)
class Seen:
    """One version of a table, as a reader sees it."""

    location: str
    snapshot: int | None
    properties: dict[str, str]
    rows: tuple[dict[str, Any], ...]


@dataclass
class Watch:
    """Looks at both tables after every call that changed the catalog; `wrong` collects what it finds."""

    world: World
    wrong: list[str] = field(default_factory=list)
    commits: int = 0
    _seen: dict[str, Seen] = field(default_factory=dict)
    _ages: dict[str, tuple[Any, ...]] = field(default_factory=dict)  # of the object that a `replace` table shows

    def __call__(self, call: Call) -> None:
        """Observe a call that took effect."""
        if call.service == "glue" and call.operation in {"UpdateTable", "CreateTable"}:
            for name in (DATASET, REJECTS):
                self._look(name)
        elif call.operation in {"file.delete", "DeleteObject", "DeleteObjects"}:
            for name, seen in self._seen.items():
                self._is_whole(name, seen.location)

    def _look(self, name: str) -> None:
        location = _location(name)
        before = self._seen.get(name)
        if location is None or (before is not None and before.location == location):
            return
        self.commits += 1
        if not self._is_whole(name, location):
            return
        now = self._seen[name] = see(location)
        if before is None:
            return
        fences = [int(seen.properties.get("sluice.fence", 0)) for seen in (before, now)]
        if fences[1] < fences[0]:
            self.wrong.append(f"{name}: the fence went back from {fences[0]} to {fences[1]}")
        if now.snapshot != before.snapshot:
            self._step(name, before, now, fences)

    def _step(self, name: str, before: Seen, now: Seen, fences: list[int]) -> None:
        """A snapshot shows what its run decided, all of it, or changes no row."""
        was, are = (_rows(seen.rows) if name == DATASET else _entries(seen.rows) for seen in (before, now))
        wanted = was
        if fences[1] != fences[0]:
            wanted = self._after(name, was, _documents(fences[1]))
        if Counter(are) != Counter(wanted):
            self.wrong.append(f"{name}: snapshot of fence {fences[1]} is torn: {_difference(are, wanted)}")

    def _after(self, name: str, was: list[Any], documents: dict[str, Any]) -> list[Any]:
        claim, mode = documents["claim"], self.world.mode
        decided = {
            load["load_id"]
            for index in documents.get("decision", {"groups": []})["groups"]
            for load in documents[f"group-{index:04d}"]["loads"]
        }
        loads = [load for load in claim["loads"] if load["action"] == "retract" or load["load_id"] in decided]
        forgotten = {load["version_id"] for load in claim["loads"] if load["action"] == "forget"}
        if name != DATASET:
            was = [row for row in was if row[1] not in forgotten]
        versions = {(version.key, version.version): version for version in self.world.ever}
        contract = claim["plan"]["version"]
        new: list[Any] = []
        for load in loads:
            if load["action"] == "put":
                version = versions[load["key"], load["version_id"]]
                content = model.read(version.body or b"", contract=contract, mode=mode)
                where = (version.key, version.version)
                new += [(*where, *row) for row in (content.rows if name == DATASET else content.rejects)]
        if mode in {"append", "replace"}:
            return self._shown(name, was, new, claim, loads)
        if name == REJECTS:
            gone_versions = {load["version_id"] for load in loads}
            return [row for row in was if row[1] not in gone_versions] + new
        latest: dict[int, Any] = {}
        for row in sorted([*was, *new], key=lambda row: (versions[row[0], row[1]].age, row[2])):
            known = latest.get(row[3][0])
            if known is None or model.newer(row[3], known[3], mode):
                latest[row[3][0]] = row
        return list(latest.values())

    def _shown(self, name: str, was: list[Any], new: list[Any], claim: dict[str, Any], loads: list[Any]) -> list[Any]:
        """Refused objects leave the rows alone and are told of in the rejects; others replace what is older."""
        versions = {(version.key, version.version): version for version in self.world.ever}
        contract = claim["plan"]["version"]

        def is_refused(load: Any) -> bool:
            body = versions[load["key"], load["version_id"]].body
            put = load["action"] == "put" and body is not None
            return put and model.read(body or b"", contract=contract, mode=self.world.mode).refused

        refused = {load["version_id"] for load in loads if is_refused(load)}
        rest = [load for load in loads if load["version_id"] not in refused]
        spared = {load.version_id for load in self.world.ledger.loads(DATASET) if load.load_id in claim["refused"]}
        if name == DATASET:
            spared = set()
        if self.world.mode == "append":
            gone = {load["key"] for load in rest}
            return [r for r in was if not (r[0] in gone and r[1] not in spared) and r[1] not in refused] + new
        if rest:
            return [r for r in was if r[1] in spared] + new if self._goes_on(name, rest, claim["gone"]) else was
        if name == DATASET:
            return was
        ages = max((versions[load["key"], load["version_id"]].age for load in loads), default=())
        is_told = claim["gone"] or ages >= self._ages.get(name, ())
        return [r for r in was if r[1] not in refused] + new if is_told else was

    def _goes_on(self, name: str, loads: list[Any], gone: str) -> bool:
        """Tell whether a `replace` table shows these loads: it goes back to an older object only from a `gone` one."""
        ages = {(version.key, version.version): version.age for version in self.world.ever}
        age = max((ages[load["key"], load["version_id"]] if load["order"] else () for load in loads), default=None)
        if age is None or (age < self._ages.get(name, ()) and not gone):
            return False
        self._ages[name] = age
        return True

    def _is_whole(self, name: str, location: str) -> bool:
        if missing := [uri for uri in named(location) if not _exists(uri)]:
            self.wrong.append(f"{name}: {len(missing)} files of the live snapshot are gone: {missing[0]}")
        return not missing


def at_rest(world: World) -> tuple[list[str], int]:
    """Compare with the model; return what is wrong, and how many rows the model's tables have."""
    loads = list(world.ledger.loads(DATASET))
    rows, rejects = model.tables(
        world.delivered, mode=world.mode, on_delete=world.on_delete, contract_of=contract_of(loads)
    )
    wrong: list[str] = []
    for name, wanted in ((DATASET, rows), (REJECTS, rejects)):
        location = _location(name)
        found = see(location).rows if location is not None else ()
        are = _rows(found) if name == DATASET else _entries(found)
        if Counter(are) != Counter(wanted):
            wrong.append(f"{name} at rest: {_difference(are, wanted)}")
    wrong += _ledger(world, loads)
    return wrong, len(rows) + len(rejects)


def _ledger(world: World, loads: list[Any]) -> Iterable[str]:
    versions = {(version.key, version.version): version for version in world.ever}
    for load in loads:
        counts = (load.counts.rows_read, load.counts.rows_accepted, load.counts.rows_rejected)
        if counts[0] != sum(counts[1:]) + load.counts.rows_superseded:
            yield f"load {load.key}: the account does not balance: {load.counts}"
        if load.state in {"PENDING", "PARKED"}:
            yield f"load of {load.key} is stuck: {load.state}, {load.attempts} attempts, {load.reason}"
        version = versions[load.key, load.version_id]
        if load.state in {"DONE", "REFUSED"}:
            content = model.read(version.body or b"", contract=load.contract or "", mode=world.mode)
            account = (*counts, load.counts.rows_superseded)
            if load.state != ("REFUSED" if content.refused else "DONE") or account != content.account:
                yield f"load of {load.key} says {load.state} {account}, the model {content.account}"
    lease = world.ledger.lease(DATASET)
    if lease.run_id is not None:
        yield f"run {lease.run_id} holds the lease for ever"
    if lease.restored and not world.restored:
        yield "the ledger is taken for one that was restored from a backup"
    if world.ledger.pending(DATASET):
        yield "loads wait for ever"


def see(location: str) -> Seen:
    """Read one version of a table."""
    table = _table(location)
    snapshot = table.current_snapshot()
    rows = [row for task in table.scan().plan_files() for row in _file(task.file.file_path)]
    return Seen(location, snapshot.snapshot_id if snapshot else None, dict(table.properties), tuple(rows))


def named(location: str) -> list[str]:
    """Every file that a version of a table needs: metadata, manifests, data."""
    if not _exists(location):
        return [location]
    metadata = json.loads(_bytes(location))
    current = metadata.get("current-snapshot-id")
    lists = [s["manifest-list"] for s in metadata.get("snapshots", []) if s["snapshot-id"] == current]
    if not all(map(_exists, lists)):
        return [location, *lists]
    files = [location, *lists]
    snapshot = _table(location).current_snapshot()
    for manifest in snapshot.manifests(GateIO()) if snapshot else ():
        files.append(manifest.manifest_path)
        if _exists(manifest.manifest_path):
            files += [entry.data_file.file_path for entry in manifest.fetch_manifest_entry(GateIO())]
    return files


def _table(location: str) -> StaticTable:
    return StaticTable.from_metadata(location, properties={"py-io-impl": "tests.simulation.aws.GateIO"})


def _location(name: str) -> str | None:
    database = glue_backends[DEFAULT_ACCOUNT_ID][REGION].databases.get(DATABASE)
    table = database.tables.get(name) if database else None
    return table.versions[max(table.versions, key=int)]["Parameters"]["metadata_location"] if table else None


def _rows(rows: Iterable[dict[str, Any]]) -> list[model.Row]:
    return [
        (
            row["_sluice_object"],
            row["_sluice_version"],
            row["_sluice_row"],
            (row["id"], row["day"], row["amount"], row.get("note")),
        )
        for row in rows
    ]


def _entries(rows: Iterable[dict[str, Any]]) -> list[model.Reject]:
    return [(row["object"], row["version"], row["row_number"], row["column"], row["rule"]) for row in rows]


def _documents(fence: int) -> dict[str, Any]:
    prefix = f"runs/{DATASET}/{fence:08d}/"
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[LAKE]
    return {
        name.removeprefix(prefix).removesuffix(".json"): json.loads(bucket.keys[name].value)
        for name in list(bucket.keys)
        if name.startswith(prefix)
    }


def _difference(are: list[Any], wanted: list[Any]) -> str:
    more, less = Counter(are) - Counter(wanted), Counter(wanted) - Counter(are)
    return f"{sum(more.values())} rows too many {list(more)[:3]}, {sum(less.values())} missing {list(less)[:3]}"


def _bytes(uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    found = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_object(bucket, key)
    if found is None:
        raise FileNotFoundError(uri)
    return bytes(found.value)


def _exists(uri: str) -> bool:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_object(bucket, key) is not None


def _file(uri: str) -> list[dict[str, Any]]:
    return _parsed(_bytes(uri))


@lru_cache(maxsize=500)
def _parsed(body: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(body), use_threads=False).to_pylist()
    return rows
