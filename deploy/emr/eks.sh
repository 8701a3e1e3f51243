#!/usr/bin/env bash
# Runs a command of Potstill on Amazon EMR on EKS.
#   deploy/emr/eks.sh --kind gpu --virtual-cluster abcdefghijklmnopqrstuvwxy --role arn:aws:iam::123456789012:role/potstill \
#     --jar s3://BUCKET/potstill-cuda.jar --conf s3://BUCKET/distil.conf --logs s3://BUCKET/logs/ label teacher.device=cuda
#
#   --kind gpu|cpu       gpu for label, on nodes with NVIDIA's device plugin; cpu for the others
#   --virtual-cluster ID EMR's name for the namespace
#   --role ARN           role of the job, which reads and writes the paths in the settings
#   --jar S3FILE         spark-jobs/target/potstill.jar; for --kind gpu, the one that mvn package -Pcuda builds
#   --conf S3FILE, --logs S3FOLDER   settings, where logs go
#   --executors N        2 by default, each with one GPU, or with 8 cores and 24 GB
#   --release LABEL      emr-7.14.0-spark-rapids-latest or, for --kind cpu, emr-7.14.0-latest by default
#   --name NAME          of the job run
#   --dry-run            print the command and its files, call nothing
# The command (label, train, ...) comes last, then settings as KEY=VALUE. The AWS CLI's own variables, such as AWS_REGION, are heeded.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$here/common.sh"

kind='' virtual_cluster='' role_arn='' jar='' conf='' logs='' executors=2 release='' name=potstill
set_option() {
  case "$1" in
    --kind) take kind "$2" 'gpu|cpu' 'gpu or cpu' ;;
    --virtual-cluster) take virtual_cluster "$2" '[0-9a-z]{1,64}' abcdefghijklmnopqrstuvwxy ;;
    --role) take role_arn "$2" "$role" arn:aws:iam::123456789012:role/potstill ;;
    --jar) take jar "$2" "$s3_file" s3://bucket/potstill.jar ;;
    --conf) take conf "$2" "$s3_file" s3://bucket/distil.conf ;;
    --logs) take logs "$2" "$s3_folder" s3://bucket/logs/ ;;
    --executors) take executors "$2" "$number" 2 ;;
    --release) take release "$2" 'emr-(spark-)?[0-9]+\.[0-9]+\.[0-9]+-[a-z0-9-]+' emr-7.14.0-latest ;;
    --name) take name "$2" "$label" potstill ;;
    *) return 1 ;;
  esac
}
options "$@"
set -- "${words[@]}"
need kind virtual_cluster jar conf logs
[ -n "$role_arn" ] || fail "--role is missing" "see $0 --help"
command_words "$conf" "$@"
one_command

parameters=(--class org.potstill.cli.Potstill --conf spark.dynamicAllocation.enabled=false --conf "spark.executor.instances=$executors")
if [ "$kind" = gpu ]; then
  release="${release:-emr-7.14.0-spark-rapids-latest}"
  parameters+=(--conf spark.executor.resource.gpu.amount=1 --conf spark.executor.resource.gpu.vendor=nvidia.com
    --conf spark.executor.resource.gpu.discoveryScript=/usr/lib/spark/scripts/gpu/getGpusResources.sh
    --conf spark.task.resource.gpu.amount=0.5 --conf spark.executor.cores=2 --conf spark.executor.memory=6g
    --conf spark.executor.memoryOverhead=6g --conf spark.executorEnv.CUDA_DEVICE_ORDER=PCI_BUS_ID
    --conf spark.executor.extraLibraryPath=/usr/local/cuda/targets/x86_64-linux/lib:/usr/local/cuda/lib64:/usr/lib/hadoop/lib/native)
else
  release="${release:-emr-7.14.0-latest}"
  parameters+=(--conf spark.executor.cores=8 --conf spark.task.cpus=8 --conf spark.executor.memory=8g --conf spark.executor.memoryOverhead=16g
    --conf spark.driver.extraJavaOptions=--add-modules=jdk.incubator.vector
    --conf spark.executor.extraJavaOptions=--add-modules=jdk.incubator.vector)
fi
parameters+=(--conf spark.speculation=false --conf spark.executorEnv.RUST_FLAVOR=cpu --conf spark.kubernetes.driverEnv.RUST_FLAVOR=cpu)
printf '{"sparkSubmitJobDriver":{"entryPoint":"%s","entryPointArguments":%s,"sparkSubmitParameters":"%s"}}\n' \
  "$jar" "$(json "${commands[0]}" "${settings[@]}")" "${parameters[*]}" > "$work/driver.json"
printf '{"monitoringConfiguration":{"s3MonitoringConfiguration":{"logUri":"%s"}}}\n' "$logs" > "$work/overrides.json"
run aws emr-containers start-job-run --virtual-cluster-id "$virtual_cluster" --name "$name-${commands[0]}" \
  --execution-role-arn "$role_arn" --release-label "$release" \
  --job-driver "file://$work/driver.json" --configuration-overrides "file://$work/overrides.json"
