# mqgate on every EMQX node, under the job name that HAProxy had there.
#
# The broker of the node binds 127.0.0.1:{1883,8083} with PROXY protocol on; the gate binds the node's own address on
# the same ports, so that both fit on one node. It takes clients there and on 8080 too, so that it serves both ways of
# attaching a pool to the load balancer: four backend sets with the four ports, or one with 8080.
#
# The Nomad variable nomad/jobs/<job> has the items
#   tls_chain, tls_key             certificate and key (PEM); a change is taken up by a reload (or from Vault: vault_path)
#   release_url, release_sha256    another build than the artifact's; a change is taken up by an upgrade in place
# None of these changes stops a task, so none costs a connection. A change of this file does: nodes follow one another,
# each draining first. A client needs what nomad/client.hcl.example has.

variable "region" {
  type        = string
  description = "Oracle region; the job is called emqx-haproxy-<region>"
}

variable "datacenters" {
  type        = list(string)
  default     = ["*"]
  description = "Nomad datacenters of the EMQX nodes"
}

variable "driver" {
  type        = string
  default     = "exec"
  description = "exec or docker"
}

variable "image" {
  type        = string
  default     = "docker.io/library/oraclelinux:9"
  description = "driver docker: what the program runs in; glibc 2.34, OpenSSL 3, bash, curl and tar have to be there"
}

variable "artifact" {
  type        = string
  description = "URL of the .tar.gz that make bindist makes"
}

variable "artifact_checksum" {
  type        = string
  description = "its checksum: sha256:..."
}

variable "balancer_networks" {
  type        = list(string)
  default     = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
  description = "who may say in a PROXY header where a client comes from: the subnets of the load balancer"
}

variable "vault_path" {
  type        = string
  default     = ""
  description = "KV 2 secret in Vault with tls_chain and tls_key, such as secret/data/mqtt; empty: the Nomad variable has them"
}

variable "memory" {
  type        = number
  default     = 2048
  description = "MiB for the gate on each node"
}

locals {
  # Starts the gate and, called with "upgrade", puts another build in the place of the one that runs, which keeps its
  # connections and its process id. A build that cannot be had, or does not take the configuration, changes nothing.
  gate = <<-END
    #!/bin/bash
    set -uo pipefail
    task=$NOMAD_TASK_DIR
    next=$task/next

    say() { echo "gate: $*" >&2; }

    # put DIRECTORY: its programs into the place that they are run from. The one that runs keeps its old file.
    put() {
        mkdir -p "$task/run" &&
            cp "$1/sbin/mqgate" "$task/run/mqgate.new" && cp "$1/bin/mqgatectl" "$task/run/mqgatectl.new" &&
            mv -f "$task/run/mqgatectl.new" "$task/run/mqgatectl" && mv -f "$task/run/mqgate.new" "$task/run/mqgate"
    }

    # The build of the release; none: the artifact's is it.
    url='' sha256=''
    read -r url sha256 <"$task/release" || true
    runs() { [ -n "$sha256" ] && [ "$sha256" = "$(cat "$task/run/release" 2>/dev/null)" ]; }
    remember() { echo "$sha256" >"$task/run/release"; }

    # 0: the release's build is in place. 1: there is none, or it is no good.
    fetch() {
        [ -n "$sha256" ] || return 1
        rm -rf "$next" && mkdir "$next" || return 1
        curl -fsSL --connect-timeout 10 --max-time 60 --retry 3 --retry-max-time 60 -o "$next/build.tar.gz" "$url" ||
            { say "cannot get $url"; return 1; }
        echo "$sha256  $next/build.tar.gz" | sha256sum --status --check - ||
            { say "$url does not have the checksum release_sha256"; return 1; }
        tar -xzf "$next/build.tar.gz" -C "$next" || { say "$url is no .tar.gz"; return 1; }
        "$next/mqgate/sbin/mqgate" -c -f "$task/mqgate.conf" || { say "this build does not take the configuration"; return 1; }
        put "$next/mqgate" || { say "cannot put the build in place"; return 1; }
        rm -rf "$next"
    }

    case $1 in
    start)
        # Started again, it goes on with the build that ran: that need not be fetched.
        if ! runs; then
            put "$task/mqgate" || exit 1
            rm -f "$task/run/release"
            fetch && remember
        fi
        exec "$task/run/mqgate" -f "$task/mqgate.conf"
        ;;
    upgrade)
        if runs || ! fetch; then exit 0; fi
        "$task/run/mqgatectl" -s "$task/mqgate.sock" upgrade || { say "the gate goes on as it was"; exit 1; }
        remember
        ;;
    esac
  END

  release = <<-END
    {{ with (printf "nomad/jobs/%s" (env "NOMAD_JOB_ID")) }}{{ if nomadVarExists . }}{{ with nomadVar . }}{{ if .release_url -}}
    {{ .release_url }} {{ .release_sha256 }}
    {{ end }}{{ end }}{{ end }}{{ end }}
  END

  from_nomad = "{{ with nomadVar (printf \"nomad/jobs/%s\" (env \"NOMAD_JOB_ID\")) }}{{ .ITEM }}{{ end }}\n"
  from_vault = "{{ with secret \"${var.vault_path}\" }}{{ .Data.data.ITEM }}{{ end }}\n"
  chain      = replace(var.vault_path == "" ? local.from_nomad : local.from_vault, "ITEM", "tls_chain")
  key        = replace(var.vault_path == "" ? local.from_nomad : local.from_vault, "ITEM", "tls_key")

  conf = <<-END
    # nomad alloc exec -task mqgate ALLOC /local/run/mqgatectl -s /local/mqgate.sock COMMAND
    global: {
      node           = "{{ env "node.unique.name" }}";
      control_socket = "{{ env "NOMAD_TASK_DIR" }}/mqgate.sock";
      # Longer than the load balancer takes to see it; kill_timeout is longer than both. 500 a second in 60 seconds are
      # 30,000 clients that are asked to go; of more, the rest is cut: raise rate.
      drain: { notice = "35s"; rate = 500; deadline = "60s"; };
    };

    listeners = (
      { name = "mqtt"; bind = "{{ env "NOMAD_ADDR_mqtt" }}"; protocol = "mqtt"; backend = "emqx-mqtt";
        proxy_protocol = "accept"; proxy_from = ${jsonencode(var.balancer_networks)}; },
      { name = "mqtts"; bind = "{{ env "NOMAD_ADDR_mqtts" }}"; protocol = "mqtt"; backend = "emqx-mqtt"; tls = "edge";
        proxy_protocol = "accept"; proxy_from = ${jsonencode(var.balancer_networks)}; },
      { name = "ws"; bind = "{{ env "NOMAD_ADDR_ws" }}"; protocol = "ws"; backend = "emqx-ws";
        proxy_protocol = "accept"; proxy_from = ${jsonencode(var.balancer_networks)}; },
      { name = "wss"; bind = "{{ env "NOMAD_ADDR_wss" }}"; protocol = "ws"; backend = "emqx-ws"; tls = "edge";
        proxy_protocol = "accept"; proxy_from = ${jsonencode(var.balancer_networks)}; },
      # Health and statistics; and clients, of a load balancer that knows this port only.
      { name = "mux"; bind = "0.0.0.0:{{ env "NOMAD_PORT_admin" }}"; protocol = "auto"; admin = true; tls = "edge";
        backends: { mqtt = "emqx-mqtt"; ws = "emqx-ws"; };
        proxy_protocol = "accept"; proxy_from = ${jsonencode(var.balancer_networks)}; }
    );

    tls = ( { name = "edge"; certificates = (
      { chain = "{{ env "NOMAD_SECRETS_DIR" }}/fullchain.pem"; key = "{{ env "NOMAD_SECRETS_DIR" }}/privkey.pem"; } ); } );

    backends = (
      { name = "emqx-mqtt"; check: { type = "mqtt"; };
        servers = ( { name = "local"; address = "127.0.0.1:1883"; send_proxy = "v2"; } ); },
      { name = "emqx-ws"; check: { type = "tcp"; };
        servers = ( { name = "local"; address = "127.0.0.1:8083"; send_proxy = "v2"; } ); }
    );

    admin: { bind = ""; };
  END
}

job "emqx-haproxy" {
  id          = "emqx-haproxy-${var.region}"
  name        = "emqx-haproxy-${var.region}"
  datacenters = var.datacenters
  type        = "system"

  constraint {
    attribute = "${meta.pool_type}"
    value     = "emqx"
  }

  # One node after the other: the next one begins when this one has drained, and the load balancer has seen it healthy.
  update {
    max_parallel = 1
    stagger      = "150s"
  }

  group "gate" {
    network {
      mode = "host"
      port "mqtt" {
        static = 1883
      }
      port "mqtts" {
        static = 8883
      }
      port "ws" {
        static = 8083
      }
      port "wss" {
        static = 8084
      }
      port "admin" {
        static = 8080
      }
    }

    service {
      name = "emqx-haproxy"
      port = "admin"

      check {
        name     = "health"
        type     = "http"
        path     = "/haproxy_health"
        interval = "10s"
        timeout  = "2s"
      }
    }

    restart {
      attempts = 10
      interval = "5m"
      delay    = "5s"
      mode     = "delay"
    }

    dynamic "task" {
      for_each = var.driver == "exec" ? ["mqgate"] : []
      labels   = [task.value]
      content {
        driver         = "exec"
        user           = "nobody"
        shutdown_delay = "5s"
        kill_signal    = "SIGTERM"
        kill_timeout   = "100s"

        artifact {
          source      = var.artifact
          destination = "local/"
          options {
            checksum = var.artifact_checksum
          }
        }

        config {
          command = "/bin/bash"
          args    = ["/local/gate", "start"]
        }

        dynamic "vault" {
          for_each = var.vault_path == "" ? [] : ["certificates"]
          content {
            change_mode = "noop"
          }
        }

        template {
          destination   = "local/mqgate.conf"
          change_mode   = "signal"
          change_signal = "SIGHUP"
          data          = local.conf
        }
        template {
          destination   = "secrets/fullchain.pem"
          change_mode   = "signal"
          change_signal = "SIGHUP"
          data          = local.chain
        }
        template {
          destination   = "secrets/privkey.pem"
          change_mode   = "signal"
          change_signal = "SIGHUP"
          data          = local.key
        }
        template {
          destination = "local/gate"
          change_mode = "noop"
          perms       = "755"
          data        = local.gate
        }
        template {
          destination = "local/release"
          change_mode = "script"
          # Nodes do not all ask for it at once.
          splay = "30s"
          change_script {
            command       = "/bin/bash"
            args          = ["/local/gate", "upgrade"]
            timeout       = "120s"
            fail_on_error = false
          }
          data = local.release
        }

        resources {
          cpu    = 2000
          memory = var.memory
        }
      }
    }

    dynamic "task" {
      for_each = var.driver == "docker" ? ["mqgate"] : []
      labels   = [task.value]
      content {
        driver         = "docker"
        user           = "nobody"
        shutdown_delay = "5s"
        kill_signal    = "SIGTERM"
        kill_timeout   = "100s"

        artifact {
          source      = var.artifact
          destination = "local/"
          options {
            checksum = var.artifact_checksum
          }
        }

        config {
          image        = var.image
          network_mode = "host"
          entrypoint   = []
          command      = "/bin/bash"
          args         = ["/local/gate", "start"]
          ulimit {
            nofile = "2097152:2097152"
          }
        }

        dynamic "vault" {
          for_each = var.vault_path == "" ? [] : ["certificates"]
          content {
            change_mode = "noop"
          }
        }

        template {
          destination   = "local/mqgate.conf"
          change_mode   = "signal"
          change_signal = "SIGHUP"
          data          = local.conf
        }
        template {
          destination   = "secrets/fullchain.pem"
          change_mode   = "signal"
          change_signal = "SIGHUP"
          data          = local.chain
        }
        template {
          destination   = "secrets/privkey.pem"
          change_mode   = "signal"
          change_signal = "SIGHUP"
          data          = local.key
        }
        template {
          destination = "local/gate"
          change_mode = "noop"
          perms       = "755"
          data        = local.gate
        }
        template {
          destination = "local/release"
          change_mode = "script"
          # Nodes do not all ask for it at once.
          splay = "30s"
          change_script {
            command       = "/bin/bash"
            args          = ["/local/gate", "upgrade"]
            timeout       = "120s"
            fail_on_error = false
          }
          data = local.release
        }

        resources {
          cpu    = 2000
          memory = var.memory
        }
      }
    }
  }
}
