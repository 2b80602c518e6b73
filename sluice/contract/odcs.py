"""A contract file in the Open Data Contract Standard v3 (3.0, 3.1, 3.2) to a `Dataset`.

Says what the file means, and refuses by name and place what Sluice cannot honour and what concerns the data. Whether
the parts fit together (keys, types, limits) is decided by `compile`; what YAML is acceptable by `document`.
"""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pydantic
from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty

from sluice.contract.custom import COLUMN_OPTIONS, OBJECT_OPTIONS, PROPERTY, read_custom
from sluice.contract.document import Document, read_document
from sluice.contract.metrics import metric
from sluice.contract.model import Dataset, Options, Position, Property, Spelling
from sluice.contract.plan import Protect
from sluice.contract.protection import read_classes, read_protection
from sluice.contract.quality import read_checks
from sluice.contract.reading import read_mode, read_reading
from sluice.contract.relations import read_references
from sluice.contract.service import read_budget, read_levels
from sluice.contract.spelling import read_spelling, refuse_foreign_spelling

_TEXT_OPTIONS = frozenset({"pattern", "format", "defaultTimezone"})
_API_VERSION = re.compile(r"v3\.[012]\.\d+")
_OPTIONS = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "format": "format",
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
    "multipleOf": "multiple_of",
    "defaultTimezone": "default_timezone",
    "minItems": "min_items",
    "maxItems": "max_items",
    "uniqueItems": "unique_items",
    "required": "required",
    "timezone": "",  # says whether texts carry an offset: both are read, so it changes nothing
}


def parse(text: str, *, file: str) -> Dataset:
    """Read the contract `text`; `file` is its name for messages. Raises ContractError."""
    document = read_document(text, file=file)
    contract = _validated(document)
    if contract.kind != "DataContract":
        raise document.at("kind").error(f"kind is {contract.kind!r}", "write `kind: DataContract`")
    if not _API_VERSION.fullmatch(contract.apiVersion or ""):
        raise document.at("apiVersion").error(
            f"apiVersion is {contract.apiVersion!r}", "write v3.1.0 (v3.0.x, v3.1.x and v3.2.x are understood)"
        )
    if not contract.version:
        raise document.at("version").error("the contract has no version", 'write `version: "1.0.0"`')
    for position, item in enumerate(contract.customProperties or ()):
        if item.property == PROPERTY:
            raise document.at(f"customProperties[{position}]").error(
                "the custom property `sluice` has no effect here", "move it to schema[0].customProperties"
            )
    position = _chosen(document, contract.schema_ or [])
    return _dataset(document, contract, (contract.schema_ or [])[position], path=f"schema[{position}]")


def _chosen(document: Document, objects: Sequence[SchemaObject]) -> int:
    """Which schema object the file is about: the only one, or the one after which the file is named."""
    if len(objects) == 1:
        return 0
    if not objects:
        raise document.at("schema").error("the contract describes no object", "write one below `schema`")
    dataset = re.split(r"[/\\]", document.file)[-1].partition(".")[0]
    for position, table in enumerate(objects):
        if table.name == dataset:
            return position
    raise document.at("schema").error(
        f"the contract has {len(objects)} schema objects, none of them named {dataset!r}",
        "name the file <object>.odcs.yaml after one of them; a copy or link of the file for each other one",
    )


def _dataset(document: Document, contract: OpenDataContractStandard, table: SchemaObject, *, path: str) -> Dataset:
    custom = read_custom(table.customProperties, document=document, path=path, known=OBJECT_OPTIONS)
    mode, on_delete = read_mode(custom)
    spelling, classes = read_spelling(custom, Spelling()), read_classes(custom)
    properties = tuple(
        _property(document, item, f"{path}.properties[{position}]", spelling, classes)
        for position, item in enumerate(table.properties or ())
    )
    purpose = contract.description.purpose if contract.description else None
    latency, frequency = read_levels(contract.slaProperties, dataset=table.name or "", document=document)
    budget, action = read_budget(custom)
    return Dataset(
        name=table.name or "",
        version=contract.version or "",
        description=_one_line(table.description or purpose),
        mode=mode,
        on_delete=on_delete,
        sequence_by=custom.text("sequenceBy", None),
        max_reject_share=custom.share("maxRejectShare"),
        latency_seconds=latency,
        frequency_seconds=frequency,
        budget_usd=budget,
        budget_action=action,
        include=custom.patterns("include"),
        exclude=custom.patterns("exclude"),
        reading=read_reading(custom, contract.servers),
        extra_column=custom.text("extraColumn", None),
        properties=properties,
        references=read_references(table.relationships, document=document, path=path, own=""),
        checks=read_checks(table.quality, document=document, path=path, column=None),
        source=document.at(path),
    )


def _property(
    document: Document, item: SchemaProperty, path: str, spelling: Spelling, classes: dict[str, Protect]
) -> Property:
    custom = read_custom(item.customProperties, document=document, path=path, known=COLUMN_OPTIONS)
    if item.map is not None:
        raise document.at(f"{path}.map").error("maps are not supported", "use an array of objects of key and value")
    options = _options(document, item.logicalTypeOptions, f"{path}.logicalTypeOptions")
    if item.semanticType == "measure":
        raise document.at(f"{path}.semanticType").error("a measure is no column", "move it into a mart")
    refuse_foreign_spelling(custom, item.logicalType)
    if item.partitioned is not True and custom.values.get("partitionTransform") is not None:
        raise custom.source("partitionTransform").error("the property is not partitioned", "add `partitioned: true`")
    return Property(
        name=item.name or "",
        id=item.id,
        physical_name=item.physicalName,
        logical_type=item.logicalType,
        physical_type=item.physicalType,
        description=_one_line(item.description),
        options=options,
        required=item.required is True,
        unique=item.unique is True,
        key_position=_position(document, path, item.primaryKey, item.primaryKeyPosition, "primaryKey"),
        partition_position=_position(document, path, item.partitioned, item.partitionKeyPosition, "partitionKey"),
        partition_transform=custom.text("partitionTransform", "identity"),
        enum=tuple(entry.value for entry in item.enum or () if entry.value is not None),
        checks=read_checks(item.quality, document=document, path=path, column=item.name),
        spelling=read_spelling(custom, spelling),
        members=tuple(
            replace(member, required=member.required or member.name in options.required)
            for member in (
                _inner(document, inner, f"{path}.properties[{position}]")
                for position, inner in enumerate(item.properties or ())
            )
        ),
        items=_inner(document, item.items, f"{path}.items") if item.items is not None else None,
        references=read_references(item.relationships, document=document, path=path, own=item.name or ""),
        protect=read_protection(custom, item.classification, classes),
        derived=item.transformLogic,
        source=document.at(path),
    )


def _inner(document: Document, item: SchemaProperty, path: str) -> Property:
    """A property inside an object or an array: it is no column, so options of columns are refused."""
    for name in ("primaryKey", "partitioned", "unique", "transformLogic", "relationships"):
        if getattr(item, name):
            raise document.at(f"{path}.{name}").error(f"{name} inside a nested property", "remove it, or flatten")
    found = _property(document, item, path, Spelling(), {})
    if found.protect:
        raise document.at(path).error("protect inside a nested property", "protect the whole column: omit")
    for check in found.checks:
        if not metric(check.kind).is_by_row or not check.limit.is_none:
            raise check.source.error(f"{check.kind} inside a nested property", "allow no row: `mustBe: 0`")
    return found


def _options(document: Document, options: dict[str, Any] | None, path: str) -> Options:
    for name in options or ():
        if name not in _OPTIONS:
            raise document.at(f"{path}.{name}").error(f"unknown option {name!r}", _nearest(name, _OPTIONS))
        _check_kind(document.at(f"{path}.{name}"), name, (options or {})[name])
    found: dict[str, Any] = {_OPTIONS[name]: value for name, value in (options or {}).items() if _OPTIONS[name]}
    found["required"] = tuple(found.get("required") or ())
    return Options(**found)


def _check_kind(source: Position, name: str, value: Any) -> None:
    """Refuse values that the standard's model leaves open; numbers are checked where their columns' types are known."""
    if value is None:
        return
    if name in _TEXT_OPTIONS and not isinstance(value, str):
        raise source.error(f"{name} is {value!r:.80}", "write a text, in quotes")
    if name == "uniqueItems" and not isinstance(value, bool):
        raise source.error(f"{name} is {value!r:.80}", "write true or false")
    if name == "required" and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise source.error(f"{name} is {value!r:.80}", "write a list of the names of members")


def _position(document: Document, path: str, flag: bool | None, position: int | None, name: str) -> int | None:
    """The position of a key or partition column; 0 where the contract leaves it to the order of the columns."""
    given = position is not None and position >= 1
    if given and flag is not True:
        raise document.at(f"{path}.{name}Position").error(
            f"{name}Position without {'primaryKey' if name == 'primaryKey' else 'partitioned'}: true", "add it"
        )
    if not flag:
        return None
    return position if given else 0


def _validated(document: Document) -> OpenDataContractStandard:
    _refuse_unknown(document, document.value, OpenDataContractStandard, "")
    try:
        return OpenDataContractStandard.model_validate(document.value)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        path = ""
        for part in first["loc"]:
            longer = f"{path}[{part}]" if isinstance(part, int) else f"{path}.{part}".lstrip(".")
            path = longer if longer in document.lines else path  # the loc also names members of unions
        raise document.at(path).error(
            f"{first['msg']}, got {first['input']!r:.80}", "see the Open Data Contract Standard for this field"
        ) from error


def _refuse_unknown(document: Document, value: Any, kind: Any, path: str) -> None:
    """A misspelt field of the root or of the schema must not be ignored: pydantic would drop it."""
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        for member in typing.get_args(kind):
            _refuse_unknown(document, value, member, path)
    elif typing.get_origin(kind) is list and isinstance(value, list):
        for position, item in enumerate(value):
            _refuse_unknown(document, item, typing.get_args(kind)[0], f"{path}[{position}]")
    elif isinstance(kind, type) and issubclass(kind, pydantic.BaseModel) and isinstance(value, dict):
        fields = {info.alias or name: info.annotation for name, info in kind.model_fields.items()}
        for name, item in value.items():
            here = f"{path}.{name}" if path else str(name)
            if name not in fields:
                raise document.at(here).error(f"unknown field {name!r}", _nearest(str(name), fields))
            if path or name == "schema":
                _refuse_unknown(document, item, fields[name], here)


def _nearest(name: str, known: typing.Iterable[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(known))}"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
