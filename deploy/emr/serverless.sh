#!/usr/bin/env bash
# Runs a command of Potstill on Amazon EMR Serverless, which has no GPUs: label there in int8, or train on labels made elsewhere.
#   deploy/emr/serverless.sh create --name potstill
#   deploy/emr/serverless.sh run --application 00f1abcdefabcd01 --role arn:aws:iam::123456789012:role/potstill \
#     --jar s3://BUCKET/potstill.jar --conf s3://BUCKET/distil.conf --logs s3://BUCKET/logs/ train
#
#   --name NAME          of the application, or of the job run
#   --release LABEL      create: emr-7.14.0 by default; for Spark 4, emr-spark-8.1.0 and a jar built with -Pspark4
#   --application ID     run: the application that create printed
#   --role ARN           run: role of the job, which reads and writes the paths in the settings
#   --jar S3FILE, --conf S3FILE, --logs S3FOLDER   run: jar, settings, where logs go
#   --executors N        run: 4 by default, each with 8 vCPUs and 32 GB
#   --minutes N          run: time limit, 720 by default
#   --dry-run            print the command and its files, call nothing
# The command (label, train, ...) comes last, then settings as KEY=VALUE. The AWS CLI's own variables, such as AWS_REGION, are heeded.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$here/common.sh"

case "${1-}" in
  create | run) action="$1"; shift ;;
  --help | -h) usage; exit 0 ;;
  *) fail "the first word must be create or run" "see $0 --help" ;;
esac
name=potstill release=emr-7.14.0 application='' role_arn='' jar='' conf='' logs='' executors=4 minutes=720
set_option() {
  case "$1" in
    --name) take name "$2" "$label" potstill ;;
    --release) take release "$2" 'emr-(spark-)?[0-9]+\.[0-9]+\.[0-9]+' emr-7.14.0 ;;
    --application) take application "$2" '[0-9a-z]{1,64}' 00f1abcdefabcd01 ;;
    --role) take role_arn "$2" "$role" arn:aws:iam::123456789012:role/potstill ;;
    --jar) take jar "$2" "$s3_file" s3://bucket/potstill.jar ;;
    --conf) take conf "$2" "$s3_file" s3://bucket/distil.conf ;;
    --logs) take logs "$2" "$s3_folder" s3://bucket/logs/ ;;
    --executors) take executors "$2" "$number" 4 ;;
    --minutes) take minutes "$2" '[1-9][0-9]{0,4}' 720 ;;
    *) return 1 ;;
  esac
}
options "$@"
set -- "${words[@]}"

if [ "$action" = create ]; then
  [ $# -eq 0 ] || fail "create takes no command" "use run"
  run aws emr-serverless create-application --name "$name" --release-label "$release" --type SPARK --architecture X86_64 \
    --auto-stop-configuration enabled=true,idleTimeoutMinutes=15
  exit 0
fi

need application jar conf logs
[ -n "$role_arn" ] || fail "--role is missing" "see $0 --help"
command_words "$conf" "$@"
one_command
# The vector module is for the student. A worker of 8 vCPUs has at most 60 GB, heap and overhead together.
parameters=(--class org.potstill.cli.Potstill --conf spark.dynamicAllocation.enabled=false --conf "spark.executor.instances=$executors"
  --conf spark.executor.cores=8 --conf spark.task.cpus=8 --conf spark.executor.memory=12g --conf spark.executor.memoryOverhead=20g
  --conf spark.driver.cores=4 --conf spark.driver.memory=12g --conf spark.emr-serverless.executor.disk=100g
  --conf spark.driver.extraJavaOptions=--add-modules=jdk.incubator.vector
  --conf spark.executor.extraJavaOptions=--add-modules=jdk.incubator.vector
  --conf spark.speculation=false --conf spark.executorEnv.RUST_FLAVOR=cpu --conf spark.emr-serverless.driverEnv.RUST_FLAVOR=cpu)
printf '{"sparkSubmit":{"entryPoint":"%s","entryPointArguments":%s,"sparkSubmitParameters":"%s"}}\n' \
  "$jar" "$(json "${commands[0]}" "${settings[@]}")" "${parameters[*]}" > "$work/driver.json"
printf '{"monitoringConfiguration":{"s3MonitoringConfiguration":{"logUri":"%s"}}}\n' "$logs" > "$work/overrides.json"
run aws emr-serverless start-job-run --application-id "$application" --execution-role-arn "$role_arn" --name "$name-${commands[0]}" \
  --execution-timeout-minutes "$minutes" --job-driver "file://$work/driver.json" --configuration-overrides "file://$work/overrides.json"
