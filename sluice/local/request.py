"""Which AWS operation an HTTP request is, on what, and by which access key. Reads botocore's own service models.

Knows nothing of moto, faults or permissions.
"""

from __future__ import annotations

import functools
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qs, unquote

import botocore.session

_SERVICE_OF_SIGNING_NAME = {"monitoring": "cloudwatch", "states": "stepfunctions"}
_REST_SERVICES = frozenset({"s3", "lambda", "scheduler"})
# The request fields that name what a call touches, the telling one first.
_RESOURCE_FIELDS = (
    "TableName", "QueueUrl", "QueueName", "FunctionName", "stateMachineArn", "executionArn", "JobName", "WorkGroup",
    "QueryExecutionId", "DatabaseName", "RoleArn", "RoleName", "TopicArn", "logGroupName", "Name", "name",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call as the gateway sees it. `service` and `operation` are botocore's names, `resource` a hint for people.

    `fields` are the call's parameters by botocore's names, as far as they travel outside a REST body.
    """

    service: str
    operation: str
    resource: str
    access_key: str
    signed: bool = True
    fields: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


def identify(environ: dict[str, Any]) -> Request:
    """Read a WSGI environment; a small body is read and put back."""
    access_key, signing_name = _credential(environ)
    service = _SERVICE_OF_SIGNING_NAME.get(signing_name, signing_name)
    fields: Mapping[str, Any] = {}
    if service in _REST_SERVICES:
        operation, resource, fields = _rest(service, environ)
    elif target := environ.get("HTTP_X_AMZ_TARGET"):
        fields = _json(_body(environ))
        operation, resource = target.rpartition(".")[2], _resource(fields)
    elif found := re.fullmatch(r"/service/[^/]+/operation/([^/]+)", environ["PATH_INFO"]):
        operation, resource = found[1], ""
    else:
        fields = {name: values[0] for name, values in parse_qs(_body(environ).decode("utf-8", "replace")).items()}
        operation, resource = fields.get("Action", environ["REQUEST_METHOD"]), _resource(fields)
    return Request(
        service=service, operation=operation, resource=resource, access_key=access_key, signed=bool(signing_name),
        fields=fields,
    )  # fmt: skip


def _credential(environ: Mapping[str, Any]) -> tuple[str, str]:
    """Access key and signing name of a SigV4 header or presigned address; empty where the request is not signed."""
    text = environ.get("HTTP_AUTHORIZATION", "")
    if found := re.search(r"Credential=([^/]+)/\d{8}/[^/]+/([^/]+)/aws4_request", text):
        return found[1], found[2]
    presigned = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0].split("/")
    return (presigned[0], presigned[3]) if len(presigned) == 5 else ("", "")  # noqa: PLR2004  (key/date/region/name/end)


def _body(environ: dict[str, Any]) -> bytes:
    """The whole body. Only for protocols whose bodies are small; S3's are streams."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _resource(fields: Mapping[str, Any]) -> str:
    if items := fields.get("TransactItems"):
        fields = next(iter(items[0].values()))
    found = next((str(fields[name]) for name in _RESOURCE_FIELDS if fields.get(name)), "")
    if "DatabaseName" in fields:  # a Glue call: say which table, too
        table = fields.get("TableInput", {}).get("Name") or fields.get("TableName") or fields.get("Name")
        return f"{fields['DatabaseName']}.{table}" if table else found
    return found.rpartition("/")[2] if "QueueUrl" in fields else found


@dataclass(frozen=True)
class _Route:
    """One operation of a REST service: it matches when the path does and all of `query` and `headers` are there."""

    operation: str
    path: re.Pattern[str]
    labels: tuple[str, ...]  # what the groups of `path` are called
    query: frozenset[tuple[str, str]]  # (name, value); any value where the value is empty
    headers: frozenset[str]
    places: tuple[tuple[str, str, str], ...]  # of the other parameters: (name, "querystring" or "header", name there)


@functools.cache
def _routes(service: str) -> Mapping[str, tuple[_Route, ...]]:
    """Routes by HTTP method, the most particular first."""
    model = botocore.session.get_session().get_service_model(service)
    routes: dict[str, list[_Route]] = {}
    for name in model.operation_names:
        operation = model.operation_model(name)
        path, _, query = operation.http["requestUri"].partition("?")
        needed = {(part.partition("=")[0], part.partition("=")[2]) for part in query.split("&") if part}
        headers = set()
        for place in _required_places(operation.input_shape):
            if place.get("location") == "querystring":
                needed.add((place["name"], ""))
            elif place.get("location") == "header":
                headers.add(_header(place["name"]))
        if not operation.deprecated:
            route = _Route(
                name, _pattern(path), labels=tuple(re.findall(r"\{([^}+]+)\+?\}", path)), query=frozenset(needed),
                headers=frozenset(headers), places=tuple(_places(operation.input_shape)),
            )  # fmt: skip
            routes.setdefault(operation.http["method"], []).append(route)
    return {
        method: tuple(sorted(found, key=lambda route: -len(route.query) - len(route.headers)))
        for method, found in routes.items()
    }


def _required_places(shape: Any) -> list[Mapping[str, str]]:
    """Where the required members of an operation's input travel."""
    return [shape.members[name].serialization for name in shape.required_members] if shape else []


def _places(shape: Any) -> Iterator[tuple[str, str, str]]:
    """Where an operation's parameters travel, apart from path and body."""
    for name, member in shape.members.items() if shape else ():
        location = member.serialization.get("location")
        if location in {"querystring", "header"}:
            yield name, location, member.serialization["name"]


def _header(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")


def _pattern(path: str) -> re.Pattern[str]:
    """`/{Bucket}/{Key+}` as a regular expression with one group a label."""
    parts = re.split(r"(\{[^}]+\})", path.rstrip("/"))
    return re.compile("".join(_label(part) if part.startswith("{") else re.escape(part) for part in parts) + "/?")


def _label(label: str) -> str:
    return "(.+?)" if label.endswith("+}") else "([^/]+)"


def _rest(service: str, environ: dict[str, Any]) -> tuple[str, str, Mapping[str, Any]]:
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")  # WSGI hands bytes over as latin-1
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    for route in _routes(service).get(environ["REQUEST_METHOD"], ()):
        found = route.path.fullmatch(path)
        if (
            found
            and all(name in query and (not value or value in query[name]) for name, value in route.query)
            and all(environ.get(header) for header in route.headers)
        ):
            labels = dict(zip(route.labels, map(unquote, found.groups()), strict=True))
            fields: dict[str, Any] = {**_elsewhere(route, query, environ), **labels}
            if route.operation == "DeleteObjects":  # the only S3 call whose body says what it touches; it is small
                fields["Delete"] = _listed(_body(environ).decode("utf-8", "replace"))
            return route.operation, "/".join(labels.values()), fields
    return environ["REQUEST_METHOD"], path, {}


def _elsewhere(route: _Route, query: Mapping[str, Any], environ: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for name, location, there in route.places:
        value = query.get(there, [""])[0] if location == "querystring" else environ.get(_header(there), "")
        if value:
            found[name] = value
    return found


def _listed(body: str) -> list[dict[str, str]]:
    """The objects that a DeleteObjects names."""
    names = ("Key", "VersionId")
    return [
        {name: unescape(found[1]) for name in names if (found := re.search(f"<{name}>(.*?)</{name}>", text, re.DOTALL))}
        for text in re.findall(r"<Object>(.*?)</Object>", body, re.DOTALL)
    ]
