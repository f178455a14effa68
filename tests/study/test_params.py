"""`params.yaml` and `registry.yaml`: what is wrong is named by file and key."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from userturn.base import registry
from userturn.base.errors import StudyError
from userturn.study.explaining import describe_keys, schema_text
from userturn.study.loading import load_study
from userturn.study.sources import expand_path
from userturn.study.yaml import dump_mapping, read_mapping

ROOT = Path(__file__).parents[2]
PARAMS = yaml.safe_load((ROOT / "studies/laptop.yaml").read_text())
REGISTRY = yaml.safe_load((ROOT / "registry.yaml").read_text())

Change = Callable[[dict[str, Any]], Any]


def write(folder: Path, keys: dict[str, Any]) -> Path:
    """Write the two files of a study; returns that of the parameters."""
    entries = {name: keys[name] for name in REGISTRY if name in keys}
    params = {name: value for name, value in keys.items() if name not in REGISTRY}
    (folder / "registry.yaml").write_text(yaml.safe_dump(entries))
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return folder / "params.yaml"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: s["generate"].update(sampels=1),
            r"generate\.sampels: unknown key; allowed here: answer, answer_source, context, u",
        ),
        (
            lambda s: s.update(sed=1),
            r"sed: unknown key; allowed here: calibrate, classify, figures",
        ),
        (
            lambda s: s["generate"]["user_turn"].update(temperatures=[-0.1]),
            r"generate\.user_turn\.temperatures\.0: .*greater than or equal to 0 \(given: -0\.1\)",
        ),
        (
            lambda s: s["model"].update({"a.b": s["model"]["smollm2_135m"]}),
            r"model\.a\.b: a slug is made of a-z, 0-9 and _ \(no dot",
        ),
        (
            lambda s: s["models"].update(probe=["gpt"]),
            r"models\.probe: unknown slug 'gpt'; allowed here: smollm2_135m",
        ),
        (
            lambda s: s["generate"].update(answer_source=["self", "gpt"]),
            r"generate\.answer_source: unknown slug 'gpt'; allowed here: self, reference, smollm2",
        ),
        (
            lambda s: s["generate"].update(answer_source=["self", "reference"]),
            r"generate\.answer_source: names 'reference', and models\.cross no model that writes",
        ),
        (
            lambda s: s["models"].update(cross=["smollm2_135m"]),
            r"models\.cross: names writers, and generate\.answer_source no answers but their own",
        ),
        (lambda s: s["models"].update(cross=["gpt"]), r"models\.cross: unknown slug 'gpt'"),
        (lambda s: s["prompts"].update(human=["gsm"]), r"prompts\.human: unknown slug 'gsm'"),
        (
            lambda s: s["models"].update(expect=["smollm2_135m"]),
            r"models\.expect: there is no real next turn to expect; name datasets",
        ),
        (
            lambda s: s["model"].update(human=s["model"]["smollm2_135m"]),
            r"model\.human: is what a study calls a speaker of its own; rename it",
        ),
        (lambda s: s["prompts"].update(datasets=["gsm"]), r"prompts\.datasets: .*'gsm'; allowed"),
        (lambda s: s["ground"].update(scorer="x"), r"ground\.scorer: unknown slug 'x'"),
        (lambda s: s["prompts"].update(datasets=["ifbench"] * 2), r"prompts\.datasets: .*twice"),
        (
            lambda s: s["model"]["smollm2_135m"]["engine"].update(max_model_len=-5),
            r"model\.smollm2_135m\.engine\.max_model_len: .* greater than or equal to 1 \(",
        ),
        (
            lambda s: s["figures"].update(width=float("nan")),
            r"figures\.width: Input should be a finite number \(given: nan\)",
        ),
        (
            lambda s: s["statistics"].update(confidence=float("inf")),
            r"statistics\.confidence: Input should be a finite number \(given: inf\)",
        ),
        (lambda s: s.update(seed=-1), r"seed: .* greater than or equal to 0 \(given: -1\)"),
        (
            lambda s: s["prompts"].update(items=10**50),
            r"prompts\.items: .*less than or equal to 2147483647",
        ),
        (lambda s: s["models"].pop("probe"), r"models\.probe: Field required"),
        (
            lambda s: s["model"].update({"x" * 300: s["model"]["smollm2_135m"]}),
            r"model\.x+: String should have at most 64 characters",
        ),
        (
            lambda s: s["perturb"].update(conditions=["trunc"]),
            r"perturb\.conditions\.0: .* has: ask, close, swap, truncate \(given: 'trunc'\)",
        ),
        (
            lambda s: s["model"]["smollm2_135m"]["source"].update(sha=1),
            r"model\.smollm2_135m\.source\.sha: unknown key; allowed here: member, package, sha256",
        ),
        (lambda s: s["models"].update(trained=["sft"]), r"models\.trained: "),
        (lambda s: s.pop("dataset"), r"dataset: Field required"),
        (
            lambda s: s["classify"].update(judges=["gpt"]),
            r"classify\.judges: unknown slug 'gpt'; allowed here: likelihood",
        ),
        (
            lambda s: s["classify"].update(judge_model="x"),
            r"classify\.judge_model: unknown slug 'x'; allowed here: smollm2_135m",
        ),
        (
            lambda s: s.update(judge={"j": {"type": "local", "rubric": "v0"}}),
            r"judge\.j\.rubric: unknown slug 'v0'; allowed here: v1, v2",
        ),
        (
            lambda s: s.update(judge={"j": {"type": "server", "model": "m", "key": "k"}}),
            r"judge\.j\.key: unknown key; allowed here: base_url, .*max_total_tokens",
        ),
        (
            lambda s: s.update(judge={"likelihood": {"type": "local"}}),
            r"judge\.likelihood: is the name of a judge that is no LLM",
        ),
    ],
)
def test_a_wrong_study_names_file_and_key(tmp_path: Path, change: Change, message: str) -> None:
    keys = copy.deepcopy(PARAMS | REGISTRY)
    change(keys)
    path = write(tmp_path, keys)
    section = message.split("\\")[0].split(":")[0]
    file = tmp_path / "registry.yaml" if section in REGISTRY else path
    with pytest.raises(StudyError, match=message) as caught:
        load_study(path)
    assert str(caught.value).startswith(f"{file}: ")


LONG = "9" * 5000

TEXTS: list[tuple[bytes | None, str]] = [
    (None, r"cannot be read \(No such file"),
    (b"a: [", r"is not valid YAML: .* \(line 1\)"),
    (b"- 1", r"holds no keys"),
    (b"", r"holds no keys"),
    (
        b"seed: 0\nprompts: {}\nseed: 1\n",
        r'is not valid YAML: .*duplicate key "seed".*line 3',
    ),
    (b"seed: 0\nprompts: \xff\n", r"line 2 is not UTF-8"),
    (f"seed: {LONG}".encode(), r"holds a value that cannot be read: .*digits"),
    (f"seed: 0x{LONG}".encode(), r"seed: .*\(given: a number of thousands of digits\)"),
    (b"seed: 2024-13-45", r"holds a value that cannot be read: month must be in 1..12"),
    (b"seed: !!python/object:os.system {}", r"is not valid YAML: .*could not determine a constr"),
    (b"seed: \x00", r"is not valid YAML: "),
    (b"1: 2", r"1: .*[Kk]eys? "),
    (b"? [a]\n: 1", r"(holds|is not valid|not a valid)"),
    (b"a: 1\n---\nb: 2", r"is not valid YAML: expected a single document"),
    (b"seed: *nowhere", r"is not valid YAML: found undefined alias"),
]


@pytest.mark.parametrize(("text", "message"), TEXTS, ids=lambda value: str(value)[:30])
@pytest.mark.parametrize("name", ["params.yaml", "registry.yaml"])
def test_a_file_that_is_none_is_named_in_a_sentence(
    tmp_path: Path, name: str, text: bytes | None, message: str
) -> None:
    path = write(tmp_path, PARAMS | REGISTRY)
    file = tmp_path / name
    file.unlink() if text is None else file.write_bytes(text)
    with pytest.raises(StudyError, match=message if name == "params.yaml" else ".") as caught:
        load_study(path)
    assert str(caught.value).startswith(f"{file}: ")


@pytest.mark.slow
def test_a_file_that_nests_too_deeply_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, PARAMS | REGISTRY)
    path.write_bytes(b"seed: " + b"[" * 5000)
    with pytest.raises(StudyError, match="is nested too deeply"):
        load_study(path)


@pytest.mark.parametrize(
    ("literal", "value"), [("010", 10), ("0o10", 8), ("0x10", 16), ("1_000", 1000)]
)
def test_numbers_are_what_dvc_reads(tmp_path: Path, literal: str, value: int) -> None:
    from dvc.utils.serialize import load_yaml

    path = write(tmp_path, PARAMS | REGISTRY)
    path.write_text(path.read_text().replace("seed: 0\n", f"seed: {literal}\n"))
    assert load_study(path).seed == value == load_yaml(str(path))["seed"]


@pytest.mark.parametrize("section", sorted(REGISTRY))
def test_entries_left_in_params_are_sent_to_the_registry(tmp_path: Path, section: str) -> None:
    path = write(tmp_path, PARAMS | REGISTRY)
    path.write_text(path.read_text() + f"{section}: {{}}\n")
    with pytest.raises(StudyError, match=rf"params\.yaml: {section}: entries stand in .*registry"):
        load_study(path)


def test_a_study_takes_the_registry_beside_it_or_one_folder_up(tmp_path: Path) -> None:
    path = write(tmp_path, PARAMS | REGISTRY)
    (tmp_path / "studies").mkdir()
    inner = path.rename(tmp_path / "studies" / "small.yaml")
    assert load_study(inner).dataset.keys() == REGISTRY["dataset"].keys()
    own = {**REGISTRY, "dataset": {**REGISTRY["dataset"], "mine": REGISTRY["dataset"]["ifbench"]}}
    (inner.parent / "registry.yaml").write_text(yaml.safe_dump(own))
    assert "mine" in load_study(inner).dataset
    assert "mine" not in load_study(inner, tmp_path / "registry.yaml").dataset


def test_params_yaml_takes_only_the_registry_that_dvc_reads(tmp_path: Path) -> None:
    path = write(tmp_path, PARAMS | REGISTRY)
    (tmp_path / "inner").mkdir()
    inner = path.rename(tmp_path / "inner" / "params.yaml")
    with pytest.raises(StudyError, match=r"inner/registry\.yaml: cannot be read"):
        load_study(inner)


def test_models_that_are_left_out_follow_from_others(tmp_path: Path) -> None:
    keys = copy.deepcopy(PARAMS | REGISTRY)
    del keys["ground"]["scorer"], keys["classify"]["judge_model"]
    study = load_study(write(tmp_path, keys))
    assert study.ground.scorer == study.classify.judge_model == study.models.probe[0]


def test_a_new_file_in_a_room_is_a_new_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"perturbations", "prompts.kinds"}
    names = registry.names
    monkeypatch.setattr(
        registry, "names", lambda room: ("ask", "mine") if room in own else names(room)
    )
    keys = copy.deepcopy(PARAMS | REGISTRY)
    keys["perturb"]["conditions"] = ["mine"]
    keys["dataset"] = {slug: {**e, "kind": "mine"} for slug, e in keys["dataset"].items()}
    assert load_study(write(tmp_path, keys)).perturb.conditions == ["mine"]
    assert '"mine"' in schema_text()
    keys["perturb"]["conditions"] = ["trunc"]
    message = r"perturb\.conditions\.0: unknown name; src/userturn/perturbations/ has: ask, mine "
    with pytest.raises(StudyError, match=message + r"\(given: 'trunc'\)"):
        load_study(write(tmp_path, keys))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    values = {"a": "010", "b": "1e3", "c": "yes", "d": 0.5, "e": ["null", None, "é ☃"], "f": {}}
    path = tmp_path / "x.yaml"
    path.write_text(dump_mapping(values), encoding="utf-8")
    assert read_mapping(path) == values


def test_paths_may_use_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERTURN_DATA", "/somewhere")
    assert expand_path("${USERTURN_DATA}/x.jsonl") == Path("/somewhere/x.jsonl")
    monkeypatch.delenv("USERTURN_DATA")
    with pytest.raises(StudyError, match="set the environment variable USERTURN_DATA"):
        expand_path("${USERTURN_DATA}/x.jsonl")


def test_every_key_is_explained() -> None:
    keys = describe_keys()
    assert {
        ("params.yaml", "seed"),
        ("params.yaml", "generate.user_turn.samples"),
        ("registry.yaml", "model.<slug>.engine.dtype"),
    } <= {(key.file, key.name) for key in keys}
    for key in keys:
        assert key.description, key.name
        assert key.default, key.name
    assert {key.type for key in keys if key.name == "model.<slug>.source.version"} == {
        "wheel", "generator",
    }  # fmt: skip
