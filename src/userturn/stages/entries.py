"""Stage `entries`: what the registry says of the study's judges, models and reference sets.

Some stages use entries by a list of slugs, and DVC can name one key of `registry.yaml` but not
those of a list. So they depend on these files, which change only where an entry that the study
uses does, in a key that can change a result, or what lies in a local file that it names.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from userturn.base import files, paths
from userturn.models import inputs, keys
from userturn.study.section import Section
from userturn.study.study import Study

# What decides where, how fast or at what cost something runs, or acts through another stage.
LEFT_OUT = {
    "judges": {"base_url", "key_env", "concurrency", "retries", "max_total_tokens", "optional"},
    "models": {"engine", "chat", "resources", "active_parameters", "disk_gb"},
    "references": {"license"},
    "datasets": {"license", "size", "prompt_tokens"},
}


def run(study: Study) -> None:
    """Write `data/entries/*.json`, and link the local files that they are about."""
    inputs.link(study)
    for path, text in texts(study).items():
        files.write_text(path, text)


def texts(study: Study) -> dict[Path, str]:
    """What the files are going to hold: the same bytes for the same entries."""
    models = dict.fromkeys([*study.models.pretrained, *study.models.probe])
    fingerprints = inputs.fingerprints(study)
    judges = _used(study.judge, study.classify.judges, LEFT_OUT["judges"])
    for slug, is_asked in keys.asked(study).items():
        judges[slug]["asked"] = is_asked
    entries = {
        "inputs": inputs.nested(fingerprints),
        "judges": judges,
        "models": _used(study.model, models, LEFT_OUT["models"]),
        "references": _references(study, fingerprints),
    }
    return {
        paths.entries(name): json.dumps(used, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for name, used in entries.items()
    }


def _references(study: Study, fingerprints: Mapping[str, str | None]) -> dict[str, Any]:
    """What the reference turns of the study come from; a dataset as `dataset.<slug>`.

    Each with the fingerprint `content` of its local files, where it has any.
    """
    entries: dict[str, Any] = {}
    for key in inputs.reference_keys(study):
        section, _, slug = key.partition(".")
        if section == "dataset":
            name, entry = key, _used(study.dataset, [slug], LEFT_OUT["datasets"])[slug]
        else:
            name, entry = slug, _used(study.reference, [slug], LEFT_OUT["references"])[slug]
        content = {"content": fingerprints[key]} if fingerprints.get(key) else {}
        entries[name] = {**entry, **content}
    return entries


def _used(
    registry: Mapping[str, Section], slugs: Iterable[str], left_out: Collection[str]
) -> dict[str, Any]:
    return {
        slug: registry[slug].model_dump(mode="json", exclude=set(left_out))
        for slug in slugs
        if slug in registry  # the likelihood judge has no entry, a trained model a recipe
    }
