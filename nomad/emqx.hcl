# EMQX on `nodes` nodes of the pool, one on each, as one cluster.
#
# Clients reach the broker only through the gate (emqx-haproxy.hcl): its listeners are on 127.0.0.1, with PROXY protocol.
# On the node's own address there are only the ports of the cluster, 4370 and 5370.
#
# A node is emqx@emqx-<group-index>.service.consul, whatever address it has: EMQX keeps its data under that name, so that
# an instance that takes over the volume of another goes on as the same node. Consul answers the name with the node's
# address, and SRV emqx.service.consul with all names: the nodes' resolver has to send .consul to Consul.
#
# Cookie and dashboard password are items of the Nomad variable nomad/jobs/<job>: scripts/deploy-nomad-emqx.sh makes them
# once. A client needs what nomad/client.hcl.example has.

variable "region" {
  type        = string
  description = "Oracle region; the job is called emqx-<region>"
}

variable "environment" {
  type        = string
  description = "name of the environment; the cluster is called emqx-<environment>"
}

variable "datacenters" {
  type        = list(string)
  default     = ["*"]
  description = "Nomad datacenters of the EMQX nodes"
}

variable "nodes" {
  type        = number
  default     = 3
  description = "how many nodes the cluster has"
}

variable "image" {
  type        = string
  default     = "docker.io/emqx/emqx:5.8.9"
  description = "5.8 is the last line whose open source edition forms clusters without a licence"
}

variable "memory" {
  type        = number
  default     = 10240
  description = "MiB for the broker on each node; the gate and the system need the rest"
}

job "emqx" {
  id          = "emqx-${var.region}"
  name        = "emqx-${var.region}"
  datacenters = var.datacenters
  type        = "service"

  constraint {
    attribute = "${meta.pool_type}"
    value     = "emqx"
  }

  # One group, so that max_parallel holds for the whole cluster: groups are updated side by side.
  update {
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "30s"
    healthy_deadline  = "10m"
    progress_deadline = "20m"
    auto_revert       = true
  }

  group "emqx" {
    count = var.nodes

    constraint {
      operator = "distinct_hosts"
      value    = "true"
    }

    # Restarted here for as long as it takes: its data is here.
    restart {
      attempts = 10
      interval = "10m"
      delay    = "15s"
      mode     = "delay"
    }

    volume "data" {
      type   = "host"
      source = "emqx-data"
    }

    network {
      mode = "host"
      port "mqtt" {
        static       = 1883
        host_network = "loopback"
      }
      port "ws" {
        static       = 8083
        host_network = "loopback"
      }
      port "dashboard" {
        static       = 18083
        host_network = "loopback"
      }
      port "ekka" {
        static = 4370
      }
      port "rpc" {
        static = 5370
      }
    }

    # Whom a new node joins: only brokers that run.
    service {
      name    = "emqx"
      port    = "ekka"
      address = "emqx-${meta.group-index}.service.consul"

      check {
        name         = "broker"
        type         = "http"
        port         = "dashboard"
        path         = "/status"
        address_mode = "host"
        interval     = "10s"
        timeout      = "5s"
      }
    }

    # What the node's name stands for. No check: others must find it also while it starts.
    service {
      name = "emqx-${meta.group-index}"
      port = "ekka"
    }

    task "emqx" {
      driver       = "docker"
      kill_signal  = "SIGTERM"
      kill_timeout = "120s"

      config {
        image        = var.image
        network_mode = "host"
        ulimit {
          nofile = "2097152:2097152"
        }
      }

      volume_mount {
        volume      = "data"
        destination = "/opt/emqx/data"
      }

      env {
        # The image makes up EMQX_NODE_NAME where it is not given.
        EMQX_NODE_NAME                   = "emqx@emqx-${meta.group-index}.service.consul"
        EMQX_NODE__NAME                  = "emqx@emqx-${meta.group-index}.service.consul"
        EMQX_CLUSTER__NAME               = "emqx-${var.environment}"
        EMQX_CLUSTER__DISCOVERY_STRATEGY = "dns"
        EMQX_CLUSTER__DNS__NAME          = "emqx.service.consul"
        EMQX_CLUSTER__DNS__RECORD_TYPE   = "srv"
        EMQX_RPC__PORT_DISCOVERY         = "stateless"

        EMQX_LISTENERS__TCP__DEFAULT__BIND           = "127.0.0.1:1883"
        EMQX_LISTENERS__TCP__DEFAULT__PROXY_PROTOCOL = "true"
        EMQX_LISTENERS__TCP__DEFAULT__ACCEPTORS      = "64"
        EMQX_LISTENERS__WS__DEFAULT__BIND            = "127.0.0.1:8083"
        EMQX_LISTENERS__WS__DEFAULT__PROXY_PROTOCOL  = "true"
        EMQX_LISTENERS__SSL__DEFAULT__ENABLE         = "false"
        EMQX_LISTENERS__WSS__DEFAULT__ENABLE         = "false"
        EMQX_DASHBOARD__LISTENERS__HTTP__BIND        = "127.0.0.1:18083"
      }

      template {
        destination = "secrets/emqx.env"
        env         = true
        # A cookie that changed under a running cluster would split it. The script refuses to change it.
        change_mode = "noop"
        data        = <<-END
          {{ with nomadVar (printf "nomad/jobs/%s" (env "NOMAD_JOB_ID")) }}
          EMQX_NODE__COOKIE={{ .cookie }}
          EMQX_DASHBOARD__DEFAULT_PASSWORD={{ .dashboard_password }}
          {{ end }}
        END
      }

      resources {
        cpu    = 4000
        memory = var.memory
      }
    }
  }
}
