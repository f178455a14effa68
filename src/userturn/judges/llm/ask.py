"""What an LLM judge says of turns: its replies, from the store first, read as verdicts.

A judge is a model in this process (`local`) or behind an OpenAI-compatible server (`server`). Its
replies are kept as text, one by one as they arrive, in a completion store of its own, by an id that
hashes what was asked of which model and not where it runs. So a run that stops goes on with the
rest, and label rows, which hold ids and replies, fill an empty store.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from userturn.artifacts import files
from userturn.artifacts.labels import Label
from userturn.base import paths
from userturn.judges.llm import reply as llm
from userturn.judges.llm.judge import Judge, Question
from userturn.judges.llm.local import Local
from userturn.judges.llm.reply import Item, Rejected
from userturn.judges.llm.server import Remote
from userturn.store.asker import Asker
from userturn.store.kinds import REPLIES
from userturn.study.judges import LocalJudge, ServerJudge
from userturn.study.study import Study

log = logging.getLogger(__name__)

NO_TEXT = "no text"
TOO_LONG = "the judge's prompt does not fit the context of its server"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge said of one turn; either `label` or `invalid` is None.

    Attributes:
        label: The label.
        invalid: Why there is none.
        reason: The judge's rationale, or what gave the label without asking.
        evidence_turn: Quote from the turn.
        evidence_answer: Quote from the answer, empty where there is none.
        request_ids: Ids of what was asked, at most two.
        responses: The replies, as they came.
    """

    label: Label | None = None
    invalid: str | None = None
    reason: str | None = None
    evidence_turn: str | None = None
    evidence_answer: str | None = None
    request_ids: tuple[str, ...] = ()
    responses: tuple[str, ...] = ()


class Panel(Asker[Question, str]):
    """A judge with its store, for one stage.

    Args:
        study: The study.
        slug: Slug of the judge.
        stage: Stage name, whose previous outputs may hold replies.
    """

    def __init__(self, study: Study, slug: str, stage: str) -> None:
        params = study.judge[slug]
        assert isinstance(params, LocalJudge | ServerJudge), "a judge of another kind"
        self._slug = slug
        self._rubric = llm.read_rubric(params.rubric)[0]
        self.judge: Judge = (
            Local(study, params) if isinstance(params, LocalJudge) else Remote(study, slug, params)
        )
        store = paths.completion_store(f"judge-{slug}")
        super().__init__(stage, store, REPLIES, self.judge, read_replies)

    def verdicts(self, items: Iterable[Item]) -> dict[Item, Verdict]:
        """What the judge says of each item; equal items are asked about once.

        Raises:
            EngineError: The judge cannot be reached or breaks. What it replied is stored.
            JudgeError: Its cost ceiling is reached. What it replied is stored.
        """
        verdicts: dict[Item, Verdict] = {}
        asked: dict[Item, Question] = {}
        for item in dict.fromkeys(items):
            verdicts[item] = Verdict(label=Label.EMPTY, reason=NO_TEXT)
            if item.turn.strip():
                question = self.question(item)
                if isinstance(question, Question):
                    asked[item] = question
                else:
                    verdicts[item] = Verdict(invalid=question)
        replied = self.replies(asked.values())
        again: dict[Item, Question] = {}
        for item, question in asked.items():
            verdicts[item] = _verdict(item, [question.id], replied)
            if verdicts[item].label is None and question.id in replied:
                rejected = Rejected(replied[question.id], str(verdicts[item].invalid))
                second = self.question(item, rejected)
                if isinstance(second, Question):
                    again[item] = second
        replied |= self.replies(again.values())
        for item, question in again.items():
            verdicts[item] = _verdict(item, [asked[item].id, question.id], replied)
        log.info(
            "%s: judge %s: of %d different turns %d asked again, %d without a label",
            self._stage, self._slug, len(verdicts), len(again),
            sum(verdict.label is None for verdict in verdicts.values()),
        )  # fmt: skip
        return verdicts

    def question(self, item: Item, rejected: Rejected | None = None) -> Question | str:
        """What the judge is asked of an item, its history cut to what fits; or why it cannot be."""
        question: Question | str = NO_TEXT
        for prompt in llm.prompts(self._rubric, item, rejected):
            question = self.judge.question(prompt)
            if isinstance(question, Question):
                break
        return question

    def replies(self, questions: Iterable[Question]) -> dict[str, str]:
        """Replies by question id; without those whose prompt does not fit a server's context."""
        wanted = {question.id: question for question in questions}
        return self.ask(wanted, f"labels of judge {self._slug}") if wanted else {}


def read_replies(path: Path) -> Iterator[tuple[str, str]]:
    """Replies by question id that an artifact of kind `labels` holds. Raises ArtifactError."""
    rows = files.read(path, "labels").select("request_ids", "responses").iter_rows()
    for ids, texts in rows:
        yield from zip(ids or (), texts or (), strict=False)


def _verdict(item: Item, ids: Sequence[str], replied: dict[str, str]) -> Verdict:
    """Verdict from the last reply there is."""
    responses = tuple(replied[key] for key in ids if key in replied)
    if not responses:
        return Verdict(invalid=TOO_LONG)
    kept = tuple(ids[: len(responses)])
    read = llm.read_reply(responses[-1], item)
    if isinstance(read, Rejected):
        return Verdict(invalid=read.reason, request_ids=kept, responses=responses)
    return Verdict(
        label=read.label,
        reason=read.rationale,
        evidence_turn=read.evidence_turn,
        evidence_answer=read.evidence_answer,
        request_ids=kept,
        responses=responses,
    )
