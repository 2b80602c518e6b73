"""Who calls: roles, AWS services and the administrator, with credentials and SDK clients through the gateway.

AWS services that act for a role assume it over STS, as they do on AWS. Whether a call is allowed is decided elsewhere.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import Any

import boto3.session
from botocore.config import Config
from moto.sts.models import sts_backends

ACCOUNT = "123456789012"  # moto's own default account
ADMINISTRATOR = "administrator"
CLOUDFORMATION = "cloudformation.amazonaws.com"
# AWS calls AWS without giving up on a slow Lambda; a fault on the way is repeated, as the services do.
_PATIENT = Config(
    read_timeout=1000, connect_timeout=10, retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=32,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The credentials with which a process calls."""

    access_key: str
    secret_key: str
    token: str | None = None

    def environment(self) -> dict[str, str]:
        """As the variables that every SDK reads."""
        names = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        return {**names, "AWS_SESSION_TOKEN": self.token} if self.token else names


class Principals:
    """Credentials and clients by principal: `administrator`, a service like `events.amazonaws.com`, or a role's ARN."""

    def __init__(self, *, endpoint: str, region: str) -> None:
        self.endpoint, self.region = endpoint, region
        self._credentials: dict[tuple[str, str], Credentials] = {}  # of a principal, through or for somebody
        self._names: dict[str, str] = {}  # access key to principal
        self._sources: dict[str, str] = {}  # access key to the ARN for which a service calls
        self._given: dict[str, Credentials] = {}  # by access key
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._session = boto3.session.Session(region_name=region)  # one: each reads its models anew
        self._lock = threading.RLock()

    def name_of(self, access_key: str) -> str:
        """The principal behind an access key; `unknown` where neither we nor STS gave it out."""
        if known := self._names.get(access_key):
            return known
        assumed = sts_backends[ACCOUNT]["aws"].get_assumed_role_from_access_key(access_key)
        return str(assumed.role_arn) if assumed else "unknown"

    def source_of(self, access_key: str) -> str:
        """The ARN of the rule or other resource for which a service calls; empty where there is none."""
        return self._sources.get(access_key, "")

    def given(self, access_key: str) -> Credentials:
        """The credentials that were given out with this access key, by us or by STS. Raises LookupError."""
        if known := self._given.get(access_key):
            return known
        assumed = sts_backends[ACCOUNT]["aws"].get_assumed_role_from_access_key(access_key)
        if assumed is None:
            raise LookupError("nobody has been given this access key")
        return Credentials(access_key=access_key, secret_key=assumed.secret_access_key, token=assumed.session_token)

    def credentials(self, principal: str, *, service: str = "lambda.amazonaws.com", source: str = "") -> Credentials:
        """Credentials of a principal; a role is assumed by `service` the first time it is asked for.

        A service that calls by itself does it for `source`, the ARN of a rule, say.
        """
        role = principal.startswith("arn:")
        place = (principal, service if role else source)
        with self._lock:
            if place not in self._credentials:
                made = self._assume(principal, service) if role else _named(principal, source)
                self._credentials[place] = self._given[made.access_key] = made
                self._names[made.access_key] = principal
                if source and not role:
                    self._sources[made.access_key] = source
            return self._credentials[place]

    def client(
        self, principal: str, service_name: str, *, service: str = "lambda.amazonaws.com", source: str = ""
    ) -> Any:
        """A client through the gateway, made once for each principal and service (clients are thread-safe)."""
        with self._lock:
            credentials = self.credentials(principal, service=service, source=source)
            return self._client(credentials, service_name)

    def client_of(self, access_key: str, service_name: str) -> Any:
        """Return a client with this access key."""
        with self._lock:
            return self._client(self.given(access_key), service_name)

    def _client(self, credentials: Credentials, service_name: str) -> Any:
        key = (credentials.access_key, credentials.token or "", service_name)
        if key not in self._clients:
            self._clients[key] = self._session.client(  # type: ignore[call-overload]
                service_name, endpoint_url=self.endpoint, config=_PATIENT,
                aws_access_key_id=credentials.access_key, aws_secret_access_key=credentials.secret_key,
                aws_session_token=credentials.token,
            )  # fmt: skip
        return self._clients[key]

    def _assume(self, role: str, service: str) -> Credentials:
        answer = self.client(service, "sts").assume_role(RoleArn=role, RoleSessionName=service.partition(".")[0])
        found = answer["Credentials"]
        return Credentials(
            access_key=found["AccessKeyId"], secret_key=found["SecretAccessKey"], token=found["SessionToken"]
        )


def _named(principal: str, source: str = "") -> Credentials:
    """Made-up credentials that say whose they are. moto only takes 20 letters for an access key."""
    label = "".join(letter for letter in principal.upper() if letter.isalnum())
    mark = hashlib.sha256(source.encode()).hexdigest()[:8].upper() if source else ""
    key = f"LOCAL{label}".ljust(20, "X")[: 20 - len(mark)] + mark
    return Credentials(access_key=key, secret_key="offline")  # noqa: S106  # nosec B106 (opens nothing)
