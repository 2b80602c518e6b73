"""What keeps a deployed dataset in order: maintenance by its schedule, and the commands of whoever looks after it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from sluice.cli.main import app
from sluice.local.faults import Fault

pytestmark = pytest.mark.proof

HEADER = (
    "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,origin,"
    "dest,air_time,distance,hour,minute,time_hour\n"
)
ROW = "2013,1,1,{hour}17,{hour}15,2,1830,1819,11,UA,{hour},N14228,EWR,IAH,227,1400,{hour},15,2013-01-01T{utc}:00:00Z\n"
COLUMNS = ("hour", "_sluice_object", "_sluice_load", "_sluice_row")


def command(*words: str) -> tuple[int, dict[str, Any]]:
    """A command as a machine calls it: exit code and answer."""
    result = CliRunner().invoke(app, [*words, "--json"])
    return result.exit_code, json.loads(result.stdout)


def fill(world: Any) -> list[str]:
    keys = [f"flights/{hour}.csv" for hour in range(8)]
    return [
        world.load(key, world.put(key, HEADER + ROW.format(hour=hour + 5, utc=hour + 10))).state
        for hour, key in enumerate(keys)
    ]


def files(world: Any) -> int:
    table = world.target.catalog().load_table((world.target.database, "flights"))
    return len(list(table.scan().plan_files()))


def test_the_schedule_compacts_and_changes_no_row(world):
    assert fill(world) == ["DONE"] * 8
    before = world.rows("flights", *COLUMNS)
    assert files(world) == 8
    world.cloud.tick("MaintenanceSchedule")
    world.cloud.wait_until_quiet(240)
    (run,) = [one for one in world.cloud.executions() if "Maintenance" in one.machine]
    assert run.status == "SUCCEEDED", (run.error, run.cause)
    assert (files(world), world.rows("flights", *COLUMNS)) == (1, before)


def test_a_replay_loads_again_and_doubles_nothing(world):
    before = world.rows("flights", *COLUMNS)
    code, planned = command("replay", "flights", "--object", "flights/3.csv", "--dry-run")
    assert (code, planned["selected"]) == (0, 1)
    runs = len(world.executions("flights"))
    code, done = command("replay", "flights", "--object", "flights/3.csv")
    assert (code, done["reopened"]) == (0, 1)
    world.cloud.wait_until_quiet(120)
    assert (len(world.executions("flights")), world.rows("flights", *COLUMNS)) == (runs + 1, before)
    code, done = command("replay", "flights", "--all")
    assert (code, done["reopened"]) == (0, 8)
    world.cloud.wait_until_quiet(120)
    assert world.rows("flights", *COLUMNS) == before


def test_the_doctor_finds_a_lost_object_and_repairs_it(world):
    code, well = command("doctor", "flights")
    assert (code, well["ok"]) == (0, True)
    world.cloud.inject(Fault(match=("sqs", "SendMessage"), times=50))
    world.put("flights/lost.csv", HEADER + ROW.format(hour=20, utc=21))
    world.cloud.wait_until_quiet(30)
    world.cloud.gateway.faults.clear()
    code, ill = command("doctor", "flights")
    assert (code, [one["check"] for one in ill["datasets"][0]["findings"] if not one["holds"]]) == (
        1,
        ["every version that counts has a load"],
    )
    code, repaired = command("doctor", "flights", "--repair")
    assert (code, repaired["ok"]) == (0, True)
    assert (20, "flights/lost.csv") in world.rows("flights", "hour", "_sluice_object")


def test_a_backfill_swaps_in_what_is_loaded_again(world):
    before = world.rows("flights", *COLUMNS)
    code, done = command("backfill", "flights")
    assert (code, done["generation"], done["asked"], done["done"]) == (0, 1, True, True)
    world.cloud.wait_until_quiet(120)
    assert world.rows("flights", *COLUMNS) == before
    assert {origin.rpartition("-")[0] for (origin,) in world.rows("flights", "_sluice_run")} == {"flights"}
    assert len(set(world.rows("flights", "_sluice_run"))) == 1  # one run made it all
    code, well = command("doctor", "flights")
    assert (code, well["ok"]) == (0, True)


def test_dead_letters_go_back_to_the_queue(world):
    world.cloud.client("sqs").send_message(QueueUrl=world.cloud.outputs["IngestQueue"], MessageBody="{not json")
    world.cloud.wait_until_quiet(60)
    assert world.dead_letters() == ["{not json"]
    code, done = command("redrive")
    assert (code, done["moved"]) == (0, 1)
    world.cloud.wait_until_quiet(60)
    assert world.dead_letters() == ["{not json"]  # it is no better than it was
