"""The second reading of a Parquet file, by pyarrow, which shares no code with DuckDB: page checksums and every value.

What DuckDB is known to read wrongly (decimals of more than 38 digits, nanoseconds of INT96 and of times) is written
anew as texts. Reading as records is the business of `columnar`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.kernel.outcome import Limits

_BATCH_BYTES = 32 << 20  # of values in memory at a time, more or less
_MOST_ROWS = 1 << 16
_LEAST_ROWS = 1 << 6
_WORD = 1 << 64
_DECIMAL_DIGITS = 38  # more than these DuckDB does not have
ROW = "row"  # the column of a second reading that numbers its rows, from 0


class DamagedError(Exception):
    """The bytes are no sound Parquet file."""


@dataclass(frozen=True)
class Arrow:
    """A Parquet file as pyarrow sees it."""

    path: Path
    limits: Limits
    names: tuple[str, ...]  # of the top-level columns, as they stand in the file
    rows: int
    odd: frozenset[int]  # places of columns that DuckDB reads wrongly
    moments: frozenset[int]  # those of them that are INT96 timestamps
    flat: frozenset[int]  # places of leaves that have one value a row

    def batches(self, *, bytes_each: float) -> tuple[Any, Iterator[Any]]:
        """Return schema and batches of all columns, `c0`, `c1` and so on, and of ROW; a row has `bytes_each`.

        Odd columns are texts. While they are read, the batches raise DamagedError for damaged pages.
        """
        import pyarrow as pa  # noqa: PLC0415  (slow to import, and only Parquet needs it)

        size = int(max(_LEAST_ROWS, min(_MOST_ROWS, _BATCH_BYTES / max(bytes_each, 1))))
        with _sound():
            plain = _file(self.path, unit="us")
            kinds = [_kind(field.type) for field in plain.schema_arrow]
        fields = [(f"c{at}", pa.string() if at in self.moments else kind) for at, kind in enumerate(kinds)]
        schema = pa.schema([*fields, (ROW, pa.int64())])
        return schema, self._batches(plain, schema, size)

    def _batches(self, plain: Any, schema: Any, size: int) -> Iterator[Any]:
        import pyarrow as pa  # noqa: PLC0415

        begun = 0
        with _sound():
            threads = self.limits.threads > 1
            readings = [plain.iter_batches(size, use_threads=threads)]
            if self.moments:
                finer = _file(self.path, unit=None)
                names = [finer.schema_arrow.names[at] for at in sorted(self.moments)]
                readings.append(finer.iter_batches(size, columns=names, use_threads=threads))
        while True:
            with _sound():
                found: list[Any] = [next(reading, None) for reading in readings]
                if found[0] is None:
                    break
                columns = list(found[0].columns)
                for number, at in enumerate(sorted(self.moments)):
                    columns[at] = _moment(columns[at], found[1].column(number))
                columns = [_cast(column, schema.types[at]) for at, column in enumerate(columns)]
            rows = len(found[0])
            yield pa.record_batch([*columns, pa.array(range(begun, begun + rows), pa.int64())], schema=schema)
            begun += rows
        if begun != self.rows:
            raise DamagedError(f"{self.rows} rows in the footer, {begun} in the pages")

    def counted(self, allowed: int) -> int | None:
        """Count the bytes of all values; None above `allowed`. A few rows at a time: a page may hold gigabytes."""
        total = 0
        for batch in self.batches(bytes_each=_BATCH_BYTES / _LEAST_ROWS)[1]:
            total += batch.nbytes
            if total > allowed:
                return None
        return total

    def rewrite(self, target: Path, *, bytes_each: float) -> None:
        """Write the columns anew, odd ones as texts, by their places: `c0`, `c1` and so on."""
        import pyarrow.parquet as pq  # noqa: PLC0415

        schema, batches = self.batches(bytes_each=bytes_each)
        own = schema.remove(len(schema) - 1)
        with pq.ParquetWriter(target, own, compression="lz4", store_schema=False) as writer:
            for batch in batches:
                writer.write_batch(batch.select(own.names))


def open_arrow(path: Path, limits: Limits) -> Arrow:
    """Read the footer. Raises DamagedError where it is none.

    What it says of row groups is not asked for here: on damaged ones pyarrow 25.0.1 ends the process.
    """
    with _sound():
        file = _file(path, unit="us")
        schema, footer = file.schema, file.metadata
        tops = [field.name for field in file.schema_arrow]
        odd, moments, top = set(), set(), -1
        for number in range(len(schema)):
            column = schema.column(number)
            top = _top(file, number, top)
            if column.physical_type == "INT96":
                odd.add(top)
                if column.path != tops[top]:
                    raise DamagedError("INT96 timestamps inside nested columns, which no two readers take alike")
                moments.add(top)
        odd |= {at for at, field in enumerate(file.schema_arrow) if _kind(field.type) != _without_extension(field.type)}
        flat = frozenset(number for number in range(len(schema)) if schema.column(number).max_repetition_level == 0)
    return Arrow(path, limits, tuple(tops), footer.num_rows, frozenset(odd), frozenset(moments), flat)


def _file(path: Path, *, unit: str | None) -> Any:
    import pyarrow.parquet as pq  # noqa: PLC0415

    return pq.ParquetFile(
        str(path), page_checksum_verification=True, pre_buffer=False, buffer_size=1 << 20,
        coerce_int96_timestamp_unit=unit,
    )  # fmt: skip


def _top(file: Any, leaf: int, before: int) -> int:
    """The place of the top-level column that a leaf belongs to; leaves come in the order of columns."""
    count = 0
    for at, field in enumerate(file.schema_arrow):
        count += _leaves(field.type)
        if leaf < count:
            return at
    return before


def _leaves(kind: Any) -> int:
    return sum(_leaves(kind.field(at).type) for at in range(kind.num_fields)) if kind.num_fields else 1


def _without_extension(kind: Any) -> Any:
    return getattr(kind, "storage_type", kind)


def _kind(kind: Any) -> Any:  # noqa: PLR0911  (a type each)
    """The type that a column gets: text for what DuckDB has no type for, at any depth; no types of Arrow's own."""
    import pyarrow as pa  # noqa: PLC0415

    kind = _without_extension(kind)
    if pa.types.is_decimal(kind) and kind.precision > _DECIMAL_DIGITS:
        return pa.string()
    if pa.types.is_time64(kind) and kind.unit == "ns":
        return pa.string()
    if pa.types.is_duration(kind):
        return pa.int64()
    if pa.types.is_dictionary(kind):
        return _kind(kind.value_type)
    if pa.types.is_struct(kind):
        return pa.struct([kind.field(at).with_type(_kind(kind.field(at).type)) for at in range(kind.num_fields)])
    if pa.types.is_map(kind):
        return pa.map_(_kind(kind.key_type), _kind(kind.item_type))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(kind.value_field.with_type(_kind(kind.value_type)))
    return kind


def _cast(column: Any, kind: Any) -> Any:
    return getattr(column, "storage", column).cast(kind)


def _moment(micros: Any, nanos: Any) -> Any:
    """INT96 timestamps as texts with all their digits.

    In nanoseconds they overflow outside the years 1678 to 2261, but the last three digits are right modulo 2^64.
    """
    import pyarrow as pa  # noqa: PLC0415

    found = []
    texts, whole, fine = micros.cast(pa.string()), micros.cast(pa.int64()), nanos.cast(pa.int64())
    for text, micro, nano in zip(texts.to_pylist(), whole.to_pylist(), fine.to_pylist(), strict=True):
        rest = 0 if text is None else (nano - micro * 1000) % _WORD
        if rest > 999:  # noqa: PLR2004
            raise DamagedError("an INT96 timestamp that two readings take differently")
        found.append(None if text is None else f"{text}{rest:03d}")
    return pa.array(found, pa.string())


@contextmanager
def _sound() -> Iterator[None]:
    """Turn whatever pyarrow says of damaged bytes into DamagedError. What the machine lacks passes."""
    try:
        yield
    except (MemoryError, DamagedError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DamagedError(type(error).__name__) from None  # its words may quote values
