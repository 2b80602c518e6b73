"""Which column of the file holds which source column of the plan, and how its header is known again among the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.contract.plan import EXTRA, Plan, Reading
from sluice.errors import DataError
from sluice.kernel.framing.tokens import BLANKS

REPEATED = "expected a row, got the names of the columns"
_MARK = "\ufeff"  # the byte order mark of a file that was joined to another

_SHOWN = 12  # names in a message; a file may have thousands of columns


def positions(names: Sequence[str], plan: Plan, *, key: str) -> dict[str, int]:
    """The position of each source column in the file; sources that the file may lack and does are left out.

    Raises DataError `file.columns` naming what is missing, unknown or there twice. What only the file calls so is named
    in the rejects table alone, elsewhere by its place: a file without a header has a person's data there.
    """
    wanted = sources(plan)
    counts = Counter(names)
    twice = [name for name in wanted if counts[name] > 1]
    missing = [name for name in wanted if not counts[name]]
    unknown = [name for name in counts if name not in set(wanted)]
    found = _counted if plan.protects else _listed  # what was taken for a header may be somebody's row
    problems: list[tuple[str, str]] = []  # for everybody, and for the rejects table
    if twice:
        problems.append((f"more than one column is named {_listed(twice)}",) * 2)
    again = [name for name in unknown if counts[name] > 1]
    if again and plan.reading.unknown_columns == "take":
        problems.append(
            (f"columns with one name: {_places(again, names)}", f"more than one column is named {found(again)}")
        )
    if missing and plan.reading.missing_columns == "reject":
        problems.append((f"missing {_listed(missing)}",) * 2)
    if unknown and plan.reading.unknown_columns == "reject":
        problems.append((f"unknown columns: {_places(unknown, names)}", _unknown(unknown, names, plan)))
    if wanted and len(missing) == len(wanted):
        none = f"none of the expected columns {_listed(wanted)}"
        problems = [(f"{none}, found {len(names)} others", f"{none}, found {found(list(counts))}")]
    if problems:
        messages, details = zip(*problems, strict=True)
        raise DataError(
            "; ".join(messages), dataset=plan.dataset, rule="file.columns", object_key=key, detail="; ".join(details)
        )
    return {name: names.index(name) for name in wanted if counts[name]}


def unknown_positions(names: Sequence[str], plan: Plan) -> dict[str, int]:
    """The position of each column that the plan does not name, if the plan takes them."""
    if plan.reading.unknown_columns != "take":
        return {}
    wanted = set(sources(plan))
    return {name: at for at, name in enumerate(names) if name not in wanted}


def sources(plan: Plan) -> list[str]:
    """The header names that the plan reads, in order."""
    found = plan.read_order or [column.source for column in plan.columns if column.source is not None]
    return list(dict.fromkeys(name for name in found if name != EXTRA))


@dataclass(frozen=True)
class Members:
    """Which members the objects of a JSON file have: what a header is to a file of cells.

    `seen` are sources of the plan. `others` are some members of objects that have none of those. `objects` tells
    whether there was an object at all.
    """

    seen: frozenset[str] = frozenset()
    others: tuple[str, ...] = ()
    objects: bool = False

    def with_object(self, names: Iterable[str], known: frozenset[str]) -> Members:
        """Return what is known after one more object."""
        found = known.intersection(names)
        others = () if found else dict.fromkeys((*self.others, *names))
        return Members(self.seen | found, tuple(others)[:_SHOWN] or self.others, objects=True)

    def and_those_of(self, later: Members) -> Members:
        """Return what is known of two parts of a file, of which `later` is the second."""
        others = tuple(dict.fromkeys((*self.others, *later.others)))[:_SHOWN]
        return Members(self.seen | later.seen, others, self.objects or later.objects)

    def refuse_missing(self, plan: Plan, *, key: str) -> None:
        """Raise DataError `file.columns` where no object has a member that the file must have."""
        wanted = sources(plan)
        missing = [name for name in wanted if name not in self.seen]
        if not self.objects or not missing:
            return
        if len(missing) == len(wanted) and self.others:
            message = f"none of the expected columns {_listed(wanted)}"
            found = "others" if plan.protects else _listed(self.others)
            detail = f"{message}, found {found}"
        elif plan.reading.missing_columns == "reject":
            message = detail = f"missing {_listed(missing)}"
        else:
            return
        raise DataError(message, dataset=plan.dataset, rule="file.columns", object_key=key, detail=detail)


@dataclass(frozen=True)
class RepeatedHeader:
    """What a record holds that is the header once more: one of the texts `first`, then the `others`."""

    first: Sequence[str]
    others: Sequence[str]
    trim: bool

    def is_in(self, cells: Sequence[str | None]) -> bool:
        """Whether these are all cells of such a record."""
        first, *others = [cell.strip(BLANKS) if self.trim and cell else cell for cell in cells]
        return others == self.others and first in self.first

    def condition(self, columns: Sequence[str]) -> str:
        """The same in SQL, with `parameters`. The first cell decides for nearly all records, at no cost."""
        first, *others = [f"trim({name}, ' ' || chr(9))" if self.trim else name for name in columns]
        known = ", ".join(f"$name_{number}" for number in range(len(self.first)))
        return f"CASE WHEN {first} IN ({known}) THEN [{', '.join(others)}] = $names END"

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the parameters in `condition`."""
        return {"names": self.others, **{f"name_{number}": name for number, name in enumerate(self.first)}}


def repeated_header(names: Sequence[str], reading: Reading) -> RepeatedHeader | None:
    """Return how a header is known again. A single name may well be a value, and one of several records is not."""
    if len(names) == 1 or reading.header_lines > 1:
        return None
    name, *others = names
    joined = [f"{_MARK}{name}", f"{_MARK}{reading.quote}{name}{reading.quote}"]
    return RepeatedHeader([name, *joined], others, reading.blanks == "trim")


def _places(some: Sequence[str], names: Sequence[str]) -> str:
    """Where these names are, counted from 1."""
    places = [str(at) for at, name in enumerate(names, start=1) if name in set(some)]
    return ", ".join(places[:_SHOWN]) + (f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else "")


def _unknown(unknown: Sequence[str], names: Sequence[str], plan: Plan) -> str:
    """`unknown column 13 'Channel'`, for the rejects table."""
    if plan.protects:
        return f"unknown {_counted(unknown)}"
    shown = [f"{names.index(name) + 1} {name[:80]!r}" for name in unknown[:_SHOWN]]
    more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
    return f"unknown column{'s' if len(unknown) > 1 else ''} {', '.join(shown)}{more}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:80]) for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)} others"
