"""Kubernetes' files by the schemas of Kubernetes and of both operators; the image's recipe; what the files refer to."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import kubernetes_validate
import regex
from kubeflow_spark_api.models import SparkV1beta2SparkApplication

from .common import ROOT, Findings, arguments, at, files, load, main_class, schema, tool

VERSION = "1.37"


def kubernetes(deploy: Path) -> Findings:
    """Findings in all files of the folder."""
    folder = deploy / "kubernetes"
    documents = [(file, document) for file in files(folder, "*.yaml") for document in load(file)]
    names = {(document["kind"], document["metadata"]["name"]) for _, document in documents if "name" in document.get("metadata", {})}
    crds = {group: strict_schemas(f"{group}-sparkapplications.crd.yaml") for group in ("kubeflow", "apache")}
    templates = {file.name.removesuffix("-pod.yaml"): document["spec"] for file, document in documents if document["kind"] == "Pod"}
    for file, document in documents:
        if document["kind"] == "Kustomization":
            yield from kustomization(file, document, names)
        elif document["kind"] == "SparkApplication":
            yield from application(file, document, crds, templates)
        else:
            yield from core(file, document)
    for file, document in documents:
        if document["kind"] != "Kustomization":
            yield from named(file, document, names)
    yield from image(folder / "Dockerfile")
    yield from submit(folder / "submit.sh")


def strict_schemas(name: str) -> dict[str, dict]:
    """A custom resource's schemas by version, in which unknown keys are errors."""
    found = {}
    for version in (schema(name) or {"spec": {"versions": []}})["spec"]["versions"]:
        found[version["name"]] = strict(version["schema"]["openAPIV3Schema"])
        # Of all resources; Kubernetes checks them itself.
        found[version["name"]]["properties"].update(apiVersion={}, kind={}, metadata={})
    return found


def strict(node: object) -> object:
    if isinstance(node, list):
        return [strict(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    node = {key: strict(value) for key, value in node.items()}
    if node.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    if isinstance(node.get("properties"), dict) and node.get("type") == "object":
        node.setdefault("additionalProperties", False)
    return node


def core(file: Path, document: dict) -> Findings:
    try:
        kubernetes_validate.validate(document, VERSION, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        yield file, f"{document['kind']}: {at(getattr(error, 'path', []))}: {getattr(error, 'message', error)}"


def application(file: Path, document: dict, crds: dict, templates: dict) -> Findings:
    group, version = document["apiVersion"].split("/")
    maker = "kubeflow" if group == "sparkoperator.k8s.io" else "apache"
    spec = document["spec"]
    if crds[maker]:
        if version not in crds[maker]:
            yield file, f"{group} has no version {version}"
            return
        for error in jsonschema.Draft7Validator(crds[maker][version]).iter_errors(document):
            yield file, f"{at(error.absolute_path)}: {error.message[:300]}"
    if maker == "kubeflow":
        yield from round_trip(file, document)
        words, pods = spec.get("arguments", []), {"driver": spec["driver"], "executor": spec["executor"]}
        pods = {role: pod.get("template", {}) for role, pod in pods.items()}
    else:
        words = spec.get("driverArgs", [])
        pods = {role: spec.get(f"{role}Spec", {}).get("podTemplateSpec", {}) for role in ("driver", "executor")}
    yield from arguments(file, words)
    yield from main_class(file, spec.get("mainClass"))
    gpu = "spark.executor.resource.gpu.amount" in spec["sparkConf"]
    for role, pod in pods.items():
        wanted = templates["gpu-executor" if gpu and role == "executor" else role]
        if pod.get("spec") != wanted:
            yield file, f"the {role}'s pod is not that of {'gpu-' if gpu and role == 'executor' else ''}{role}-pod.yaml"
        yield from core(file, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": role}, **pod})


def round_trip(file: Path, document: dict) -> Findings:
    try:
        read = SparkV1beta2SparkApplication.from_dict(document).to_dict()
    except ValueError as error:
        yield file, str(error).replace("\n", " ")[:500]
        return
    for key in sorted(set(leaves(document)) - set(leaves(read))):
        yield file, f"Kubeflow's operator does not know {key}"


def leaves(node: object, path: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}".lstrip("."))
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, path)
    else:
        yield path


def kustomization(file: Path, document: dict, names: set) -> Findings:
    for name in document.get("resources", []):
        if not (file.parent / name).exists():
            yield file, f"there is no {name}"
    for generator in document.get("configMapGenerator", []):
        names.add(("ConfigMap", generator["name"]))
        for name in generator["files"]:
            if not (file.parent / name).exists():
                yield file, f"there is no {name}"
    unknown = set(document) - {"apiVersion", "kind", "namespace", "resources", "configMapGenerator", "generatorOptions"}
    if unknown:
        yield file, f"Kustomize's keys that deploy/checks does not know: {', '.join(sorted(unknown))}"


def named(file: Path, document: dict, names: set) -> Findings:
    """Objects that others name are among the files."""
    text = json.dumps(document)
    for kind, key in (("PersistentVolumeClaim", r'"claimName": "([^"]*)"'), ("ConfigMap", r'"configMap": \{"name": "([^"]*)"'),
                      ("ServiceAccount", r'"(?:serviceAccount|spark.kubernetes.authenticate.driver.serviceAccountName)": "([^"]*)"'),
                      ("Namespace", r'"namespace": "([^"]*)"'), ("Role", r'"kind": "Role", "name": "([^"]*)"')):
        for name in regex.findall(key, text):
            if (kind, name) not in names:
                yield file, f"there is no {kind} {name}"


def image(file: Path) -> Findings:
    linted = tool("hadolint", "--no-color", "--format", "json", file)
    for found in json.loads(linted.stdout or "[]"):
        yield file, f"line {found['line']}: {found['code']} {found['message']}"
    if linted.returncode and not linted.stdout.strip():
        yield file, f"hadolint: {linted.stderr.strip()}"
    context = file.with_name("Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    for sources in regex.findall(r"^COPY (?!--from)((?:\S+ )+)\S+$", file.read_text(encoding="utf-8"), regex.M):
        for source in [word for word in sources.split() if not word.startswith("--")]:
            if "!" + source not in context:
                yield file, f"{source} is not in the build's context: see Dockerfile.dockerignore"
            if "/target/" not in source and not (ROOT / source).exists():
                yield file, f"there is no {source}"


def submit(script: Path) -> Findings:
    for kind, command in (("gpu", ["label", "teacher.device=cuda"]), ("cpu", ["train"])):
        done = subprocess.run([script, "--dry-run", "--master", "k8s://https://localhost:6443", "--image", "potstill:check", "--kind", kind,
                               *command], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
        words = done.stdout.split()
        if done.returncode or words[:1] != ["spark-submit"]:
            yield script, f"status {done.returncode}: {done.stdout}{done.stderr}"
            continue
        yield from main_class(script, words[words.index("--class") + 1])
        yield from arguments(script, words[next(n for n, word in enumerate(words) if word.endswith(".jar")) + 1:])
        for word in words:
            name = word.split("=")[-1]
            if name.endswith((".yaml", ".properties")) and not Path(name).exists():
                yield script, f"there is no {name}"
    refused = subprocess.run([script, "--kind", "tpu"], capture_output=True, text=True, check=False)
    if refused.returncode != 2:
        yield script, f"status {refused.returncode} instead of 2 for --kind tpu"
