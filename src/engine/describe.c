#include "engine/describe.h"

#include <inttypes.h>

#include "engine/mqtt.h"
#include "engine/worker.h"
#include "net/sock.h"

static const char *family(const struct addr *a)
{
    return a->sa.sa_family == AF_INET6 ? "tcpv6" : "tcpv4";
}

static const char *tls_version(const struct session *s)
{
    return s->is_tls_1_2 ? "TLSv1.2" : "TLSv1.3";
}

static void put_deadline(const struct session *s, struct text *out)
{
    uint64_t now_ms = s->worker->now_ms;
    if (s->deadline.list == NULL)
        return;
    text_puts(out, " exp=");
    text_put_age(out, s->deadline.at_ms > now_ms ? (s->deadline.at_ms - now_ms) / 1000 : 0);
}

/* In quotes, as it may hold blanks and what looks like another word. */
static void put_name(struct text *out, const char *key, const char *name)
{
    struct text safe = {0};
    text_put_line_part(&safe, name);
    text_add(out, " %s=\"", key);
    for (size_t i = 0; i < safe.len; i++)
        text_add(out, safe.at[i] == '"' || safe.at[i] == '\\' ? "\\%c" : "%c", safe.at[i]);
    text_puts(out, "\"");
    text_fini(&safe);
}

static void put_mqtt(const struct session *s, struct text *out)
{
    const struct mqtt_facts *mqtt = s->mqtt;
    if (mqtt == NULL)
        return;
    text_add(out, " mqtt=%s keepalive=%u clean=%d", mqtt_version_name(mqtt->version), mqtt->keep_alive_s, mqtt->clean);
    if (mqtt->has_connack)
        text_add(out, " connack=%u", mqtt->connack);
    put_name(out, "client_id", mqtt->client_id);
    if (mqtt->user != NULL)
        put_name(out, "user", mqtt->user);
}

void describe_session(const struct session *s, struct text *out)
{
    char client[ADDR_TEXT_MAX];
    text_add(out, "0x%016" PRIx64 ": proto=%s src=%s fe=%s be=%s srv=%s", s->id, family(&s->client),
             addr_format(&s->client, client), s->listener->conf->name,
             s->in_backend ? s->backend->conf->name : "<NONE>",
             s->has_server ? session_server(s)->conf->name : "<none>");
    text_puts(out, " age=");
    text_put_age(out, (s->worker->now_ms - s->begun_ms) / 1000);
    text_add(out, " state=%s in=%" PRIu64 " out=%" PRIu64, session_state_names[s->state], s->flow[UP].bytes,
             s->flow[DOWN].bytes);
    put_deadline(s, out);
    if (s->is_tls)
        text_add(out, " tls=%s", tls_version(s));
    put_mqtt(s, out);
    text_puts(out, "\n");
}

static void put_tls(const struct session *s, struct text *out)
{
    struct tls_facts facts;
    if (!stream_facts(&s->side[CLIENT].stream, &facts))
        return;
    text_add(out, "  tls: version=%s cipher=%s sni=", facts.version, facts.cipher);
    text_put_line_part(out, facts.sni);
    text_puts(out, " alpn=");
    text_put_line_part(out, facts.alpn);
    text_puts(out, " cn=");
    text_put_line_part(out, facts.peer_cn);
    text_add(out, " resumed=%d verified=%d carrier=%s\n", facts.resumed, facts.peer_verified,
             tls_carrier_names[s->carrier]);
}

static void put_side(struct session *s, int which, struct text *out)
{
    static const char *const names[] = {"client", "server"};
    const struct side       *d = &s->side[which];
    const uint32_t           wanted = session_side_wanted(s, which);
    char                     text[ADDR_TEXT_MAX];
    if (d->stream.fd < 0)
        return;
    struct addr local = sock_local(d->stream.fd), peer = sock_peer(d->stream.fd);
    text_add(out, "  %s: fd=%d tls=%d", names[which], d->stream.fd, d->stream.tls != NULL);
    text_add(out, " local=%s", addr_format(&local, text));
    text_add(out, " peer=%s", addr_format(&peer, text));
    text_add(out, " waits=%s%s readable=%d writable=%d\n", (wanted & EPOLLIN) != 0 ? "r" : "",
             (wanted & EPOLLOUT) != 0 ? "w" : "", d->readable, d->writable);
}

static void put_flow(const struct session *s, enum direction dir, struct text *out)
{
    const struct flow *f = &s->flow[dir];
    text_add(out, "  %s: bytes=%" PRIu64 " waiting=%u eof=%d passed_on=%d\n", dir == UP ? "to_server" : "to_client",
             f->bytes, buf_len(f->buf), f->eof, f->shut);
}

void describe_session_whole(struct session *s, struct text *out)
{
    char text[ADDR_TEXT_MAX];
    describe_session(s, out);
    text_add(out, "  worker=%u tries=%u greet_ms=%u wait_ms=%u connect_ms=%u\n", s->worker->index, s->n_tries,
             s->greet_ms, s->wait_ms, s->connect_ms);
    if (s->via != NULL) {
        text_add(out, "  via=%s", addr_format(&s->via->peer, text));
        text_add(out, " dst=%s\n", addr_format(&s->via->dst, text));
    }
    put_side(s, CLIENT, out);
    put_side(s, SERVER, out);
    put_tls(s, out);
    put_flow(s, UP, out);
    put_flow(s, DOWN, out);
}
