#!/usr/bin/env bash
# Runs mqgate on every node of the pool, and waits until each of them answers /haproxy_health with 200.
#   scripts/deploy-nomad-emqx-haproxy.sh [--dry-run]
# Settings:
#   ENVIRONMENT, ORACLE_REGION     needed; the job is emqx-haproxy-$ORACLE_REGION
#   EMQX_COUNT                     nodes that the pool has to have; 3
#   MQGATE_ARTIFACT                URL of the build (make bindist). Needed the first time; Nomad keeps it. Another one later
#                                  on is an upgrade in place, which costs no connection
#   MQGATE_CHECKSUM                its checksum, sha256:...
#   EMQX_TLS_CHAIN, EMQX_TLS_KEY   files with the certificate and its key. Nomad keeps them; given again, they are reloaded
#   EMQX_LB_NETWORKS               subnets of the load balancer, with commas between; the private networks
#   MQGATE_DRIVER                  exec or docker; exec
#   VAULT_CERTIFICATES             path in Vault that has the certificate instead: see vault_path in nomad/emqx-haproxy.hcl
#   NOMAD_ADDR, NOMAD_TOKEN        as for nomad
#   DEPLOY_TIMEOUT                 seconds to wait; 900
set -euo pipefail
# shellcheck source=scripts/lib/deploy.bash
source "$(dirname "$(readlink -f "$0")")/lib/deploy.bash"

case "${1:-}" in
'') ;;
--dry-run) dry_run=yes ;;
*)
    echo "usage: $0 [--dry-run]" >&2
    exit 2
    ;;
esac

EMQX_COUNT=${EMQX_COUNT:-3}
need_settings ENVIRONMENT ORACLE_REGION
whole_number EMQX_COUNT
need_commands nomad jq curl openssl
job=emqx-haproxy-$ORACLE_REGION

add_item() { new=$(name=$1 value=$2 jq -c '. + {(env.name): env.value}' <<<"$new"); }

# The build that Nomad has is the job's; a different one goes beside it as the release, which nodes take up in place.
choose_build() {
    artifact=$(item "$items" artifact)
    checksum=$(item "$items" artifact_checksum)
    local url=${MQGATE_ARTIFACT:-} sum=${MQGATE_CHECKSUM:-}
    [ -n "$artifact$url" ] || die "no build of mqgate is known" \
        "make bindist, put the .tar.gz where the nodes can fetch it, and then:" \
        "export MQGATE_ARTIFACT=https://.../mqgate-...tar.gz MQGATE_CHECKSUM=sha256:..."
    [ -n "$url" ] || return 0
    [[ $sum =~ ^sha256:[0-9a-f]{64}$ ]] || die "MQGATE_CHECKSUM is \"$sum\": it has to be sha256: and 64 hexadecimal digits" \
        "it is in the .sha256 file beside the build"
    if [ -z "$artifact" ]; then
        artifact=$url
        checksum=$sum
        add_item artifact "$url"
        add_item artifact_checksum "$sum"
    elif [ "$sum" != "$checksum" ] || [ -n "$(item "$items" release_url)" ]; then
        release=${sum#sha256:}
        add_item release_url "$url"
        add_item release_sha256 "$release"
    fi
}

choose_certificate() {
    if [ -n "${VAULT_CERTIFICATES:-}" ]; then return 0; fi
    local chain=${EMQX_TLS_CHAIN:-} key=${EMQX_TLS_KEY:-} made=''
    if [ -z "$chain" ]; then
        [ -z "$(item "$items" tls_chain)" ] || return 0
        warn "no certificate is given: 8883 and 8084 get one that nobody has signed"
        warn "give a real one at any time: EMQX_TLS_CHAIN=... EMQX_TLS_KEY=... $0"
        made=$(mktemp -d)
        chain=$made/chain.pem
        key=$made/key.pem
        # shellcheck disable=SC2064  # what it is called now
        trap "rm -rf '$made'" EXIT
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj "/CN=mqtt.$ENVIRONMENT.invalid" \
            -keyout "$key" -out "$chain" 2>"$made/error" || die "openssl makes no certificate" "$(cat "$made/error")"
    fi
    [ "$(openssl x509 -in "$chain" -noout -pubkey 2>/dev/null)" = "$(openssl pkey -in "$key" -pubout 2>/dev/null)" ] ||
        die "the key in ${key:-EMQX_TLS_KEY} does not belong to the certificate in $chain"
    add_item tls_chain "$(cat "$chain")"
    add_item tls_key "$(cat "$key")"
}

# Which nodes of the pool are not healthy, and why.
nodes_healthy() {
    local node status allocs healthy=0 all=0 bad=''
    allocs=$(running_allocs "$job")
    for node in $(pool_nodes); do
        all=$((all + 1))
        status=$(health_of "$(node_fact "$node" address)")
        if ! grep -q " $node\$" <<<"$allocs"; then
            bad+=", $(node_fact "$node" name) does not run it"
        elif [ "$status" != 200 ]; then
            bad+=", $(node_fact "$node" name) says $status"
        else
            healthy=$((healthy + 1))
        fi
    done
    echo "$healthy of $all$bad"
    [ "$healthy" -ge "$EMQX_COUNT" ] && [ "$healthy" -eq "$all" ]
}

nodes_upgraded() {
    local alloc _ done=0 all=0
    while read -r alloc _; do
        all=$((all + 1))
        [ "$(nomad alloc exec -i=false -t=false -task mqgate "$alloc" cat /local/run/release 2>/dev/null)" != "$release" ] ||
            done=$((done + 1))
    done < <(running_allocs "$job")
    echo "$done of $all"
    [ "$all" -gt 0 ] && [ "$done" -eq "$all" ]
}

nomad_reachable
need_nodes "$EMQX_COUNT"
know_nodes
nomad job allocs -json "emqx-$ORACLE_REGION" >/dev/null 2>&1 ||
    die "the gate needs the phase emqx, which is not there; nothing was changed" "scripts/deploy-nomad-emqx.sh"
know_items "$job"
new='{}' artifact='' checksum='' release=''
choose_build
choose_certificate
[ "$new" = '{}' ] || put_items "$job" "$new"

arguments=(-var "region=$ORACLE_REGION" -var "artifact=$artifact" -var "artifact_checksum=$checksum")
[ -z "${MQGATE_DRIVER:-}" ] || arguments+=(-var "driver=$MQGATE_DRIVER")
[ -z "${VAULT_CERTIFICATES:-}" ] || arguments+=(-var "vault_path=$VAULT_CERTIFICATES")
[ -z "${EMQX_LB_NETWORKS:-}" ] ||
    arguments+=(-var "balancer_networks=$(jq -cn --arg list "$EMQX_LB_NETWORKS" '$list | split(",")')")
run_job "$job" "$repository/nomad/emqx-haproxy.hcl" "${arguments[@]}"
if [ -n "$release" ]; then
    until_done "every node runs the new build" nodes_upgraded ||
        fail_job "$job" mqgate "$(nodes_upgraded) nodes run the new build after $DEPLOY_TIMEOUT s; the others say why in their log, and try again with nomad alloc exec -task mqgate ALLOC /bin/bash /local/gate upgrade"
fi
until_done "every node is healthy" nodes_healthy ||
    fail_job "$job" mqgate "$(nodes_healthy) nodes are healthy after $DEPLOY_TIMEOUT s (503: the broker of that node is down)"
