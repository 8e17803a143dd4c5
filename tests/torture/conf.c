/* A configuration with something of everything, good and bad, read and printed. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conf/load.h"
#include "conf/print.h"
#include "torture/scenario.h"

enum { BACKENDS = 12, N_FAULTS = 20 };

struct draft {
    char   at[32768];
    size_t len;
};

static void PRINTF_LIKE(2, 3) put(struct draft *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->at + t->len, sizeof t->at - t->len, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof t->at - t->len)
        abort();
    t->len += (size_t)n;
}

static void put_head(struct draft *t)
{
    put(t,
        "global: { node = \"${MQGATE_NODE:-n1}\"; workers = 2; log: { to = [ \"stdout\", \"stderr\" ]; }; };\n"
        "timeouts: { idle = \"5m\"; };\n"
        "tls = ( { name = \"edge\"; client_ca = \"ca.pem\"; verify = \"optional\"; alpn = [ \"mqtt\", \"http/1.1\" ];\n"
        "  certificates = ( { chain = \"a.pem\"; key = \"a.key\"; }, { chain = \"b.pem\"; key = \"b.key\"; } ); } );\n"
        "tls_client = ( { name = \"inner\"; ca = \"ca.pem\"; } );\n"
        "resolver: { servers = [ \"127.0.0.1:8600\" ]; };\n"
        "admin: { bind = \"127.0.0.1:8080\"; stats_allow = [ \"127.0.0.0/8\", \"::1/128\" ];\n"
        "  stats_auth = [ \"ops:$5$salt$kpa26zwgX83BPSR8d7w93OIXbFt/d3UOTZaAu5vsTM6\" ]; healthy_when = \"any\"; };\n");
}

static const char *large_text(void)
{
    static struct draft t;
    t.len = 0;
    put_head(&t);
    put(&t, "backends = (\n");
    for (int i = 0; i < BACKENDS; i++)
        put(&t,
            "  { name = \"backend-%d\"; tries = 2; check: { type = \"http\"; http: { path = \"/status\"; }; };\n"
            "    servers = ( { name = \"a\"; address = \"127.0.0.1:%d\"; send_proxy = \"v2\"; },\n"
            "      { name = \"b\"; address = \"[::1]:1883\"; backup = true; tls = \"inner\"; },\n"
            "      { name = \"c\"; address = \"broker.example:1883\"; }, { name = \"d\"; address = \"srv:_m._tcp.x\"; "
            "} ); "
            "}%s\n",
            i, 2000 + i, i + 1 < BACKENDS ? "," : "");
    put(&t, ");\nlisteners = (\n");
    for (int i = 0; i < BACKENDS; i++)
        put(&t,
            "  { name = \"listener-%d\"; bind = [ \"127.0.0.1:%d\", \"[::1]:%d\" ]; protocol = \"mqtt\"; tls = "
            "\"edge\";\n"
            "    backend = \"backend-%d\"; proxy_protocol = \"accept\"; proxy_from = [ \"10.0.0.0/8\" ];\n"
            "    deny = [ \"192.0.2.0/24\" ]; timeouts: { idle = \"%ds\"; }; }%s\n",
            i, 3000 + i, 3000 + i, i, 10 + i, i + 1 < BACKENDS ? "," : "");
    put(&t, ");\n");
    return t.at;
}

static const char bad_text[] =
    "global: { workers = -1; nodes = \"x\"; log: { level = \"loud\"; to = [ 1 ]; }; };\n"
    "timeouts: { idle = 5; connect = \"5 parsecs\"; };\n"
    "tls = ( { name = \"edge\"; certificates = ( ); min_version = \"1.1\"; } );\n"
    "backends = ( { servers = ( { name = \"${NO_SUCH_VARIABLE}\"; address = \"here\"; } ); },\n"
    "  { name = \"b\"; servers = ( ); }, { name = \"b\"; } );\n"
    "listeners = ( { name = \"l\"; bind = \"nowhere\"; protocol = \"mqtt\"; backend = \"c\"; },\n"
    "  { name = \"m\"; bind = [ ]; protocol = \"smtp\"; allow = [ \"10.0.0.1/8\" ]; } );\n";

/* The configuration, or NULL and a reason that was told; frees the errors. */
static struct conf *loaded(struct conf *conf, struct conf_errors *errors)
{
    (void)EXPECT((conf != NULL) == (errors->n == 0 && !errors->out_of_memory));
    (void)EXPECT(conf != NULL || errors->out_of_memory);
    conf_errors_free(errors);
    return conf;
}

static bool good_text(void)
{
    struct conf_errors errors = {0};
    struct conf       *conf = loaded(conf_load_text("large.conf", large_text(), &errors), &errors);
    bool               done = conf != NULL;
    if (done)
        (void)EXPECT(conf->n_listeners == BACKENDS && conf->listeners[1].backend == &conf->backends[1]);
    conf_unref(conf);
    return done;
}

static bool good_file(void)
{
    FILE *f = fopen("large.conf", "we");
    FILE *included = fopen("part.conf", "we");
    if (f == NULL || included == NULL || fputs("@include \"part.conf\"\n", f) < 0 ||
        fputs(large_text(), included) < 0 || fclose(f) != 0 || fclose(included) != 0)
        abort();
    struct conf_errors errors = {0};
    struct conf       *conf = loaded(conf_load("large.conf", &errors), &errors);
    bool               done = conf != NULL;
    conf_unref(conf);
    return done;
}

/* All n_errors, or the word that memory was out. */
static bool told(const char *text, size_t n_errors)
{
    struct conf_errors errors = {0};
    (void)EXPECT(conf_load_text("bad.conf", text, &errors) == NULL);
    (void)EXPECT(errors.n == n_errors || errors.out_of_memory);
    bool all = !errors.out_of_memory;
    for (const struct conf_error *e = errors.list; e != NULL; e = e->next)
        (void)EXPECT(e->text != NULL && strncmp(e->text, "bad.conf:", strlen("bad.conf:")) == 0);
    conf_errors_free(&errors);
    return all;
}

static bool many_faults(void)
{
    return told(bad_text, N_FAULTS);
}

/* One of each kind that is kept in a way of its own. */
static bool kinds_of_faults(void)
{
    return told("listeners = ( { name = \"l\"; bind = \"1.1.1.1:1\"; protocol = \"no\"; backend = \"b\"; } );\n"
                "admin: { bind = \"1.1.1.1:1\"; stats = 5; };\n"
                "global: { user = \"${NO_SUCH_VARIABLE}\"; };\n",
                6);
}

static bool fault_of_syntax(void)
{
    return told("global: { workers = ; };", 1);
}

static bool empty_file(void)
{
    struct conf_errors errors = {0};
    (void)EXPECT(conf_load("/dev/null", &errors) == NULL);
    (void)EXPECT(errors.n == 2 || errors.out_of_memory); /* listeners and backends */
    bool all = !errors.out_of_memory;
    conf_errors_free(&errors);
    return all;
}

static bool print(void)
{
    struct conf_errors errors = {0};
    struct conf       *conf = loaded(conf_load_text("large.conf", large_text(), &errors), &errors);
    FILE              *to = fopen("printed.conf", "we");
    if (to == NULL)
        abort();
    bool done = conf != NULL && conf_print(conf, to) == 0;
    (void)fclose(to);
    conf_unref(conf);
    return done;
}

const struct scenario conf_scenarios[] = {{"a large configuration is read", good_text},
                                          {"a file that includes another is read", good_file},
                                          {"many faults of a configuration are all told", many_faults},
                                          {"every kind of fault is told", kinds_of_faults},
                                          {"a fault of syntax is told", fault_of_syntax},
                                          {"an empty file lacks what is required", empty_file},
                                          {"a configuration is printed", print},
                                          {0}};
