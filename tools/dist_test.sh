#!/usr/bin/env bash
# Evaluate with GPUS processes: one per GPU, or on the CPU where there is none.
#
#   bash tools/dist_test.sh CONFIG GPUS TASK CKPT [options of tools/test.py]
#
# Several machines: run it on each with NNODES (how many), NODE_RANK (which, from 0),
# MASTER_ADDR (of machine 0) and PORT (free there) set. PORT unset = a free port.
if [ $# -lt 4 ]; then
  echo "usage: bash tools/dist_test.sh CONFIG GPUS TASK CKPT [options]" >&2
  exit 2
fi
CONFIG=$1 GPUS=$2 TASK=$3 CKPT=$4
shift 4
if ! [[ $GPUS =~ ^[1-9][0-9]*$ ]]; then
  echo "GPUS is '$GPUS'; give the number of processes of this machine, at least 1." >&2
  exit 2
fi
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHON=${PYTHON:-python}
NNODES=${NNODES:-1}
export NNODES
if [ -f "$TOOLS/../setup.py" ]; then  # a checkout, which need not be installed
  export PYTHONPATH="$(dirname "$TOOLS")${PYTHONPATH:+:$PYTHONPATH}"
fi
if [ "$GPUS" = 1 ] && [ "$NNODES" = 1 ]; then
  exec "$PYTHON" "$TOOLS/test.py" "$CONFIG" "$TASK" "$CKPT" "$@"
fi
if [ "$NNODES" = 1 ] && [ -z "$PORT" ]; then
  WHERE=(--standalone)  # torchrun finds a free port itself
else
  if [ -z "$PORT" ]; then
    echo "NNODES is $NNODES: set PORT to one number, free on MASTER_ADDR, everywhere." >&2
    exit 2
  fi
  WHERE=(--nnodes "$NNODES" --node-rank "${NODE_RANK:-0}"
    --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "$PORT")
fi
exec "$PYTHON" -m torch.distributed.run "${WHERE[@]}" --nproc-per-node "$GPUS" \
  "$TOOLS/test.py" "$CONFIG" "$TASK" "$CKPT" "$@"
