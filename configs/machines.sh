#!/usr/bin/env bash
# Extraction on several machines that share the project's folder; run it there, environment active.
#
#   bash configs/machines.sh scheduler              on the first machine
#   bash configs/machines.sh gpus tcp://FIRST:8786  on every machine: a worker for each GPU
#   bash configs/machines.sh cpus tcp://FIRST:8786  ... or, without GPUs: a worker for each 4 cores
#   python -m stage1_extract --teacher clip --scheduler tcp://FIRST:8786
#
# `gpus` needs `pip install dask-cuda`. One machine needs none of this: stage1_extract --workers N.
set -euo pipefail

fail() {
  echo "error: $1" >&2
  exit 1
}
cores=$(nproc)
# So that a worker may start processes of its own; else it decodes alone, and slowly
export DASK_DISTRIBUTED__WORKER__DAEMON=False
threads() {  # of torch in a worker, which starts as many processes that decode
  export OMP_NUM_THREADS="$1" MKL_NUM_THREADS="$1"
}
case "${1-} ${2+to}" in
  "scheduler ")
    exec dask scheduler --port 8786 --dashboard-address :0 ;;
  "gpus to")
    gpus=$(nvidia-smi --list-gpus 2> /dev/null | wc -l) || gpus=0
    ((gpus)) || fail "nvidia-smi lists no GPU here; run: bash $0 cpus $2"
    dask cuda --help > /dev/null 2>&1 || fail "no dask cuda here; run: pip install dask-cuda"
    threads $((cores / gpus))
    exec dask cuda worker "$2" --nthreads 1 --resources GPU=1 --memory-limit 0 ;;
  "cpus to")
    threads $((cores < 4 ? cores : 4))
    # Let the C library keep freed memory, which dask would have it return at once
    export MALLOC_TRIM_THRESHOLD_=1073741824 MALLOC_MMAP_THRESHOLD_=1073741824
    exec dask worker "$2" --nworkers $(((cores + 3) / 4)) --nthreads 1 --memory-limit 0 ;;
  *)
    fail "expected: scheduler, or gpus or cpus and the scheduler's address, tcp://FIRST:8786" ;;
esac
