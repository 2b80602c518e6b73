"""Rejected rows that are repaired after newer rows of their keys have come: the newer rows stay, whatever happens next.

`weather` is merged by airport and hour, and no column says which row is the latest: the order of the objects decides.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sluice.cli.main import app

# awswrangler and pandas; a command that a user calls shows no warnings.
pytestmark = [pytest.mark.proof, pytest.mark.filterwarnings("ignore:The copy keyword")]

HEADER = "origin,year,month,day,hour,temp,dewp,humid,wind_dir,wind_speed,wind_gust,precip,pressure,visib,time_hour\n"
COLUMNS = ("hour", "temp")


def command(*words: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.stdout, (words, result.stderr, result.exception)
    return result.exit_code, json.loads(result.stdout)


def row(hour: int, temp: str) -> str:
    return f"EWR,2013,1,1,{hour},{temp},26.06,59.37,270,10.35,NA,0,1012,10,2013-01-01T{hour + 5:02d}:00:00Z\n"


def temperatures(world: Any) -> dict[int, str]:
    return {hour: str(temp) for hour, temp in world.rows("weather", *COLUMNS)}


def test_repaired_rows_never_beat_newer_ones_whatever_happens_next(world: Any, tmp_path: Path) -> None:
    day = world.put("weather/day1.csv", HEADER + row(1, "forty") + row(2, "fifty") + row(3, "30"))
    assert world.load("weather/day1.csv", day).counts.rows_rejected == 2
    code, early = command("rejects", "weather", "--repair", str(tmp_path / "early"))
    assert (code, [file["records"] for file in early["files"]], early["arrived"]) == (0, [2], 0)
    correction = world.put("weather/correction.csv", HEADER + row(1, "41"))
    assert world.load("weather/correction.csv", correction).state == "DONE"

    # Who asks now is given what is still needed, and no more.
    code, late = command("rejects", "weather", "--repair", str(tmp_path / "late"))
    assert (code, [file["records"] for file in late["files"]], late["arrived"]) == (0, [1], 1)
    assert Path(late["files"][0]["file"]).read_text() == HEADER + row(2, "fifty")

    # Who asked before the correction puts both.
    (file,) = [Path(file["file"]) for file in early["files"]]
    file.write_text(file.read_text().replace("forty", "40").replace("fifty", "50"))
    assert command("put", "weather", str(file))[0] == 0
    wanted = {1: "41.00", 2: "50.00", 3: "30.00"}
    assert temperatures(world) == wanted
    code, closed = command("rejects", "weather")
    assert (closed["groups"], closed["repaired"]) == ([], 2)

    for words in (("replay", "weather", "--all"), ("backfill", "weather")):
        assert command(*words)[0] == 0
        world.cloud.wait_until_quiet(240)
        assert temperatures(world) == wanted, words
    assert command("doctor", "weather")[0] == 0
