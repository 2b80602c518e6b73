"""Cost (moto 5.2.5): its server lists its own folder, some 200 look-ups on disk, for every request it gets."""

from __future__ import annotations

from functools import cache
from typing import Any

from moto import backends

from sluice.local.seams.patch import replace


def install() -> None:
    """Let the server list its modules once."""
    replace(backends, "list_of_moto_modules", _once)


def _once(list_of_moto_modules: Any) -> Any:
    @cache
    def modules() -> frozenset[str]:
        return frozenset(list_of_moto_modules())

    return modules
