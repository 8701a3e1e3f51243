#!/usr/bin/env bash
# Tells Spark which GPUs there are: {"name":"gpu","addresses":["0","1"]}
#   spark.executor.resource.gpu.discoveryScript, and spark.worker.resource.gpu.discoveryScript on a standalone cluster.
# An address is the GPU's number as CUDA counts it in this environment: with CUDA_VISIBLE_DEVICES=2,3 they are 0 and 1.
# CUDA counts as nvidia-smi does where CUDA_DEVICE_ORDER=PCI_BUS_ID is set.
set -euo pipefail

fail() {
  printf 'gpu-discovery: %s\n' "$@" >&2
  exit 1
}

# The container runtime's variable. Where it names GPUs, the container has just these and nvidia-smi lists them.
case "${NVIDIA_VISIBLE_DEVICES-all}" in
  none | void) fail "NVIDIA_VISIBLE_DEVICES=$NVIDIA_VISIBLE_DEVICES gives this container no GPU" ;;
esac
command -v nvidia-smi > /dev/null || fail "there is no nvidia-smi on the PATH" \
  "install the NVIDIA driver, or start the container with NVIDIA's runtime"
listing="$(nvidia-smi --query-gpu=index,uuid --format=csv,noheader 2>&1)" || fail "nvidia-smi failed: $listing"
uuids=()
while IFS=', ' read -r index uuid; do
  if [[ "$index" =~ ^[0-9]+$ && "$uuid" == GPU-* ]]; then uuids+=("$uuid"); fi
done <<< "$listing"
count=${#uuids[@]}
[ "$count" -gt 0 ] || fail "nvidia-smi lists no GPU: $listing"

if [ -n "${CUDA_VISIBLE_DEVICES+set}" ]; then
  visible=0
  IFS=',' read -ra wanted <<< "$CUDA_VISIBLE_DEVICES"
  for entry in ${wanted[@]+"${wanted[@]}"}; do
    entry="${entry// /}"
    known=no
    if [[ "$entry" =~ ^[0-9]{1,4}$ ]]; then
      if [ "$((10#$entry))" -lt "$count" ]; then known=yes; fi
    elif [[ "$entry" == GPU-?* ]]; then
      for uuid in "${uuids[@]}"; do
        if [[ "$uuid" == "$entry"* ]]; then known=yes; fi
      done
    elif [[ "$entry" == MIG-?* ]]; then
      known=yes
    fi
    # As CUDA does: what follows an entry that is none is not seen.
    [ "$known" = yes ] || break
    visible=$((visible + 1))
  done
  [ "$visible" -gt 0 ] || fail "CUDA_VISIBLE_DEVICES='$CUDA_VISIBLE_DEVICES' leaves none of the $count GPUs"
  count=$visible
fi

addresses="\"0\""
for ((i = 1; i < count; i++)); do addresses+=",\"$i\""; done
printf '{"name":"gpu","addresses":[%s]}\n' "$addresses"
