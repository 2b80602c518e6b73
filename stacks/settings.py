"""The settings of an environment, typed, with defaults: sizes, thresholds, retention.

A project's `app.py` names its environments, each a `Settings`. Any number can also be set for one synth:
`cdk synth -c env=dev -c lambda_max_bytes=1000000`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal

from sluice.contract.plan import Plan
from sluice.errors import ContractError
from sluice.settings import RuntimeSettings

from .quotas import NEW_ACCOUNT_CONCURRENCY, NEW_ACCOUNT_MEMORY_MB

Stage = Literal["ingest", "reconcile", "claim", "transform", "publish", "settle", "refresh", "maintain"]
WorkerType = Literal["G_1X", "G_2X", "G_4X", "G_8X"]

MIB, GIB = 1 << 20, 1 << 30
# AWS redrives executions for so long, and keeps dead letters. What they may need is kept for longer.
LONGEST_REDRIVE_DAYS = 14


@dataclass(frozen=True, kw_only=True)
class Size:
    """The resources of one Lambda function."""

    memory_mb: int
    timeout_seconds: int
    disk_mb: int = 512


# Transform is where the work is. Publish rewrites files that hold replaced rows, and merges; maintain merges files.
SIZES: Mapping[Stage, Size] = MappingProxyType(
    {
        "ingest": Size(memory_mb=512, timeout_seconds=60),
        "reconcile": Size(memory_mb=2048, timeout_seconds=900),
        "claim": Size(memory_mb=2048, timeout_seconds=300),
        "transform": Size(memory_mb=6144, timeout_seconds=900, disk_mb=10_240),
        "publish": Size(memory_mb=4096, timeout_seconds=900, disk_mb=10_240),
        "settle": Size(memory_mb=512, timeout_seconds=300),
        "refresh": Size(memory_mb=2048, timeout_seconds=900),
        "maintain": Size(memory_mb=4096, timeout_seconds=900, disk_mb=10_240),
    }
)


@dataclass(frozen=True, kw_only=True)
class Settings(RuntimeSettings):
    """One environment: the settings that functions and the job read (`sluice.settings`), and those of the stacks alone.

    Bytes are compressed bytes in S3; times are seconds unless the name says days.
    """

    environment: str
    account: str | None = None  # None: wherever the credentials of the deployment lead
    region: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[Stage, Size] = field(default_factory=lambda: SIZES)
    # "new": AWS holds young accounts at 3,008 MB a function and 10 functions at once (`fit`).
    account_size: Literal["usual", "new"] = "usual"

    transform_concurrency: int = 10
    glue_worker: WorkerType = "G_1X"
    glue_workers: int = 4
    glue_timeout_minutes: int = 240
    glue_concurrent_runs: int = 5

    ingest_batch: int = 100
    ingest_window: int = 5
    ingest_concurrency: int = 5  # invocations of ingest at once; more only compete for one dataset's partition
    reconcile_minutes: int = 15

    athena_scan_limit_bytes: int = 100 * GIB
    log_days: int = 30
    run_files_days: int = 90  # runs/ in the lake: manifests and decisions of past runs
    noncurrent_days: int = 30  # overwritten or removed lake files
    results_days: int = 7
    access_log_days: int = 365  # hardened
    object_lock_days: int = 30  # hardened: so long a delivered version cannot be deleted

    # When to wake somebody (stacks/alarms.py), and where the pages lie that say what to do then.
    alarm_mail: str | None = None  # prod must have one of these two
    alarm_https: str | None = None  # an address that SNS posts alarms to
    runbooks: str = "docs/runbooks"  # a folder, or the address of it in your repository
    queue_age_alarm: int = 900  # seconds
    stuck_alarm: int = 2 * 3600  # seconds that a load may wait
    slow_share: float = 0.8  # of a function's time limit
    reject_share_alarm: float = 0.05  # of a run's rows
    volume_alarm: float = 5.0  # times more or fewer rows an object than usual
    conflicts_alarm: int = 5  # in an hour
    daily_dollars_alarm: float = 10.0

    lake_formation: bool = False  # Lake Formation governs the catalog: docs/lake-formation.md
    lake_formation_readers: tuple[str, ...] = ()  # ARNs of roles that may query; needs lake_formation
    hardened: bool = False  # customer keys, a network of its own, access logs, object lock: docs/hardened.md
    allow_data_loss: bool = False  # one of two keys: see may_lose_data
    packaged: bool = (
        False  # third-party packages are in build/packages/<stage>/ (deployments need them, synth does not)
    )

    @property
    def may_lose_data(self) -> bool:
        """Whether deleting the stacks may delete data: takes a development environment *and* the flag."""
        return self.environment == "dev" and self.allow_data_loss

    @property
    def name(self) -> str:
        """Prefix of resources with a name of their own: stacks, the workgroup."""
        return f"sluice-{self.environment}"

    @property
    def database(self) -> str:
        """The Glue database, which people type in their SQL."""
        return f"sluice_{self.environment}"


def with_salt(settings: Settings, plans: Mapping[str, Plan], *, offline: bool) -> Settings:
    """Return the settings with the salt that the plans need.

    Args:
        settings: of the environment.
        plans: of the project.
        offline: name one by itself, which `sluice up` makes.

    Raises:
        ContractError: a dataset hashes values, and the environment names no salt for it.
    """
    hashing = sorted(name for name, plan in plans.items() if any(column.protect == "hash" for column in plan.columns))
    if not hashing or settings.salt_parameter:
        return settings
    if offline:
        return replace(settings, salt_parameter=f"/sluice/{settings.environment}/salt")
    raise ContractError(
        f"dataset {hashing[0]} hashes values, and environment {settings.environment} has no salt",
        file="app.py",
        place="salt_parameter",
        remedy="make an SSM parameter that holds one, and name it (docs/contracts.md, Personal data)",
    )


def settings_from(context: Callable[[str], Any], environments: Sequence[Settings]) -> Settings:
    """Choose the environment that the context names, with single values overridden.

    Args:
        context: returns the value of a key, `env` (default dev) or a setting; None for what is not set.
        environments: the project's.

    Raises:
        ContractError: there is no such environment, two have one name, or a value is impossible.
    """
    named = {one.environment: one for one in environments}
    if len(named) < len(environments):
        raise ContractError("two environments have one name", file="app.py", remedy="give each a name of its own")
    name = str(context("env") or "dev")
    if name not in named:
        raise ContractError(
            f"there is no environment {name!r}",
            file="app.py",
            place="environments",
            remedy=f"choose {' or '.join(named) or 'none: there are none yet'}, or add Settings(environment={name!r})",
        )
    settings = named[name]
    changes: dict[str, Any] = {
        item.name: _like(getattr(settings, item.name), value, item.name)
        for item in fields(Settings)
        if (value := context(item.name)) is not None
    }
    changed = replace(settings, **changes)
    must_be_watched(changed)
    must_stay_hardened(settings, changed)
    for name in ("snapshot_days", "orphan_days"):
        if getattr(changed, name) <= LONGEST_REDRIVE_DAYS:
            raise ContractError(
                f"cannot be {getattr(changed, name)}: what is redriven after {LONGEST_REDRIVE_DAYS} days would miss it",
                file="app.py",
                place=name,
                remedy=f"keep it above {LONGEST_REDRIVE_DAYS}",
            )
    return fit(changed)


def fit(settings: Settings) -> Settings:
    """Return the settings as the account's size allows them: less memory means smaller objects and groups, too."""
    match settings.account_size:
        case "usual":
            return settings
        case "new":
            return _fit_new(settings)
    raise ContractError(
        f"there is no size {settings.account_size!r}",
        file="app.py",
        place="account_size",
        remedy='say "usual" or "new"',
    )


def _fit_new(settings: Settings) -> Settings:
    sizes = {
        stage: replace(size, memory_mb=min(size.memory_mb, NEW_ACCOUNT_MEMORY_MB))
        for stage, size in settings.sizes.items()
    }
    # Memory and CPU shrink together, so an object that takes the whole time limit shrinks with them.
    share = sizes["transform"].memory_mb / settings.sizes["transform"].memory_mb
    return replace(
        settings,
        sizes=MappingProxyType(sizes),
        lambda_max_bytes=int(settings.lambda_max_bytes * share),
        group_max_bytes=int(settings.group_max_bytes * share),
        # The rest is for ingest, the reconciler, maintenance, and the steps of other datasets' runs.
        transform_concurrency=min(settings.transform_concurrency, NEW_ACCOUNT_CONCURRENCY * 4 // 10),
        ingest_concurrency=2,  # the least that an event source mapping takes
    )


def must_be_watched(settings: Settings) -> None:
    """Raise ContractError if the alarms of a production environment would reach nobody."""
    if settings.environment.startswith("prod") and not (settings.alarm_mail or settings.alarm_https):
        raise ContractError(
            f"the alarms of {settings.environment} would reach nobody",
            file="app.py",
            place="alarm_mail",
            remedy="name a mail address (alarm_mail) or an address that SNS posts to (alarm_https), or say "
            "-c alarm_mail=team@example.org",
        )


def must_stay_hardened(settings: Settings, changed: Settings) -> None:
    """Raise ContractError if a deployment is hardened, or not, by a flag that the next deployment may forget."""
    if changed.packaged and changed.hardened != settings.hardened:
        raise ContractError(
            f"cannot be {changed.hardened} for one deployment: the next one without the flag would take it back",
            file="app.py",
            place="hardened",
            remedy=f"set hardened={changed.hardened} for the environment {settings.environment} there",
        )


def _like(default: object, value: object, key: str) -> bool | int | float | str:
    """Context arrives as text from the command line and as JSON values from cdk.json."""
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[str(value).lower()]
        if isinstance(default, int):
            return int(str(value))
        if isinstance(default, float):
            return float(str(value))
        if default is None or isinstance(default, str):
            return str(value)
    except (KeyError, ValueError) as error:
        raise ContractError(
            f"cannot be {value!r}", file="context", place=key, remedy=f"give it a value like {default!r}"
        ) from error
    raise ContractError("cannot be set by context", file="context", place=key, remedy="set it in app.py")
