#!/usr/bin/env bash
# Bootstrap action of EMR 7 clusters with GPUs: mounts version 1 of the device cgroups, by which YARN gives a container its GPUs alone.
set -euo pipefail
folder=/spark-rapids-cgroup/devices
sudo mkdir -p "$folder"
mountpoint -q "$folder" || sudo mount -t cgroup -o devices cgroupv1-devices "$folder"
sudo chmod -R a+rwx /spark-rapids-cgroup
