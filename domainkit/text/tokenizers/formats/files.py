"""From a path to a tokenizer: which kind of file it is, and what the files beside it add."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from domainkit.errors import DecodeError, NotFoundError, TransformError
from domainkit.text.tokenizers.formats.byte_bpe import from_byte_bpe
from domainkit.text.tokenizers.formats.loaded import Loaded
from domainkit.text.tokenizers.formats.sentencepiece import from_sentencepiece
from domainkit.text.tokenizers.formats.tiktoken import from_tiktoken
from domainkit.text.tokenizers.formats.wordpiece import from_wordpiece

__all__ = ["KINDS", "json_tokenizer", "load_file"]

# what is looked for in a folder, best first, and the arguments that each kind takes
KINDS: dict[str, tuple[str, ...]] = {
    "tokenizer.json": (),
    "*.model": ("family",),
    "vocab.json": ("add_prefix_space",),
    "vocab.txt": ("lowercase", "strip_accents", "chinese_apart"),
    "*.tiktoken": ("pattern", "special_tokens"),
}
_ROLE_KEYS = {f"{role}_token": role for role in ("pad", "unk", "cls", "sep", "mask", "bos", "eos")}


def load_file(path: str | os.PathLike[str], args: Mapping[str, Any]) -> Loaded:
    """The tokenizer of a file or folder; ``args`` that are not None override what lies beside it.

    Raises:
        NotFoundError: no such file, or none of the known files in the folder.
        TransformError: an argument that this kind of file does not take.
        DecodeError: the file is damaged or of no known kind.
    """
    file = _find(Path(path))
    kind = _kind(file)
    given = {name: value for name, value in args.items() if value is not None}
    other = sorted(set(given) - set(KINDS[kind]))
    if other:
        takes = ", ".join(KINDS[kind]) or "no arguments"
        raise TransformError(f"{file.name} does not go with {other[0]}=: {kind} takes {takes}")
    config = _config(file.parent)
    roles = _roles(config)
    if kind == "tokenizer.json":
        return Loaded(json_tokenizer(_text(file), file.name), roles)
    if kind == "vocab.txt":
        keys = {"lowercase": "do_lower_case", "strip_accents": "strip_accents"}
        keys["chinese_apart"] = "tokenize_chinese_chars"
        found = {name: config[key] for name, key in keys.items() if config.get(key) is not None}
        return from_wordpiece(file, roles, **{**found, **given})
    if kind == "vocab.json":
        space = given.get("add_prefix_space", config.get("add_prefix_space", False))
        merges = file.parent / file.name.replace("vocab.json", "merges.txt")
        if not merges.is_file():
            raise NotFoundError(f"{file} needs the file {merges.name} beside it")
        loaded = from_byte_bpe(file, merges, add_prefix_space=bool(space))
        return Loaded(loaded.library, {**loaded.roles, **_known(roles, loaded.library)})
    if kind == "*.tiktoken":
        return from_tiktoken(file, given.get("pattern"), given.get("special_tokens"))
    family = given.get("family") or _family(str(config.get("tokenizer_class", "")))
    loaded = from_sentencepiece(file.read_bytes(), family)
    return Loaded(loaded.library, {**loaded.roles, **_known(roles, loaded.library)}, loaded.model)


def json_tokenizer(text: str, name: str = "the text") -> Any:
    """The library's tokenizer of a ``tokenizer.json``; its truncation and padding are left out."""
    from tokenizers import Tokenizer

    try:
        library = Tokenizer.from_str(text)
    except Exception as error:  # the library raises bare Exception
        raise DecodeError(f"{name} holds no tokenizer: {error}") from error
    library.no_truncation()
    library.no_padding()
    return library


def _find(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise NotFoundError(f"There is no file {str(path)!r}: give the path of a tokenizer file.")
    for pattern in KINDS:
        found = sorted(path.glob(pattern))
        if found:
            return found[0]
    raise NotFoundError(f"There is no tokenizer in {str(path)!r}: expected {', '.join(KINDS)}.")


def _kind(file: Path) -> str:
    name = file.name
    if name.endswith("merges.txt"):
        raise TransformError(f"{name} holds merges without ids: give the vocab.json beside it")
    if file.suffix in (".model", ".spm"):
        return "*.model"
    if file.suffix == ".tiktoken":
        return "*.tiktoken"
    if file.suffix == ".txt":
        return "vocab.txt"
    if file.suffix == ".json":
        return "vocab.json" if name.endswith("vocab.json") else "tokenizer.json"
    raise DecodeError(f"{name} is no tokenizer file that is known: expected {', '.join(KINDS)}")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DecodeError(f"{file.name} holds no tokenizer: it is not UTF-8 ({error})") from error


def _config(folder: Path) -> dict[str, Any]:
    """What special_tokens_map.json and tokenizer_config.json say, the latter last."""
    merged: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            try:
                found = json.loads(_text(folder / name))
            except json.JSONDecodeError as error:
                raise DecodeError(f"{folder / name} is no JSON file: {error}") from error
            if isinstance(found, dict):
                merged.update({key: v for key, v in found.items() if v is not None})
    return merged


def _roles(config: Mapping[str, Any]) -> dict[str, str]:
    roles = {}
    for key, role in _ROLE_KEYS.items():
        token = config.get(key)
        token = token.get("content") if isinstance(token, Mapping) else token
        if isinstance(token, str):
            roles[role] = token
    return roles


def _known(roles: Mapping[str, str], library: Any) -> dict[str, str]:
    return {role: t for role, t in roles.items() if library.token_to_id(t) is not None}


def _family(tokenizer_class: str) -> str:
    for start, family in (("T5", "t5"), ("XLMRoberta", "xlm-roberta"), ("Llama", "llama")):
        if tokenizer_class.startswith(start):
            return family
    return "plain"
