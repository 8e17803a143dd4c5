/* The lines that tell of a session: who, to where, how much, how long, and why it ended. */
#include "engine/mqtt.h"
#include "engine/worker.h"

enum { FIELDS_MAX = 32 };

struct fields {
    struct log_field at[FIELDS_MAX];
    size_t           n;
};

static void add(struct fields *f, struct log_field field)
{
    if (f->n + 1 < FIELDS_MAX)
        f->at[f->n++] = field;
}

/* "" is left out as NULL is. */
static const char *or_null(const char *text)
{
    return text == NULL || text[0] == '\0' ? NULL : text;
}

static void add_who(struct fields *f, struct session *s, const struct tls_facts *tls)
{
    add(f, LOG_HEX("id", s->id));
    add(f, LOG_STR("listener", s->listener->conf->name));
    add(f, LOG_ADDR("client", &s->client));
    add(f, LOG_ADDR("via", s->via != NULL ? &s->via->peer : NULL));
    add(f, LOG_STR("tls", or_null(tls->version)));
    add(f, LOG_STR("cipher", or_null(tls->cipher)));
    add(f, LOG_STR("sni", or_null(tls->sni)));
    add(f, LOG_STR("cn", or_null(tls->peer_cn)));
    add(f, LOG_STR("backend", s->backend != NULL ? s->backend->conf->name : NULL));
    add(f, LOG_STR("server", s->has_server ? session_server(s)->conf->name : NULL));
}

static void add_mqtt(struct fields *f, const struct mqtt_facts *mqtt)
{
    if (mqtt == NULL)
        return;
    add(f, LOG_STR("mqtt", mqtt_version_name(mqtt->version)));
    add(f, LOG_STR("client_id", mqtt->client_id));
    add(f, LOG_STR("user", mqtt->user));
    add(f, LOG_UINT("keepalive", mqtt->keep_alive_s));
    add(f, LOG_UINT("clean", mqtt->clean));
    if (mqtt->has_connack)
        add(f, LOG_UINT("connack", mqtt->connack));
}

static void write_line(struct session *s, enum log_level level, const char *event, struct fields *f)
{
    add(f, LOG_END);
    f->at[f->n] = LOG_END;
    log_write(&s->worker->log, level, event, f->at);
}

void access_log_start(struct session *s)
{
    struct tls_facts tls;
    struct fields    f = {.n = 0};
    if (s->worker->era->snap->conf->global.log.access != ACCESS_START_END || !log_wants(&s->worker->log, LEVEL_INFO))
        return;
    if (log_is_tcplog(&s->worker->log)) {
        access_tcplog_start(s);
        return;
    }
    (void)stream_facts(&s->side[CLIENT].stream, &tls);
    add_who(&f, s, &tls);
    add_mqtt(&f, s->mqtt);
    add(&f, LOG_UINT("wait_ms", s->wait_ms));
    add(&f, LOG_UINT("connect_ms", s->connect_ms));
    write_line(s, LEVEL_INFO, "session_start", &f);
}

static bool is_wanted(const struct session *s)
{
    enum conf_access access = s->worker->era->snap->conf->global.log.access;
    if (access == ACCESS_OFF || !log_wants(&s->worker->log, LEVEL_INFO) || s->why == WHY_HANDED_OVER)
        return false;
    return access != ACCESS_ERRORS || !why_is_normal(s->why) || s->ended_in != ST_RELAY;
}

const char *access_log_detail(const struct session *s)
{
    switch (s->why) {
    case WHY_HANDSHAKE_FAILED:
    case WHY_CLIENT_TLS:
        return or_null(stream_failure(&s->side[CLIENT].stream));
    case WHY_SERVER_HANDSHAKE_FAILED:
    case WHY_SERVER_TLS:
        return or_null(stream_failure(&s->side[SERVER].stream));
    case WHY_CONNECT_FAILED:
        return s->error != 0 ? strerror(s->error) : NULL;
    default:
        return NULL;
    }
}

void access_log_end(struct session *s)
{
    struct tls_facts tls;
    struct fields    f = {.n = 0};
    if (!is_wanted(s))
        return;
    if (log_is_tcplog(&s->worker->log)) {
        access_tcplog_end(s);
        return;
    }
    (void)stream_facts(&s->side[CLIENT].stream, &tls);
    add_who(&f, s, &tls);
    add_mqtt(&f, s->mqtt);
    add(&f, LOG_UINT("in", s->flow[UP].bytes));
    add(&f, LOG_UINT("out", s->flow[DOWN].bytes));
    add(&f, LOG_UINT("wait_ms", s->wait_ms));
    add(&f, LOG_UINT("connect_ms", s->connect_ms));
    add(&f, LOG_UINT("dur_ms", s->worker->now_ms - s->begun_ms));
    add(&f, LOG_STR("why", why_names[s->why]));
    add(&f, LOG_STR("state", session_state_names[s->ended_in]));
    add(&f, LOG_STR("detail", s->detail));
    write_line(s, LEVEL_INFO, "session_end", &f);
}
