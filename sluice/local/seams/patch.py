"""How every seam replaces a part of moto: once, reversibly, and loudly when the part is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_ORIGINAL = "__sluice_original__"
_REPLACED: list[tuple[Any, str]] = []


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Set `owner.name` to `make(original)`. A second call replaces the patch, not the original under it."""
    patched = make(original(owner, name))
    setattr(patched, _ORIGINAL, original(owner, name))
    put(owner, name, patched)


def put(owner: Any, name: str, patched: Any) -> None:
    """Apply an existing patch to a second attribute; `restore` undoes both."""
    setattr(owner, name, patched)
    _REPLACED.append((owner, name))


def restore() -> None:
    """Undo all patches, for the next user of moto in this process."""
    while _REPLACED:
        owner, name = _REPLACED.pop()
        setattr(owner, name, original(owner, name))


def original(owner: Any, name: str) -> Any:
    """Return moto's own value of `owner.name`, patched or not. Raises AttributeError when moto no longer has it."""
    current = getattr(owner, name)
    return getattr(current, _ORIGINAL, current)
