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
PARTITION=$1 JOB=$2 CONFIG=$3 GPUS=$4 TASK=$5 CKPT=$6
shift 6
GPUS_PER_NODE=${GPUS_PER_NODE:-$((GPUS < 8 ? GPUS : 8))}
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -f "$TOOLS/../setup.py" ]; then  # a checkout, which need not be installed
  export PYTHONPATH="$(dirname "$TOOLS")${PYTHONPATH:+:$PYTHONPATH}"
fi
export MASTER_PORT=${PORT:-$((20000 + RANDOM % 20000))} PYTHON=${PYTHON:-python}
# Slurm starts the processes itself; each gets the variables that torchrun would set.
# shellcheck disable=SC2016
exec srun --partition "$PARTITION" --job-name "$JOB" --ntasks "$GPUS" \
  --ntasks-per-node "$GPUS_PER_NODE" --gres "gpu:$GPUS_PER_NODE" \
  --cpus-per-task "${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 $SRUN_ARGS \
  bash -c '
    export RANK=$SLURM_PROCID WORLD_SIZE=$SLURM_NTASKS LOCAL_RANK=$SLURM_LOCALID
    export LOCAL_WORLD_SIZE=${SLURM_NTASKS_PER_NODE:-1} NNODES=$SLURM_NNODES
    export MASTER_ADDR=$(scontrol show hostnames "$SLURM_STEP_NODELIST" | head -n 1)
    exec "$PYTHON" "$@"' - "$TOOLS/test.py" "$CONFIG" "$TASK" "$CKPT" "$@"
