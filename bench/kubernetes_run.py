"""Runs `label` as deploy/kubernetes/submit.sh submits it, in cluster mode, with no cluster: fabric8's mock of Kubernetes' API, and a
kubelet here that starts each pod as a process. A pod's root is an overlay of this machine's, read-only where the pod says so, with the
image's files in /opt, the pod's volumes and no other folder to write to; its user is the pod's; it runs what Spark's entrypoint would. Where a
pod asks for a GPU, it has an nvidia-smi that lists one, for the discovery script. The teacher runs on the CPU.

    mvn package -DskipTests
    pip install --target /tmp/spark pyspark==3.5.9
    deploy/check
    SPARK_HOME=/tmp/spark/pyspark target/deploy-check/bin/python bench/kubernetes_run.py

It checks what Spark writes (env, limits, volumes, security contexts; all of it by kubernetes-validate where this Python has it), that the
executors found their GPUs, that the cache equals that of a run without Kubernetes, and that a failure's status reaches the caller.
A few minutes; needs Linux, root, Java and Maven.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path

try:
    import kubernetes_validate
except ImportError:
    kubernetes_validate = None

ROOT = Path(__file__).resolve().parent.parent
JAR = ROOT / "spark-jobs/target/potstill.jar"
TEACHER = ROOT / "checkpoints/src/test/resources/fixtures/untied.gguf"
NAMESPACE = "potstill"
VERSION = "1.37"
SETTINGS = ["teacher.device=cpu", "teacher.precision=fp32", "sequence-length=64", "cache.shard-tokens=2000"]
# Where /var/run is a link, as on Debian.
ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"
NVIDIA_SMI = "#!/bin/sh\necho '0, GPU-01c3f0a2-0d3b-4c1d-9a55-4a6f0e2b7c90'\n"
LIMIT = 600

# Where a container is made: $1 its folder, $2 user:group, $3 ro or rw; lines "source target ro|rw" on the standard input.
CONTAINER = """
set -euo pipefail
folder="$1" user="$2" mode="$3"; shift 3
root="$folder/root"
hostname "$(basename "$folder")"
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$root"
for place in proc dev sys; do mount --rbind "/$place" "$root/$place"; done
while read -r source target access; do
  mount --bind "$source" "$root$target"
  [ "$access" = rw ] || mount -o remount,bind,ro "$root$target"
done
[ "$mode" = rw ] || mount -o remount,bind,ro "$root"
exec chroot --userspec="$user" --groups= "$root" "$@" < /dev/null
"""


def skip(reason: str) -> None:
    print(f"skipped: {reason}")
    raise SystemExit(0)


def require(holds: object, what: object) -> None:
    if not holds:
        raise SystemExit(f"FAILED: {what}")


class Api:
    """The mock's process, and requests to it."""

    def __init__(self, folder: Path) -> None:
        home = ROOT / "bench/kubernetes-api"
        subprocess.run(["mvn", "-B", "-ntp", "-q", "package"], cwd=home, check=True)
        log = folder / "api.log"
        with (folder / "api.out").open("w") as out, log.open("w") as err:
            self.process = subprocess.Popen([java(), "-Xmx256m", "-cp", f"{home}/target/jars/*", home / "KubernetesApi.java"], stdout=out, stderr=err)
        until(lambda: (folder / "api.out").read_text().strip() or self.process.poll() is not None, "the API server")
        require(self.process.poll() is None, log.read_text())
        self.url = f"http://127.0.0.1:{(folder / 'api.out').read_text().strip()}"
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        request = urllib.request.Request(f"{self.url}/api/v1/namespaces/{NAMESPACE}/{path}", method=method,
                                         data=json.dumps(body).encode() if body else None, headers={"Content-Type": "application/merge-patch+json"})
        with self.opener.open(request, timeout=30) as answer:
            return json.load(answer)

    def list(self, kind: str) -> list[dict]:
        return self.call("GET", kind)["items"]


class Kubelet:
    """Starts the pods of a namespace, reports how they are, and ends those that are deleted."""

    def __init__(self, api: Api, folder: Path, data: Path, spark: Path) -> None:
        self.api, self.folder, self.data = api, folder, data
        self.pods: dict[str, subprocess.Popen] = {}
        self.ips: dict[str, str] = {}
        self.seen: dict[str, dict] = {}
        self.image = build_image(folder / "image", spark)

    def step(self) -> None:
        objects = [entry for kind in ("configmaps", "services", "persistentvolumeclaims", "pods") for entry in self.api.list(kind)]
        for entry in objects:
            self.seen.setdefault(f"{entry['kind']}/{entry['metadata']['name']}", entry)
        there = {entry["metadata"]["name"]: entry for entry in objects if entry["kind"] == "Pod"}
        for name, pod in there.items():
            if name not in self.pods and self.volumes_are_there(pod):
                self.ips[name] = f"127.0.1.{len(self.ips) + 1}"
                self.pods[name] = self.start(pod)
                self.report(pod, "Running", {"running": {"startedAt": now()}})
            elif name in self.pods and pod.get("status", {}).get("phase") == "Running" and (code := self.pods[name].poll()) is not None:
                state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "finishedAt": now()}}
                self.report(pod, "Failed" if code else "Succeeded", state)
        for name in set(self.pods) - set(there):
            end(self.pods[name])

    def volumes_are_there(self, pod: dict) -> bool:
        wanted = {volume["configMap"]["name"] for volume in pod["spec"].get("volumes", []) if "configMap" in volume}
        return all(f"ConfigMap/{name}" in self.seen for name in wanted)

    def report(self, pod: dict, phase: str, state: dict) -> None:
        name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]
        status = {"phase": phase, "podIP": self.ips[name], "startTime": now(), "containerStatuses": [
            {"name": container["name"], "image": container["image"], "imageID": "", "ready": phase == "Running", "restartCount": 0, "state": state}]}
        self.api.call("PATCH", f"pods/{name}/status", {"status": status})

    def start(self, pod: dict) -> subprocess.Popen:
        name, spec = pod["metadata"]["name"], pod["spec"]
        container = spec["containers"][0]
        folder = self.folder / "pods" / name
        upper = folder / "upper"
        for made in (upper / "etc", upper / "usr/bin", folder / "work", folder / "root"):
            made.mkdir(parents=True)
        (upper / "etc/passwd").write_text(Path("/etc/passwd").read_text() + "spark:x:185:185::/nonexistent:/usr/sbin/nologin\n")
        services = [entry["metadata"]["name"] for entry in self.seen.values() if entry["kind"] == "Service"]
        hosts = [f"{self.ips[service.removesuffix('-svc')]} {service}.{NAMESPACE}.svc" for service in services]
        (upper / "etc/hosts").write_text("\n".join(["127.0.0.1 localhost", f"{self.ips[name]} {name}", *hosts, ""]))
        if int(container.get("resources", {}).get("limits", {}).get("nvidia.com/gpu", 0)):
            smi = upper / "usr/bin/nvidia-smi"
            smi.write_text(NVIDIA_SMI)
            smi.chmod(0o755)
        mounts = [(self.image, "/opt", "ro")]
        for mount in container.get("volumeMounts", []):
            volume = next(volume for volume in spec["volumes"] if volume["name"] == mount["name"])
            mounts.append((self.volume(folder, volume), mount["mountPath"], "ro" if mount.get("readOnly") or "configMap" in volume else "rw"))
        if spec.get("automountServiceAccountToken", True):
            mounts.append((self.account(folder), ACCOUNT, "ro"))
        for _, target, _ in mounts:
            # Within the image or a volume it is made there, as a container runtime would.
            if target.startswith("/opt/"):
                (self.image / target.removeprefix("/opt/")).mkdir(parents=True, exist_ok=True)
            else:
                (upper / Path(target).relative_to("/")).mkdir(parents=True, exist_ok=True)
        security = {**spec.get("securityContext", {}), **container.get("securityContext", {})}
        mode = "ro" if security.get("readOnlyRootFilesystem") else "rw"
        environment = {**image_environment(), **self.environment(pod, container)}
        command = ["/usr/bin/env", "-i", *(f"{key}={value}" for key, value in environment.items()), "/bin/sh", "-c",
                   'cd /opt/spark/work-dir && exec "$@"', "sh", *entrypoint(container["args"], environment)]
        log = (self.folder / f"{name}.log").open("w")
        user = f"{security['runAsUser']}:{security['runAsGroup']}"
        process = subprocess.Popen(["unshare", "--mount", "--uts", "bash", "-c", CONTAINER, "bash", folder, user, mode, *command], text=True,
                                   stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        process.stdin.write("".join(f"{source} {target} {access}\n" for source, target, access in mounts))
        process.stdin.close()
        return process

    def volume(self, folder: Path, volume: dict) -> Path:
        if "persistentVolumeClaim" in volume:
            return self.data
        place = folder / "volumes" / volume["name"]
        place.mkdir(parents=True)
        if "configMap" in volume:
            texts = self.seen[f"ConfigMap/{volume['configMap']['name']}"]["data"]
            for item in volume["configMap"].get("items", [{"key": key, "path": key} for key in texts]):
                (place / item["path"]).write_text(texts[item["key"]])
        else:
            require("emptyDir" in volume, f"this kubelet knows no such volume: {volume}")
            os.chown(place, 185, 185)
        return place

    def account(self, folder: Path) -> Path:
        place = folder / "account"
        place.mkdir()
        (place / "token").write_text("token")
        (place / "namespace").write_text(NAMESPACE)
        shutil.copy(self.folder / "ca.crt", place)
        return place

    def environment(self, pod: dict, container: dict) -> dict[str, str]:
        fields = {"metadata.name": pod["metadata"]["name"], "status.podIP": self.ips[pod["metadata"]["name"]]}
        return {entry["name"]: entry.get("value", "") if "valueFrom" not in entry else fields[entry["valueFrom"]["fieldRef"]["fieldPath"]]
                for entry in container.get("env", [])}

    def stop(self) -> None:
        for process in self.pods.values():
            end(process)


def build_image(image: Path, spark: Path) -> Path:
    """The image's /opt, by hard links where it can be, as deploy/kubernetes/Dockerfile makes it."""
    potstill = image / "potstill"
    (potstill / "natives").mkdir(parents=True)
    subprocess.run(["cp", "-a", "--reflink=auto", spark, image / "spark"], check=True)
    (image / "spark/work-dir").mkdir(exist_ok=True)
    shutil.copy(JAR, potstill)
    shutil.copy(ROOT / "conf/log4j2.properties", potstill)
    shutil.copy(ROOT / "deploy/gpu-discovery.sh", potstill)
    (potstill / "gpu-discovery.sh").chmod(0o755)
    with zipfile.ZipFile(JAR) as jar:
        for name in jar.namelist():
            if name.startswith("ai/onnxruntime/native/linux-x64/") and not name.endswith("/"):
                (potstill / "natives" / Path(name).name).write_bytes(jar.read(name))
    return image


def image_environment() -> dict[str, str]:
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SPARK_HOME": "/opt/spark",
            "JAVA_HOME": str(Path(java()).parent.parent), "RUST_FLAVOR": "cpu", "HOME": "/nonexistent"}


def entrypoint(args: list[str], environment: dict[str, str]) -> list[str]:
    """What /opt/entrypoint.sh of Spark's images runs."""
    if args[0] == "driver":
        address = environment["SPARK_DRIVER_BIND_ADDRESS"]
        return ["/opt/spark/bin/spark-submit", "--conf", f"spark.driver.bindAddress={address}",
                "--conf", f"spark.executorEnv.SPARK_DRIVER_POD_IP={address}", "--deploy-mode", "client", *args[1:]]
    options = [environment[key] for key in sorted(environment) if key.startswith("SPARK_JAVA_OPT_")]
    memory = environment["SPARK_EXECUTOR_MEMORY"]
    given = [environment.get("SPARK_CONF_DIR"), environment.get("SPARK_CLASSPATH")]
    classes = ":".join([*filter(None, given), "/opt/spark/jars/*", "/opt/spark/work-dir"])
    return [f"{environment['JAVA_HOME']}/bin/java", *options, f"-Xms{memory}", f"-Xmx{memory}", "-cp", classes,
            "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend", "--driver-url", environment["SPARK_DRIVER_URL"],
            "--executor-id", environment["SPARK_EXECUTOR_ID"], "--cores", environment["SPARK_EXECUTOR_CORES"],
            "--app-id", environment["SPARK_APPLICATION_ID"], "--hostname", environment["SPARK_EXECUTOR_POD_IP"],
            "--resourceProfileId", environment["SPARK_RESOURCE_PROFILE_ID"], "--podName", environment["SPARK_EXECUTOR_POD_NAME"]]


def java() -> str:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin/java") if home else Path(shutil.which("java")).resolve())


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(holds: object, what: str) -> None:
    begin = time.monotonic()
    while not holds():
        require(time.monotonic() - begin < LIMIT, f"waited too long for {what}")
        time.sleep(0.2)


def submit(kubelet: Kubelet, folder: Path, spark: Path, *words: str) -> int:
    """Runs submit.sh; returns its status."""
    home = folder / "home"
    (home / "bin").mkdir(parents=True, exist_ok=True)
    # Of this check: where the API is, and less memory than a GPU's teacher needs.
    wrapper = home / "bin/spark-submit"
    wrapper.write_text(f"""#!/bin/sh
export SPARK_HOME={shlex.quote(str(spark))}
exec "$SPARK_HOME/bin/spark-submit" --conf spark.kubernetes.driver.master={kubelet.api.url} --conf spark.executor.memory=1g "$@"
""")
    wrapper.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    log = folder / "submit.log"
    with log.open("w") as out:
        client = subprocess.Popen([ROOT / "deploy/kubernetes/submit.sh", "--master", f"k8s://{kubelet.api.url}", "--image", "potstill:check", *words],
                                  stdout=out, stderr=subprocess.STDOUT, env={**environment, "SPARK_HOME": str(home)}, start_new_session=True)
    begin = time.monotonic()
    try:
        while client.poll() is None and time.monotonic() - begin < LIMIT:
            kubelet.step()
            time.sleep(0.3)
    finally:
        end(client)
    return client.wait()


def logs(folder: Path) -> str:
    """The last lines of every process."""
    files = [folder / "submit.log", *folder.glob("*-driver.log"), *folder.glob("*-exec-*.log")]
    return "".join(f"--- {file.name}\n" + "\n".join(file.read_text().splitlines()[-60:]) + "\n" for file in files)


def check_objects(seen: dict[str, dict]) -> None:
    """What Spark asked Kubernetes for."""
    pods = {name: entry["spec"] for name, entry in seen.items() if entry["kind"] == "Pod"}
    driver = next(spec for name, spec in pods.items() if name.endswith("-driver"))
    executors = [spec for name, spec in pods.items() if "-exec-" in name]
    require(len(executors) == 2, sorted(pods))
    require(any(name.startswith("Service/") for name in seen) and sum(name.startswith("ConfigMap/") for name in seen) >= 3, sorted(seen))
    for spec in [driver, *executors]:
        container = spec["containers"][0]
        env = {entry["name"]: entry.get("value") for entry in container["env"]}
        require(env.get("RUST_FLAVOR") == "cpu", env)
        restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
        require(container["securityContext"] == restricted, container["securityContext"])
        require(spec["securityContext"]["runAsUser"] == 185 and spec["securityContext"]["runAsNonRoot"], spec["securityContext"])
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        require({"/tmp", "/opt/spark/work-dir", "/data"} <= mounted, mounted)
        require(container["image"] == "potstill:check", container["image"])
    for spec in executors:
        container = spec["containers"][0]
        env = {entry["name"]: entry.get("value") for entry in container["env"]}
        require(str(container["resources"]["limits"].get("nvidia.com/gpu")) == "1", container["resources"])
        require(env.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID", env)
        require(spec.get("automountServiceAccountToken") is False, "an executor has an account's token")
        require(any(toleration.get("key") == "nvidia.com/gpu" for toleration in spec["tolerations"]), spec["tolerations"])
    require("nvidia.com/gpu" not in driver["containers"][0]["resources"].get("limits", {}), "the driver asks for a GPU")
    require(driver["serviceAccountName"] == "potstill", driver.get("serviceAccountName"))
    print(f"objects: {', '.join(sorted(seen))}")
    if kubernetes_validate is None:
        print("skipped: this Python lacks kubernetes-validate, so the objects' schemas are not checked")
        return
    for name, entry in seen.items():
        try:
            kubernetes_validate.validate(entry, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            raise SystemExit(f"FAILED: {name}: {error.message}") from error
    print(f"kubernetes-validate: {len(seen)} objects fit Kubernetes {VERSION}")


def rows(spark: Path, *caches: Path) -> list[tuple[int, str]]:
    """Of each cache, the number of rows and a hash of their contents but for their documents' paths."""
    code = """
import hashlib, sys
from pyspark.sql import SparkSession, functions as f
spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
for cache in sys.argv[1:]:
    table = spark.read.parquet(cache + "/teacher=*/spec=*/labels")
    columns = sorted(set(table.columns) - {"document", "teacher", "spec"})
    keys = sorted(table.select("key", f.sha2(f.to_json(f.struct(*columns)), 256)).collect())
    print("rows", len(keys), hashlib.sha256(repr(keys).encode()).hexdigest())
"""
    done = subprocess.run([sys.executable, "-c", code, *caches], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": f"{spark.parent}:{spark}/python", "SPARK_HOME": str(spark)})
    require(done.returncode == 0, done.stderr)
    return [(int(line.split()[1]), line.split()[2]) for line in done.stdout.splitlines() if line.startswith("rows ")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="keep the folder of logs and pods")
    arguments = parser.parse_args()
    spark = Path(os.environ.get("SPARK_HOME", "/nowhere")).resolve()
    if not list(spark.glob("jars/spark-kubernetes_*.jar")):
        skip("SPARK_HOME is no Spark with Kubernetes: pip install --target FOLDER pyspark==3.5.9, and set SPARK_HOME=FOLDER/pyspark")
    if not JAR.exists():
        skip("the application jar is not built: mvn package -DskipTests")
    for tool in ("mvn", "unshare", "chroot", "keytool"):
        if not shutil.which(tool):
            skip(f"there is no {tool} on the PATH")
    if os.geteuid() != 0:
        skip("pods' root folders are mounted, which needs root")
    folder = Path(tempfile.mkdtemp(prefix="potstill-kubernetes-"))
    folder.chmod(0o755)
    began = time.monotonic()
    api = kubelet = None
    try:
        data = folder / "data"
        for number, file in enumerate(sorted((ROOT / "docs").glob("*.md"))):
            (data / "corpus").mkdir(parents=True, exist_ok=True)
            shutil.copy(file, data / f"corpus/{number}.txt")
        shutil.copy(TEACHER, data / "teacher.gguf")
        subprocess.run(["chown", "-R", "185:185", data], check=True)
        keys = ["-keystore", folder / "keys", "-storepass", "changeit", "-alias", "ca"]
        subprocess.run(["keytool", "-genkeypair", "-keyalg", "EC", "-dname", "CN=ca", *keys], check=True, capture_output=True)
        subprocess.run(["keytool", "-exportcert", "-rfc", "-file", folder / "ca.crt", *keys], check=True, capture_output=True)
        api = Api(folder)
        kubelet = Kubelet(api, folder, data, spark)
        # As kubectl apply -k deploy/kubernetes makes them.
        api.call("POST", "configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "potstill-settings"},
                                        "data": {"distil.conf": (ROOT / "deploy/kubernetes/distil.conf").read_text()}})
        status = submit(kubelet, folder, spark, "--kind", "gpu", "label", *SETTINGS)
        require(status == 0, f"label ended with {status}\n{logs(folder)}")
        check_objects(kubelet.seen)
        label = json.loads((data / "student/report/report.json").read_text())["label"]
        require(len(label["executors"]) == 2 and all(share["gpu"] == 0 and share["tokens"] > 0 for share in label["executors"]), label)
        print(f"label: {label['scoredTokens']:,} tokens on two executors, each with the GPU that deploy/gpu-discovery.sh named")
        status = submit(kubelet, folder, spark, "--kind", "gpu", "label", *SETTINGS, "corpus.path=/data/nowhere")
        require(status == 2, f"a corpus that is not there ended with {status} instead of 2\n{logs(folder)}")
        paths = [f"corpus.path={data}/corpus", f"teacher.path={data}/teacher.gguf", f"cache.path={folder}/here", f"student.path={folder}/student"]
        settings = [word for setting in [*SETTINGS, *paths] for word in ("--set", setting)]
        here = subprocess.run([ROOT / "deploy/potstill", "label", "--conf", ROOT / "deploy/kubernetes/distil.conf", *settings],
                              capture_output=True, text=True, check=False,
                              env={**os.environ, "SPARK_HOME": str(spark), "POTSTILL_SUBMIT": "--master local[2]"})
        require(here.returncode == 0, here.stderr)
        there, local = rows(spark, data / "cache", folder / "here")
        require(there == local and there[0] > 0, f"the cache differs from that of a local run: {there}, {local}")
        print(f"cache: {there[0]:,} rows, the same as of a local run; {time.monotonic() - began:.0f} s in all")
    finally:
        if kubelet:
            kubelet.stop()
        if api:
            end_plain(api.process)
        if arguments.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def end_plain(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()


if __name__ == "__main__":
    main()
