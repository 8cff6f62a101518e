#!/bin/sh
# Train the networks beyond LeNet on one GPU, the rows of the papers' tables that need one, the most important first.
#
#   scripts/gpu_table.sh [MINUTES [JOBS]]      for MINUTES (default 12), JOBS commands at once (default 3)
#
# It ends in time, whatever is left: all rows together are 780,000 steps, whose time on a GPU was never measured.
# Finished stages are kept and a training goes on from its last epoch, so that the same command again does what is left.
# Rows that share a training wait for whoever makes it. The results are in runs/ as those of any command; what each
# command says is in runs/gpu_table/. The data are fetched before: python scripts/get_data.py cifar10, then
# ptb and fashion_mnist.

set -u
cd "$(dirname "$0")/.." || exit 1
minutes=${1:-12}
jobs=${2:-3}
python=${PYTHON:-python}
logs=${XORJAX_RUNS:-runs}/gpu_table
mkdir -p "$logs"

# The commands share the GPU's memory, and what they compiled is there for the next.
export XLA_PYTHON_CLIENT_PREALLOCATE=false
export JAX_COMPILATION_CACHE_DIR="${JAX_COMPILATION_CACHE_DIR:-$PWD/.cache/jax}"

# One command a line: the arguments of scripts/train.py.
rows() {
    cat <<'ROWS'
+experiment=resnet32_trained recipe=resnet_gpu report=resnet32_trained_gpu
+experiment=resnet20_trained recipe=resnet_gpu report=resnet20_trained_gpu
+experiment=lstm_paper
+experiment=resnet32_paper recipe=resnet_gpu report=resnet32_paper_gpu
+experiment=lstm_trained
+experiment=transformer_trained
+experiment=resnet32_masks recipe=resnet_gpu report=resnet32_masks_gpu
+experiment=wide_fc
+experiment=lstm_masks
+experiment=transformer_paper
ROWS
}

end=$(($(date +%s) + minutes * 60))
export end python logs

# The last seconds are for what does not stop at once. The exit status is not 0 if a row failed.
rows | xargs -P "$jobs" -I ROW sh -c '
    left=$((end - $(date +%s) - 20))
    name=$(echo "$1" | sed "s/^+experiment=//; s/ .*//")
    if [ "$left" -le 0 ]; then
        echo "$name: no time left"
        exit 0
    fi
    # At its end a command stops after the step under way; the checkpoint of its last epoch is there.
    # shellcheck disable=SC2086
    timeout --kill-after=20 "$left" "$python" scripts/train.py $1 > "$logs/$name.log" 2>&1
    status=$?
    # 137 is also what the system says of a process that it has killed, for its memory.
    [ "$status" -eq 137 ] && [ "$(date +%s)" -lt $((end - 20)) ] && status=1
    case $status in
        0) echo "$name: done" ;;
        124 | 137) echo "$name: not done in time; the same command goes on" ;;
        *)
            echo "$name: failed, see $logs/$name.log"
            exit 1
            ;;
    esac
' sh ROW
