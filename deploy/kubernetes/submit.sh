#!/usr/bin/env bash
# Runs a command of Potstill on Kubernetes with plain spark-submit, in cluster mode:
#   deploy/kubernetes/submit.sh --master k8s://https://HOST:6443 --image REGISTRY/potstill:cuda --kind gpu label teacher.device=cuda
#
#   --master URL         of the API server, with k8s:// before it
#   --image IMAGE        built from deploy/kubernetes/Dockerfile
#   --kind gpu|cpu       gpu for label (conf/gpu-kubernetes.properties), cpu for the others (deploy/kubernetes/cpu.properties)
#   --executors N        2 by default
#   --namespace NAME     potstill by default: where kubectl apply -k deploy/kubernetes made the account, the settings and the volume
#   --dry-run            print the command, call nothing
# The status is the driver's. The command (label, train, ...) comes last, then settings as KEY=VALUE. SPARK_HOME, or spark-submit on the PATH, is a whole
# distribution of Spark, of the version in the image.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

# fail PROBLEM [REMEDY]
fail() {
  printf 'submit.sh: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '  %s\n' "$2" >&2
  exit 2
}

master='' image='' kind='' executors=2 namespace=potstill dry_run=no
while [ $# -gt 0 ]; do
  case "$1" in
    --dry-run) dry_run=yes; shift; continue ;;
    --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --*) [ $# -ge 2 ] || fail "$1 needs a value" ;;
    *) break ;;
  esac
  case "$1" in
    --master) master="$2"; [[ "$2" =~ ^k8s://[^[:space:]]+$ ]] || fail "--master is '$2'" "it must look like k8s://https://host:6443" ;;
    --image) image="$2"; [[ "$2" =~ ^[A-Za-z0-9][A-Za-z0-9._:/@-]*$ ]] || fail "--image is '$2'" "it must look like registry/potstill:cuda" ;;
    --kind) kind="$2"; [[ "$2" =~ ^(gpu|cpu)$ ]] || fail "--kind is '$2'" "it must be gpu or cpu" ;;
    --executors) executors="$2"; [[ "$2" =~ ^[1-9][0-9]{0,3}$ ]] || fail "--executors is '$2'" "it must be a number from 1 to 9999" ;;
    --namespace) namespace="$2"; [[ "$2" =~ ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$ ]] || fail "--namespace is '$2'" "it must look like potstill" ;;
    *) fail "there is no option $1" "see $0 --help" ;;
  esac
  shift 2
done
for option in master image kind; do
  [ -n "${!option}" ] || fail "--$option is missing" "see $0 --help"
done
case "${1-}" in
  prune | write | label | train | evaluate | export | distil) command="$1"; shift ;;
  *) fail "'${1-}' is not a command for a cluster" "one of prune, write, label, train, evaluate, export, distil, after the options" ;;
esac
settings=()
for setting in "$@"; do
  [[ "$setting" =~ ^[a-z0-9][a-z0-9.-]*= ]] || fail "'$setting' is not a setting" "write KEY=VALUE"
  settings+=(--set "$setting")
done

if [ "$kind" = gpu ]; then
  properties="$here/../../conf/gpu-kubernetes.properties"
  executor_pod="$here/gpu-executor-pod.yaml"
  # ONNX Runtime's libraries as the image has them; otherwise each JVM unpacks 650 MB to its temporary folder.
  natives=-Donnxruntime.native.path=/opt/potstill/natives
  options=(--conf "spark.driver.extraJavaOptions=$natives" --conf "spark.executor.extraJavaOptions=$natives")
else
  properties="$here/cpu.properties"
  executor_pod="$here/executor-pod.yaml"
  options=()
fi
submit=("${SPARK_HOME:+$SPARK_HOME/bin/}spark-submit" --master "$master" --deploy-mode cluster --name "potstill-$command"
  --class org.potstill.cli.Potstill --properties-file "$properties"
  --conf "spark.kubernetes.namespace=$namespace"
  --conf "spark.kubernetes.container.image=$image"
  --conf spark.kubernetes.authenticate.driver.serviceAccountName=potstill
  --conf "spark.kubernetes.driver.podTemplateFile=$here/driver-pod.yaml"
  --conf "spark.kubernetes.executor.podTemplateFile=$executor_pod"
  --conf "spark.executor.instances=$executors" ${options[@]+"${options[@]}"}
  local:///opt/potstill/potstill.jar "$command" --conf file:///opt/potstill/conf/distil.conf ${settings[@]+"${settings[@]}"})
if [ "$dry_run" = yes ]; then
  printf '%q ' "${submit[@]}"
  printf '\n'
  exit 0
fi
command -v "${submit[0]}" > /dev/null || fail "there is no ${submit[0]}" "set SPARK_HOME to a distribution of Spark, or use --dry-run"
# Spark 3.5's spark-submit ends with 0 also where the driver has failed; of that, only its log tells.
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
status=0
"${submit[@]}" 2>&1 | tee "$log" || status=$?
if [ "$status" = 0 ] && grep -q '(phase: Failed)' "$log"; then
  status="$(sed -n 's/^[[:space:]]*exit code: \([1-9][0-9]\{0,2\}\)$/\1/p' "$log" | tail -n 1)"
  echo "submit.sh: the driver failed; kubectl logs shows why" >&2
  exit "${status:-1}"
fi
exit "$status"
