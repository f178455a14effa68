"""Weights: from a source to a Hugging Face directory on this machine, and the pointer in DVC.

The weights themselves are never artifacts. A small pointer file says exactly which they are; from
it every machine makes the directory again, out of the public source, when it first needs it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from pathlib import Path
from typing import Any

from userturn.base import paths
from userturn.base.errors import ArtifactError, SourceError
from userturn.engines.folder import read
from userturn.models import sources
from userturn.models.conversion import GGUF_CONVERTER, convert_gguf
from userturn.models.fetched import partial_folder, sha256
from userturn.study.models import ModelEntry
from userturn.study.sources import FileSource, GeneratorSource, HubSource, expand_path
from userturn.study.study import Study

FAKE = "userturn.engines.fake"


def materialise(study: Study, slug: str) -> Path:
    """Directory with a model's weights, tokenizer and chat template, made again where it is absent.

    Raises:
        ArtifactError: The pointer file is missing or belongs to another source.
        SourceError: The weights cannot be made here, or what is made is not what the pointer names.
    """
    entry, pinned = study.model[slug], _pointer(study, slug)["identity"]
    folder = _made(pinned)
    if folder.is_dir():
        return folder
    folder, name = make(entry, slug)
    if name != pinned:
        raise SourceError(
            f"model.{slug}: the weights here are {name}, the pointer "
            f"{paths.weights_pointer(slug)} names {pinned}; run `dvc repro`"
        )
    return folder


def present(study: Study, slug: str) -> Path | None:
    """The directory that `materialise` gives, where it is here already; fetches nothing.

    Raises:
        ArtifactError: The pointer file is missing or belongs to another source.
    """
    source, pinned = study.model[slug].source, _pointer(study, slug)["identity"]
    folder = _made(pinned)
    if isinstance(source, FileSource):
        folder = expand_path(source.path)
    elif isinstance(source, HubSource):
        from huggingface_hub import try_to_load_from_cache

        at = source.revision
        settings = try_to_load_from_cache(source.repo, "config.json", revision=at)
        folder = Path(settings).parent if isinstance(settings, str) else folder
    return folder if (folder / "config.json").is_file() else None


def folder_name(study: Study, slug: str) -> str:
    """Name of the folder that `materialise` gives, the same on every machine but for local ones.

    Raises:
        ArtifactError: The pointer file is missing or belongs to another source.
    """
    source, pinned = study.model[slug].source, _pointer(study, slug)["identity"]
    if isinstance(source, FileSource):
        return expand_path(source.path).resolve().name
    return source.revision if isinstance(source, HubSource) else _made(pinned).name


def identity(study: Study, slug: str) -> str:
    """Name of the weights and the number format they run in; part of every request's id.

    Raises:
        ArtifactError: The pointer file is missing or belongs to another source.
    """
    engine = study.model[slug].engine
    fake = ":fake" if engine.name == "fake" else ""
    return f"{_pointer(study, slug)['identity']}/{engine.dtype}{fake}"


def context_length(folder: Path) -> int:
    """Longest context plus completion of the model in a directory, tokens.

    Raises:
        EngineError: Its config.json cannot be read.
        SourceError: It does not say.
    """
    config = read(folder / "config.json")
    inner = config.get("text_config")
    limit = (inner if isinstance(inner, dict) else config).get("max_position_embeddings")
    if type(limit) is not int or limit < 1:
        raise SourceError(
            f"{folder}/config.json: max_position_embeddings, the longest context, is missing or "
            "not above 0; add it"
        )
    return limit


# --- the pointer ----------------------------------------------------------------------------------


def facts(entry: ModelEntry) -> dict[str, Any]:
    """What the pointer copies from the study, by which a stale pointer is known."""
    return {
        "source": entry.source.model_dump(),
        "format": entry.format,
        "converter": GGUF_CONVERTER if entry.format == "gguf" else None,
    }


def _pointer(study: Study, slug: str) -> dict[str, Any]:
    path = paths.weights_pointer(slug)
    stage = f"`dvc repro weights@{slug}`"
    try:
        pointer = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(pointer["identity"], str):
            raise TypeError
    except FileNotFoundError:
        raise ArtifactError(f"{path}: is missing; {stage} restores or makes it") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise ArtifactError(f"{path}: is no pointer to weights; {stage} makes it again") from None
    for key, value in facts(study.model[slug]).items():
        if pointer.get(key) != value:
            raise ArtifactError(
                f"{path}: was made for another `{key}` than the study's model.{slug}; run {stage}"
            )
    return dict(pointer)


def hash_of(path: Path) -> str | None:
    """Hash of a file; None where there is none."""
    return sha256(path) if path.is_file() else None


def chat_template_hash(folder: Path) -> str | None:
    """Hash of the chat template's text, in a file of its own or inside the tokenizer's settings."""
    template = folder / "chat_template.jinja"
    if template.is_file():
        return sha256(template)
    settings = folder / "tokenizer_config.json"
    if not settings.is_file():
        return None
    text = read(settings).get("chat_template")
    if text is None:
        return None
    written = text if isinstance(text, str) else json.dumps(text, sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()


def stored_dtype(folder: Path) -> str | None:
    """Number format of the checkpoint, which `engine.dtype: auto` takes."""
    settings = read(folder / "config.json")
    stored = settings.get("dtype") or settings.get("torch_dtype")
    return str(stored) if stored else None


# --- making the directory -------------------------------------------------------------------------


def _made(name: str) -> Path:
    """Where what is made here lies, by its identity."""
    return paths.cache() / "weights" / hashlib.sha256(name.encode()).hexdigest()


def make(entry: ModelEntry, slug: str) -> tuple[Path, str]:
    """The model directory, fetched, converted or generated, and its identity.

    Raises:
        SourceError: The weights cannot be fetched or converted, or are not the pinned ones.
    """
    source = entry.source
    if isinstance(source, GeneratorSource):
        return _generated(source, slug)
    fetched = sources.fetch(source, paths.cache(), hub="model", key=f"model.{slug}.source")
    if entry.format == "gguf":
        if not fetched.path.is_file():
            raise SourceError(
                f"model.{slug}.format: 'gguf' needs one GGUF file, and {source.type} source gave "
                "a directory; set format: hf"
            )
        name = f"{fetched.identity}.gguf{GGUF_CONVERTER}"
        folder = _made(name)
        if not folder.is_dir():
            size = fetched.path.stat().st_size / 1e6
            _say(f"weights '{slug}': converting {fetched.path.name} ({size:.0f} MB), once")
            with partial_folder(folder) as made:
                convert_gguf(fetched.path, made)
        return folder, name
    if not (fetched.path / "config.json").is_file():
        where = source.path if isinstance(source, FileSource) else slug
        raise SourceError(
            f"model.{slug}: {where} is no Hugging Face model directory (no config.json in it)"
        )
    return fetched.path, fetched.identity


def _generated(source: GeneratorSource, slug: str) -> tuple[Path, str]:
    """The fake engine's model: a tokenizer and a configuration, no weights."""
    if source.module != FAKE:
        raise SourceError(f"model.{slug}.source.module: only {FAKE} makes models")
    name = sources.check_generator(source)
    folder = _made(name)
    if not folder.is_dir():
        with partial_folder(folder) as made:
            importlib.import_module(FAKE).make_model(made, source.seed)
    return folder, name


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def context_limit(study: Study, slug: str, folder: Path | None = None) -> int:
    """Longest context plus completion of a model, tokens, without loading its weights."""
    own = context_length(folder or materialise(study, slug))
    asked = study.model[slug].engine.max_model_len
    return min(own, asked) if asked else own


def too_long(context_tokens: int, max_tokens: int, limit: int) -> str | None:
    """Why a request cannot be sent: it would be cut silently. None where it fits."""
    if context_tokens + max_tokens <= limit:
        return None
    return (
        f"context of {context_tokens} tokens and {max_tokens} new ones exceed the limit of {limit}"
    )
