"""Variables of the environment that are on or off."""

from __future__ import annotations

import os

__all__ = ["switched_on"]

_OFF = ("", "0", "false", "no", "off")


def switched_on(name: str) -> bool:
    """Whether a variable is set to anything but 0, false, no, off or nothing, in any case.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, {"DOMAINKIT_OFFLINE": "Off", "DOMAINKIT_DEBUG": "1"}):
        ...     switched_on("DOMAINKIT_OFFLINE"), switched_on("DOMAINKIT_DEBUG")
        (False, True)
    """
    return os.environ.get(name, "").strip().lower() not in _OFF
