# The paper's steps as rules: prompts and weights -> generate -> score, perturb -> ground ->
# classify -> tables -> figures -> report. Rules schedule; what a step runs, and whether it must, is
# decided by DVC (dvc.yaml, the same graph). How that decision reaches Snakemake, whatever the
# files' times: src/userturn/workflow/decision.py.
from snakemake.exceptions import WorkflowError

from userturn.base.errors import UserturnError
from userturn.study.classify import FITTED_CALIBRATION
from userturn.workflow import captions
from userturn.workflow.decision import begin, share, trigger


# What `snakemake --report report.zip` opens with; captions lie beside it.
report: "report/workflow.rst"


try:
    plan = begin(config, decide=workflow.is_main_process)
except UserturnError as error:
    raise WorkflowError(str(error)) from None

study, artifact, REPRO = plan.study, plan.artifact, plan.repro
DATASETS = study.prompts.datasets
PRETRAINED = study.models.pretrained
PROBED = study.models.probe
CROSS = study.models.cross
SCORER = study.ground.scorer
JUDGE = study.classify.judge_model
JUDGE_RESOURCES = study.judge_resources

CALIBRATION = study.classify.likelihood.calibration
if CALIBRATION == FITTED_CALIBRATION:
    # Of an output folder, rules know the folder and not what is in it.
    CALIBRATION = artifact("data/calibration")
else:
    CALIBRATION = ancient(CALIBRATION)


def where_asked(folder, slugs):
    """Artifacts in a folder that is filled only where the study asks, and depended on always."""
    paths = [f"data/{folder}/{slug}.parquet" for slug in slugs]
    return artifact(*paths) if paths else ancient(f"data/{folder}")


CROSSED = where_asked("cross", CROSS)

PROMPTS = expand("data/prompts/{dataset}.parquet", dataset=DATASETS)


def cores_of(model):
    """Cores of a job that runs this model: its share of them where it shares the GPUs."""
    limit = workflow.global_resources.get("gpu")
    gpus = study.model[model].resources.gpus
    return share(workflow.cores, gpus, limit.value if limit else None)


wildcard_constraints:
    dataset="[a-z0-9_]+",
    model="[a-z0-9_]+",


# What waits for the network or takes seconds runs beside Snakemake, not on a cluster's nodes.
localrules:
    all,
    entries,
    prompts,
    weights,
    score,
    tables,
    figures,
    report,


rule all:
    "Everything of the study."
    input:
        "data/entries/inputs.json",
        "reports/metrics.json",
        "reports/tables",
        "reports/figures",
        "reports/index.html",
        expand("data/weights/{model}/weights.json", model=PRETRAINED),


rule entries:
    "Write down the registry's entries that stages use, and what local files hold."
    input:
        trigger=trigger("entries"),
        registry=ancient("registry.yaml"),
        inputs=ancient("data/inputs"),
        references=ancient("data/reference"),
    output:
        inputs="data/entries/inputs.json",
        judges="data/entries/judges.json",
        models="data/entries/models.json",
        references="data/entries/references.json",
    log:
        "logs/entries.log",
    message:
        "entries: what the registry and local files say of the study's entries"
    shell:
        f"{REPRO} entries"


rule prompts:
    "Fetch one dataset and keep the first n items of its seeded order."
    input:
        trigger=trigger("prompts@{dataset}"),
        entries=plan.entries("prompts@{dataset}", "inputs"),
    output:
        "data/prompts/{dataset}.parquet",
    log:
        "logs/prompts-{dataset}.log",
    message:
        "prompts@{wildcards.dataset}: the first items of the dataset"
    shell:
        f"{REPRO} prompts@{{wildcards.dataset}}"


rule weights:
    "Fetch one model's weights, convert them, and record which bytes they are."
    input:
        trigger=trigger("weights@{model}"),
        entries=plan.entries("weights@{model}", "inputs"),
    output:
        "data/weights/{model}/weights.json",
    log:
        "logs/weights-{model}.log",
    resources:
        mem_mb=lambda wildcards: study.model[wildcards.model].resources.mem_gb * 1000,
    message:
        "weights@{wildcards.model}: fetch and convert"
    shell:
        f"{REPRO} weights@{{wildcards.model}}"


rule generate:
    "Answer every prompt, then generate turns under the user role."
    input:
        trigger=trigger("generate@{model}"),
        prompts=artifact(*PROMPTS),
        weights=artifact("data/weights/{model}/weights.json"),
    output:
        answers="data/answers/{model}.parquet",
        user_turns="data/user_turns/{model}.parquet",
        context="data/contexts/{model}.json",
    log:
        "logs/generate-{model}.log",
    threads: lambda wildcards: cores_of(wildcards.model)
    resources:
        gpu=lambda wildcards: study.model[wildcards.model].resources.gpus,
        mem_mb=lambda wildcards: study.model[wildcards.model].resources.mem_gb * 1000,
        runtime=lambda wildcards: study.model[wildcards.model].resources.hours * 60,
    message:
        "generate@{wildcards.model}: answers, then user turns"
    shell:
        f"{REPRO} generate@{{wildcards.model}}"


rule score:
    "Check with published verifiers whether the answers solve their prompts."
    input:
        trigger=trigger("score@{model}"),
        prompts=artifact(*PROMPTS),
        answers=artifact("data/answers/{model}.parquet"),
    output:
        "data/scores/{model}.parquet",
    log:
        "logs/score-{model}.log",
    message:
        "score@{wildcards.model}: task accuracy of the answers"
    shell:
        f"{REPRO} score@{{wildcards.model}}"


rule perturb:
    "Generate user turns after perturbed answers: the controls."
    input:
        trigger=trigger("perturb@{model}"),
        prompts=artifact(*PROMPTS),
        weights=artifact("data/weights/{model}/weights.json"),
        answers=artifact("data/answers/{model}.parquet"),
    output:
        "data/controls/{model}.parquet",
    log:
        "logs/perturb-{model}.log",
    threads: lambda wildcards: cores_of(wildcards.model)
    resources:
        gpu=lambda wildcards: study.model[wildcards.model].resources.gpus,
        mem_mb=lambda wildcards: study.model[wildcards.model].resources.mem_gb * 1000,
        runtime=lambda wildcards: study.model[wildcards.model].resources.hours * 60,
    message:
        "perturb@{wildcards.model}: user turns after perturbed answers"
    shell:
        f"{REPRO} perturb@{{wildcards.model}}"


rule cross:
    "Generate user turns behind the answers of other sources to the same prompts."
    input:
        trigger=trigger("cross@{model}"),
        prompts=artifact(*PROMPTS),
        weights=artifact("data/weights/{model}/weights.json"),
        answers=artifact(*expand("data/answers/{model}.parquet", model=PROBED)),
    output:
        "data/cross/{model}.parquet",
    log:
        "logs/cross-{model}.log",
    threads: lambda wildcards: cores_of(wildcards.model)
    resources:
        gpu=lambda wildcards: study.model[wildcards.model].resources.gpus,
        mem_mb=lambda wildcards: study.model[wildcards.model].resources.mem_gb * 1000,
        runtime=lambda wildcards: study.model[wildcards.model].resources.hours * 60,
    message:
        "cross@{wildcards.model}: user turns behind the answers of others"
    shell:
        f"{REPRO} cross@{{wildcards.model}}"


rule ground:
    "Measure by log-probabilities how much each user turn owes to its answer and role."
    input:
        trigger=trigger("ground@{model}"),
        prompts=artifact(*PROMPTS),
        weights=artifact(f"data/weights/{SCORER}/weights.json"),
        answers=artifact("data/answers/{model}.parquet"),
        user_turns=artifact("data/user_turns/{model}.parquet"),
        controls=artifact("data/controls/{model}.parquet"),
        cross=CROSSED,
    output:
        "data/grounding/{model}.parquet",
    log:
        "logs/ground-{model}.log",
    threads: lambda wildcards: cores_of(SCORER)
    resources:
        gpu=study.model[SCORER].resources.gpus,
        mem_mb=study.model[SCORER].resources.mem_gb * 1000,
        runtime=study.model[SCORER].resources.hours * 60,
    message:
        "ground@{wildcards.model}: likelihood measures of the user turns"
    shell:
        f"{REPRO} ground@{{wildcards.model}}"


rule classify:
    "Label every user turn with every judge."
    input:
        trigger=trigger("classify@{model}"),
        prompts=artifact(*PROMPTS),
        answers=artifact("data/answers/{model}.parquet"),
        user_turns=artifact("data/user_turns/{model}.parquet"),
        controls=artifact("data/controls/{model}.parquet"),
        cross=CROSSED,
        grounding=artifact("data/grounding/{model}.parquet"),
        weights=artifact(f"data/weights/{JUDGE}/weights.json"),
        entries=plan.entries("classify@{model}", "judges"),
        calibration=CALIBRATION,
    output:
        "data/labels/{model}.parquet",
    log:
        "logs/classify-{model}.log",
    threads: lambda wildcards: workflow.cores if study.judged_here else 1
    resources:
        gpu=JUDGE_RESOURCES.gpus,
        mem_mb=JUDGE_RESOURCES.mem_gb * 1000,
        runtime=JUDGE_RESOURCES.hours * 60,
    message:
        "classify@{wildcards.model}: labels of the user turns"
    shell:
        f"{REPRO} classify@{{wildcards.model}}"


rule human:
    "Measure and judge what people really said next."
    input:
        trigger=trigger("human@{dataset}"),
        prompts=artifact("data/prompts/{dataset}.parquet"),
        scorer=artifact(f"data/weights/{SCORER}/weights.json"),
        judge=artifact(f"data/weights/{JUDGE}/weights.json"),
        entries=plan.entries("human@{dataset}", "judges"),
        calibration=CALIBRATION,
    output:
        "data/next_turns/{dataset}.parquet",
    log:
        "logs/human-{dataset}.log",
    threads: lambda wildcards: workflow.cores
    resources:
        gpu=max(study.model[SCORER].resources.gpus, JUDGE_RESOURCES.gpus),
        mem_mb=max(study.model[SCORER].resources.mem_gb, JUDGE_RESOURCES.mem_gb) * 1000,
        runtime=max(study.model[SCORER].resources.hours, JUDGE_RESOURCES.hours) * 60,
    message:
        "human@{wildcards.dataset}: what people really said next"
    shell:
        f"{REPRO} human@{{wildcards.dataset}}"


rule expect:
    "Ask a model how likely it finds what people really said next."
    input:
        trigger=trigger("expect@{model}"),
        prompts=artifact(*PROMPTS),
        weights=artifact("data/weights/{model}/weights.json"),
    output:
        "data/expected/{model}.parquet",
    log:
        "logs/expect-{model}.log",
    threads: lambda wildcards: cores_of(wildcards.model)
    resources:
        gpu=lambda wildcards: study.model[wildcards.model].resources.gpus,
        mem_mb=lambda wildcards: study.model[wildcards.model].resources.mem_gb * 1000,
        runtime=lambda wildcards: study.model[wildcards.model].resources.hours * 60,
    message:
        "expect@{wildcards.model}: how likely the real next turns are"
    shell:
        f"{REPRO} expect@{{wildcards.model}}"


rule calibrate:
    "Judge turns of known label: how far the labels can be trusted, and a fit of the judge."
    input:
        trigger=trigger("calibrate"),
        entries=plan.entries("calibrate", "references"),
        references=ancient("data/reference"),
        weights=artifact(f"data/weights/{SCORER}/weights.json"),
    output:
        directory("data/calibration"),
    log:
        "logs/calibrate.log",
    threads: lambda wildcards: workflow.cores
    resources:
        gpu=study.model[SCORER].resources.gpus,
        mem_mb=study.model[SCORER].resources.mem_gb * 1000,
        runtime=study.model[SCORER].resources.hours * 60,
    message:
        "calibrate: judge turns of known label"
    shell:
        f"{REPRO} calibrate"


rule tables:
    "Rates with intervals, contrasts, task accuracy: every number of the report."
    input:
        trigger=trigger("tables"),
        entries=plan.entries("tables", "judges", "models"),
        prompts=artifact(*PROMPTS),
        answers=artifact(*expand("data/answers/{model}.parquet", model=PROBED)),
        scores=artifact(*expand("data/scores/{model}.parquet", model=PROBED)),
        user_turns=artifact(*expand("data/user_turns/{model}.parquet", model=PROBED)),
        controls=artifact(*expand("data/controls/{model}.parquet", model=PROBED)),
        cross=CROSSED,
        grounding=artifact(*expand("data/grounding/{model}.parquet", model=PROBED)),
        labels=artifact(*expand("data/labels/{model}.parquet", model=PROBED)),
        next_turns=where_asked("next_turns", study.prompts.human),
        expected=where_asked("expected", study.models.expect),
        calibration=artifact("data/calibration"),
        human=ancient("data/human"),
        published=ancient("studies/published.yaml"),
    output:
        headline=directory("reports/headline"),
        metrics=report(
            "reports/metrics.json",
            caption="report/metrics.rst",
            category="Numbers",
            labels={"name": "metrics", "shows": "the headline of every model"},
        ),
        tables=report(
            directory("reports/tables"),
            patterns=["{table}.csv"],
            caption="report/tables.rst",
            category="Numbers",
            labels=lambda wildcards: captions.labels("tables", wildcards.table),
        ),
    log:
        "logs/tables.log",
    message:
        "tables: rates, contrasts, metrics"
    shell:
        f"{REPRO} tables"


rule figures:
    "The paper's figures, each with the data it shows."
    input:
        trigger=trigger("figures"),
        tables=artifact("reports/tables"),
    output:
        report(
            directory("reports/figures"),
            patterns=["{figure}.svg"],
            caption="report/figures.rst",
            category="Figures",
            labels=lambda wildcards: captions.labels("figures", wildcards.figure),
        ),
    log:
        "logs/figures.log",
    message:
        "figures: the paper's figures"
    shell:
        f"{REPRO} figures"


rule report:
    "One page with the result and the turns behind it."
    input:
        trigger=trigger("report"),
        metrics=artifact("reports/metrics.json"),
        tables=artifact("reports/tables"),
        figures=artifact("reports/figures"),
        entries=artifact("data/entries/models.json"),
        contexts=artifact(*expand("data/contexts/{model}.json", model=PROBED)),
        prompts=artifact(*PROMPTS),
        answers=artifact(*expand("data/answers/{model}.parquet", model=PROBED)),
        user_turns=artifact(*expand("data/user_turns/{model}.parquet", model=PROBED)),
        controls=artifact(*expand("data/controls/{model}.parquet", model=PROBED)),
        cross=CROSSED,
        grounding=artifact(*expand("data/grounding/{model}.parquet", model=PROBED)),
        labels=artifact(*expand("data/labels/{model}.parquet", model=PROBED)),
    output:
        report(
            "reports/index.html",
            caption="report/page.rst",
            category="Report",
            labels={"name": "index", "shows": "the result on one page"},
        ),
    log:
        "logs/report.log",
    message:
        "report: one page with result and turns"
    shell:
        f"{REPRO} report"
