"""The command line: see deploy/check."""

import sys
from pathlib import Path

from .common import ROOT, SCHEMAS, Findings
from .databricks import databricks
from .emr import emr_scripts, emr_template
from .kubernetes import kubernetes
from .mistakes import self_test
from .settings import settings, shell

CHECKS = {"settings": settings, "databricks": databricks, "emr template": emr_template, "emr scripts": emr_scripts,
          "kubernetes": kubernetes, "shell": shell}


def run(name: str, deploy: Path) -> Findings:
    """One check's findings. One that a file is too broken for is a finding, too."""
    try:
        yield from CHECKS[name](deploy)
    except Exception as error:
        yield deploy, f"{type(error).__name__}: {error}"


def main() -> int:
    if not SCHEMAS:
        print("skipped: the schemas of Databricks' CLI and of Spark's operators; POTSTILL_SCHEMAS can name their folder, see deploy/check")
    if sys.argv[1:] == ["--self-test"]:
        return self_test(run)
    if sys.argv[1:]:
        print("deploy/check takes --self-test or nothing", file=sys.stderr)
        return 2
    findings = 0
    for name in CHECKS:
        for file, reason in run(name, ROOT / "deploy"):
            print(f"{file.relative_to(ROOT)}: {reason} [{name}]")
            findings += 1
    print(f"deploy/check: {', '.join(CHECKS)}: {findings or 'no'} finding{'s' * (findings > 1)}")
    return int(findings > 0)


if __name__ == "__main__":
    sys.exit(main())
