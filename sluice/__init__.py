"""Sluice: files dropped into S3 become tables that people can trust.

What notebooks and tests use is here, and is imported when it is first asked for: see docs/python-api.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluice.api import Checked, Lake, check, connect, load_project

__all__ = ["Checked", "Lake", "check", "connect", "load_project"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from sluice import api  # noqa: PLC0415  (importing Sluice costs nothing until it is used)

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
