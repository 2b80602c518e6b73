"""Gap (moto 5.2.5): S3 judges bucket policies without their conditions, so "deny what is not TLS" denies everything.

Whether a call is allowed is decided in one place, the gateway, where conditions are known; moto has no say.
"""

from __future__ import annotations

from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from sluice.local.seams.patch import replace


def install() -> None:
    """Let moto's S3 keep bucket policies without judging by them."""
    replace(FakeBucket, "get_permission", _neutral)


def _neutral(_get_permission: Any) -> Any:
    def neutral(_bucket: Any, _action: str, _resource: str) -> PermissionResult:
        return PermissionResult.NEUTRAL

    return neutral
