"""`userturn stage NAME [SLUG]` without models: what it writes is a function of what it reads.

Stands on PATH as `userturn` where the package is not installed beside the running Python. Each
artifact holds the hashes of the stage's dependencies and the values of its parameters, so that
another parameter gives other bytes and the same inputs give the same ones. STANDIN_SECONDS makes
`generate` slow enough to be killed.
"""

import hashlib
import os
import re
import sys
import time
from pathlib import Path

import yaml


def digest(path: Path) -> str:
    files = (
        [path] if path.is_file() else sorted(path.rglob("*.parquet")) + sorted(path.rglob("*.csv"))
    )
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def main() -> None:
    _, _, stage, *slug = sys.argv
    study = yaml.safe_load(Path("params.yaml").read_text())

    def value(key: str) -> object:
        found = study
        for part in key.split("."):
            found = found[part]
        return found

    def resolve(text: str) -> str:
        text = re.sub(r"\$\{item\.\w+\}", slug[0] if slug else "", text)
        return re.sub(r"\$\{([\w.]+)\}", lambda match: str(value(match[1])), text)

    entry = yaml.safe_load(Path("dvc.yaml").read_text())["stages"][stage]
    read = [digest(Path(resolve(path))) for path in entry["deps"] if not path.startswith("src/")]
    content = yaml.safe_dump([read, {key: value(key) for key in map(resolve, entry["params"])}])
    Path("logs").mkdir(exist_ok=True)
    Path("logs", "-".join([stage, *slug]) + ".log").write_text("started\n")
    print("progress of", stage, *slug, file=sys.stderr)
    if stage == "generate":
        time.sleep(float(os.environ.get("STANDIN_SECONDS", "0")))
    for path in map(resolve, [*entry["outs"], *entry.get("metrics", [])]):
        out = Path(path) if Path(path).suffix else Path(path, "one.csv")
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text('{"rate": 0.5}' if stage == "tables" and out.suffix == ".json" else content)


main()
