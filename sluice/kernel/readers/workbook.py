"""The cells of a workbook's first sheet, read from its XML: what each cell is, never what a hint says about it.

Reads sheet, shared texts, and of the styles only which numbers are dates; `<dimension>`, fonts, fills and document
properties decide nothing. A cell becomes a Python value; what text it is for a column is the business of `sheets`.
Sources: ECMA-376 part 1, 18.3 (sheets), 18.8.30 (number formats), 18.17.4 (dates), 22.9.2.19 (escapes).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Protocol, TypeAlias
from xml.parsers import expat

_BLOCK = 1 << 18
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
_PLACE = re.compile("([A-Z]{1,3})([0-9]{1,7})")
_QUOTED = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hHmMsS]+\])[^\]]*\]')
_ELAPSED = re.compile(r"\[[hHmMsS]+\]")
_DATES = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}  # formats without a code of their own
_ELAPSED_FORMAT = 46
_MOST_COLUMN = 16_384


class BrokenError(Exception):
    """The XML is not that of a workbook, or is damaged."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it stands in the file. `kind` is what its format makes of it: number, date, duration; or
    `date from 1904`, of workbooks that count days from there.
    """

    digits: str
    kind: str = "number"


@dataclass(frozen=True, slots=True)
class Failure:
    """What a formula came to that has no value: an error, or nothing because no program has computed it."""

    text: str


Cell: TypeAlias = str | bool | Number | Failure | None
UNCOMPUTED = Failure("#UNCOMPUTED!")


@dataclass(frozen=True)
class Workbook:
    """An open workbook: what its first sheet needs to be read."""

    archive: zipfile.ZipFile
    sheet: str  # name of the member
    title: str  # name of the sheet
    texts: list[str]
    kinds: list[str]  # of numbers, by the number of their style

    def rows(self, most: Callable[[int], None]) -> Iterator[tuple[int, list[Cell]]]:
        """Yield the number and the cells of each row that stands in the file. Raises BrokenError.

        `most` is told how many cells a row and the gap before it come to, and raises where they are too many.
        """
        reader = _Sheet(self, most)
        yield from _parsed(self.archive, self.sheet, reader, reader.taken)


class NoSheetError(Exception):
    """The workbook has no sheet of the name."""


def open_workbook(archive: zipfile.ZipFile, title: str = "") -> Workbook:
    """Read all but the sheet: the first one, or the one with the title. Raises BrokenError, and NoSheetError."""
    names = {name.lower().lstrip("/"): name for name in archive.namelist()}
    book = _target(archive, names, "_rels/.rels", "officedocument") or "xl/workbook.xml"
    if book.lower() not in names:
        raise BrokenError("no workbook part")
    folder, own = str(PurePosixPath(book).parent), PurePosixPath(book).name
    links = _relations(archive, names, f"{folder}/_rels/{own}.rels")
    sheets, flags = (_elements(archive, names[book.lower()], name) for name in ("sheet", "workbookPr"))
    part = {name: (kind, _joined(folder, target)) for name, kind, target in links}
    found = [part.get(next((value for name, value in sheet.items() if name.endswith("id") and name != "sheetId"), ""))
             for sheet in sheets]  # fmt: skip
    tables = [at for at, one in enumerate(found) if one and one[0].endswith("/worksheet")]
    wanted = [at for at in tables if not title or sheets[at].get("name", "").casefold() == title.casefold()]
    if tables and not wanted:
        raise NoSheetError
    chosen = next(iter(wanted), None)
    title = "" if chosen is None else sheets[chosen].get("name", "")
    sheet = None if chosen is None else (found[chosen] or ("", ""))[1]
    if sheet is None or sheet.lower() not in names:
        raise BrokenError("no worksheet")
    others = {kind.rpartition("/")[2]: target.lower() for kind, target in part.values()}
    texts, kinds = _Texts(), _Styles()
    if (strings := names.get(others.get("sharedStrings", ""))) is not None:
        list(_parsed(archive, strings, texts))
    if (styles := names.get(others.get("styles", ""))) is not None:
        list(_parsed(archive, styles, kinds))
    old = any(flag.get("date1904", "") in {"1", "true", "on"} for flag in flags)
    formats = [kinds.kind(number) for number in kinds.used]
    if old:
        formats = [f"{kind} from 1904" if kind == "date" else kind for kind in formats]
    return Workbook(archive, names[sheet.lower()], title, texts.found, formats)


def plain(text: str) -> str:
    """The text without the escapes of characters that XML cannot hold: `_x000D_`; `_x005F_` protects an underscore."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


class _Handlers(Protocol):
    """What is told of the XML of a part while it goes by."""

    def begin(self, name: str, attributes: dict[str, str]) -> None: ...
    def text(self, data: str) -> None: ...
    def end(self, name: str) -> None: ...


@dataclass
class _Elements:
    """The attributes of all elements of one name."""

    wanted: str
    found: list[dict[str, str]] = field(default_factory=list)

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == self.wanted:
            self.found.append(attributes)

    def text(self, data: str) -> None:
        """Nothing of it is wanted."""

    def end(self, name: str) -> None:
        """Nothing of it is wanted."""


@dataclass
class _Texts:
    """Shared texts: runs joined, readings of East Asian characters left out."""

    found: list[str] = field(default_factory=list)
    _parts: list[str] = field(default_factory=list)
    _in_text: bool = False
    _aside: int = 0

    def begin(self, name: str, _attributes: dict[str, str]) -> None:
        self._aside += name == "rPh"
        self._in_text = name == "t" and not self._aside

    def text(self, data: str) -> None:
        if self._in_text:
            self._parts.append(data)

    def end(self, name: str) -> None:
        self._in_text = False
        self._aside -= name == "rPh"
        if name == "si":
            self.found.append(plain("".join(self._parts)))
            self._parts.clear()


@dataclass
class _Styles:
    """The number formats of cells. Everything else about how cells look is read over."""

    codes: dict[int, str] = field(default_factory=dict)
    used: list[int] = field(default_factory=list)
    _in_cells: bool = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt":
            self.codes[_count(attributes.get("numFmtId", "0"))] = attributes.get("formatCode", "")
        self._in_cells = name == "cellXfs" or (self._in_cells and name != "cellStyles")
        if name == "xf" and self._in_cells:
            self.used.append(_count(attributes.get("numFmtId", "0")))

    def text(self, data: str) -> None:
        """A style has none."""

    def end(self, name: str) -> None:
        self._in_cells = self._in_cells and name != "cellXfs"

    def kind(self, number: int) -> str:
        code = self.codes.get(number)
        if code is None:
            return "duration" if number == _ELAPSED_FORMAT else "date" if number in _DATES else "number"
        bare = _QUOTED.sub("", code).split(";")[0].lower()
        if _ELAPSED.search(bare):
            return "duration"
        return "date" if bare != "general" and set(bare) & set("ymdhs") else "number"


class _Sheet:
    """Collects the rows of a sheet while its XML goes by."""

    def __init__(self, book: Workbook, most: Callable[[int], None]) -> None:
        self._book, self._most = book, most
        self._rows: list[tuple[int, list[Cell]]] = []
        self._row, self._kind, self._style = 0, "n", 0
        self._cells: list[Cell] = []
        self._parts: list[str] = []
        self._in_value, self._has_value, self._has_formula, self._aside = False, False, False, 0

    def taken(self) -> list[tuple[int, list[Cell]]]:
        rows, self._rows = self._rows, []
        return rows

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._begin_cell(attributes)
        elif name == "v" or (name == "t" and not self._aside):
            self._in_value = self._has_value = True
        elif name == "f":
            self._has_formula = True
        elif name == "row":
            number = _count(attributes["r"]) if "r" in attributes else self._row + 1
            if number <= self._row:
                raise BrokenError("rows out of order")
            self._most((number - self._row - 1) * max(1, len(self._cells)))
            self._row, self._cells = number, []
        elif name == "rPh":
            self._aside += 1

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        self._kind, self._style = attributes.get("t", "n"), _count(attributes.get("s", "0"))
        self._parts.clear()
        self._has_value = self._has_formula = False
        place = len(self._cells) + 1
        if "r" in attributes:
            found = _PLACE.fullmatch(attributes["r"])
            place = 0
            for letter in found[1] if found else "":
                place = place * 26 + ord(letter) - 64
            if not found or int(found[2]) != self._row:
                raise BrokenError("a cell with another row's place")
        if not len(self._cells) < place <= _MOST_COLUMN:
            raise BrokenError("cells out of order")
        self._most(place - len(self._cells))
        self._cells += [None] * (place - len(self._cells) - 1)

    def text(self, data: str) -> None:
        if self._in_value:
            self._parts.append(data)

    def end(self, name: str) -> None:
        if name in {"v", "t"}:
            self._in_value = False
        elif name == "c":
            self._cells.append(self._value())
        elif name == "row":
            self._rows.append((self._row, self._cells))
        elif name == "rPh":
            self._aside -= 1

    def _value(self) -> Cell:  # noqa: PLR0911  (a type each)
        text = "".join(self._parts)
        if not self._has_value or (not text and self._kind not in {"str", "inlineStr"}):
            return UNCOMPUTED if self._has_formula else None
        match self._kind:
            case "s":
                at = _count(text.strip())
                if at >= len(self._book.texts):
                    raise BrokenError("a text that is not among the shared ones")
                return self._book.texts[at]
            case "str" | "inlineStr":
                return plain(text)
            case "d":
                return text
            case "b":
                return text.strip() in {"1", "true"}
            case "e":
                return Failure(text)
            case "n":
                kinds = self._book.kinds
                return Number(text.strip(), kinds[self._style] if self._style < len(kinds) else "number")
            case _:
                raise BrokenError("a cell of an unknown type")


def _parsed(
    archive: zipfile.ZipFile, member: str, reader: _Handlers, taken: Callable[[], Any] = tuple
) -> Iterator[Any]:
    """Parse a member to its end, where the archive verifies its checksum; yield what was `taken` after each block."""
    parser: Any = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: reader.begin(
        _local(name), {_local(key): value for key, value in attributes.items()} if attributes else attributes
    )
    parser.EndElementHandler = lambda name: reader.end(_local(name))
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _no_doctype
    try:
        with archive.open(member) as file:
            while block := file.read(_BLOCK):
                parser.Parse(block)
                yield from taken()
            parser.Parse(b"", True)
            yield from taken()
    except (expat.ExpatError, KeyError, ValueError, IndexError, OverflowError) as error:
        raise BrokenError(type(error).__name__) from None  # its words may quote the file


def _local(name: str) -> str:
    """A name without its namespace: strict and transitional workbooks differ in nothing else."""
    return name.rpartition(" ")[2]


def _no_doctype(*_words: Any) -> None:
    raise BrokenError("a document type, which no workbook has")


def _relations(archive: zipfile.ZipFile, names: dict[str, str], member: str) -> list[tuple[str, str, str]]:
    """Id, type and target of each relation in a part; none if there is no such part."""
    own = names.get(member.lower().lstrip("./"))
    found = [] if own is None else _elements(archive, own, "Relationship")
    return [(one.get("Id", ""), one.get("Type", ""), one.get("Target", "")) for one in found]


def _elements(archive: zipfile.ZipFile, member: str, name: str) -> list[dict[str, str]]:
    """The attributes of the elements of this name in a part."""
    elements = _Elements(name)
    list(_parsed(archive, member, elements))
    return elements.found


def _target(archive: zipfile.ZipFile, names: dict[str, str], member: str, kind: str) -> str | None:
    links = _relations(archive, names, member)
    return next((_joined("", target) for _, found, target in links if found.lower().endswith(f"/{kind}")), None)


def _joined(folder: str, target: str) -> str:
    parts = [] if target.startswith("/") else [part for part in folder.split("/") if part not in {"", "."}]
    for part in target.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in {"", ".", ".."}:
            parts.append(part)
    return "/".join(parts)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:  # noqa: PLR2004
        raise BrokenError("no number where one belongs")
    return int(text)
