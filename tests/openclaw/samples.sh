#!/usr/bin/env bash
# Moves the sample homes that lie beside a checkout to another home, and has the harness there look whether
# OpenClaw finds everything. Where they are not, it says so and is done.
set -euo pipefail
# shellcheck source=tests/openclaw/machine.sh
source "$(dirname "$0")/machine.sh"

samples=$repository/../shared/openclaw

main() {
    if [[ ! -x $samples/oc-harness.sh ]]; then
        echo "no sample homes in $samples" >&2
        exit 0
    fi
    machine
    age-keygen -o "$work/key" 2>/dev/null
    age-keygen -y "$work/key" >"$work/recipient"
    export OC_DIR OC_RUN_DIR=$work/harness TMPDIR=$work/tmp OC_PORT
    OC_PORT=$(free_port)
    trap stop_harness EXIT
    # On the port that the samples' configuration names.
    harness mock-start

    sample home-2026.9.6 alice
    check_restored

    sample home-legacy-2026.3.13 bob
    # No channel is configured, so that OpenClaw's migration needs no network.
    exits 'doctor --fix migrates' 0 oc doctor --fix --non-interactive
    # The sample has no scratch: the old release knew none.
    OC_SCRATCH='' check_restored
    say "all passed in $SECONDS s"
}

# sample NAME USER: of that user's home, moved to another one.
sample() {
    say "sample $1"
    at "$work/new/$2"
    mkdir "$work/$1"
    tar --zstd -xpf "$samples/$1.tar.zst" -C "$work/$1"
    exits 'create' 0 ocbak create --home "$work/$1" -R "$work/recipient" -o "$work/$1.ocbak"
    exits 'restore' 0 ocbak restore "$work/$1.ocbak" -i "$work/key" --yes --home "$home"
    export OC_OLD_HOME=/home/$2
}

# OpenClaw can lock itself out of an agent's database until its gateway starts anew (see `turn` in machine.sh):
# where turns alone fail, they are tried again, with a gateway started for that.
check_restored() {
    local try failed
    for try in 1 2 3; do
        if harness check-restored "$home" >"$work/checked" 2>&1; then
            cat "$work/checked"
            return
        fi
        cat "$work/checked"
        failed=$(grep '^FAIL' "$work/checked") || break
        ! grep -qv '^FAIL turn of agent' <<<"$failed" || break
        say "  only turns failed, try $try"
    done
    fail 'the restored home does not pass'
}

harness() { "$samples/oc-harness.sh" "$@"; }

# What it started it knows by the files in OC_RUN_DIR.
stop_harness() {
    local status=$?
    harness mock-stop || true
    if [[ -n ${home:-} ]]; then harness gateway-stop "$home" || true; fi
    leave "$status"
}

main
