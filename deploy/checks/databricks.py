"""The bundle: by the CLI's schema, by Databricks' Python classes, and whether what it refers to is there."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import regex
from databricks.bundles.jobs import Job
from databricks.bundles.volumes import Volume

from .common import Findings, arguments, at, files, load, main_class, schema


def databricks(deploy: Path) -> Findings:
    """Findings in the bundle's files."""
    folder = deploy / "databricks"
    bundle = folder / "databricks.yml"
    parts = {file: load(file)[0] for file in [bundle, *files(folder / "resources", "*.yml")]}
    jsonschema_of_cli = schema("databricks-bundle.schema.json")
    # The schema writes regular expressions as Go does.
    validator = jsonschema.validators.extend(jsonschema.Draft7Validator, {"pattern": pattern})
    for file, part in parts.items():
        if jsonschema_of_cli:
            # Resources are files of their own, included by the bundle's.
            whole = part if file == bundle else {**part, "bundle": parts[bundle]["bundle"]}
            for error in deepest(validator(jsonschema_of_cli).iter_errors(whole)):
                yield file, f"{at(error.absolute_path)}: {error.message[:300]}"
        for kind, made in (("jobs", Job), ("volumes", Volume)):
            for name, resource in part.get("resources", {}).get(kind, {}).items():
                try:
                    made.from_dict(resource)
                except (ValueError, TypeError) as error:
                    yield file, f"{kind}.{name}: {error}"
        yield from references(file, parts, bundle)
        for job in part.get("resources", {}).get("jobs", {}).values():
            yield from job_of(file, job)
    yield from arguments_of_bundle(parts)


def pattern(_, expression: str, instance: object, __) -> Iterator[jsonschema.ValidationError]:
    if isinstance(instance, str) and not regex.search(expression, instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {expression!r}")


def deepest(errors: Iterator[jsonschema.ValidationError]) -> Iterator[jsonschema.ValidationError]:
    """Of an error in alternatives, the one deepest inside that is not about a variable's form ${...}."""
    for error in errors:
        while error.context:
            error = max(error.context, key=lambda inner: (inner.validator != "pattern", inner.validator != "type", len(inner.absolute_path)))
        yield error


def references(file: Path, parts: dict, bundle: Path) -> Findings:
    text = file.read_text(encoding="utf-8")
    for name in regex.findall(r"\$\{var\.([^}]*)\}", text):
        if name not in parts[bundle]["variables"]:
            yield file, f"there is no variable {name}"
    for reference in regex.findall(r"\$\{(?!var\.)([^}]*)\}", text):
        if reference not in {"bundle.name", "bundle.target", "workspace.file_path", "workspace.current_user.userName"}:
            yield file, f"the CLI has no ${{{reference}}}"


def job_of(file: Path, job: dict) -> Findings:
    clusters = {cluster["job_cluster_key"]: cluster["new_cluster"] for cluster in job["job_clusters"]}
    parameters = {parameter["name"] for parameter in job["parameters"]}
    tasks = {task["task_key"] for task in job["tasks"]}
    for name in regex.findall(r"\{\{job\.parameters\.([^}]*)\}\}", json.dumps(job)):
        if name not in parameters:
            yield file, f"the job has no parameter {name}"
    for task in job["tasks"]:
        if task.get("job_cluster_key") not in clusters:
            yield file, f"{task['task_key']}: the job has no cluster {task.get('job_cluster_key')}"
        for before in task.get("depends_on", []):
            if before.get("task_key") not in tasks:
                yield file, f"{task['task_key']}: the job has no task {before.get('task_key')}"
    for cluster in clusters.values():
        for script in cluster.get("init_scripts", []):
            name = script["workspace"]["destination"].removeprefix("${workspace.file_path}/")
            if not (file.parents[1] / name).exists():
                yield file, f"there is no {name}"


def arguments_of_bundle(parts: dict) -> Findings:
    sources = [entry["source"] for part in parts.values() for artifact in part.get("artifacts", {}).values() for entry in artifact["files"]]
    for file, part in parts.items():
        for job in part.get("resources", {}).get("jobs", {}).values():
            for task in job["tasks"]:
                run = task.get("spark_jar_task", {})
                yield from main_class(file, run.get("main_class_name"))
                yield from arguments(file, run.get("parameters", []))
                for library in task.get("libraries", []):
                    if library.get("jar", "").removeprefix("../") not in sources:
                        yield file, f"no artifact is {library.get('jar')}"
