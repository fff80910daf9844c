"""Models over recordings; ``domainkit.load_model`` gives them with trained weights."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from domainkit.audio.models.voice_prompts_cnn import VoicePromptsCNN

_HOME = {"VoicePromptsCNN": "voice_prompts_cnn"}  # public name -> the module that defines it

__all__ = ["VoicePromptsCNN"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"domainkit.audio.models.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'domainkit.audio.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
