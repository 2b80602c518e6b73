"""What the steps of a run tell each other survives JSON; settings and plans are read strictly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.contract.plan import Column, Plan
from sluice.errors import ContractError
from sluice.kernel.outcome import LoadSummary, RejectCount
from sluice.ledger.items import from_record, to_load, to_run
from sluice.ledger.model import Counts, Load, Run
from sluice.settings import ROWS, RuntimeSettings, as_texts, from_texts, variable
from sluice.stages.environment import StageSettings
from sluice.stages.manifest import Claim, ClaimedLoad, Decision, Group, GroupResult, Publication, StoredFile
from sluice.stages.plans import dataset_names, read_plan

PLAN = Plan(
    dataset="items", version="1", mode="append", columns=(Column(name="id", source="id", type="long", cast="x"),)
)
LOAD = ClaimedLoad(
    load_id="l",
    key="items/ä",
    version_id="v",
    kind="put",
    generation=0,
    size=1,
    registered="2026",
    attempts=1,
    action="put",
    order="o",
    fresh=True,
)
COUNT = RejectCount(column="id", rule="type", rows=1)
SUMMARY = LoadSummary(
    load_id="l", rows_read=2, rows_accepted=1, rows_rejected=1, rows_superseded=0, rejects=(COUNT,), stops=(COUNT,)
)


@pytest.mark.parametrize(
    "document",
    [
        Claim(
            dataset="items",
            fence=1,
            run_id="items-1",
            started="2026",
            plan=PLAN,
            curated_ids={"id": 1},
            rejects_ids={"rule": 2},
            loads=(LOAD,),
            groups=(Group(index=0, engine="lambda", loads=("l",)),),
        ),
        GroupResult(
            group=0,
            engine="glue",
            files=(StoredFile(uri="s3://b/k", kind="data", rows=1, bytes=2),),
            loads=(SUMMARY,),
            vanished=("m",),
            seconds=0.5,
        ),
        Decision(groups=(0,), failed=(1,)),
        Publication(snapshots={"items": 7}, changed=True),
    ],
    ids=lambda document: type(document).__name__,
)
def test_a_document_survives_json(document: Claim | GroupResult | Decision | Publication) -> None:
    assert type(document).from_json(json.loads(json.dumps(document.to_json()))) == document


def test_a_load_and_a_run_survive_their_items() -> None:
    load = Load(load_id="l", dataset="items", key="k", version_id="v", attempts=2, counts=Counts(rows_read=3))
    run = Run(
        dataset="items",
        fence=3,
        run_id="items-3",
        state="PUBLISHED",
        started="2026",
        seconds=1.25,
        engines=("glue", "lambda"),
        counts=Counts(rows_read=3, rows_rejected=3),
        snapshots=(("items", 9), ("items__rejects", 8)),
    )
    assert (to_load(from_record(load)), to_run(from_record(run))) == (load, run)


def test_settings_come_from_the_environment_and_fail_closed() -> None:
    read = StageSettings.from_environment({"SLUICE_RAW_BUCKET": "raw", "SLUICE_MAX_ATTEMPTS": "3", "OTHER": "x"})
    assert (read.raw_bucket, read.max_attempts, read.lease_seconds) == ("raw", 3, StageSettings().lease_seconds)
    for wrong in ("0", "-1", "many", "1.5"):
        with pytest.raises(ContractError, match="SLUICE_MAX_ATTEMPTS"):
            StageSettings.from_environment({"SLUICE_MAX_ATTEMPTS": wrong})
    with pytest.raises(ContractError, match="SLUICE_LAKE_BUCKET"):
        read.require("raw_bucket", "lake_bucket")


def test_an_entry_point_reads_every_setting_as_the_stacks_wrote_it() -> None:
    """Values are odd: a default on either side would show."""
    odd = RuntimeSettings(
        **{name: f"/{name}" if isinstance(value, str) else value + 1 for name, value in vars(RuntimeSettings()).items()}
    )
    texts = as_texts(odd)
    read = StageSettings.from_environment({variable(name): text for name, text in texts.items()})
    assert {name: getattr(read, name) for name in ROWS} == vars(odd)
    assert RuntimeSettings(**from_texts(RuntimeSettings, texts)) == odd  # as the Spark job does it


def test_the_kernel_gets_less_memory_than_the_function_has() -> None:
    limits = StageSettings.from_environment({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3538"}).limits()
    assert (limits.threads, limits.memory_bytes * 13 // 10 < 3538 << 20) == (2, True)


def test_a_dataset_without_a_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "items.json").write_text(PLAN.to_json())
    (tmp_path / "secret.json").write_text(PLAN.to_json())
    assert dataset_names(tmp_path / "plans") == {"items"}
    assert read_plan(tmp_path / "plans", "items") == PLAN
    for name in ("flights", "../secret"):
        with pytest.raises(ContractError):
            read_plan(tmp_path / "plans", name)
