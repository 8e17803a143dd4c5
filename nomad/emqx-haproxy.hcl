# mqgate on every EMQX node, under the job name that HAProxy had there.
#
# The broker of the node binds 127.0.0.1:{1883,8083} with PROXY protocol on; the gate binds the node's own address on
# the same ports, so that both fit on one node. The client's configuration must allow kill_timeout (max_kill_timeout)
# and give its tasks enough descriptors (LimitNOFILE of nomad.service): the exec driver has no option for either.
# Certificate and key are read from the Nomad variable nomad/jobs/emqx-haproxy, items tls_chain and tls_key (PEM).

variable "dc" {
  type        = string
  description = "Nomad datacenter of the EMQX nodes"
}

variable "artifact" {
  type        = string
  description = "URL of a .tar.gz with the program mqgate, built for the nodes (they need its shared libraries)"
}

variable "artifact_checksum" {
  type        = string
  description = "checksum of the artifact, e.g. sha256:..."
}

job "emqx-haproxy" {
  datacenters = [var.dc]
  type        = "system"

  constraint {
    attribute = "${meta.pool_type}"
    value     = "emqx"
  }

  # One node at a time: the load balancer sees 8080 fail on that node and sends new clients to the others.
  update {
    max_parallel = 1
    stagger      = "60s"
  }

  group "gate" {
    network {
      mode = "host"
      port "mqtt" { static = 1883 }
      port "mqtts" { static = 8883 }
      port "ws" { static = 8083 }
      port "wss" { static = 8084 }
      port "admin" { static = 8080 }
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

    task "mqgate" {
      driver       = "exec"
      kill_signal  = "SIGTERM"
      kill_timeout = "90s" # longer than global.drain.notice and deadline of the configuration together

      artifact {
        source      = var.artifact
        destination = "local/"
        options {
          checksum = var.artifact_checksum
        }
      }

      config {
        command = "local/mqgate"
        args    = ["-f", "local/mqgate.conf"]
      }

      template {
        destination   = "local/mqgate.conf"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = <<-END
          # nomad alloc exec -task mqgate ALLOC mqgatectl -s ... reaches the socket, where the artifact has that program
          global: { node = "{{ env "node.unique.name" }}"; control_socket = "{{ env "NOMAD_TASK_DIR" }}/mqgate.sock";
                    drain: { notice = "20s"; deadline = "60s"; }; };
          listeners = (
            { name = "mqtt";  bind = "{{ env "NOMAD_ADDR_mqtt" }}";  protocol = "mqtt"; backend = "emqx-mqtt"; },
            { name = "mqtts"; bind = "{{ env "NOMAD_ADDR_mqtts" }}"; protocol = "mqtt"; backend = "emqx-mqtt"; tls = "edge"; },
            { name = "ws";    bind = "{{ env "NOMAD_ADDR_ws" }}";    protocol = "ws";   backend = "emqx-ws"; },
            { name = "wss";   bind = "{{ env "NOMAD_ADDR_wss" }}";   protocol = "ws";   backend = "emqx-ws"; tls = "edge"; }
          );
          tls = ( { name = "edge"; certificates = (
            { chain = "{{ env "NOMAD_SECRETS_DIR" }}/fullchain.pem"; key = "{{ env "NOMAD_SECRETS_DIR" }}/privkey.pem"; } ); } );
          backends = (
            { name = "emqx-mqtt"; check: { type = "mqtt"; };
              servers = ( { name = "local"; address = "127.0.0.1:1883"; send_proxy = "v2"; } ); },
            { name = "emqx-ws"; check: { type = "tcp"; };
              servers = ( { name = "local"; address = "127.0.0.1:8083"; send_proxy = "v2"; } ); }
          );
          admin: { bind = "0.0.0.0:8080"; };
        END
      }

      template {
        destination   = "secrets/fullchain.pem"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = "{{ with nomadVar \"nomad/jobs/emqx-haproxy\" }}{{ .tls_chain }}{{ end }}\n"
      }

      template {
        destination   = "secrets/privkey.pem"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = "{{ with nomadVar \"nomad/jobs/emqx-haproxy\" }}{{ .tls_key }}{{ end }}\n"
      }

      resources {
        cpu    = 1000
        memory = 1024
      }
    }
  }
}
