"""The options that say how objects are read and how they become the table: mode, format, encoding, null texts.

They stand in the custom property `sluice` of the schema object; format, delimiter and encoding may stand on
`servers[]` instead, where the standard has words for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from open_data_contract_standard.model import Server

from sluice.contract.custom import Custom
from sluice.contract.plan import Mode, OnDelete, Reading

ENCODINGS = {
    **dict.fromkeys(("utf-8", "utf8", "ascii", "us-ascii"), "utf-8"),
    **dict.fromkeys(("utf-16", "utf16"), "utf-16"),
    **dict.fromkeys(("latin-1", "latin1", "iso-8859-1"), "latin-1"),
    **dict.fromkeys(("windows-1252", "cp1252"), "windows-1252"),
}
# Format, and the delimiter that the word implies. The kernel reads no other formats yet.
FORMATS = {"csv": ("csv", ","), "tsv": ("csv", "\t")}
COMPRESSIONS = ("auto", "none", "gzip", "zstd", "bzip2", "zip")
_FILE_SERVERS = frozenset({"s3", "local", "sftp", "azure", "custom"})


def read_mode(custom: Custom) -> tuple[Mode, OnDelete]:
    """How objects become the table."""
    mode: Mode = custom.choice("mode", "append", get_args(Mode))
    on_delete: OnDelete = custom.choice("onDelete", "keep", get_args(OnDelete))
    if on_delete == "retract" and mode != "append":
        raise custom.source("onDelete").error(
            f"onDelete retract cannot be combined with mode {mode}",
            "use mode append, where each row belongs to one object, or onDelete keep",
        )
    return mode, on_delete


def read_reading(custom: Custom, servers: Sequence[Server] | None) -> Reading:
    """How the bytes of an object become records."""
    form, implied = _known(custom, servers, "format", "csv", FORMATS)
    delimiter = _character(custom, "delimiter", _said(custom, servers, "delimiter") or implied)
    quote = _character(custom, "quote", '"', empty=True)
    if delimiter == quote:
        raise custom.source("quote").error("delimiter and quote are the same character", "change one of them")
    return Reading(
        format=form,
        delimiter=delimiter,
        quote=quote,
        escape=_character(custom, "escape", quote, empty=True),
        header=custom.flag("header", True),
        skip_lines=custom.count("skipLines", 0),
        encoding=_known(custom, servers, "encoding", "utf-8", ENCODINGS),
        compression=custom.choice("compression", "auto", COMPRESSIONS),
        null_texts=custom.texts("nullTexts", ("",)),
        unknown_columns=custom.choice("unknownColumns", "reject", ("reject", "ignore")),
        missing_columns=custom.choice("missingColumns", "reject", ("reject", "null")),
    )


def _known(custom: Custom, servers: Sequence[Server] | None, name: str, default: str, known: Mapping[str, Any]) -> Any:
    """The meaning of the word for `name`: the option's, else the servers', else the default's."""
    word = custom.text(name, None) or _said(custom, servers, name) or default
    if word.lower() not in known:
        source = custom.source(name) if name in custom.values else custom.document.at("servers")
        raise source.error(f"{name} {word!r} is not supported yet", f"use one of {', '.join(known)}")
    return known[word.lower()]


def _said(custom: Custom, servers: Sequence[Server] | None, name: str) -> str | None:
    """What the file servers say about `name`; None where they are silent or an option overrides them."""
    if name in custom.values:
        return None
    said = {str(value) for server in servers or () if server.type in _FILE_SERVERS and (value := getattr(server, name))}
    if len(said) > 1:
        raise custom.document.at("servers").error(
            f"the servers disagree on {name}: {', '.join(sorted(said))}", f"say {name} in the custom property `sluice`"
        )
    return said.pop() if said else None


def _character(custom: Custom, name: str, default: str, *, empty: bool = False) -> str:
    value: str = custom.text(name, default)
    if (len(value) != 1 and not (empty and not value)) or value in {"\r", "\n", "\0"}:
        raise custom.source(name).error(f"{name} is {value!r}", "write exactly one character, not a line end")
    return value
