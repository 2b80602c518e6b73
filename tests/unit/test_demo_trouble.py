"""The demo's trouble is what it says it is: otherwise the demo would prove nothing."""

from __future__ import annotations

from collections import Counter

from sluice.cli.demo import trouble

HEADER = b"year,month,dep_delay,carrier,flight,distance,hour,time_hour\n"
LINES = [HEADER, *(f"2013,6,{n},UA,{n},{100 + n},5,2013-06-01T10:00:00Z\n".encode() for n in range(1000))]


def test_planting_leaves_every_original_row_as_it_was() -> None:
    planted = trouble.plant(LINES)
    kept = [line for at, line in enumerate(planted.content.splitlines(keepends=True)) if at not in planted.rows]
    assert kept == LINES


def test_seven_rows_of_each_of_six_kinds_are_planted() -> None:
    assert sorted(Counter(kind.what for kind in trouble.plant(LINES).rows.values()).values()) == [7] * 6


def test_only_the_row_told_twice_repeats_another() -> None:
    planted = trouble.plant(LINES)
    lines = planted.content.splitlines(keepends=True)
    repeated = {record for record in planted.rows if lines[record] in lines[:record]}
    assert repeated == {record for record, kind in planted.rows.items() if kind.rule == "primaryKey"}


def test_kilometres_change_every_distance_and_nothing_else() -> None:
    changed = trouble.in_kilometres(LINES).splitlines(keepends=True)
    assert changed[0] == HEADER
    for line, original in zip(changed[1:], LINES[1:], strict=True):
        fields, before = line.split(b","), original.split(b",")
        assert fields[5] != before[5]
        assert fields[:5] + fields[6:] == before[:5] + before[6:]


def test_the_picture_is_not_text() -> None:
    assert b"\x00" not in trouble.picture()[:8]
    try:
        trouble.picture().decode()
    except UnicodeDecodeError:
        return
    raise AssertionError("the picture can be read as text")
