#!/usr/bin/env bash
# Evaluate on a Slurm cluster, one process per GPU.
#
#   bash tools/slurm_test.sh PARTITION JOB CONFIG GPUS TASK CKPT [options of test.py]
#
# GPUS is the number of processes over all machines; GPUS_PER_NODE (default: 8 at most),
# CPUS_PER_TASK (default 5) and SRUN_ARGS change the request.
if [ $# -lt 6 ]; then
  echo "usage: bash tools/slurm_test.sh PARTITION JOB CONFIG GPUS TASK CKPT [options]" >&2
  exit 2
fi
. "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"
PARTITION=$1 JOB=$2 CONFIG=$3 GPUS=$4
shift 4
slurm_launch "$PARTITION" "$JOB" "$GPUS" test.py "$CONFIG" "$@"
