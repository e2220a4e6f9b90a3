#!/usr/bin/env bash
# From a fresh machine to a trained network and its score, on generated clips.
#
#   bash tools/quickstart.sh [OUT]     (OUT: default work_dirs/quickstart)
#
# Sets up the environment (see tools/setup_env.sh), writes SpriteWorld clips to OUT/data,
# trains a network for about a minute on other generated clips, evaluates it on these
# with CRW's protocol before and after, prints its score among the yardsticks, and makes
# a report and overlays. It runs anywhere, any number of times, without network once
# installed. Clips that are there are kept, training and results made anew.
#
# ITERATIONS  of the training (default: 60; the config itself has 120)
# FRAMES      of a clip (default: 12)
set -euo pipefail
HERE=$PWD
if [ $# -gt 1 ] || [[ ${1:-} == -* ]]; then
  echo "usage: bash tools/quickstart.sh [OUT]" >&2
  exit 2
fi
OUT=${1:-}
set --  # setup_env.sh is sourced: it must not see our argument
set +eu  # it looks at its exit codes itself
. "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"  # goes to the root of the checkout
set -eu
case "$OUT" in
  '') OUT=$PWD/work_dirs/quickstart ;;
  /*) ;;
  *) OUT=$HERE/$OUT ;;
esac
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
CLIPS=$OUT/data RUN=$OUT/training RESULTS=$OUT/results
CONFIG=configs/train/crw_res18_spriteworld.py ITERATIONS=${ITERATIONS:-60}
STARTED=$SECONDS

python tools/prepare_data.py spriteworld "$CLIPS" --layouts davis video \
  --frames "${FRAMES:-12}"
PYTHON=python DENSECORR_DATA=$CLIPS bash tools/dist_train.sh "$CONFIG" 1 \
  --work-dir "$RUN" --overwrite --cfg-options train_cfg.max_iters=$ITERATIONS \
  default_hooks.schedules.values.0.schedule.type=constant \
  default_hooks.log.interval=10 validation.interval=$ITERATIONS \
  validation.tasks=[davis] validation.best='davis/J&F-Mean'
PYTHON=python bash tools/dist_test.sh "$CONFIG" 1 davis "$RUN/iter_$ITERATIONS.pth" \
  --data "$CLIPS/davis" --out "$RESULTS" --overwrite
python tools/report.py "$RESULTS" --overlays png gif mp4

python - "$RUN/validation.json" <<'PYTHON'
import json, pathlib, sys

from densecorr.utils.tables import format_table

first, last = json.loads(pathlib.Path(sys.argv[1]).read_text())
rows = []
for name in ('J&F-Mean', 'J-Mean', 'F-Mean'):
    before, after = (part['metrics'][f'davis/{name}'] for part in (first, last))
    rows.append(dict(percent=name, before=before, after=after, change=after - before))
print(f'\nbefore and after {last["iter"]} iterations of training:')
print(format_table(rows, ['percent', 'before', 'after', 'change']))
if rows[0]['change'] < 0:
    print('It got worse. So short a training can spoil what random weights have.')
PYTHON

cat <<END

Done in $((SECONDS - STARTED)) s.
  training    $RUN (checkpoints, log, TensorBoard: tensorboard --logdir $RUN)
  yardsticks  $RESULTS/yardsticks.json (the table above, in percent)
  report      $RESULTS/report.html
  overlays    $RESULTS/overlays/
  clips       $CLIPS

A minute shows the way, not what the method can do: docs/train.md has the whole training.
Next: docs/first_steps.md.
END
