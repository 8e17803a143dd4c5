#include "report/certificates.h"

#include <inttypes.h>
#include <time.h>

#include "base/clock.h"

enum { DAY_S = 86400 };

void certificates_each(const struct view *view,
                       void (*fn)(void *user, const char *section, const struct tls_certificate_info *certificate),
                       void *user)
{
    const struct snapshot      *snap = view->snap;
    struct tls_certificate_info info;
    for (size_t i = 0; i < snap->conf->n_tls; i++) {
        for (size_t n = 0; n < tls_server_n_certificates(snap->tls[i]); n++) {
            tls_server_certificate(snap->tls[i], n, &info);
            fn(user, snap->conf->tls[i].name, &info);
        }
    }
}

static void put_date(struct text *out, const char *key, int64_t seconds)
{
    char      when[32] = "?";
    time_t    t = (time_t)seconds;
    struct tm tm;
    if (gmtime_r(&t, &tm) != NULL)
        (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    text_add(out, " %s=%s", key, when);
}

static void put_certificate(void *user, const char *section, const struct tls_certificate_info *c)
{
    struct text *out = user;
    int64_t      now_s = (int64_t)(clock_wall_ms() / 1000);
    text_add(out, "certificate tls=%s file=", section);
    text_put_line_part(out, c->path);
    put_date(out, "not_before", c->not_before);
    put_date(out, "not_after", c->not_after);
    text_add(out, " days_left=%" PRId64 " state=%s key=%s serial=%s\n", (c->not_after - now_s) / DAY_S,
             now_s > c->not_after    ? "expired"
             : now_s < c->not_before ? "not_yet_valid"
                                     : "valid",
             c->key, c->serial);
    text_puts(out, "  subject=");
    text_put_line_part(out, c->subject);
    text_puts(out, "\n  issuer=");
    text_put_line_part(out, c->issuer);
    text_puts(out, "\n  names=");
    text_put_line_part(out, c->names);
    text_puts(out, "\n");
}

static void put_listener(const struct snap_listener *listener, struct text *out)
{
    const struct row *row = listener->row;
    uint64_t          handshakes = row_sum(row, COUNT_HANDSHAKES), tls12 = row_sum(row, COUNT_TLS_1_2);
    text_add(out, "listener %s tls=%s handshakes=%" PRIu64 " resumed=%" PRIu64 " failed=%" PRIu64, listener->conf->name,
             listener->conf->tls->name, handshakes, row_sum(row, COUNT_HANDSHAKES_RESUMED),
             row_sum(row, COUNT_HANDSHAKES_FAILED));
    text_add(out, " tls12=%" PRIu64 " tls13=%" PRIu64 " open=%" PRIu64, tls12, handshakes - tls12,
             row_open(row, COUNT_HANDSHAKES, COUNT_TLS_CLOSED));
    for (unsigned i = 0; i < TLS_CARRIERS; i++)
        text_add(out, " %s=%" PRIu64, tls_carrier_names[i],
                 row_open(row, COUNT_TLS_CARRIED + i, COUNT_TLS_CARRIED_CLOSED + i));
    text_puts(out, "\n");
}

void report_tls(const struct view *view, struct text *out)
{
    certificates_each(view, put_certificate, out);
    for (size_t i = 0; i < view->snap->conf->n_listeners; i++) {
        if (view->snap->listeners[i].tls != NULL)
            put_listener(&view->snap->listeners[i], out);
    }
}
