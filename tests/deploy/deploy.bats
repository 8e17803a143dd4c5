#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031  # each test is a shell of its own
# The deployment scripts, against the simulators of simulator.py: the seed's commands in order, out of order, scaled,
# broken and mended.

# world_in DIRECTORY: where the simulators keep theirs.
world_in() { export SIM_STATE=$1 TERRAFORM_DIR=$1/env; }

setup_file() {
    top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    deploy=$top/scripts/emqx-deploy
    MQGATE_CHECKSUM=sha256:$(printf '1%.0s' {1..64})
    export top deploy MQGATE_CHECKSUM PATH=$BATS_TEST_DIRNAME/bin:$PATH
    export ENVIRONMENT=prod ORACLE_REGION=us-ashburn-1 DEPLOY_TIMEOUT=1 DEPLOY_INTERVAL=0.1
    export MQGATE_ARTIFACT=https://builds.example.com/mqgate.tar.gz
    unset EMQX_COUNT EMQX_CLUSTER_COOKIE MQTT_HOST EMQX_TLS_CHAIN VAULT_CERTIFICATES
    mkdir "$BATS_FILE_TMPDIR/up"
    world_in "$BATS_FILE_TMPDIR/up"
    cp -r "$BATS_TEST_DIRNAME/environment" "$TERRAFORM_DIR"
    "$deploy" up
}

setup() {
    world_in "$BATS_TEST_TMPDIR"
    touch "$SIM_STATE/log"
    cp -r "$BATS_TEST_DIRNAME/environment" "$TERRAFORM_DIR"
}

apply() { terraform "-chdir=$TERRAFORM_DIR" apply -auto-approve "-target=module.$1"; }
fault() { jq --arg key "$1" --argjson value "${2:-true}" '.faults[$key] = $value' "$SIM_STATE/world.json" >"$SIM_STATE/new" && mv "$SIM_STATE/new" "$SIM_STATE/world.json"; }
world() { jq "$1" "$SIM_STATE/world.json" >"$SIM_STATE/new" && mv "$SIM_STATE/new" "$SIM_STATE/world.json"; }
mend() { world '.faults = {}'; }
log() { cat "$SIM_STATE/log"; }
says() { [[ $output == *"$1"* ]] || {
    echo "\"$1\" is not in: $output"
    return 1
}; }
succeeds_saying() {
    [ "$status" -eq 0 ] || {
        echo "status $status: $output"
        return 1
    }
    says "$1"
}
log_lacks() { ! log | grep -E "$1"; }
fails_saying() { [ "$status" -ne 0 ] && says "$1"; }
# in_order WORDS...: each is in the log, after the one before it.
in_order() {
    local line=0 at word
    for word in "$@"; do
        at=$(log | grep -nF -- "$word" | cut -d: -f1 | awk -v after="$line" '$1 > after {print $1; exit}')
        [ -n "$at" ] || {
            echo "no \"$word\" after line $line of:"
            log
            return 1
        }
        line=$at
    done
}
# The world after emqx-deploy up.
everything_up() { cp "$BATS_FILE_TMPDIR/up/world.json" "$SIM_STATE"; }

@test "the seed's phases, by the seed's commands" {
    apply emqx_lb_security_group
    apply emqx_load_balancer
    LB_ID=$(terraform "-chdir=$TERRAFORM_DIR" output -json | jq -r '.emqx_load_balancer.value.lb_id')
    MQTT_BACKEND_SET=$(terraform "-chdir=$TERRAFORM_DIR" output -json | jq -r '.emqx_load_balancer.value.mqtt_backend_set_name')
    apply emqx_volumes
    apply emqx_instance_pool
    export EMQX_COUNT=3
    ln -s "$top/scripts" "$TERRAFORM_DIR/scripts"
    cd "$TERRAFORM_DIR" || return 1
    run ./scripts/deploy-nomad-emqx.sh
    succeeds_saying "the cluster has all its nodes: 3 of 3"
    run ./scripts/deploy-nomad-emqx-haproxy.sh
    succeeds_saying "every node is healthy: 3 of 3"
    run oci lb backend-set-health get --load-balancer-id "$LB_ID" --backend-set-name "$MQTT_BACKEND_SET"
    [ "$(jq -r .data.status <<<"$output")" = OK ]
}

@test "up does all phases in order, and again without changing a job" {
    run "$deploy" up
    succeeds_saying "the load balancer sees all 3 nodes healthy"
    in_order "apply emqx_lb_security_group" "apply emqx_load_balancer" "apply emqx_volumes" "apply emqx_instance_pool" \
        "run emqx-us-ashburn-1" "run emqx-haproxy-us-ashburn-1"
    : >"$SIM_STATE/log"
    run "$deploy" up
    [ "$status" -eq 0 ]
    log_lacks " changed$|var put"
}

@test "a phase out of order names the missing one and changes nothing" {
    local pair
    for pair in load-balancer:security-group pools:load-balancer emqx:pools proxy:emqx verify:proxy; do
        run "$deploy" up "${pair%:*}"
        fails_saying "needs the phase ${pair#*:}"
        [ -z "$(log)" ]
    done
    apply emqx_load_balancer
    : >"$SIM_STATE/log"
    run "$deploy" up pools
    fails_saying "needs the phase volumes"
    [ -z "$(log)" ]
}

@test "a phase that failed goes on where it ended" {
    apply emqx_load_balancer
    fault "apply emqx_volumes"
    run "$deploy" up
    [ "$status" -ne 0 ]
    run "$deploy" up
    [ "$status" -eq 0 ]
}

@test "an interrupt says so and leaves nothing behind" {
    apply emqx_load_balancer
    fault "boots fail" 1
    DEPLOY_TIMEOUT=30 "$deploy" up >"$SIM_STATE/out" 2>&1 3>&- &
    for _ in {1..200}; do
        grep -q "waiting until Nomad has" "$SIM_STATE/out" && break
        sleep 0.05
    done
    kill -TERM $!
    status=0
    wait $! || status=$?
    [ "$status" -eq 130 ]
    grep -q "interrupted in phase pools" "$SIM_STATE/out"
    mend
    run "$deploy" up
    [ "$status" -eq 0 ]
}

@test "a dry run shows every command and runs none" {
    run "$deploy" --dry-run up
    succeeds_saying "apply -input=false -auto-approve -target=module.emqx_lb_security_group"
    says "pools: when load-balancer volumes is there"
    [ -z "$(log)" ]
    everything_up
    : >"$SIM_STATE/log"
    run "$deploy" --dry-run up
    succeeds_saying "nomad job run -detach -var region=us-ashburn-1 -var environment=prod -var nodes=3"
    run "$deploy" --dry-run scale 2
    succeeds_saying "--drain true"
    says "emqx ctl cluster leave"
    run "$deploy" --dry-run down
    succeeds_saying "destroy -input=false -auto-approve -target=module.emqx_instance_pool"
    [ -z "$(log)" ]
    grep -q "instance_pool_size   = 3" "$TERRAFORM_DIR/emqx-instance-pool.tf"
}

@test "scaled by the seed's commands from 3 to 5, the cookie stays" {
    everything_up
    local cookie
    cookie=$(nomad var get -out=json nomad/jobs/emqx-us-ashburn-1 | jq -r .Items.cookie)
    sed -i 's/volume_count  *= 3/volume_count = 5/' "$TERRAFORM_DIR/emqx-volumes.tf"
    apply emqx_volumes
    sed -i 's/instance_pool_size  *= 3/instance_pool_size = 5/' "$TERRAFORM_DIR/emqx-instance-pool.tf"
    apply emqx_instance_pool
    export EMQX_COUNT=5
    run "$top/scripts/deploy-nomad-emqx.sh"
    succeeds_saying "5 of 5"
    run "$top/scripts/deploy-nomad-emqx-haproxy.sh"
    succeeds_saying "5 of 5"
    [ "$(nomad var get -out=json nomad/jobs/emqx-us-ashburn-1 | jq -r .Items.cookie)" = "$cookie" ]
}

@test "scale 5 and back to 3 drains the balancer, the gate and the broker before a node goes" {
    everything_up
    run "$deploy" scale 5
    succeeds_saying "the load balancer sees all 5 nodes healthy"
    in_order "apply emqx_volumes" "apply emqx_instance_pool" "run emqx-us-ashburn-1"
    : >"$SIM_STATE/log"
    run "$deploy" scale 3
    succeeds_saying "the load balancer sees all 3 nodes healthy"
    for node in 4 3; do
        in_order "nomad ineligible emqx-$node" "oci drain=true 10.0.1.1$node:8080" "stops emqx-haproxy-us-ashburn-1 on emqx-$node" \
            "emqx leaves on emqx-$node" "stops emqx-us-ashburn-1 on emqx-$node" "run emqx-us-ashburn-1" "terminated emqx-$node"
    done
    in_order "ineligible emqx-4" "ineligible emqx-3"
    log_lacks "stops .* on emqx-[012]"
}

@test "a scale down that failed half way goes on, or back" {
    everything_up
    "$deploy" scale 4
    fault "apply emqx_instance_pool"
    run "$deploy" scale 3
    [ "$status" -ne 0 ]
    run "$deploy" doctor
    fails_saying "emqx-3 has been emptied, and is still there"
    run "$deploy" scale 4
    succeeds_saying "the load balancer sees all 4 nodes healthy"
    in_order "ineligible emqx-3" "eligible emqx-3" "oci drain=false 10.0.1.13:8080"
    run "$deploy" scale 3
    [ "$status" -eq 0 ]
}

@test "a gate that drains, and a Nomad that does not say, are waited for" {
    everything_up
    fault "slow stop" 6
    : >"$SIM_STATE/log"
    run env DEPLOY_TIMEOUT=60 "$deploy" scale 2
    succeeds_saying "emqx-haproxy-us-ashburn-1 has left emqx-2: yes"
    says "Nomad does not say what runs of emqx-haproxy-us-ashburn-1"
    in_order "drain=true" "stops emqx-haproxy-us-ashburn-1 on emqx-2" "emqx leaves on emqx-2" "terminated emqx-2"
}

@test "a broker that does not leave is forgotten by the others" {
    everything_up
    fault "does not leave"
    : >"$SIM_STATE/log"
    run "$deploy" scale 2
    succeeds_saying "the load balancer sees all 2 nodes healthy"
    in_order "stops emqx-us-ashburn-1 on emqx-2" "emqx forgets emqx@emqx-2.service.consul" "run emqx-us-ashburn-1"
}

@test "pools do not shrink under their clients" {
    everything_up
    sed -i 's/instance_pool_size  *= 3/instance_pool_size = 2/' "$TERRAFORM_DIR/emqx-instance-pool.tf"
    : >"$SIM_STATE/log"
    run "$deploy" up pools
    fails_saying "emqx-2 still has clients"
    says "emqx-deploy scale 2"
    [ -z "$(log)" ]
    "$deploy" scale 2
    in_order "stops emqx-haproxy-us-ashburn-1 on emqx-2" "terminated emqx-2"
}

@test "the count may be no nonsense" {
    for count in 0 -1 many 3.5; do
        run "$deploy" scale "$count"
        [ "$status" -ne 0 ]
        run env EMQX_COUNT="$count" "$top/scripts/deploy-nomad-emqx.sh"
        fails_saying "whole number"
    done
    [ -z "$(log)" ]
}

@test "a cookie that cannot be read is not made anew" {
    everything_up
    : >"$SIM_STATE/log"
    local before
    before=$(nomad var get -out=json nomad/jobs/emqx-us-ashburn-1)
    for times in 1 2; do
        fault "var get" "$times"
        run "$top/scripts/deploy-nomad-emqx.sh"
        fails_saying "nomad/jobs/emqx-us-ashburn-1 cannot be read; nothing was changed"
    done
    says "No cluster leader"
    mend
    [ "$(nomad var get -out=json nomad/jobs/emqx-us-ashburn-1)" = "$before" ]
    [ -z "$(log)" ]
}

@test "another cookie than the cluster's is refused" {
    everything_up
    : >"$SIM_STATE/log"
    run env EMQX_CLUSTER_COOKIE=other "$top/scripts/deploy-nomad-emqx.sh"
    fails_saying "not the one that the cluster has"
    [ -z "$(log)" ]
}

@test "secrets are on no command line and in no output" {
    "$deploy" up >"$SIM_STATE/out" 2>&1
    local secret
    secret=$(nomad var get -out=json nomad/jobs/emqx-us-ashburn-1 | jq -r .Items.cookie)
    [ ${#secret} -ge 32 ]
    run grep "$secret" "$SIM_STATE/out"
    [ "$status" -eq 1 ]
    bash -x "$top/scripts/deploy-nomad-emqx.sh" >"$SIM_STATE/out" 2>&1
    grep -qE '^\++ nomad var get' "$SIM_STATE/out"
    run grep -E "^\++ (jq|nomad|openssl) .*$secret" "$SIM_STATE/out"
    [ "$status" -eq 1 ]
}

@test "missing settings and nodes are told before anything is done" {
    run env -u ENVIRONMENT "$top/scripts/deploy-nomad-emqx.sh"
    fails_saying "ENVIRONMENT is not set"
    run "$top/scripts/deploy-nomad-emqx.sh"
    fails_saying "Nomad has 0 of 3 nodes"
    run "$top/scripts/deploy-nomad-emqx.sh" --nonsense
    [ "$status" -eq 2 ]
    apply emqx_load_balancer
    apply emqx_volumes
    apply emqx_instance_pool
    : >"$SIM_STATE/log"
    run "$top/scripts/deploy-nomad-emqx-haproxy.sh"
    fails_saying "the gate needs the phase emqx, which is not there; nothing was changed"
    [ -z "$(log)" ]
    "$top/scripts/deploy-nomad-emqx.sh"
    : >"$SIM_STATE/log"
    run env -u MQGATE_ARTIFACT "$top/scripts/deploy-nomad-emqx-haproxy.sh"
    fails_saying "no build of mqgate is known"
    run env MQGATE_CHECKSUM=md5:1 "$top/scripts/deploy-nomad-emqx-haproxy.sh"
    fails_saying "64 hexadecimal digits"
    [ -z "$(log)" ]
}

@test "a cluster that does not form, and a node that is not healthy, fail loudly" {
    apply emqx_load_balancer
    apply emqx_volumes
    apply emqx_instance_pool
    fault split 1
    run "$top/scripts/deploy-nomad-emqx.sh"
    fails_saying "the cluster has 2 of 3 nodes after 1 s"
    says "nomad job status emqx-us-ashburn-1"
    mend
    "$top/scripts/deploy-nomad-emqx.sh"
    fault "health emqx-1" '"503"'
    run "$top/scripts/deploy-nomad-emqx-haproxy.sh"
    fails_saying "2 of 3, emqx-1 says 503 nodes are healthy after 1 s"
}

@test "another build is an upgrade in place: the job is not run anew" {
    everything_up
    : >"$SIM_STATE/log"
    MQGATE_CHECKSUM=sha256:$(printf '2%.0s' {1..64})
    run "$top/scripts/deploy-nomad-emqx-haproxy.sh"
    succeeds_saying "every node runs the new build: 3 of 3"
    log | grep -q "run emqx-haproxy-us-ashburn-1 unchanged"
}

@test "verify sends a message where it is told the name, and plan tells what is there" {
    everything_up
    mkdir "$SIM_STATE/bin"
    # shellcheck disable=SC2016  # it is for the script that is made
    printf '#!/bin/sh\necho "mosquitto_pub $*" >>"$SIM_STATE/log"\n[ "$2" = mqtt.example.com ]\n' >"$SIM_STATE/bin/mosquitto_pub"
    chmod 755 "$SIM_STATE/bin/mosquitto_pub"
    PATH=$SIM_STATE/bin:$PATH
    MQTT_HOST=mqtt.example.com run "$deploy" verify
    succeeds_saying "mqtt.example.com:1883 took a message"
    log | grep -qx "mosquitto_pub -h mqtt.example.com -p 1883 -t test/topic -m Hello EMQX!"
    MQTT_HOST=mqtt.example.org run "$deploy" verify
    fails_saying "mqtt.example.org:1883 does not take a message"
    says "dig mqtt.example.org"
    : >"$SIM_STATE/log"
    run "$deploy" plan
    succeeds_saying "pools: there"
    [ -z "$(log)" ]
}

@test "a key that does not belong to the certificate is refused" {
    everything_up
    : >"$SIM_STATE/log"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=a -keyout "$SIM_STATE/a.key" -out "$SIM_STATE/a.pem"
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$SIM_STATE/b.key"
    run env EMQX_TLS_CHAIN="$SIM_STATE/a.pem" EMQX_TLS_KEY="$SIM_STATE/b.key" "$top/scripts/deploy-nomad-emqx-haproxy.sh"
    fails_saying "does not belong to the certificate"
    [ -z "$(log)" ]
    run env EMQX_TLS_CHAIN="$SIM_STATE/a.pem" EMQX_TLS_KEY="$SIM_STATE/a.key" "$top/scripts/deploy-nomad-emqx-haproxy.sh"
    [ "$status" -eq 0 ]
    log | grep -q "run emqx-haproxy-us-ashburn-1 unchanged"
}

# --- doctor: the seed's troubleshooting, and what goes wrong beside it ------------------------------------------------

emqx-deploy() { "$deploy" "$@"; }

# cures FINDING COMMAND: doctor finds it and prints a command that begins so; after just that command nothing is wrong.
cures() {
    local line
    run "$deploy" doctor
    fails_saying "$1"
    line=$(grep -F -A 9 -- "$1" <<<"$output" | sed -nE "s/^     ($2.*)/\1/p" | head -n 1)
    [ -n "$line" ] || {
        echo "no \"$2\" for \"$1\" in: $output"
        return 1
    }
    eval "${line%%   *#*}"
    run "$deploy" doctor
    succeeds_saying "nothing is wrong"
}

@test "doctor: nothing is wrong when nothing is" {
    everything_up
    run "$deploy" doctor
    succeeds_saying "nothing is wrong"
    run "$deploy" status
    succeeds_saying "node 2 emqx-2 10.0.1.12: health 200"
    says "cluster: 3 of 3"
}

@test "doctor: a phase is missing" {
    local phase
    for phase in security-group load-balancer volumes pools; do
        run "$deploy" doctor
        fails_saying "phase $phase is missing"
        says "     emqx-deploy up $phase"
        emqx-deploy up "$phase"
    done
    run "$deploy" doctor
    fails_saying "no broker runs"
    says "     emqx-deploy up emqx"
    emqx-deploy up emqx
    cures "the gate does not run on emqx-0" "emqx-deploy up proxy"
}

@test "doctor: wrong deployment order" {
    sed -i 's/load_balancer_id .*/load_balancer_id = ""/' "$TERRAFORM_DIR/emqx-instance-pool.tf"
    sed -i '/lb_backend_set_name/d' "$TERRAFORM_DIR/emqx-instance-pool.tf"
    apply emqx_lb_security_group
    apply emqx_volumes
    apply emqx_instance_pool
    cp "$BATS_TEST_DIRNAME/environment/emqx-instance-pool.tf" "$TERRAFORM_DIR"
    run "$deploy" doctor
    fails_saying "the instance pools were made before the load balancer"
    says "emqx-deploy up load-balancer"
    says "emqx-deploy up pools"
    "$deploy" up load-balancer && "$deploy" up pools && "$deploy" up emqx && "$deploy" up proxy
    log_lacks "destroy"
    run "$deploy" doctor
    succeeds_saying "nothing is wrong"
}

@test "doctor: backends are not registered" {
    everything_up
    world '.modules.emqx_instance_pool.set = null | .sets["emqx-mqtt-backend"] = []'
    run "$deploy" doctor
    says "is attached to no load balancer"
    cures "emqx-mqtt-backend, which has no backends" "emqx-deploy up pools"
}

@test "doctor: one backend is not registered" {
    everything_up
    world 'del(.sets["emqx-mqtt-backend"][1])'
    cures "emqx-1 (10.0.1.11) is not in emqx-mqtt-backend" "emqx-deploy up pools"
}

@test "doctor: the pool names another load balancer, or a set that is not there" {
    everything_up
    world '.modules.emqx_instance_pool.lb = "ocid1.loadbalancer.other"'
    run "$deploy" doctor
    fails_saying "is attached to ocid1.loadbalancer.other; the load balancer is ocid1.loadbalancer.sim"
    world 'del(.modules.emqx_instance_pool.lb) | .modules.emqx_instance_pool.set = "emqx-mqtt"'
    cures "the backend set emqx-mqtt, which the load balancer does not have" "emqx-deploy up pools"
}

@test "doctor: the output that the seed reads is not declared" {
    everything_up
    rm "$TERRAFORM_DIR/outputs.tf"
    world '.outputs = {}'
    run "$deploy" doctor
    fails_saying "terraform output does not tell the load balancer"
    cp "$BATS_TEST_DIRNAME/environment/outputs.tf" "$TERRAFORM_DIR"
    cures "terraform output does not tell the load balancer" "emqx-deploy up load-balancer"
}

@test "doctor: health checks fail because the gate is not there" {
    everything_up
    fault "not placed on" '"emqx-1 emqx-haproxy.hcl"'
    world '.allocs |= map(select((.JobID == "emqx-haproxy-us-ashburn-1" and .NodeName == "emqx-1") | not))'
    cures "the gate does not run on emqx-1" "emqx-deploy up proxy"
}

@test "doctor: health checks fail because the broker is down" {
    everything_up
    world '.allocs |= map(select((.JobID == "emqx-us-ashburn-1" and .NodeName == "emqx-1") | not))'
    run "$deploy" doctor
    says "the cluster has 2 of 3"
    cures "health of emqx-1 is 503: its broker is down" "emqx-deploy up emqx"
}

@test "doctor: a broker that went without leaving" {
    everything_up
    fault stopped '["emqx@emqx-3.service.consul"]'
    cures "the cluster counts emqx@emqx-3.service.consul, which does not run" "nomad alloc exec"
}

@test "doctor: health checks fail because nobody answers" {
    everything_up
    fault "health emqx-2" '"000"'
    run "$deploy" doctor
    says "nomad alloc logs -stderr -task mqgate"
    cures "emqx-2 does not answer /haproxy_health (000)" "nomad alloc restart"
}

@test "doctor: the load balancer cannot reach healthy nodes" {
    everything_up
    fault "no route"
    run "$deploy" doctor
    fails_saying "10.0.1.10 is healthy, but the load balancer cannot see it (CONNECT_FAILED)"
    says "apply -target=module.emqx_node_security_group"
    run "$deploy" verify
    fails_saying "CRITICAL, 3 backends"
}

@test "doctor: listeners that send clients nowhere, or to 8080 without a PROXY header" {
    everything_up
    world '.listeners["8883"].set = "emqx-mqtts-backend"'
    cures "listeners send clients to emqx-mqtts-backend, which has no backends" "emqx-deploy up load-balancer"
    world '.listeners["1883"].proxy = 0'
    cures "its listener sends no PROXY header" "emqx-deploy up load-balancer"
}

@test "doctor: a backend was left draining" {
    everything_up
    world '.sets["emqx-mqtt-backend"][1].drain = true'
    cures "still marked as draining" "oci lb backend update"
}

@test "doctor: Nomad does not answer" {
    everything_up
    fault "no nomad"
    run "$deploy" doctor
    fails_saying "Nomad does not answer"
}

@test "Terraform that cannot tell what there is stops everything" {
    everything_up
    fault "no init"
    for command in doctor up "scale 5" down; do
        # shellcheck disable=SC2086  # two words are meant
        run "$deploy" $command
        fails_saying "Terraform cannot tell what there is"
        says " init"
    done
    [ -z "$(log)" ]
}

@test "down stops clients first, and keeps the volumes unless told" {
    everything_up
    : >"$SIM_STATE/log"
    run "$deploy" down
    succeeds_saying "the volumes stay"
    in_order "stop emqx-haproxy-us-ashburn-1" "stop emqx-us-ashburn-1" "destroy emqx_instance_pool" "destroy emqx_load_balancer" \
        "destroy emqx_lb_security_group"
    log_lacks "destroy emqx_volumes"
    run "$deploy" down --volumes
    [ "$status" -eq 0 ]
    log | grep -q "destroy emqx_volumes"
    run "$deploy" down
    [ "$status" -eq 0 ]
}
