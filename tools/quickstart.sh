#!/usr/bin/env bash
# From a fresh machine to a first evaluation, on generated clips.
#
#   bash tools/quickstart.sh [OUT]     (OUT: default work_dirs/quickstart)
#
# Sets up the environment (see tools/setup_env.sh), writes SpriteWorld clips to OUT/data,
# evaluates an untrained network on them with CRW's protocol, prints its score among the
# yardsticks, and makes a report and overlays. It runs anywhere, any number of times,
# without network once installed. Clips that are there are kept, results made anew.
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
CLIPS=$OUT/data RESULTS=$OUT/results
STARTED=$SECONDS

python tools/prepare_data.py spriteworld "$CLIPS" --layouts davis video \
  --frames 12
PYTHON=python bash tools/dist_test.sh configs/test/crw_res18.py 1 davis random \
  --data "$CLIPS/davis" --out "$RESULTS" --overwrite
python tools/report.py "$RESULTS" --overlays png gif mp4

cat <<END

Done in $((SECONDS - STARTED)) s.
  yardsticks  $RESULTS/yardsticks.json (the table above, in percent)
  report      $RESULTS/report.html
  overlays    $RESULTS/overlays/
  clips       $CLIPS

The network is untrained: its score is what an architecture gives for free. Next:
docs/first_steps.md.
END
