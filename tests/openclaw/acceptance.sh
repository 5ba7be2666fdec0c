#!/usr/bin/env bash
# Moves real OpenClaw installations to other homes with ocbak, and shows that everything is there.
#
# An installation is made as a person makes one, captured while its gateway runs and is written to, and restored under
# another home, once under another profile, once on top of what is there; the
# same with an installation of an old release, through OpenClaw's own migration. See machine.sh for what it needs.
set -euo pipefail
# shellcheck source=tests/openclaw/machine.sh
source "$(dirname "$0")/machine.sh"

agents=(main research ops)

main() {
    machine
    model_start
    port=$(free_port)
    age-keygen -o "$work/key" 2>/dev/null
    recipient=$(age-keygen -y "$work/key")

    say 'an installation'
    at "$work/old/alice"
    settle
    capture_in_use
    mv "$work/old" "$work/gone"

    say 'another home'
    at "$work/new/sam"
    exits 'restore' 0 ocbak restore "$archive" -i "$work/key" --yes --home "$home"
    is_sound
    lives
    has_diary
    keeps_what_was_there

    say 'another home and profile'
    at "$work/new/kim" work
    exits 'restore' 0 ocbak restore "$archive" -i "$work/key" --yes --home "$home" --profile work
    is_sound
    lives

    say 'a plain copy'
    at "$work/new/copy"
    cp -a "$work/gone/alice/." "$home"
    is_known_as_a_copy

    say "OpenClaw's own backup, of a state directory behind a link"
    own_backup

    say "its backups of other homes with links"
    shapes

    say 'an installation of an old release'
    legacy

    say "all passed in $SECONDS s"
}

# An installation with three agents, sessions, memory, a cron job and a configuration with comments.
settle() {
    onboard
    token=$(json it.gateway.auth.token <"$state/openclaw.json")
    oc agents add research --non-interactive --workspace "$home/projects/research" --json >/dev/null
    oc agents add ops --non-interactive --workspace "$state/workspace-ops" --json >/dev/null
    comment
    printf -- '- fact-noted-main\n' >"$state/workspace/MEMORY.md"
    printf -- '- fact-noted-research\n' >"$home/projects/research/MEMORY.md"
    printf -- '- fact-noted-ops\n' >"$state/workspace-ops/MEMORY.md"
    # So that a capture takes a moment.
    mkdir -p "$state/media/inbound"
    head -c 64M /dev/urandom >"$state/media/inbound/film.mp4"

    gateway_start
    ask cron add --name daily --cron '0 9 * * *' --agent main --message 'good morning' --no-deliver --json >/dev/null
    local agent
    for agent in "${agents[@]}"; do
        turn "$agent" "Keep in mind: fact-told-$agent"
        same "agent $agent is told something" "$(knows "$agent")" "$answer"
    done
}

# knows AGENT: what it answers when it has its workspace and its session.
knows() { echo "I read [fact-noted-$1] and was told [fact-told-$1]."; }

# Rewrites the configuration as a person might have written it. Sessions shall not begin anew at night, in the middle of
# this; the writer needs the HTTP interface.
comment() {
    mkdir "$state/parts"
    echo "{ file: '$home/gateway.log' /* in a file of its own */ }" >"$state/parts/logging.json5"
    chmod 600 "$state/parts/logging.json5"
    # shellcheck disable=SC2016 # JavaScript
    "$node" -e '
        const fs = require("fs"), file = process.argv[1];
        const config = JSON.parse(fs.readFileSync(file, "utf8"));
        config.session = { ...config.session, reset: { mode: "idle", idleMinutes: 525600 } };
        config.gateway.http = { endpoints: { chatCompletions: { enabled: true } } };
        config.logging = { "$include": "./parts/logging.json5" };
        const text = JSON.stringify(config, null, 2)
            .replace("{", "{\n  // The owner wrote this.")
            .replace("\"reset\"", "/* never at night */ reset")
            .replace(/\n}$/, ",\n}\n");
        fs.writeFileSync(file, text);
    ' "$state/openclaw.json"
}

# Captures while the gateway runs and is written to.
capture_in_use() {
    scratch='seen twice'
    ask cron scratch "$(daily)" --set "$scratch" >/dev/null
    known_jobs=$(cron_jobs)
    known_sessions=$(sessions)
    local writer round written=
    # With the agent of the last turn, see `turn`.
    : >"$work/logs/writer"
    start "$home" writer "$node" "$repository/tests/openclaw/writer.mjs" "$port" "$token" ops
    writer=$started
    until (($(entries_answered) >= 10)); do
        runs "$writer"
        sleep 0.1
    done
    for round in {1..20}; do
        archive=$work/alice-$round.ocbak
        answered=$(entries_answered)
        touch "$work/begun"
        exits 'create beside a running gateway' 0 ocbak create --home "$home" -r "$recipient" -o "$archive"
        written=$(find "$state" -name '*.sqlite-wal' -newer "$work/begun")
        [[ -z $written ]] || break
    done
    [[ -n $written ]] || fail 'nothing was written while an archive was made'
    say "  databases written to meanwhile: $(wc -l <<<"$written"), entries before: $answered"
    has 'create says that a gateway runs' "$out" "OpenClaw is running: gateway (pid $gateway, port $port)"
    exits 'create --require-stopped refuses' 1 \
        ocbak create --home "$home" -r "$recipient" -o "$work/refused.ocbak" --require-stopped
    exits 'restore over a running gateway refuses' 1 ocbak restore "$archive" -i "$work/key" --yes --home "$home"
    stop "$writer"
    gateway_stop
    exits 'verify' 0 ocbak verify "$archive" -i "$work/key"
}

entries_answered() { grep -cEx "[0-9]+" "$work/logs/writer" || true; }

daily() { ask cron list --json | json 'it.jobs.find((job) => job.name === "daily").id'; }

# What was restored, before OpenClaw starts on it.
is_sound() {
    exits 'ocbak check finds nothing' 0 ocbak check --home "$home" "${profile[@]}"
    local text
    text=$(cat "$state/openclaw.json" "$state/parts/logging.json5")
    has 'the configuration has its comments' "$text" '  // The owner wrote this.' \
        '/* never at night */ reset' '/* in a file of its own */'
    has 'and the paths of the new home' "$text" "\"$state/workspace-ops\"" "\"$home/projects/research\"" \
        "'$home/gateway.log'"
    [[ $text != *"$work/old"* ]] || fail "the old home is in $text"
}

# OpenClaw runs there as it did in the old home.
lives() {
    local agent found known
    same 'config validate' true "$(oc config validate --json | json it.valid)"
    exits 'doctor --lint' 0 oc doctor --lint --json --severity-min error
    gateway_start
    found=$(cron_jobs)
    mapfile -t known <<<"$known_jobs"
    has 'all cron jobs are there' "$found" "${known[@]}"
    same 'none of them twice' '' "$(cut -d, -f 1 <<<"$found" | uniq -d)"
    if [[ -n $scratch ]]; then
        same "the job's scratch is there" "$scratch" "$(ask cron scratch "$(daily)" --json | json it.scratch.content)"
    fi
    found=$(sessions)
    mapfile -t known <<<"$known_sessions"
    has 'all sessions are there' "$found" "${known[@]}"
    for agent in "${agents[@]}"; do
        turn "$agent" 'What do you know?'
        same "agent $agent has its workspace and its session" "$(knows "$agent")" "$answer"
    done
    gateway_stop
    [[ -s $home/gateway.log ]] || fail 'no log was written to where the included file says'
    exits 'ocbak check finds nothing after that' 0 ocbak check --home "$home" "${profile[@]}"
    [[ ! -e $work/old ]] || fail "something was made at the old home: $(find "$work/old")"
}

# The diary in the archive is what was written up to one moment: the first entries, without a gap.
has_diary() {
    local entries last
    entries=$("$node" --no-warnings -e '
        const { DatabaseSync } = require("node:sqlite");
        const events = new DatabaseSync(process.argv[1], { readOnly: true })
            .prepare("select event_json from transcript_events where event_json like ? order by session_id, seq");
        for (const { event_json } of events.all("%entry-%")) {
            const { message } = JSON.parse(event_json);
            if (message.role === "user") console.log(/entry-(\d+)\./.exec(JSON.stringify(message))[1]);
        }
    ' "$state/agents/ops/agent/openclaw-agent.sqlite")
    last=$(tail -n 1 <<<"$entries")
    same 'the diary has no gap' "$(seq "$last")" "$entries"
    ((last >= answered)) || fail "$answered entries were answered before the capture, and $last are there"
    say "  ok: entries in the diary: $last, answered before the capture: $answered"
}

# Restored once more on top of it: the tree that was there stays complete.
keeps_what_was_there() {
    local kept before
    before=$(inventory "$state" "$home/projects/research")
    exits 'restore on top of it' 0 ocbak restore "$archive" -i "$work/key" --yes --home "$home"
    kept=$(compgen -G "$home/.openclaw.before-restore-*Z")
    has 'restore says where the old tree is' "$out" "$kept"
    same 'the old tree is complete' "$before" \
        "$(inventory "$kept" "$home"/projects/research.before-restore-*Z)"
    exits 'ocbak check finds nothing' 0 ocbak check --home "$home"
    exits 'undo' 0 ocbak undo --yes --home "$home"
    same 'it is in its place again' "$before" "$(inventory "$state" "$home/projects/research")"
}

is_known_as_a_copy() {
    exits 'ocbak check has findings' 3 ocbak check --home "$home"
    local old=$work/old/alice
    has 'it names the lost job' "$out" "cron job \`daily\`: lost, kept under \`$old/.openclaw/cron/jobs.json\`"
    has 'it names the dead workspaces' "$out" \
        "workspace of agent \`main\`: \`$old/.openclaw/workspace\`" \
        "workspace of agent \`research\`: \`$old/projects/research\`" \
        "workspace of agent \`ops\`: \`$old/.openclaw/workspace-ops\`"
}

# What OpenClaw backed up itself lives in another home as well.
own_backup() {
    at "$work/new/sam"
    mv "$state" "$work/new/disk"
    ln -s "$work/new/disk" "$state"
    exits 'openclaw backup create' 0 oc backup create --output "$work/sam.tar.gz"
    exits 'import' 0 ocbak import "$work/sam.tar.gz" -r "$recipient" -o "$work/sam.ocbak"
    mv "$work/new/disk" "$work/new/sam" "$work/gone"

    at "$work/new/lea"
    exits 'restore' 0 ocbak restore "$work/sam.ocbak" -i "$work/key" --yes --home "$home"
    is_sound
    lives
    [[ ! -e $work/new/sam && ! -e $work/new/disk ]] || fail 'something was made at the home before'
}

# OpenClaw names what is behind links by both names. Imported, it is what `create` makes of the same home.
shapes() {
    local shape real=$work/shapes/real config
    for shape in workspace state home all-in-one; do
        at "$work/shapes/$shape"
        config='{ "agents": { "list": [{ "id": "main", "default": true }, { "id": "research", "workspace": "~/ws" }] } }'
        mkdir -p "$real/$shape"
        case $shape in
            workspace) ln -s "$real/workspace" "$home/ws" && mkdir "$state" && mkdir "$state/real" && ln -s real "$state/workspace" ;;
            state) ln -s "$real/state" "$state" && mkdir "$state/workspace" "$home/ws" ;;
            home) rmdir "$home" && ln -s "$real/home" "$home" && mkdir "$state" "$state/workspace" "$home/ws" ;;
            all-in-one)
                mkdir "$state"
                config='{ "agents": { "list": [{ "id": "main", "workspace": "~/.openclaw" }] } }'
                ;;
        esac
        printf '%s\n' "$config" >"$state/openclaw.json"
        chmod 600 "$state/openclaw.json"
        for config in "$state/workspace" "$home/ws"; do
            [[ ! -d $config ]] || echo 'I am' >"$config/SOUL.md"
        done
        exits "$shape: openclaw backup create" 0 oc backup create --output "$work/$shape.tar.gz"
        exits 'import' 0 ocbak import "$work/$shape.tar.gz" -r "$recipient" -o "$work/$shape.ocbak"
        exits 'create' 0 ocbak create --home "$home" -r "$recipient" -o "$work/$shape.created"
        exits 'they are the same' 0 ocbak diff "$work/$shape.ocbak" "$work/$shape.created" -i "$work/key"
    done
}

# OpenClaw moves the old layout to the new one by `doctor --fix`, and refuses to half do it.
legacy() {
    legacy_release
    at "$work/old/bob"
    openclaw=$OC_DIR/legacy/node_modules/openclaw/openclaw.mjs
    settle
    known_jobs=$(cron_jobs)
    known_sessions=$(sessions)
    scratch=
    gateway_stop
    [[ -f $state/cron/jobs.json && ! -e $state/state ]] || fail "$state is not in the old layout"
    archive=$work/bob.ocbak
    (umask 077 && echo 'four words and more' >"$work/passphrase")
    exits 'create' 0 ocbak create --home "$home" --passphrase-file "$work/passphrase" -o "$archive"
    mv "$work/old" "$work/gone/old"

    at "$work/new/rob"
    exits 'restore' 0 ocbak restore "$archive" --passphrase-file "$work/passphrase" --yes --home "$home"
    is_sound
    exits 'doctor --fix migrates' 0 oc doctor --fix --non-interactive
    [[ -f $state/state/openclaw.sqlite ]] || fail 'nothing was migrated'
    lives
}

# The old release asks for a library of WhatsApp's by git, from where no registry serves it. Nothing here
# speaks WhatsApp, and what only imports the library is content with its names.
legacy_release() {
    local stub=$OC_DIR/libsignal
    mkdir -p "$stub/src"
    echo '{ "name": "libsignal", "version": "0.0.0" }' >"$stub/package.json"
    echo >"$stub/index.js"
    echo 'exports.deriveSecrets = exports.decrypt = exports.encrypt = exports.calculateMAC = null;' >"$stub/src/crypto.js"
    echo 'exports.generateKeyPair = exports.calculateSignature = exports.verifySignature = null;' >"$stub/src/curve.js"
    package legacy openclaw "$LEGACY_VERSION" "\"libsignal\": \"file:$stub\""
}

main
