"""Pins: commits come into a registry's text, and nothing else of it changes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from chat_templates import QUICK
from hub_server import COMMIT, Hub, Repository, at, serving
from userturn.base.errors import SourceError, StudyError
from userturn.commands import probe
from userturn.commands.pin import run_pin
from userturn.models.pinning import hub_sources, with_commits
from userturn.study.loading import load_study

ROOT = Path(__file__).resolve().parents[2]
OTHER = COMMIT[::-1]
REGISTRY = """\
# A registry.
model:
  inline:   # in a line
    source: {type: hub, repo: a/model}  # of the hub
    family: one
  tagged:
    source: {type: hub, "repo": 'a/model', revision: v1.0, }
  lines:
    source:
      type: hub
      repo: a/model # behind a comment

    family: one
  quoted:
    source:
        revision: "main"   # a branch
        type: hub
        repo: a/model
  base: &base
    source: &from {
      type: hub,
      repo: a/model, # broken
    }
    license: MIT
  alias: {source: *from}
  merged:
    <<: *base
    family: two
  done:
    source: {type: hub, repo: a/model, revision: 89abcdef89abcdef89abcdef89abcdef89abcdef}
dataset:
  data: {kind: jsonl, source: {type: hub, repo: a/data, file: rows.jsonl}}
  last:
    kind: jsonl
    source:
      type: hub
      repo: a/data"""
KEYS = [
    *(f"model.{slug}.source" for slug in (
        "inline", "tagged", "lines", "quoted", "base", "alias", "merged",
    )),
    "dataset.data.source", "dataset.last.source",
]  # fmt: skip


def tree(text):
    return YAML(typ="safe", pure=True).load(text)


@QUICK
@given(
    st.sets(st.sampled_from([KEYS[0], KEYS[2], *KEYS[7:]])),
    st.text("0123456789abcdef", min_size=40, max_size=40)
    | st.text("0123456789", min_size=40, max_size=40)
    | st.from_regex(r"[0-9]{20}e[0-9]{19}", fullmatch=True),
)
def test_commits_come_in_and_nothing_else_changes(keys, commit):
    text = with_commits(REGISTRY, dict.fromkeys(keys, commit), "registry.yaml")
    for key in keys:
        section, slug, _ = key.split(".")
        assert tree(text)[section][slug]["source"]["revision"] == commit  # a text, not a number
    bare = text.replace(f'"{commit}"', commit)
    assert bare.replace(f", revision: {commit}", "").replace(f"\n      revision: {commit}", "") == (
        REGISTRY
    )


def test_comments_breaks_and_anchors_stay():
    text = with_commits(REGISTRY, dict.fromkeys(KEYS, COMMIT), "registry.yaml")
    assert text == (
        REGISTRY.replace("repo: a/model}  #", f"repo: a/model, revision: {COMMIT}}}  #")
        .replace("v1.0", COMMIT)
        .replace("# behind a comment", f"# behind a comment\n      revision: {COMMIT}")
        .replace('"main"', COMMIT)
        .replace("repo: a/model, # broken", f"repo: a/model, revision: {COMMIT}, # broken")
        .replace("repo: a/data, file", f"repo: a/data, revision: {COMMIT}, file")
        .removesuffix("repo: a/data")
        + f"repo: a/data\n      revision: {COMMIT}"
    )


def test_a_form_that_cannot_be_edited_is_refused_with_what_to_write():
    text = (
        "name: &name a/model\nmodel:\n  m: {source: {type: hub, repo: *name}}\n"
        "  n: {source: {type: hub, repo: a/model}}\n"
    )
    with pytest.raises(StudyError, match=rf"write by hand model\.m\.source\.revision: {COMMIT}"):
        with_commits(text, {"model.m.source": COMMIT}, "registry.yaml")
    assert f"a/model, revision: {COMMIT}" in with_commits(text, {"model.n.source": COMMIT}, "")


def test_the_projects_registry_pins_as_it_stands():
    text = (ROOT / "registry.yaml").read_text()
    study = load_study(ROOT / "studies/paper.yaml")
    sources = hub_sources(study)
    assert len(sources) >= 16
    pinned = with_commits(text, dict.fromkeys(sources, COMMIT), "registry.yaml")
    lines, before = pinned.splitlines(), text.splitlines()
    assert [line.split("#")[1:] for line in lines] == [line.split("#")[1:] for line in before]
    assert pinned.replace(f", revision: {COMMIT}", "") == text


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study of a hub on loopback, its registry with an entry that the study does not use."""
    from huggingface_hub import constants

    hub = Hub(
        {
            "models/a/model": Repository({"config.json": b"{}"}),
            "models/a/spare": Repository({"config.json": b"{}"}, refs=("v1.0",)),
            "datasets/a/data": Repository({"rows.jsonl": b"{}"}, commit=OTHER),
        }
    )
    (tmp_path / "params.yaml").write_text(
        "prompts: {datasets: [data]}\nmodels: {pretrained: [m], probe: [m]}\n"
    )
    (tmp_path / "registry.yaml").write_text(
        "# Mine.\nmodel:\n  m: {source: {type: hub, repo: a/model}} # the one\n"
        "  spare: {source: {type: hub, repo: a/spare, revision: v1.0}}\n"
        "dataset:\n  data:\n    kind: jsonl\n"
        "    source: {type: hub, repo: a/data, file: rows.jsonl}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    with serving(hub):
        at(monkeypatch, hub.url)
        yield hub


PARAMS = Path("params.yaml")


def test_a_study_is_pinned_once(study, capsys):
    file = Path("registry.yaml")
    before = file.read_text()
    run_pin(PARAMS, whole=False, dry_run=True)
    assert file.read_text() == before
    assert "2 to pin in registry.yaml, nothing written" in capsys.readouterr().out
    run_pin(PARAMS, whole=False, dry_run=False)
    pinned = file.read_text()
    assert pinned == before.replace("repo: a/model", f"repo: a/model, revision: {COMMIT}").replace(
        "repo: a/data", f"repo: a/data, revision: {OTHER}"
    )
    assert load_study(PARAMS).model["m"].source.pinned
    said = capsys.readouterr().out
    assert f"model.m.source: a/model@main is {COMMIT}" in said
    assert "2 pinned in registry.yaml; 0 repositories are at a commit already" in said

    study.asked.clear()
    stamp = file.stat().st_mtime_ns
    run_pin(PARAMS, whole=False, dry_run=False)
    assert (study.asked, file.stat().st_mtime_ns) == ([], stamp)
    run_pin(PARAMS, whole=True, dry_run=False)
    assert file.read_text() == pinned.replace("v1.0", COMMIT)


def test_an_entry_that_fails_is_named_and_leaves_the_file_whole(study):
    file = Path("registry.yaml")
    file.write_text(file.read_text().replace("a/model", "a/missing").replace("v1.0", "v9"))
    before = file.read_bytes()
    with pytest.raises(SourceError) as caught:
        run_pin(PARAMS, whole=True, dry_run=False)
    first, *lines = str(caught.value).splitlines()
    assert first == "registry.yaml: nothing was written, for the hub gave no commit of"
    assert lines == [
        "  model.m.source: a/missing@main: the hub has no such model, or it is private; check "
        "`repo`, or set HF_TOKEN (or `hf auth login`)",
        "  model.spare.source: a/spare@v9: the model has no revision 'v9'; name a branch, a tag or "
        "a commit in `revision`, then run `userturn pin`",
    ]
    assert file.read_bytes() == before


def test_a_probe_stays_at_the_commit_that_its_folder_names(study, tmp_path):
    def commit():
        made = probe._pinned(probe.probe_study(probe.Probed("a/model", Path("p"))), "model", out)
        probe._write(made, out)
        return made.model["model"].source.revision

    Path("params.yaml").rename("elsewhere")  # the defaults, with no study of this folder
    out = tmp_path / "probed"
    assert commit() == COMMIT
    study.repositories["models/a/model"].commit = OTHER
    assert commit() == COMMIT
    out = tmp_path / "again"
    assert commit() == OTHER
