"""Columns of the tables in `data/calibration/`. Every one says by which judge its labels are.

| table | one row is |
| --- | --- |
| `auc.csv` | how well a measure alone tells follow-ups from other turns with labels by reading |
| `precision_recall.csv` | how well a label is given: per set of turns with labels by reading |
| `confusion.csv` | how often a kind of turn got a label |
| `kinds.csv` | the share of a kind of turn that is called a follow-up |
"""

from __future__ import annotations

from userturn.artifacts.csv_file import Columns, Kind, of

AUC: Columns = {
    **of(Kind.NAME, "set measure"),
    **of(Kind.COUNT, "turns followups"),
    **of(Kind.NUMBER, "auc low high confidence"),
}
PRECISION_RECALL: Columns = {
    **of(Kind.NAME, "calibration set label"),
    "turns": Kind.COUNT,
    **of(Kind.NUMBER, "precision precision_low precision_high"),
    **of(Kind.NUMBER, "recall recall_low recall_high f1 f1_low f1_high confidence"),
}
CONFUSION: Columns = {
    **of(Kind.NAME, "calibration set kind label given"),
    "count": Kind.COUNT,
}
KINDS: Columns = {
    **of(Kind.NAME, "calibration kind"),
    "turns": Kind.COUNT,
    **of(Kind.NUMBER, "followup low high confidence"),
}
