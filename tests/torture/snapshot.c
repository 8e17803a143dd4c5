/* A configuration is made live and let go. */
#include <stdlib.h>

#include "conf/load.h"
#include "snapshot/snapshot.h"
#include "torture/scenario.h"

static const char text[] =
    "global: { workers = 3; };\n"
    "tls = ( { name = \"edge\"; client_ca = \"ca.pem\"; verify = \"required\"; crl = \"crl.pem\"; alpn = [ \"mqtt\" "
    "];\n"
    "    certificates = ( { chain = \"a.pem\"; key = \"a.key\"; }, { chain = \"soon.pem\"; key = \"soon.key\"; } ); "
    "},\n"
    "  { name = \"other\"; certificates = ( { chain = \"b.pem\"; key = \"b.key\"; } ); } );\n"
    "tls_client = ( { name = \"inner\"; ca = \"ca.pem\"; chain = \"device.pem\"; key = \"device.key\"; } );\n"
    "backends = ( { name = \"x\"; servers = ( { name = \"a\"; address = \"127.0.0.1:1883\"; },\n"
    "    { name = \"b\"; address = \"127.0.0.1:1884\"; tls = \"inner\"; backup = true; } ); },\n"
    "  { name = \"y\"; check: { type = \"none\"; }; servers = ( { name = \"a\"; address = \"127.0.0.1:1885\"; } ); } "
    ");\n"
    "listeners = ( { name = \"l\"; bind = \"127.0.0.1:0\"; protocol = \"mqtt\"; backend = \"x\"; tls = \"edge\"; },\n"
    "  { name = \"m\"; bind = \"127.0.0.1:0\"; protocol = \"tcp\"; backend = \"y\"; tls = \"other\"; },\n"
    "  { name = \"n\"; bind = \"127.0.0.1:0\"; protocol = \"tcp\"; backend = \"y\"; rate_limit = 7; per_source: { "
    "rate_limit = 5; }; } "
    ");\n";

static bool build_and_hold(struct conf **conf, struct stats *stats, struct tls_tickets *tickets)
{
    struct log_settings settings = {.level = LEVEL_WARN, .wake_fd = -1};
    struct log          log = {.settings = &settings, .ring = log_ring_new()};
    struct err          err = {0};
    if (log.ring == NULL)
        return false;
    struct snapshot *snap = snapshot_build(*conf, NULL, stats, tickets, &log, &err);
    log_ring_free(log.ring);
    if (snap == NULL)
        return reported(&err);
    (void)EXPECT(!snapshot_is_healthy(snap));
    snapshot_unref(snapshot_ref(snap));
    snapshot_unref(snap);
    return true;
}

static bool build(void)
{
    struct conf_errors  errors = {0};
    struct err          err = {0};
    struct conf        *conf = conf_load_text("live.conf", text, &errors);
    struct tls_tickets *tickets = tls_tickets_new(&err);
    struct stats       *stats = stats_new(3);
    bool done = conf != NULL && stats != NULL && tickets != NULL && build_and_hold(&conf, stats, tickets);
    (void)EXPECT(errors.n == 0);
    conf_errors_free(&errors);
    tls_tickets_free(tickets);
    stats_free(stats);
    conf_unref(conf);
    return done;
}

const struct scenario snapshot_scenarios[] = {{"a configuration becomes live", build}, {0}};
