"""The deployed flow, end to end: what goes in, what comes out, and what happens when a part fails."""

from __future__ import annotations

import json

import pytest

from sluice.local.faults import Fault

AIRLINES = "carrier,name\nAA,American Airlines Inc.\nUA,United Air Lines Inc.\n"
WEATHER = (
    "origin,year,month,day,hour,temp,dewp,humid,wind_dir,wind_speed,wind_gust,precip,pressure,visib,time_hour\n"
    "EWR,2013,1,1,1,{temp},26.06,59.37,270,10.357019999999999,NA,0,1012,10,2013-01-01T06:00:00Z\n"
)


def test_a_file_becomes_a_table_and_an_overwrite_replaces_its_rows(world):
    first = world.put("airlines/a.csv", AIRLINES)
    assert world.load("airlines/a.csv", first).state == "DONE"
    assert world.rows("airlines", "carrier") == [("AA",), ("UA",)]
    second = world.put("airlines/a.csv", "carrier,name\nDL,Delta Air Lines Inc.\n")
    assert world.load("airlines/a.csv", second).state == "DONE"
    assert world.rows("airlines", "carrier") == [("DL",)]
    provenance = world.rows("airlines", "_sluice_load", "_sluice_object", "_sluice_row")
    assert provenance == [(second, "airlines/a.csv", 1)]


def test_the_run_recorded_what_it_consumed(world):
    (run,) = [run for run in world.target.ledger().runs("airlines") if run.fence == 1]
    (execution,) = [found for found in world.executions("airlines") if found.name == run.run_id]
    assert run.usage.transitions == execution.transitions == 9
    assert run.usage.requests == 4  # claim, transform, publish, settle
    assert run.usage.gb_seconds > 0
    assert run.usage.calls["s3.PutObject"] > 3
    shared = world.target.ledger().spending("ingest", run.started[:7])
    assert shared.requests >= 1


def test_a_duplicated_event_changes_nothing(world):
    identity = world.put("weather/one.csv", WEATHER.format(temp=39.02))
    world.load("weather/one.csv", identity)
    before = world.target.catalog().load_table((world.target.database, "weather")).current_snapshot()
    world.cloud.duplicate_event(bucket=world.target.raw_bucket, key="weather/one.csv")
    world.cloud.wait_until_quiet(60)
    after = world.target.catalog().load_table((world.target.database, "weather")).current_snapshot()
    assert before == after
    assert len(list(world.target.ledger().loads("weather"))) == 1


def test_rows_that_break_the_contract_are_kept_with_their_reasons(world):
    good, bad = "AA,American Airlines Inc.", "this is not a carrier code,Nobody"
    identity = world.put("airlines/b.csv", f"carrier,name\n{good}\n{bad}\n")
    load = world.load("airlines/b.csv", identity)
    assert (load.counts.rows_read, load.counts.rows_accepted, load.counts.rows_rejected) == (2, 1, 1)
    (row,) = world.rows("airlines__rejects", "row_number", "column", "raw", "load_id")
    assert row == (2, "carrier", bad, identity)


def test_a_file_that_is_no_csv_is_refused_as_a_whole_and_the_table_stays(world):
    before = world.rows("planes", "tailnum") if _exists(world, "planes") else []
    identity = world.put("planes/picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    load = world.load("planes/picture.csv", identity)
    assert load.state == "REFUSED"
    assert load.reason
    assert [row for row in world.rows("planes__rejects", "load_id", "row_number") if row[0] == identity] == [
        (identity, None)
    ]
    assert (world.rows("planes", "tailnum") if _exists(world, "planes") else []) == before


def test_a_message_that_is_no_event_ends_in_the_dead_letter_queue(world):
    world.cloud.client("sqs").send_message(QueueUrl=world.cloud.outputs["IngestQueue"], MessageBody="{not json")
    world.cloud.wait_until_quiet(60)
    assert world.dead_letters() == ["{not json"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_commit_neither_loses_nor_doubles_rows(world, when):
    world.cloud.inject(Fault(match=("glue", "UpdateTable"), when=when, kind="drop"))
    key = f"weather/lost-{when}.csv"
    content = WEATHER.format(temp=40.01).replace("EWR", "JFK" if when == "before" else "LGA")
    identity = world.put(key, content)
    assert world.load(key, identity).state == "DONE"
    assert any(call.fault for call in world.cloud.calls if call.operation == "UpdateTable")
    assert len([row for row in world.rows("weather", "_sluice_load") if row[0] == identity]) == 1


def test_a_failing_transform_leaves_the_load_waiting_and_the_reconciler_brings_it_home(world):
    world.cloud.inject(Fault(match=("s3", "PutObject"), times=200, resource="/tables/airports/"))
    content = "faa,name,lat,lon,alt,tz,dst,tzone\n04G,Lansdowne Airport,41.13,-80.61,1044,-5,A,America/New_York\n"
    identity = world.put("airports/a.csv", content)
    assert world.load("airports/a.csv", identity).state == "PENDING"
    assert {run.status for run in world.executions("airports")} == {"FAILED"}
    world.cloud.gateway.faults.clear()
    world.cloud.tick("reconcile")
    assert world.load("airports/a.csv", identity).state == "DONE"
    assert world.rows("airports", "faa") == [("04G",)]


def test_a_failing_publish_leaves_the_table_as_it_was_and_the_reconciler_brings_it_home(world):
    before = world.rows("airlines", "carrier")
    world.cloud.inject(Fault(match=("s3", "PutObject"), times=200, resource="decision.json"))
    identity = world.put("airlines/c.csv", "carrier,name\nB6,JetBlue Airways\n")
    assert world.load("airlines/c.csv", identity).state == "PENDING"
    assert world.rows("airlines", "carrier") == before
    world.cloud.gateway.faults.clear()
    world.cloud.tick("reconcile")
    assert world.load("airlines/c.csv", identity).state == "DONE"
    assert world.rows("airlines", "carrier") == [("B6",)]


def test_a_lost_event_is_found_by_the_reconciler(world):
    world.cloud.inject(Fault(match=("sqs", "SendMessage"), times=50))
    identity = world.put("airlines/d.csv", "carrier,name\nWN,Southwest Airlines Co.\n")
    world.cloud.wait_until_quiet(30)
    world.cloud.gateway.faults.clear()
    assert world.target.ledger().find("airlines", identity) is None
    world.cloud.tick("reconcile")
    assert world.load("airlines/d.csv", identity).state == "DONE"


def test_payloads_of_the_state_machine_carry_pointers_and_no_rows(world):
    for run in world.cloud.executions():
        text = json.dumps([run.input, run.output], default=str)
        assert len(text) < 2000, run.name
        assert "Airlines" not in text


def _exists(world, table):
    return world.target.catalog().table_exists((world.target.database, table))
