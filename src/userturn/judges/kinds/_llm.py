"""What the kinds of LLM judge share: questions, verdicts, rows."""

from __future__ import annotations

from userturn.judges.kinds import Row, Turns, label_row
from userturn.judges.llm import ask
from userturn.judges.llm import reply as llm
from userturn.study.study import Study


def label(study: Study, judge: str, stage: str, turns: Turns) -> tuple[list[Row], Row]:
    """Ask the judge about every turn that was generated, see judges/llm."""
    entry = study.judge[judge]
    rubric = llm.read_rubric(entry.rubric)[1]
    items = [llm.Item.of(turn) if turn["skipped"] is None else None for turn in turns.rows]
    with ask.Panel(study, judge, stage) as asker:
        verdicts = asker.verdicts(filter(None, items))
        facts = asker.judge.describe()
    rows = []
    for turn, item in zip(turns.rows, items, strict=True):
        verdict = verdicts[item] if item else ask.Verdict(invalid=turn["skipped"])
        rows.append(
            label_row(
                turn,
                judge,
                rubric,
                label=verdict.label,
                invalid=verdict.invalid,
                reason=verdict.reason,
                evidence_turn=verdict.evidence_turn,
                evidence_answer=verdict.evidence_answer,
                request_ids=list(verdict.request_ids),
                responses=list(verdict.responses),
            )
        )
    # Only what can change a label: another address or concurrency leaves the bytes as they are.
    decides = entry.model_dump(include={"type", "rubric", "max_tokens"})
    return rows, {**decides, **facts}
