"""What a file is by its first bytes, in words for whoever sent it: for messages of refusal only.

The contract says how a file is read; nothing here changes that. The words hold nothing of the file's content.
"""

from __future__ import annotations

import re
from pathlib import Path

from sluice.contract.plan import Format

_HEAD = 1 << 12
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_LOOK = 1 << 20  # bytes in which the directory of an OLE file is looked for
_ZIP = b"PK\x03\x04"
_TEXT = ("csv", "json")
# First bytes, what the file is, and what its sender can do about it.
_KINDS = (
    (b"%PDF", "a PDF document", "export the table behind it as CSV"),
    (b"\x89PNG", "a picture (PNG)", "send the data"),
    (b"\xff\xd8\xff", "a picture (JPEG)", "send the data"),
    (b"GIF8", "a picture (GIF)", "send the data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "pack it as zip or gzip"),
    (b"Rar!", "a RAR archive", "pack it as zip or gzip"),
    (b"\xfd7zXZ", "compressed with xz", "compress it with gzip or zstd"),
    (b"Obj\x01", "an Avro file", "write Parquet or JSON lines"),
    (b"ORC", "an ORC file", "write Parquet"),
    (b"ARROW1", "an Arrow file", "write Parquet"),
    (b"SQLite format 3\0", "a SQLite database", "export its table as CSV"),
    (b"-----BEGIN PGP", "encrypted with PGP", "decrypt it first"),
    (b"Salted__", "encrypted with OpenSSL", "decrypt it first"),
    (b"{\\rtf", "an RTF document", "save the table as CSV"),
    (b"\x7fELF", "a program", "send the data"),
    (b"MZ\x90", "a program", "send the data"),
)
_PACKED = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"))
_HTML = re.compile(rb"<(!doctype html|html|head|body|table|meta)\b", re.IGNORECASE)
_XML = re.compile(rb"<\?xml\b|<[A-Za-z_][\w:.-]*(\s[^<>]*)?/?>\s*<", re.DOTALL)


def foreign_type(path: Path, form: Format, compression: str) -> str | None:
    """Say what the file is and what to do, where that is not the format of the contract; None where it may be.

    `compression` is the one that the file is taken to have.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        return None if form in _TEXT else "empty"
    if not head.strip(b"\0"):
        return "nothing but zero bytes: its transfer failed, send it again"
    if head.startswith((_OLE, _ZIP, b"PAR1", *(magic for magic, _ in _PACKED))):
        return _container(path, head, form, compression)
    if known := next((words for magic, *words in _KINDS if head.startswith(magic)), None):
        return f"{known[0]}: {known[1]}"
    return _markup(head, form)


def _container(path: Path, head: bytes, form: Format, compression: str) -> str | None:
    """Say what a file is that Sluice reads under another contract, or that needs a look inside."""
    if head.startswith(_OLE):
        return _ole(path)
    if head.startswith(_ZIP):
        return None if form == "xlsx" or compression == "zip" else _zipped(path, form)
    if head.startswith(b"PAR1"):
        return None if form == "parquet" else "a Parquet file: say `format: parquet`"
    kind = next(kind for magic, kind in _PACKED if head.startswith(magic))
    return None if compression == kind else f"compressed with {kind}: say `compression: {kind}`, or unpack it"


def _markup(head: bytes, form: Format) -> str | None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        start = head[2:].replace(b"\0", b"").lstrip()
    if _HTML.match(start):
        return "an HTML page, perhaps a table or a message of error saved as one: export it as CSV or xlsx"
    if _XML.match(start):
        if b"schemas-microsoft-com:office:spreadsheet" in head:
            return "an XML spreadsheet of Excel 2003: save it as xlsx"
        return "XML: convert it to JSON lines or CSV"
    if form not in _TEXT and start[:1].isascii() and b"\0" not in head:
        return "text: say `format: csv` or `format: json`"
    return None


def _ole(path: Path) -> str:
    with path.open("rb") as file:
        look = file.read(_OLE_LOOK)
    if "EncryptedPackage".encode("utf-16-le") in look:
        return "a workbook with a password: save it without one"
    if any(name.encode("utf-16-le") in look for name in ("Workbook", "Book")):
        return "an old Excel workbook (.xls): save it as xlsx"
    return "an old Office document: save the table as xlsx or CSV"


def _zipped(path: Path, form: Format) -> str:
    with path.open("rb") as file:
        look = file.read(_OLE_LOOK)
    if b"xl/" in look:
        return "an Excel workbook (xlsx): say `format: xlsx`"
    if b"opendocument.spreadsheet" in look:
        return "an OpenDocument spreadsheet (ods): save it as xlsx"
    if b"word/" in look:
        return "a Word document: save the table as xlsx or CSV"
    return "a zip archive: say `compression: zip`, or unpack it" if form in _TEXT else "a zip archive: unpack it"
