# A machine with OpenClaw on it: what the scripts beside this one stand on. To be sourced.
#
# Installs node and OpenClaw from the npm registry, in exactly these versions, into a directory that later runs use
# again (`$OC_DIR`, by default `openclaw` in cargo's target directory). Everything else happens in
# a private temporary directory that goes when the script ends, with the processes started here.
# (OpenClaw itself insists on `/tmp/openclaw*` for its log and a lock.)
# shellcheck shell=bash

NODE_VERSION=24.21.0
OPENCLAW_VERSION=2026.9.6
LEGACY_VERSION=2026.3.13

repository=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
target=${CARGO_TARGET_DIR:-$repository/target}
OCBAK=$(realpath -m "${OCBAK:-$target/release/ocbak}")
OC_DIR=$(realpath -m "${OC_DIR:-$target/openclaw}")
node=$OC_DIR/node24/node_modules/node/bin/node
declare -A processes=()

# --- The machine -----------------------------------------------------------------------------

machine() {
    set -euo pipefail
    [[ -x $OCBAK ]] || fail "no $OCBAK: cargo build --release, or name the program in OCBAK"
    umask 077
    work=$(mktemp -d "${TMPDIR:-/tmp}/oc.XXXXXX")
    trap leave EXIT
    # OpenClaw sets modes where it needs them; elsewhere a person's umask is at work.
    umask 022
    mkdir "$work/tmp" "$work/logs"
    package node24 node "$NODE_VERSION"
    package oc openclaw "$OPENCLAW_VERSION"
}

leave() {
    local status=${1:-$?} group
    set +e
    # Each was started as the leader of a group of its own.
    for group in "${!processes[@]}"; do kill -TERM -- "-$group"; done 2>/dev/null
    for group in "${!processes[@]}"; do
        for _ in {1..100}; do
            kill -0 -- "-$group" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL -- "-$group" 2>/dev/null
    done
    if ((status)); then
        echo "FAILED after $SECONDS s; the ends of the logs:" >&2
        tail -n 15 "$work"/logs/* >&2
    fi
    rm -rf "$work"
    exit "$status"
}

# package DIRECTORY NAME VERSION [OVERRIDES]: an npm package in $OC_DIR/DIRECTORY, whole or not at all.
package() {
    local place=$OC_DIR/$1 new=$OC_DIR/.$1.$$ log=$work/logs/npm-$1
    [[ ! -f $place/$2-$3 ]] || return 0
    command -v npm >/dev/null || fail 'npm is not there; apt-get install npm'
    say "installing $2 $3 in $place"
    mkdir -p "$new"
    printf '{ "private": true, "overrides": {%s} }\n' "${4:-}" >"$new/package.json"
    local npm=(npm install --no-audit --no-fund --loglevel=error --fetch-timeout=60000)
    if ! (cd "$new" && PATH=${node%/*}:$PATH "${npm[@]}" "$2@$3") >"$log" 2>&1 </dev/null; then
        rm -rf "$new"
        if grep -Eq 'code (ENOTFOUND|EAI_AGAIN|ECONN[A-Z]+|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)' "$log"; then
            skip "the npm registry cannot be reached"
        fi
        fail "npm cannot install $2@$3"
    fi
    touch "$new/$2-$3"
    rm -rf "$place"
    mv "$new" "$place"
}

skip() {
    {
        echo '*********************************************************************'
        echo "SKIPPED: $1."
        echo 'Nothing was tested with real OpenClaw.'
        echo '*********************************************************************'
        cat "$work"/logs/npm-* || true
    } >&2
    exit 0
}

# --- What is said ----------------------------------------------------------------------------

say() { printf '%4s s  %s\n' "$SECONDS" "$*"; }

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# same WHAT EXPECTED FOUND
same() {
    [[ $2 == "$3" ]] || fail "$1"$'\n'"expected: $2"$'\n'"found:    $3"
    say "  ok: $1"
}

# has WHAT TEXT PART...
has() {
    local what=$1 text=$2 part
    for part in "${@:3}"; do
        [[ $text == *"$part"* ]] || fail "$what"$'\n'"no \`$part\` in: $text"
    done
    say "  ok: $what"
}

# exits WHAT STATUS COMMAND...: what it printed, both streams, is then in $out.
exits() {
    local what=$1 expected=$2 status=0
    out=$("${@:3}" 2>&1) || status=$?
    [[ $status == "$expected" ]] || fail "$what: exit code $status instead of $expected"$'\n'"$out"
    say "  ok: $what"
}

# json EXPRESSION: of the document `it` on standard input; text as it is.
json() {
    "$node" -e '
        const it = JSON.parse(require("fs").readFileSync(0, "utf8"));
        const found = new Function("it", "return " + process.argv[1])(it);
        console.log(typeof found === "string" ? found : JSON.stringify(found));
    ' "$1"
}

# --- An installation -------------------------------------------------------------------------

# at HOME [PROFILE]: which installation is meant from here on, and that the current OpenClaw runs it.
at() {
    home=$1
    profile=(${2:+--profile "$2"})
    state=$home/.openclaw${2:+-$2}
    openclaw=$OC_DIR/oc/node_modules/openclaw/openclaw.mjs
    # Nothing of this machine's environment; no search for neighbours in the network.
    clean=(env -i HOME="$home" USER="$(id -un)" LANG=C.UTF-8 TERM=dumb NO_COLOR=1 TMPDIR="$work/tmp"
        PATH="${node%/*}:/usr/local/bin:/usr/bin:/bin" npm_config_offline=true
        OPENCLAW_NO_RESPAWN=1 OPENCLAW_HIDE_BANNER=1 OPENCLAW_DISABLE_BONJOUR=1)
    mkdir -p "$home"
}

# oc ARGUMENT...: OpenClaw in that home; what it says beside its result goes to a log.
oc() {
    (cd "$home" && timeout 180 "${clean[@]}" "$node" "$openclaw" "${profile[@]}" "$@") \
        2>>"$work/logs/openclaw" </dev/null
}

# ask ARGUMENT...: as `oc`, of a gateway that may be too busy to answer: old releases give up after three seconds.
ask() {
    local try got
    for try in 1 2 3 4 5; do
        if got=$(oc "$@"); then
            printf '%s\n' "$got"
            return
        fi
        sleep "$try"
    done
    fail "no answer to: openclaw $*"
}

# ocbak ARGUMENT...: as a person of this machine, whose own home is none of those, and who has OpenClaw.
ocbak() {
    local path=$OC_DIR/oc/node_modules/.bin:${node%/*}:/usr/bin:/bin
    timeout 300 env -i HOME="$work/person" PATH="$path" LC_ALL=C.UTF-8 TMPDIR="$work/tmp" "$OCBAK" "$@" </dev/null
}

# start DIRECTORY NAME PROGRAM...: in the background; its number is then in $started.
start() {
    (cd "$1" && exec setsid "${@:3}") >>"$work/logs/$2" 2>&1 </dev/null &
    started=$!
    processes[$started]=$2
}

# stop NUMBER [TEXT]: gently. An exit code other than 0 is fine where its log has TEXT, which says why.
stop() {
    local status=0 log=$work/logs/${processes[$1]}
    kill -TERM "$1"
    timeout 60 tail --pid="$1" -f /dev/null || fail "the ${processes[$1]} does not stop"
    wait "$1" || status=$?
    if [[ $status != 0 && $status != 143 ]]; then
        [[ -n ${2:-} ]] && grep -q "$2" "$log" || fail "the ${processes[$1]} ended with exit code $status"
        say "  the ${processes[$1]} ended with exit code $status: $2"
    fi
    unset "processes[$1]"
}

runs() { kill -0 "$1" 2>/dev/null || fail "the ${processes[$1]} went away"; }

# The model for all agents; its port is then in $model_port.
model_start() {
    start "$repository" model "$node" "$repository/tests/openclaw/model.mjs"
    until model_port=$(grep -sEx '[0-9]+' "$work/logs/model"); do
        runs "$started"
        sleep 0.1
    done
}

# Starts the gateway and waits until it answers; its number is then in $gateway.
gateway_start() {
    local begun=$SECONDS
    start "$home" gateway "${clean[@]}" "$node" "$openclaw" "${profile[@]}" gateway run
    gateway=$started
    until answers "http://127.0.0.1:$port/healthz"; do
        runs "$gateway"
        ((SECONDS - begun < 180)) || fail "the gateway of $home does not answer"
        sleep 0.3
    done
    say "gateway of $home runs"
}

# OpenClaw 2026.9.6 ends with 1 where it is stopped while it still tidies a session's database after a turn, as on a
# slow machine: a race of its own, after all that is tested was answered.
gateway_stop() { stop "$gateway" 'gateway.stop_close_failed'; }

answers() {
    "$node" -e 'fetch(process.argv[1]).then((got) => process.exit(got.ok ? 0 : 1), () => process.exit(1))' "$1"
}

# A port that is free, and so are those after it that a gateway takes as well.
free_port() {
    "$node" -e '
        const net = require("net");
        const free = (port) => new Promise((done) => {
            const server = net.createServer().on("error", () => done(false));
            server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
        });
        (async () => {
            for (;;) {
                const port = 20000 + Math.floor(Math.random() * 10000);
                const all = await Promise.all([0, 1, 2, 3, 4].map((more) => free(port + more)));
                if (all.every(Boolean)) return console.log(port);
            }
        })();
    '
}

# onboard: a new installation, with the model behind it.
onboard() {
    oc onboard --non-interactive --accept-risk --mode local --auth-choice custom-api-key \
        --custom-base-url "http://127.0.0.1:$model_port/v1" --custom-model-id mindless \
        --custom-provider-id nobody --custom-api-key sk-FAKE --custom-compatibility openai \
        --gateway-port "$port" --gateway-bind loopback --gateway-auth token --no-install-daemon \
        --skip-health --skip-channels --skip-search --skip-skills --skip-ui --json >/dev/null
}

# turn AGENT MESSAGE: what the agent answers is then in $answer.
turn() {
    local try got
    for try in 1 2 3; do
        if got=$(oc agent --agent "$1" --message "$2" --json); then
            answer=$(json '(it.result ?? it).payloads[0].text' <<<"$got")
            return
        fi
        # The gateway of 2026.9.6 can trip over itself on a busy machine when one agent follows another: "Agent database cleanup
        # failed", and so for every agent until it starts anew. What is wrong with an installation is still wrong then.
        say "  turn $try of agent $1 failed: $(grep Reason: "$work/logs/openclaw" | tail -n 1)"
        gateway_stop
        gateway_start
    done
    fail "no turn of agent $1 works"
}

# The jobs that there are, each with what makes it what it is.
cron_jobs() {
    ask cron list --json | json 'it.jobs.map((job) => JSON.stringify([job.name, job.id, job.agentId, job.enabled,
        job.schedule, job.payload])).sort().join("\n")'
}

sessions() {
    oc sessions --all-agents --json |
        json 'it.sessions.map((session) => session.agentId + " " + session.key).sort().join("\n")'
}

# Everything below directories: type, mode, time, length, target of links, name; then what is in the files.
inventory() {
    local directory
    for directory; do
        (
            cd "$directory"
            find . -printf '%y %m %T@ %s %l %p\n' | awk '$1 == "d" { $4 = "" } { print }' | sort
            find . -type f -print0 | sort -z | xargs -0r sha256sum
        )
    done
}
