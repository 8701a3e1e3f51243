"""EMR's scripts, run against moto; what it then has; the configurations and the template."""

import json
import logging
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import boto3
import regex
import yaml
from moto.server import ThreadedMotoServer

from .common import BIN, Findings, arguments, files, load, main_class, tool

REGION = "us-east-1"
CLASSIFICATIONS = {"spark", "spark-defaults", "yarn-site", "container-executor", "gpu", "cgroups", "capacity-scheduler"}


def emr_template(deploy: Path) -> Findings:
    """Findings in the configurations and in the template, which has those for GPUs, too."""
    for file in files(deploy / "emr", "*-configurations.json"):
        yield from classifications(file, load(file)[0])
    yield from cloudformation(deploy / "emr/template.yaml", deploy / "emr/gpu-configurations.json")


def emr_scripts(deploy: Path) -> Findings:
    """Findings in the scripts and in what they ask for."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with tempfile.TemporaryDirectory() as home:
            # moto's state outlives its server.
            urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
            yield from Scripts(deploy / "emr", f"http://{host}:{port}", home).run()
    finally:
        server.stop()


def classifications(file: Path, given: list[dict]) -> Findings:
    for one in given:
        for key in sorted(set(one) - {"Classification", "Properties", "Configurations"}):
            yield file, f"EMR's configurations have no {key}"
        if one.get("Classification") not in CLASSIFICATIONS:
            yield file, f"EMR's classification {one.get('Classification')} is not among those that deploy/checks knows"
        yield from classifications(file, one.get("Configurations", []))


def cloudformation(file: Path, gpu: Path) -> Findings:
    linted = tool("cfn-lint", "--regions", REGION, "--format", "json", "--", file)
    for found in json.loads(linted.stdout or "[]"):
        yield file, f"line {found['Location']['Start']['LineNumber']}: {found['Rule']['Id']} {found['Message']}"
    if linted.returncode and not linted.stdout.strip():
        yield file, f"cfn-lint: {linted.stderr.strip()}"
    text = regex.sub(r"!(Ref|Sub) ", "", file.read_text(encoding="utf-8"))
    written = yaml.safe_load(text)["Resources"]["Cluster"]["Properties"].get("Configurations")
    if plain(written) != plain(load(gpu)[0]):
        yield file, f"its configurations are not those of {gpu.name}"


def plain(configurations: list[dict] | None) -> list:
    """Configurations in one form, whether CloudFormation's or the API's."""
    return [(one.get("Classification"), one.get("ConfigurationProperties") or one.get("Properties") or {},
             plain(one.get("Configurations"))) for one in configurations or []]


class Scripts:
    """Runs of EMR's scripts through the AWS CLI, and what the service has afterwards."""

    S3 = ["--jar", "s3://bucket/potstill.jar", "--conf", "s3://bucket/distil.conf"]
    LOGS = ["--logs", "s3://bucket/logs/"]
    ROLE = ["--role", "arn:aws:iam::123456789012:role/potstill"]
    CLUSTER = ["--subnet", "subnet-0123456789abcdef0", *LOGS]

    def __init__(self, folder: Path, url: str, home: str):
        self.folder = folder
        # Nothing of the user's own account.
        self.environment = {"AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": "moto", "AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": REGION,
                            "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true", "HOME": home, "PATH": f"{BIN}:/usr/bin:/bin"}
        session = boto3.Session(aws_access_key_id="moto", aws_secret_access_key="moto", region_name=REGION)
        self.emr, self.serverless, self.eks = (session.client(name, endpoint_url=url) for name in ("emr", "emr-serverless", "emr-containers"))

    def call(self, script: str, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run([self.folder / script, *words], env=self.environment, capture_output=True, text=True, check=False, timeout=120)

    def run(self) -> Findings:
        yield from self.refuses()
        dry = self.call("cluster.sh", "--dry-run", "--kind", "cpu", *self.S3, *self.CLUSTER, "train")
        if dry.returncode or self.emr.list_clusters()["Clusters"]:
            yield self.folder / "cluster.sh", f"--dry-run is no dry run: {dry.stderr}"
        for kind, words in (("gpu", ["--bootstrap", "s3://bucket/bootstrap-gpu.sh", "label", "teacher.device=cuda"]),
                            ("cpu", ["train", "evaluate", "teacher.device=cpu"])):
            yield from self.cluster(kind, words)
        yield from self.serverless_runs()
        yield from self.eks_runs()

    def refuses(self) -> Findings:
        """Wrong arguments end a script with status 2 and a reason, before anything is called."""
        given = ["--kind", "cpu", *self.S3, *self.CLUSTER]
        for script, words in (("cluster.sh", ["--kind", "tpu"]), ("cluster.sh", ["--kind"]), ("cluster.sh", [*given, "--workers", "0", "train"]),
                              ("cluster.sh", [*given, "dance"]), ("cluster.sh", given), ("eks.sh", []), ("serverless.sh", ["stop"]),
                              ("serverless.sh", ["run", "--jar", "s3://bucket/a b.jar"])):
            done = self.call(script, *words)
            if done.returncode != 2 or not done.stderr.startswith(script):
                yield self.folder / script, f"status {done.returncode} instead of 2 for {' '.join(words)}: {done.stderr}"

    def called(self, script: str, *words: str) -> Findings:
        done = self.call(script, *words)
        if done.returncode:
            yield self.folder / script, f"status {done.returncode}: {done.stderr.strip()[-500:]}"

    def cluster(self, kind: str, words: list[str]) -> Findings:
        """A cluster for steps, and the same steps again on that cluster."""
        script, client = self.folder / "cluster.sh", self.emr
        configurations = load(self.folder / f"{kind}-configurations.json")[0]
        before = {cluster["Id"] for cluster in client.list_clusters()["Clusters"]}
        failed = list(self.called(script.name, "--kind", kind, "--name", f"check-{kind}", "--workers", "3", *self.S3, *self.CLUSTER, *words))
        yield from failed
        made = [cluster["Id"] for cluster in client.list_clusters()["Clusters"] if cluster["Id"] not in before]
        if len(made) != 1:
            if not failed:
                yield script, f"made {len(made)} clusters"
            return
        yield from self.called(script.name, "--kind", kind, "--cluster", made[0], *self.S3, *[word for word in words if "bootstrap" not in word])
        described = client.describe_cluster(ClusterId=made[0])["Cluster"]
        groups = {group["InstanceGroupType"]: group for group in client.list_instance_groups(ClusterId=made[0])["InstanceGroups"]}
        expected = {
            "applications": ({"Hadoop", "Spark"}, {application["Name"] for application in described["Applications"]}),
            "release": ("emr-7.14.0", described["ReleaseLabel"]),
            "configurations": (plain(configurations), plain(described["Configurations"])),
            "core nodes": (3, groups["CORE"]["RequestedInstanceCount"]),
            "bootstrap actions": (int(kind == "gpu"), len(client.list_bootstrap_actions(ClusterId=made[0])["BootstrapActions"])),
        }
        for what, (wanted, found) in expected.items():
            if wanted != found:
                yield script, f"--kind {kind}: {what}: {found} instead of {wanted}"
        yield from self.steps(script, kind, client.list_steps(ClusterId=made[0])["Steps"], 2 * len([word for word in words if word.isalpha()]))

    def steps(self, script: Path, kind: str, steps: list[dict], wanted: int) -> Findings:
        if len(steps) != wanted:
            yield script, f"--kind {kind}: {len(steps)} steps instead of {wanted}"
        for step in steps:
            words = step["Config"]["Args"]
            jar = next((n for n, word in enumerate(words) if word.endswith(".jar")), len(words) - 2)
            if step["Config"]["Jar"] != "command-runner.jar" or words[0] != "spark-submit" or words[1:3] != ["--deploy-mode", "cluster"]:
                yield script, f"--kind {kind}: a step is {step['Config']}"
            yield from main_class(script, words[words.index("--class") + 1])
            yield from arguments(script, words[jar + 1:])
            if ("spark.executor.resource.gpu.amount=1" in words) != (kind == "gpu"):
                yield script, f"--kind {kind}: GPUs asked for, or not, in {' '.join(words)}"

    def serverless_runs(self) -> Findings:
        script, client = self.folder / "serverless.sh", self.serverless
        failed = list(self.called(script.name, "create", "--name", "check"))
        yield from failed
        if failed:
            return
        application = client.list_applications()["applications"][0]["id"]
        failed = list(self.called(script.name, "run", "--application", application, *self.ROLE, *self.S3, *self.LOGS, "train"))
        yield from failed
        # moto fails where an application has no job runs.
        runs = [] if failed else client.list_job_runs(applicationId=application)["jobRuns"]
        for run in runs:
            driver = client.get_job_run(applicationId=application, jobRunId=run["id"])["jobRun"]["jobDriver"]["sparkSubmit"]
            yield from self.driver(script, driver)
        if not failed and len(runs) != 1:
            yield script, f"{len(runs)} job runs instead of 1"

    def eks_runs(self) -> Findings:
        script, client = self.folder / "eks.sh", self.eks
        provider = {"id": "check", "type": "EKS", "info": {"eksInfo": {"namespace": "check"}}}
        cluster = client.create_virtual_cluster(name="check", containerProvider=provider)["id"]
        given = ["--virtual-cluster", cluster, *self.ROLE, *self.S3, *self.LOGS]
        # moto does not know the labels of images for GPUs.
        yield from self.called(script.name, "--kind", "gpu", *given, "--release", "emr-7.14.0-latest", "label", "teacher.device=cuda")
        yield from self.called(script.name, "--kind", "cpu", *given, "train")
        dry = self.call(script.name, "--dry-run", "--kind", "gpu", *given, "label")
        if "--release-label emr-7.14.0-spark-rapids-latest" not in dry.stdout:
            yield script, f"--kind gpu has another image: {dry.stdout}{dry.stderr}"
        runs = client.list_job_runs(virtualClusterId=cluster)["jobRuns"]
        if len(runs) != 2:
            yield script, f"{len(runs)} job runs instead of 2"
        for run in runs:
            driver = run["jobDriver"]["sparkSubmitJobDriver"]
            yield from self.driver(script, driver)
            if ("spark.executor.resource.gpu.amount=1" in driver["sparkSubmitParameters"]) != ("label" in driver["entryPointArguments"]):
                yield script, f"GPUs asked for, or not, in {driver}"

    @staticmethod
    def driver(script: Path, driver: dict) -> Findings:
        yield from arguments(script, driver["entryPointArguments"])
        parameters = driver["sparkSubmitParameters"].split()
        yield from main_class(script, parameters[parameters.index("--class") + 1])
