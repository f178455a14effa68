"""Stage `perturb`: user turns behind controlled perturbations of the answer."""

from __future__ import annotations

from userturn import artifacts, prompts
from userturn.base import paths
from userturn.chat.loading import load_chat
from userturn.models import weights
from userturn.models.weights import context_limit
from userturn.study.slices import slice_of
from userturn.study.study import Study
from userturn.turns.complete import Completer
from userturn.turns.controls import perturbed
from userturn.turns.plan import Turn, samples, user_turns


def run(study: Study, slug: str) -> None:
    """Write `data/controls/<slug>.parquet`.

    Raises:
        ArtifactError: The model's answers are missing or damaged.
        EngineError: The engine cannot load the model or breaks; what is finished stays stored.
    """
    chat = load_chat(study, slug)
    identity = weights.identity(study, slug)
    items = prompts.read(study.prompts.datasets).to_dicts()
    answers = artifacts.read(paths.artifact("answers", slug), "answers").to_dicts()
    shown = perturbed(study, answers, chat.encode_content, chat.decode)
    grid = [
        Turn(dataset, item, condition, temperature, sample)
        for dataset, item, condition in shown
        for temperature, sample in samples(study, study.perturb.temperatures)
    ]
    queries = {(row["dataset"], row["item"]): row["text"] for row in items}
    stage = f"perturb@{slug}"
    with Completer(study, slug, stage, chat) as completer:
        rows = user_turns(
            study, chat, identity, context_limit(study, slug), grid, queries, shown,
            completer,
        )  # fmt: skip
        engine = completer.describe()
    for row in rows:
        row["answer"] = shown[row["dataset"], row["item"], row["condition"]].text
    facts = {"weights": identity, "engine": engine, "chat_template": chat.template_hash}
    artifacts.write(
        paths.artifact("controls", slug),
        "controls",
        rows,
        artifacts.provenance(stage, slice_of(study, stage), **facts),
    )
