#!/usr/bin/env bash
# Runs commands of Potstill as steps on Amazon EMR: on a cluster of their own, which ends with them, or on one that is there.
#   deploy/emr/cluster.sh --kind gpu --jar s3://BUCKET/potstill-cuda.jar --conf s3://BUCKET/distil.conf --logs s3://BUCKET/logs/ \
#     --subnet subnet-0123456789abcdef0 --bootstrap s3://BUCKET/bootstrap-gpu.sh label teacher.device=cuda
#
#   --kind gpu|cpu       gpu for label (g5.4xlarge, gpu-configurations.json), cpu for the others (m6i.4xlarge, cpu-configurations.json)
#   --jar S3FILE         spark-jobs/target/potstill.jar; for --kind gpu, the one that mvn package -Pcuda builds
#   --conf S3FILE        settings, such as deploy/emr/distil.conf
#   --logs S3FOLDER      where EMR writes logs
#   --subnet ID          subnet of a new cluster
#   --bootstrap S3FILE   copy of bootstrap-gpu.sh, for a new cluster of --kind gpu
#   --cluster ID         add the steps to this cluster instead; --subnet, --logs and --bootstrap are then not needed
#   --workers N          core nodes, 2 by default; a node has one GPU, or two executors without one
#   --instance TYPE      of core nodes
#   --release LABEL      emr-7.14.0 by default; for Spark 4, emr-spark-8.1.0 and a jar built with -Pspark4
#   --service-role NAME, --instance-profile NAME   EMR_DefaultRole_V2 and EMR_EC2_DefaultRole by default
#   --name NAME          of the cluster
#   --dry-run            print the command and its files, call nothing
# Commands (label, or train evaluate) come last, then settings as KEY=VALUE. The AWS CLI's own variables, such as AWS_REGION, are heeded.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$here/common.sh"

kind='' jar='' conf='' logs='' subnet='' bootstrap='' cluster='' workers=2 instance='' release=emr-7.14.0
service_role=EMR_DefaultRole_V2 instance_profile=EMR_EC2_DefaultRole name=potstill
set_option() {
  case "$1" in
    --kind) take kind "$2" 'gpu|cpu' 'gpu or cpu' ;;
    --jar) take jar "$2" "$s3_file" s3://bucket/potstill.jar ;;
    --conf) take conf "$2" "$s3_file" s3://bucket/distil.conf ;;
    --logs) take logs "$2" "$s3_folder" s3://bucket/logs/ ;;
    --subnet) take subnet "$2" 'subnet-[0-9a-f]{8,17}' subnet-0123456789abcdef0 ;;
    --bootstrap) take bootstrap "$2" "$s3_file" s3://bucket/bootstrap-gpu.sh ;;
    --cluster) take cluster "$2" 'j-[A-Z0-9]{8,16}' j-2AXXXXXXGAPLF ;;
    --workers) take workers "$2" "$number" 2 ;;
    --instance) take instance "$2" '[a-z0-9-]+\.[a-z0-9-]+' g5.4xlarge ;;
    --release) take release "$2" 'emr-(spark-)?[0-9]+\.[0-9]+\.[0-9]+' emr-7.14.0 ;;
    --service-role) take service_role "$2" "$label|$role" EMR_DefaultRole_V2 ;;
    --instance-profile) take instance_profile "$2" "$label" EMR_EC2_DefaultRole ;;
    --name) take name "$2" "$label" potstill ;;
    *) return 1 ;;
  esac
}
options "$@"
set -- "${words[@]}"
need kind jar conf
command_words "$conf" "$@"

submit=(spark-submit --deploy-mode cluster --driver-memory 4g --class org.potstill.cli.Potstill --conf spark.dynamicAllocation.enabled=false)
if [ "$kind" = gpu ]; then
  instance="${instance:-g5.4xlarge}"
  submit+=(--conf "spark.executor.instances=$workers" --conf spark.executor.resource.gpu.amount=1 --conf spark.task.resource.gpu.amount=0.5
    --conf spark.executor.cores=2 --conf spark.executor.memory=6g --conf spark.executor.memoryOverhead=6g
    --conf spark.executorEnv.CUDA_DEVICE_ORDER=PCI_BUS_ID)
else
  instance="${instance:-m6i.4xlarge}"
  # A core of each node is left for the driver.
  submit+=(--conf "spark.executor.instances=$((2 * workers))" --conf spark.executor.cores=7 --conf spark.task.cpus=7
    --conf spark.executor.memory=8g --conf spark.executor.memoryOverhead=12g
    --conf spark.driver.extraJavaOptions=--add-modules=jdk.incubator.vector
    --conf spark.executor.extraJavaOptions=--add-modules=jdk.incubator.vector)
fi
submit+=(--conf spark.speculation=false --conf spark.executorEnv.RUST_FLAVOR=cpu --conf spark.yarn.appMasterEnv.RUST_FLAVOR=cpu
  "$jar")

# steps ACTION: a file with one step per command, and what happens if it fails.
steps() {
  local command separator='['
  for command in "${commands[@]}"; do
    printf '%s{"Type":"CUSTOM_JAR","Name":"potstill %s","ActionOnFailure":"%s","Jar":"command-runner.jar","Args":%s}' \
      "$separator" "$command" "$1" "$(json "${submit[@]}" "$command" "${settings[@]}")"
    separator=$',\n'
  done > "$work/steps.json"
  printf ']\n' >> "$work/steps.json"
}

if [ -n "$cluster" ]; then
  steps CANCEL_AND_WAIT
  run aws emr add-steps --cluster-id "$cluster" --steps "file://$work/steps.json"
  exit 0
fi

need logs subnet
steps TERMINATE_CLUSTER
create=(aws emr create-cluster --name "$name" --release-label "$release" --applications Name=Hadoop Name=Spark
  --service-role "$service_role" --ec2-attributes "SubnetId=$subnet,InstanceProfile=$instance_profile" --log-uri "$logs"
  --instance-groups "Name=primary,InstanceGroupType=MASTER,InstanceCount=1,InstanceType=m6i.xlarge"
  "Name=core,InstanceGroupType=CORE,InstanceCount=$workers,InstanceType=$instance"
  --configurations "file://$here/$kind-configurations.json" --steps "file://$work/steps.json" --auto-terminate)
if [ "$kind" = gpu ]; then
  need bootstrap
  create+=(--bootstrap-actions "Name=cgroups,Path=$bootstrap")
fi
run "${create[@]}"
