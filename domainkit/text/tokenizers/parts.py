"""A part of the library's tokenizer (normalizer, post-processor ...) as its JSON says it."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["state"]


def state(part: Any) -> dict[str, Any]:
    """Its type and settings; empty for None. The whole vocabulary is not written for it."""
    return {} if part is None else dict(json.loads(part.__getstate__()))
