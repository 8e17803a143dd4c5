# What the deployment scripts share: settings, dry runs, waiting, and asking Nomad. Sourced, not run.
# shellcheck shell=bash disable=SC2034  # those who source it use the settings

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
program=$(basename "$0")
dry_run=${dry_run:-no}
# How long a step may take, and how often it is looked at: seconds.
DEPLOY_TIMEOUT=${DEPLOY_TIMEOUT:-900}
DEPLOY_INTERVAL=${DEPLOY_INTERVAL:-5}

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "$program" "$*" >&2; }

# die MESSAGE [WHAT-TO-LOOK-AT...]
die() {
    warn "$1"
    shift
    local line
    for line in "$@"; do printf '    %s\n' "$line" >&2; done
    exit 1
}

# run COMMAND...: does it; in a dry run only shows it.
run() {
    if [ "$dry_run" = yes ]; then
        printf '+ %s\n' "${*@Q}" | sed -E "s/'([A-Za-z0-9_.,:=\/@%+-]+)'/\1/g"
    else
        "$@" </dev/null
    fi
}

# The same, for a command that says more than anybody wants to know.
run_quietly() {
    if [ "$dry_run" = yes ]; then run "$@"; else run "$@" >/dev/null; fi
}

need_commands() {
    local name
    for name in "$@"; do
        command -v "$name" >/dev/null || die "$name is not installed, or not in PATH"
    done
}

need_settings() {
    local name
    for name in "$@"; do
        [ -n "${!name:-}" ] || die "$name is not set" "export $name=... (see the head of $0)"
    done
}

# whole_number NAME: its value is one, and not 0.
whole_number() {
    [[ ${!1} =~ ^[1-9][0-9]{0,2}$ ]] || die "$1 is ${!1}: it has to be a whole number from 1 to 999"
}

# until_done WHAT COMMAND...: asks every DEPLOY_INTERVAL seconds; COMMAND says on stdout how far it is. 1: never done.
until_done() {
    local what=$1 before='' now end=$((SECONDS + DEPLOY_TIMEOUT))
    shift
    if [ "$dry_run" = yes ]; then
        say "+ wait until $what"
        return 0
    fi
    until now=$("$@"); do
        [ "$now" = "$before" ] || say "waiting until $what: $now"
        before=$now
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep "$DEPLOY_INTERVAL"
    done
    say "$what: $now"
}

# --- Nomad -----------------------------------------------------------------------------------------------------------

nomad_reachable() {
    nomad node status -json >/dev/null 2>&1 ||
        die "Nomad does not answer" "NOMAD_ADDR is ${NOMAD_ADDR:-not set, so http://127.0.0.1:4646}; and is NOMAD_TOKEN right?" \
            "nomad server members"
}

# Nodes of the pool that are ready and take jobs, one a line.
pool_nodes() {
    nomad node status -filter 'Meta["pool_type"]=="emqx"' -json |
        jq -r '.[] | select(.Status == "ready" and .SchedulingEligibility == "eligible") | .ID'
}

# All nodes of the pool that answer, also those that are being emptied.
all_nodes() {
    nomad node status -filter 'Meta["pool_type"]=="emqx"' -json | jq -r '.[] | select(.Status == "ready") | .ID'
}

# node_fact ID address|index|name. They stay as they are for as long as the node lives: asked once, by know_nodes.
declare -A known_nodes=()
node_facts() {
    nomad node status -json "$1" | jq -r '[.Attributes["unique.network.ip-address"], .Meta["group-index"], .Name] | map(. // "-") | join(" ")'
}
know_nodes() {
    local node
    for node in $(all_nodes); do
        [ -n "${known_nodes[$node]:-}" ] || known_nodes[$node]=$(node_facts "$node")
    done
}
node_fact() {
    local address index name
    read -r address index name <<<"${known_nodes[$1]:-$(node_facts "$1")}"
    echo "${!2}"
}

# Allocations of a job that run, one a line: ID and node. A job that is not there has none; that Nomad does not say is an
# error, as a gate that is still draining must not be taken for gone.
running_allocs() {
    local all error
    if ! all=$(nomad job allocs -json "$1" 2>/dev/null); then
        error=$(nomad job allocs -json "$1" 2>&1 >/dev/null) || true
        [[ $error != *"No job(s)"* ]] || return 0
        die "Nomad does not say what runs of $1" "nomad job allocs $1" ${error:+"$error"}
    fi
    jq -r '.[] | select(.ClientStatus == "running" and .DesiredStatus == "run") | "\(.ID) \(.NodeID)"' <<<"$all"
}

# alloc_on JOB NODE: the allocation of the job that runs there, if any.
alloc_on() { running_allocs "$1" | awk -v node="$2" '$2 == node {print $1; exit}'; }

count_lines() { grep -c . || true; }

enough_nodes() {
    local have
    have=$(pool_nodes | count_lines)
    echo "$have of $1"
    [ "$have" -ge "$1" ]
}

# need_nodes COUNT
need_nodes() {
    enough_nodes "$1" >/dev/null ||
        die "Nomad has $(enough_nodes "$1") nodes with pool_type \"emqx\" that are ready: the phase pools comes first, or is not done" \
            "nomad node status -filter 'Meta[\"pool_type\"]==\"emqx\"'" \
            "has the instance pool that size?   terraform output -json | jq .emqx_instance_pool" \
            "what did the instance do at boot?  ssh opc@<node-ip> sudo tail /var/log/cloud-init-output.log"
}

# know_items JOB: reads the job's Nomad variable. Not to be told of it is not the same as that there is none: secrets that
# were made anew then would take the place of those that the cluster has.
variable='{}' items='{}'
know_items() {
    local error
    if ! variable=$(nomad var get -out=json "nomad/jobs/$1" 2>/dev/null); then
        error=$(nomad var get -out=json "nomad/jobs/$1" 2>&1 >/dev/null) || true
        [[ ${error,,} == *"variable not found"* ]] || die "the Nomad variable nomad/jobs/$1 cannot be read; nothing was changed" \
            ${error:+"$error"} "nomad var get nomad/jobs/$1" "has NOMAD_TOKEN the rights to read it?"
        variable='{}'
    fi
    items=$(jq -c '.Items // {}' <<<"$variable")
}

# put_items JOB JSON: adds to what know_items read, unless somebody changed it since. Values are not on any command line.
put_items() {
    if [ "$dry_run" = yes ]; then
        say "+ nomad var put -in=json -out=none - # nomad/jobs/$1: $(jq -r 'keys | join(", ")' <<<"$2")"
        return 0
    fi
    printf '%s %s' "$items" "$2" | jq -s --arg path "nomad/jobs/$1" '{Path: $path, Items: (.[0] + .[1])}' |
        nomad var put -in=json -out=none -check-index "$(jq '.ModifyIndex // 0' <<<"$variable")" - >/dev/null ||
        die "the Nomad variable nomad/jobs/$1 cannot be written, or somebody has just changed it" "nomad var get nomad/jobs/$1"
}

# item JSON NAME
item() { jq -r --arg name "$2" '.[$name] // empty' <<<"$1"; }

# What to look at when a job does not come up.
look_at_job() {
    local alloc
    say "nomad job status $1"
    nomad job allocs -json "$1" 2>/dev/null | jq -r '.[] | select(.ClientStatus != "running" and .DesiredStatus == "run") | .ID' |
        head -n 3 | while read -r alloc; do
        say "nomad alloc status $alloc"
        say "nomad alloc logs -stderr -task $2 $alloc"
    done
}

# fail_job JOB TASK MESSAGE
fail_job() {
    local look
    mapfile -t look < <(look_at_job "$1" "$2")
    die "$3" "${look[@]}"
}

# run_job JOB FILE NOMAD-ARGUMENT...
run_job() {
    local job=$1 file=$2 status=0
    shift 2
    run_quietly nomad job validate "$@" "$file" || die "Nomad does not take $file" "nomad job validate $* $file"
    run nomad job run -detach "$@" "$file" || status=$?
    case $status in
    0) ;;
    2) fail_job "$job" - "there is no place for $job on the nodes" ;;
    *) die "Nomad did not take the job $job" "nomad job plan $* $file" ;;
    esac
}

# in_cluster ALLOC WORD...: emqx ctl cluster, in an allocation of the broker.
in_cluster() {
    local alloc=$1
    shift
    nomad alloc exec -i=false -t=false -task emqx "$alloc" emqx ctl cluster "$@" </dev/null
}

# Brokers that the cluster counts among it, and that do not run, by their names: ALLOC NAME, where ALLOC is of one that runs.
stopped_brokers() {
    local alloc name
    alloc=$(running_allocs "$1" | awk 'NR == 1 {print $1}')
    [ -n "$alloc" ] || return 0
    for name in $(in_cluster "$alloc" status --json 2>/dev/null | jq -r '.stopped_nodes // [] | .[]'); do
        echo "$alloc $name"
    done
}

# cluster_whole JOB COUNT: EMQX itself says that so many nodes run.
cluster_whole() {
    local alloc running stopped
    alloc=$(running_allocs "$1" | awk 'NR == 1 {print $1}')
    if [ -z "$alloc" ]; then
        echo "no broker runs"
        return 1
    fi
    running=$(in_cluster "$alloc" status --json 2>/dev/null) || running='{}'
    stopped=$(jq -r '.stopped_nodes // [] | join(" ")' <<<"$running")
    running=$(jq '.running_nodes // [] | length' <<<"$running")
    echo "$running of $2${stopped:+; stopped: $stopped}"
    [ "$running" -eq "$2" ] && [ -z "$stopped" ]
}

# --- the gate of a node ----------------------------------------------------------------------------------------------

# HTTP status of a node's health; 000 where nobody answers.
health_of() {
    curl -s -o /dev/null -m 5 -w '%{http_code}' "http://$1:8080/haproxy_health" || true
}
