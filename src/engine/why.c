#include "engine/why.h"

const char *const why_names[WHY_COUNT] = {
    [WHY_CLIENT_CLOSED] = "client_closed",
    [WHY_SERVER_CLOSED] = "server_closed",
    [WHY_CLIENT_RESET] = "client_reset",
    [WHY_SERVER_RESET] = "server_reset",
    [WHY_CLIENT_TLS] = "client_tls_error",
    [WHY_SERVER_TLS] = "server_tls_error",
    [WHY_CLIENT_NOT_MQTT] = "client_not_mqtt",
    [WHY_SERVER_NOT_MQTT] = "server_not_mqtt",
    [WHY_MAX_AGE] = "max_age",
    [WHY_DRAIN] = "drain",
    [WHY_SHED] = "shed",
    [WHY_KEEP_ALIVE] = "keep_alive_timeout",
    [WHY_IDLE] = "idle_timeout",
    [WHY_HALF_CLOSED] = "half_closed_timeout",
    [WHY_DENIED] = "denied",
    [WHY_SOURCE_LIMIT] = "source_limit",
    [WHY_PROXY_UNTRUSTED] = "proxy_header_untrusted",
    [WHY_PROXY_BAD] = "proxy_header_bad",
    [WHY_PROXY_TIMEOUT] = "proxy_header_timeout",
    [WHY_RATE_LIMIT] = "rate_limit",
    [WHY_HANDSHAKE_FAILED] = "handshake_failed",
    [WHY_HANDSHAKE_TIMEOUT] = "handshake_timeout",
    [WHY_CONNECT_PACKET_TIMEOUT] = "connect_packet_timeout",
    [WHY_NOT_TOLD] = "unknown_protocol",
    [WHY_NOT_MQTT] = "not_mqtt",
    [WHY_NOT_WEBSOCKET] = "not_websocket",
    [WHY_VERSION] = "mqtt_version",
    [WHY_MALFORMED] = "malformed_connect",
    [WHY_TOO_LARGE] = "connect_too_large",
    [WHY_CLIENT_ID] = "no_client_id",
    [WHY_NO_SERVER] = "no_server",
    [WHY_QUEUE_TIMEOUT] = "queue_timeout",
    [WHY_CONNECT_FAILED] = "connect_failed",
    [WHY_UPGRADE_REFUSED] = "upgrade_refused",
    [WHY_SERVER_HANDSHAKE_FAILED] = "server_handshake_failed",
    [WHY_SHUTDOWN] = "shutdown",
    [WHY_UPGRADE] = "upgrade",
    [WHY_KILLED] = "killed",
    [WHY_NO_MEMORY] = "no_memory",
    [WHY_HANDED_OVER] = "handed_over",
};

bool why_is_normal(enum why why)
{
    return why == WHY_CLIENT_CLOSED || why == WHY_SERVER_CLOSED || why == WHY_SHUTDOWN || why == WHY_UPGRADE ||
           why == WHY_DRAIN || why == WHY_SHED;
}

bool why_is_client_abort(enum why why)
{
    return why == WHY_CLIENT_RESET || why == WHY_CLIENT_TLS;
}

bool why_is_server_abort(enum why why)
{
    return why == WHY_SERVER_RESET || why == WHY_SERVER_TLS;
}

bool why_asks_to_go(enum why why)
{
    return why == WHY_MAX_AGE || why == WHY_DRAIN || why == WHY_SHED || why == WHY_SHUTDOWN || why == WHY_UPGRADE;
}
