#!/usr/bin/env bash
# Runs EMQX on the nodes of the pool, and waits until all of them are one cluster.
#   scripts/deploy-nomad-emqx.sh [--dry-run]
# Settings:
#   ENVIRONMENT, ORACLE_REGION     needed; the job is emqx-$ORACLE_REGION
#   EMQX_COUNT                     nodes of the cluster; 3
#   EMQX_IMAGE                     another image than the one of nomad/emqx.hcl
#   EMQX_CLUSTER_COOKIE            for a cluster that has one already; else one is made, once, and kept in Nomad
#   EMQX_DASHBOARD_PASSWORD        the same, for the dashboard's user admin
#   NOMAD_ADDR, NOMAD_TOKEN        as for nomad
#   DEPLOY_TIMEOUT                 seconds to wait; 900
# To change the number of nodes, use scripts/emqx-deploy scale: it drains what goes.
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
need_commands nomad jq openssl
job=emqx-$ORACLE_REGION

# secret NAME GIVEN: what is kept under the name, or what is given, or a new one. A kept one is never changed here: nodes
# with different cookies do not talk, and every start of a node would part it from the cluster.
secret() {
    local kept
    kept=$(item "$items" "$1")
    if [ -n "$kept" ] && [ -n "$2" ] && [ "$kept" != "$2" ]; then
        die "the ${1/_/ } given is not the one that the cluster has" \
            "nomad var get -item=$1 nomad/jobs/$job      # the one that it has" \
            "To change it, stop the whole cluster first: nomad job stop $job; nomad var put nomad/jobs/$job $1=..."
    fi
    if [ -n "$kept$2" ]; then printf %s "${kept:-$2}"; else openssl rand -hex 24; fi
}

nomad_reachable
need_nodes "$EMQX_COUNT"
know_items "$job"
cookie=$(secret cookie "${EMQX_CLUSTER_COOKIE:-}")
password=$(secret dashboard_password "${EMQX_DASHBOARD_PASSWORD:-}")
if [ "$cookie" != "$(item "$items" cookie)" ] || [ "$password" != "$(item "$items" dashboard_password)" ]; then
    put_items "$job" "$(cookie=$cookie password=$password jq -n '{cookie: env.cookie, dashboard_password: env.password}')"
fi

arguments=(-var "region=$ORACLE_REGION" -var "environment=$ENVIRONMENT" -var "nodes=$EMQX_COUNT")
[ -z "${EMQX_IMAGE:-}" ] || arguments+=(-var "image=$EMQX_IMAGE")
run_job "$job" "$repository/nomad/emqx.hcl" "${arguments[@]}"
until_done "the cluster has all its nodes" cluster_whole "$job" "$EMQX_COUNT" ||
    fail_job "$job" emqx "the cluster has $(cluster_whole "$job" "$EMQX_COUNT") nodes after $DEPLOY_TIMEOUT s"
