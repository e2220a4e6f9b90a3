# Sourced by dist_train.sh, dist_test.sh, slurm_train.sh and slurm_test.sh.
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHON=${PYTHON:-python}
if [ -f "$TOOLS/../setup.py" ]; then  # a checkout, which need not be installed
  export PYTHONPATH="$(dirname "$TOOLS")${PYTHONPATH:+:$PYTHONPATH}"
fi

# port_is_free PORT: whether a program of this machine may listen there
port_is_free() {
  "$PYTHON" - "$1" <<'PYTHON'
import socket, sys

with socket.socket() as server:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(('', int(sys.argv[1])))
    except (OSError, OverflowError, ValueError):
        sys.exit(1)
PYTHON
}

# launch GPUS PROGRAM ARGS...: as many processes here, over NNODES machines
launch() {
  local gpus=$1 program=$2
  shift 2
  if ! [[ $gpus =~ ^[1-9][0-9]*$ ]]; then
    echo "GPUS is '$gpus'; give the number of processes of this machine, at least 1." >&2
    exit 2
  fi
  export NNODES=${NNODES:-1}
  if [ "$gpus" = 1 ] && [ "$NNODES" = 1 ]; then
    exec "$PYTHON" "$TOOLS/$program" "$@"
  fi
  local where
  if [ "$NNODES" = 1 ] && [ -z "$PORT" ]; then
    where=(--standalone)  # torchrun finds a free port itself
  else
    if [ -z "$PORT" ]; then
      echo "NNODES is $NNODES: set PORT to one number, free on MASTER_ADDR, everywhere." >&2
      exit 2
    fi
    if [ "${NODE_RANK:-0}" = 0 ] && ! port_is_free "$PORT"; then
      echo "PORT $PORT is in use on this machine, or not allowed: set another one, the same everywhere." >&2
      exit 2
    fi
    where=(--nnodes "$NNODES" --node-rank "${NODE_RANK:-0}"
      --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "$PORT")
  fi
  exec "$PYTHON" -m torch.distributed.run "${where[@]}" --nproc-per-node "$gpus" \
    "$TOOLS/$program" "$@"
}

# slurm_launch PARTITION JOB GPUS PROGRAM ARGS...: GPUS processes over all machines
slurm_launch() {
  local partition=$1 job=$2 gpus=$3 program=$4
  shift 4
  local per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
  export MASTER_PORT=${PORT:-$((20000 + RANDOM % 20000))} PYTHON
  # Slurm starts the processes itself; each gets the variables that torchrun would set.
  # shellcheck disable=SC2016,SC2086
  exec srun --partition "$partition" --job-name "$job" --ntasks "$gpus" \
    --ntasks-per-node "$per_node" --gres "gpu:$per_node" \
    --cpus-per-task "${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 $SRUN_ARGS \
    bash -c '
      export RANK=$SLURM_PROCID WORLD_SIZE=$SLURM_NTASKS LOCAL_RANK=$SLURM_LOCALID
      export LOCAL_WORLD_SIZE=${SLURM_NTASKS_PER_NODE:-1} NNODES=$SLURM_NNODES
      export MASTER_ADDR=$(scontrol show hostnames "$SLURM_STEP_NODELIST" | head -n 1)
      exec "$PYTHON" "$@"' - "$TOOLS/$program" "$@"
}
