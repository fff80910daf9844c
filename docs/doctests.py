"""A griffe extension: the ``Example:`` of a docstring is shown as code, as ``Examples:`` would be.

The house writes one example per docstring, under a singular heading; griffe knows the plural.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

HEADING = re.compile(r"^Example:$", re.MULTILINE)


class Doctests(Extension):
    """Renames the heading when an object's docstring has been read."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = HEADING.sub("Examples:", obj.docstring.value)
