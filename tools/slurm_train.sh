#!/usr/bin/env bash
# Train on a Slurm cluster, one process per GPU.
#
#   bash tools/slurm_train.sh PARTITION JOB CONFIG GPUS [options of train.py]
#
# GPUS is the number of processes over all machines; GPUS_PER_NODE (default: 8 at most),
# CPUS_PER_TASK (default 5) and SRUN_ARGS change the request.
if [ $# -lt 4 ]; then
  echo "usage: bash tools/slurm_train.sh PARTITION JOB CONFIG GPUS [options]" >&2
  exit 2
fi
. "$(dirname "${BASH_SOURCE[0]}")/_launch.sh"
PARTITION=$1 JOB=$2 CONFIG=$3 GPUS=$4
shift 4
slurm_launch "$PARTITION" "$JOB" "$GPUS" train.py "$CONFIG" "$@"
