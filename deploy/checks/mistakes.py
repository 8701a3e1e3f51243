"""Mistakes that the checks must find: one at a time, in copies of the folder."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from .common import ROOT, SCHEMAS, Findings

# What the self-test writes instead of what, and the check that must say so of that file.
MISTAKES = [
    ("databricks", "databricks/databricks.yml", "artifact_path:", "artefact_path:"),
    ("databricks", "databricks/resources/distil.yml", "spark_jar_task:", "spark_jar_tsk:"),
    ("databricks", "databricks/resources/distil.yml", "DATA_SECURITY_MODE_DEDICATED", "DATA_SECURITY_MODE_DEDICATE"),
    ("databricks", "databricks/resources/distil.yml", "teacher.device=cuda", "teacher.devise=cuda"),
    ("databricks", "databricks/resources/distil.yml", "${var.gpu_node}", "${var.gpu_nodes}"),
    ("databricks", "databricks/resources/storage.yml", "volume_type:", "volume_typ:"),
    ("settings", "databricks/distil.conf", "text-field", "text-feld"),
    ("settings", "kubernetes/cpu.properties", "spark.executor.memoryOverhead", "spark.executor.memoryOverhed"),
    ("settings", "emr/cluster.sh", "spark.executor.cores=", "spark.executor.core="),
    ("emr scripts", "emr/cluster.sh", "--release-label", "--release-lable"),
    ("emr scripts", "emr/cluster.sh", "ActionOnFailure", "ActionOnFailur"),
    ("emr scripts", "emr/serverless.sh", "entryPointArguments", "entryPointArgument"),
    ("emr scripts", "emr/eks.sh", "sparkSubmitJobDriver", "sparkSubmitDriver"),
    ("emr template", "emr/cpu-configurations.json", '"Properties"', '"Propertys"'),
    ("emr template", "emr/gpu-configurations.json", '"container-executor"', '"container-executer"'),
    ("emr template", "emr/template.yaml", "ReleaseLabel:", "ReleaseLable:"),
    ("emr template", "emr/template.yaml", "g5.4xlarge", "g5.5xlarge"),
    ("kubernetes", "kubernetes/kubeflow-label.yaml", "memoryOverhead:", "memoryOverhed:"),
    ("kubernetes", "kubernetes/kubeflow-label.yaml", "type: OnFailure", "type: OnFailures"),
    ("kubernetes", "kubernetes/kubeflow-train.yaml", "readOnlyRootFilesystem", "readOnlyRootFileSystem"),
    ("kubernetes", "kubernetes/apache-label.yaml", "driverArgs:", "driverArguments:"),
    ("kubernetes", "kubernetes/apache-train.yaml", "resourceRetainPolicy: OnFailure", "resourceRetainPolicy: Sometimes"),
    ("kubernetes", "kubernetes/executor-pod.yaml", "runAsNonRoot", "runAsNoRoot"),
    ("kubernetes", "kubernetes/rbac.yaml", "apiGroups:", "apiGroup:"),
    ("kubernetes", "kubernetes/storage.yaml", "accessModes:", "accessMode:"),
    ("kubernetes", "kubernetes/namespace.yaml", "labels:", "label:"),
    ("kubernetes", "kubernetes/kustomization.yaml", "- rbac.yaml", "- rback.yaml"),
    ("kubernetes", "kubernetes/Dockerfile", "COPY --from=spark", "COPYY --from=spark"),
    ("kubernetes", "kubernetes/submit.sh", "--class org.potstill.cli.Potstill", "--class org.potstill.cli.Postill"),
    ("shell", "databricks/cuda12.sh", '>> "$known"', ">> $know"),
]
# Of them, those that only the makers' schemas tell.
NEED_SCHEMAS = {"artefact_path:", "type: OnFailures", "driverArguments:", "resourceRetainPolicy: Sometimes"}


def self_test(run: Callable[[str, Path], Findings]) -> int:
    """Makes the mistakes, and expects each to be found in its file."""
    missed = skipped = 0
    for check, name, right, wrong in MISTAKES:
        if wrong in NEED_SCHEMAS and not SCHEMAS:
            skipped += 1
            continue
        with tempfile.TemporaryDirectory() as copy:
            deploy = Path(copy) / "deploy"
            shutil.copytree(ROOT / "deploy", deploy, ignore=shutil.ignore_patterns("target", "local-spark"))
            shutil.copytree(ROOT / "conf", Path(copy) / "conf")
            text = (deploy / name).read_text(encoding="utf-8")
            if right not in text:
                raise SystemExit(f"self-test: {name} has no {right}")
            (deploy / name).write_text(text.replace(right, wrong, 1), encoding="utf-8")
            found = [reason for file, reason in run(check, deploy) if file == deploy / name]
        print(f"{'found ' if found else 'MISSED'} {name}: {wrong}" + (f": {found[0][:160]}" if found else ""))
        missed += not found
    print(f"{len(MISTAKES) - missed - skipped} passed, {missed} failed, {skipped} skipped")
    return int(missed > 0)
