#include "report/mqtt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/mqtt.h"
#include "report/tally.h"

/* What two columns of a table tell of: in and out, or now and ever. */
struct pair {
    const char *name;
    uint64_t    n[2];
    bool        has[2];
};

/* The rows of such a table, in their order. */
struct pairs {
    struct pair at[MQTT_TYPES];
    size_t      n;
    size_t      column; /* to be filled */
    size_t      named;  /* the label that names the row */
};

static void fill(void *user, const struct tally *tally)
{
    struct pairs *p = user;
    size_t        column = p->named == 0 ? p->column : strcmp(tally->value[0], "out") == 0;
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->at[i].name, tally->value[p->named]) != 0)
            continue;
        p->at[i].n[column] = tally->n;
        p->at[i].has[column] = true;
    }
}

static void put_head(struct text *out, const char *name, const char *first, const char *second)
{
    text_add(out, "  %-52s %11s", name, first);
    text_add(out, second != NULL ? " %11s\n" : "\n", second);
}

static void put_pair(struct text *out, const char *before, const struct pair *pair)
{
    char name[56];
    (void)snprintf(name, sizeof name, "%s%s", before, pair->name);
    text_add(out, "  %-52s", name);
    for (size_t i = 0; i < 2; i++) {
        if (pair->has[i])
            text_add(out, " %11" PRIu64, pair->n[i]);
        else
            text_puts(out, "           -");
    }
    text_puts(out, "\n");
}

static void put_sessions(const struct row *row, struct text *out)
{
    struct pairs p = {.at = {{"3.1", {0}, {0}}, {"3.1.1", {0}, {0}}, {"5", {0}, {0}}}, .n = 3};
    tally_each(row, TALLY_SESSIONS, fill, &p);
    p.column = 1;
    tally_each(row, TALLY_CONNECTS, fill, &p);
    put_head(out, "sessions", "now", "let in");
    for (size_t i = 0; i < p.n; i++)
        put_pair(out, "  MQTT ", &p.at[i]);
}

static void put_publishes(const struct row *row, struct text *out)
{
    struct pairs p = {.at = {{"0", {0}, {0}}, {"1", {0}, {0}}, {"2", {0}, {0}}}, .n = 3, .named = 1};
    tally_each(row, TALLY_PUBLISHES, fill, &p);
    for (size_t i = 0; i < p.n; i++)
        put_pair(out, "    QoS ", &p.at[i]);
}

static void put_packets(const struct row *row, struct text *out)
{
    struct pairs p = {.named = 1};
    for (unsigned type = MQTT_CONNECT; type <= MQTT_AUTH; type++)
        p.at[p.n++].name = mqtt_type_name((enum mqtt_type)type);
    tally_each(row, TALLY_PACKETS, fill, &p);
    bool any = false;
    for (size_t i = 0; i < p.n; i++) {
        if (p.at[i].n[0] + p.at[i].n[1] == 0)
            continue;
        if (!any)
            put_head(out, "packets", "in", "out");
        any = true;
        put_pair(out, "  ", &p.at[i]);
        if (strcmp(p.at[i].name, mqtt_type_name(MQTT_PUBLISH)) == 0)
            put_publishes(row, out);
    }
}

/* A section whose head is put once it is known that something follows. */
struct section {
    struct text *out;
    const char  *name; /* NULL: it was put */
};

static void put_count(struct section *s, const char *what, uint64_t n)
{
    if (n == 0)
        return;
    if (s->name != NULL)
        put_head(s->out, s->name, "count", NULL);
    s->name = NULL;
    text_add(s->out, "    %-50s %11" PRIu64 "\n", what, n);
}

static void on_tally(void *user, const struct tally *tally)
{
    char what[64] = "";
    for (size_t i = 0; i < TALLY_LABELS && tally->value[i] != NULL; i++) {
        size_t len = strlen(what);
        (void)snprintf(what + len, sizeof what - len, "%s%s", i > 0 ? " " : "", tally->value[i]);
    }
    put_count(user, what, tally->n);
}

static void put_group(const struct row *row, struct text *out, const char *name, enum tally_group group)
{
    struct section s = {.out = out, .name = name};
    tally_each(row, group, on_tally, &s);
}

static void put_rest(const struct row *row, struct text *out)
{
    static const struct {
        const char *what;
        enum count  which;
    } all[] = {{"paced", COUNT_PACED},
               {"ended by keep-alive", COUNT_KEEP_ALIVE_ENDED},
               {"asked to reconnect by max_age", COUNT_MAX_AGE_ENDED},
               {"asked to go by drain or shed", COUNT_SHED},
               {"stopped being MQTT, ended", COUNT_MQTT_BROKEN},
               {"stopped being MQTT, relayed", COUNT_MQTT_LOOSE}};
    struct section s = {.out = out, .name = "sessions that were"};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        put_count(&s, all[i].what, row_sum(row, all[i].which));
}

/* While lines are shown. */
struct pass {
    const struct view *view;
    struct text       *out;
};

static void on_line(void *user, const struct line *line)
{
    const struct pass *p = user;
    if (!tally_is_mqtt(p->view, line))
        return;
    if (line->kind == ROW_SERVER)
        text_add(p->out, "server %s/%s\n", line->at[COLUMN_PXNAME].str, line->at[COLUMN_SVNAME].str);
    else
        text_add(p->out, "frontend %s\n", line->at[COLUMN_PXNAME].str);
    put_sessions(line->row, p->out);
    put_packets(line->row, p->out);
    put_group(line->row, p->out, "CONNACK", TALLY_CONNACKS);
    put_group(line->row, p->out, "DISCONNECT", TALLY_DISCONNECTS);
    put_group(line->row, p->out, "refused", TALLY_REFUSED);
    put_rest(line->row, p->out);
}

bool report_mqtt(const struct view *view, const char *proxy, struct text *out)
{
    struct pass        pass = {.view = view, .out = out};
    struct line_filter filter = line_filter_all();
    filter.types = 1 << ROW_FRONTEND | 1 << ROW_SERVER;
    filter.proxy = proxy;
    return lines_each(view, &filter, on_line, &pass);
}
