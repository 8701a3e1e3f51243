#!/usr/bin/env bash
# Init script of the GPU cluster: ONNX Runtime needs the cuBLAS, cuRAND and runtime libraries of CUDA 12. Where the loader finds them,
# this does nothing; otherwise it tells the loader where the image has them or, on an image with another CUDA, installs NVIDIA's packages.
set -euo pipefail

libraries=(libcudart.so.12 libcublas.so.12 libcublasLt.so.12 libcurand.so.10)
known=/etc/ld.so.conf.d/potstill-cuda12.conf
packages=/opt/potstill-cuda12

missing() {
  local library found
  found="$(ldconfig -p)"
  for library in "${libraries[@]}"; do
    grep -qF "$library" <<< "$found" || printf '%s ' "$library"
  done
}

# tell FOLDER...: those that exist, to the loader.
tell() {
  local folder
  for folder in "$@"; do
    [ ! -d "$folder" ] || printf '%s\n' "$folder" >> "$known"
  done
  ldconfig
}

[ -z "$(missing)" ] || tell /usr/local/cuda-12*/lib64
if [ -n "$(missing)" ]; then
  echo "cuda12: the image lacks $(missing)"
  /databricks/python/bin/pip install --no-deps --target "$packages" nvidia-cuda-runtime-cu12 nvidia-cublas-cu12 nvidia-curand-cu12
  tell "$packages"/nvidia/*/lib
fi
if [ -n "$(missing)" ]; then
  echo "cuda12: still missing: $(missing)" >&2
  exit 1
fi
echo "cuda12: the loader finds ${libraries[*]}"
