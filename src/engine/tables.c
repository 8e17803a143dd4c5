/* A table may be large: it is looked through in pieces, between which the main loop turns. */
#include "engine/tables.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "engine/shared.h"

enum { PLACES_A_TURN = 2048 }; /* a millisecond or two, when all of them are shown */
enum { CONDITIONS_MAX = 4 };

enum figure { CONN_CNT, CONN_RATE, CONN_CUR, REFUSED, FIGURES };
enum comparison { EQ, NE, LE, GE, LT, GT, COMPARISONS };

static const char *const figure_names[FIGURES] = {"conn_cnt", "conn_rate", "conn_cur", "refused"};
static const char *const comparison_names[COMPARISONS] = {"eq", "ne", "le", "ge", "lt", "gt"};

/* "data.conn_cur gt 5" */
struct condition {
    enum figure     figure;
    enum comparison comparison;
    uint64_t        value;
};

/* Which entries are meant: all that every condition matches. */
struct wish {
    struct condition conditions[CONDITIONS_MAX];
    size_t           n;
    bool             has_key;
    struct addr      key;
};

struct walk {
    struct command_call        *call;
    struct snapshot            *snap;     /* one reference */
    const struct snap_listener *listener; /* whose table it is at */
    struct wish                 wish;
    uint64_t                    now_ms;
    uint32_t                    place; /* looked at last; 0: none yet */
    uint32_t                    used;
    struct ev_loop             *loop;
    struct ev_timer             again;
    /* Of each entry; then, when the table is at its end. True: there is more to do, from place 0. */
    void (*on_source)(struct walk *walk, const struct source *source);
    bool (*on_end)(struct walk *walk);
};

/* ---- arguments ---- */

/* Of names; n when it is none of them. */
static unsigned index_of(const char *word, const char *const *names, unsigned n)
{
    unsigned i = 0;
    while (i < n && strcmp(word, names[i]) != 0)
        i++;
    return i;
}

/* The three words from argv[at]; false when they are none, and that has been said. */
static bool parse_condition(struct command_call *call, size_t at, struct wish *wish)
{
    struct condition c = {index_of(call->argv[at] + strlen("data."), figure_names, FIGURES),
                          index_of(command_arg(call, at + 1), comparison_names, COMPARISONS), 0};
    if (wish->n == CONDITIONS_MAX) {
        (void)command_fail(call, "Detected extra data in filter, after '%s'", call->argv[at - 1]);
        return false;
    }
    if (c.figure == FIGURES)
        (void)command_fail(call, "Filter entry #%zu: Unknown data type", wish->n + 1);
    else if (c.comparison == COMPARISONS)
        (void)command_fail(call,
                           "Filter entry #%zu: Require and operator among \"eq\", \"ne\", \"le\", \"ge\", \"lt\", "
                           "\"gt\"",
                           wish->n + 1);
    else if (!command_number(command_arg(call, at + 2), UINT64_MAX, &c.value))
        (void)command_fail(call, "Filter entry #%zu: Require a valid integer value to compare against", wish->n + 1);
    else {
        wish->conditions[wish->n++] = c;
        return true;
    }
    return false;
}

static bool parse_key(struct command_call *call, const char *text, struct wish *wish)
{
    if (text[0] == '\0')
        (void)command_fail(call, "Key value expected");
    else if (!addr_parse_ip(text, &wish->key))
        (void)command_fail(call, "Invalid key");
    else if (call->level < COMMAND_OPERATOR)
        (void)command_fail(call, "Permission denied");
    else
        wish->has_key = true;
    return wish->has_key;
}

/* What stands behind the table's name; false when it is not understood, and that has been said. */
static bool parse_wish(struct command_call *call, const char *usage, struct wish *wish)
{
    for (size_t i = 1; i < call->argc;) {
        bool ok = false, is_key = strcmp(call->argv[i], "key") == 0;
        if (is_key)
            ok = parse_key(call, command_arg(call, i + 1), wish);
        else if (strncmp(call->argv[i], "data.", strlen("data.")) == 0)
            ok = parse_condition(call, i, wish);
        else
            (void)command_fail(call, "%s", usage);
        if (!ok)
            return false;
        i += is_key ? 2 : 3;
    }
    return true;
}

static bool holds(const struct condition *c, const struct source *s)
{
    const uint32_t figures[FIGURES] = {s->connections_ever, s->rate, s->connections, s->refused};
    uint64_t       value = figures[c->figure];
    switch (c->comparison) {
    case EQ:
        return value == c->value;
    case NE:
        return value != c->value;
    case LE:
        return value <= c->value;
    case GE:
        return value >= c->value;
    case LT:
        return value < c->value;
    default:
        return value > c->value;
    }
}

static bool matches(const struct wish *wish, const struct source *source)
{
    for (size_t i = 0; i < wish->n; i++) {
        if (!holds(&wish->conditions[i], source))
            return false;
    }
    return true;
}

/* The listener whose table it is; NULL when there is none, and that has been said. */
static const struct snap_listener *find_table(const struct engine *e, struct command_call *call)
{
    const struct snap_listener *listener = snapshot_find_listener(e->snap, call->argv[0]);
    if (listener != NULL && listener->sources != NULL)
        return listener;
    (void)command_fail(call, "No such table");
    return NULL;
}

/* The entry of the key, if there is one that matches. */
static bool find_wished(const struct walk *walk, struct source *source)
{
    return sources_find(walk->listener->sources, &walk->wish.key, walk->now_ms, source) && matches(&walk->wish, source);
}

/* ---- in pieces ---- */

static void walk_free(struct walk *walk)
{
    ev_timer_stop(walk->loop, &walk->again);
    snapshot_unref(walk->snap);
    free(walk);
}

static void on_cancel(struct command_call *call)
{
    walk_free(call->state);
}

static void on_again(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    struct walk          *walk = CONTAINER_OF(watcher, struct walk, again);
    const struct sources *table = walk->listener->sources;
    struct source         source;
    (void)loop;
    (void)revents;
    for (int i = 0; i < PLACES_A_TURN && walk->place < sources_size(table); i++) {
        if (sources_at(table, ++walk->place, walk->now_ms, &source))
            walk->on_source(walk, &source);
    }
    if (walk->place == sources_size(table)) {
        walk->place = 0;
        if (!walk->on_end(walk)) {
            struct command_call *call = walk->call;
            walk_free(walk);
            call->finish(call);
            return;
        }
    }
    ev_timer_start(walk->loop, &walk->again);
}

static enum command_outcome walk_begin(struct engine *e, const struct walk *first, struct command_call *call)
{
    struct walk *walk = malloc(sizeof *walk);
    if (walk == NULL)
        return command_fail(call, "Out of memory.");
    *walk = *first;
    walk->call = call;
    walk->snap = snapshot_ref(e->snap);
    walk->loop = e->settings.loop;
    ev_timer_init(&walk->again, on_again, 0., 0.);
    ev_timer_start(walk->loop, &walk->again);
    call->state = walk;
    call->cancel = on_cancel;
    return COMMAND_PENDING;
}

/* ---- show table ---- */

static void put_head(struct command_call *call, const struct snap_listener *listener, uint32_t used)
{
    text_add(&call->out, "# table: %s, type: ip, size:%" PRIu32 ", used:%" PRIu32 "\n", listener->conf->name,
             sources_size(listener->sources), used);
}

static void put_source(struct command_call *call, const struct source *s)
{
    char key[ADDR_TEXT_MAX];
    text_add(&call->out,
             "0x%08" PRIx32 ": key=%s use=%" PRIu32 " exp=%" PRIu32 " conn_cnt=%" PRIu32 " conn_rate(1000)=%" PRIu32
             " conn_cur=%" PRIu32 " refused=%" PRIu32 "\n",
             s->place, addr_format_ip(&s->address, key), s->connections, s->expires_ms, s->connections_ever, s->rate,
             s->connections, s->refused);
}

static void on_show(struct walk *walk, const struct source *source)
{
    if (matches(&walk->wish, source))
        put_source(walk->call, source);
}

static void on_count(struct walk *walk, const struct source *source)
{
    (void)source;
    walk->used++;
}

static bool on_shown(struct walk *walk)
{
    (void)walk;
    return false;
}

static bool show_one(struct walk *walk)
{
    struct source source;
    if (find_wished(walk, &source))
        put_source(walk->call, &source);
    return false;
}

/* The head tells of all entries, and so they are counted first. */
static bool on_counted(struct walk *walk)
{
    put_head(walk->call, walk->listener, walk->used);
    walk->on_source = on_show;
    walk->on_end = on_shown;
    if (walk->wish.has_key)
        return show_one(walk);
    if (walk->call->level >= COMMAND_OPERATOR)
        return true;
    text_puts(&walk->call->out, "# contents not dumped due to insufficient privileges\n");
    return false;
}

/* From listener on; NULL: there is none. */
static const struct snap_listener *next_table(const struct snapshot *snap, const struct snap_listener *listener)
{
    while (listener < snap->listeners + snap->conf->n_listeners && listener->sources == NULL)
        listener++;
    return listener < snap->listeners + snap->conf->n_listeners ? listener : NULL;
}

static bool on_next_table(struct walk *walk)
{
    put_head(walk->call, walk->listener, walk->used);
    walk->used = 0;
    walk->listener = next_table(walk->snap, walk->listener + 1);
    return walk->listener != NULL;
}

enum command_outcome tables_show(void *owner, struct command_call *call)
{
    struct engine *e = owner;
    struct walk    walk = {.now_ms = clock_mono_ms(), .on_source = on_count, .on_end = on_next_table};
    struct source  source;
    if (call->argc == 0) {
        walk.listener = next_table(e->snap, e->snap->listeners);
        return walk.listener != NULL ? walk_begin(e, &walk, call) : COMMAND_DONE;
    }
    walk.listener = find_table(e, call);
    walk.on_end = on_counted;
    if (walk.listener == NULL ||
        !parse_wish(call, "Optional argument only supports \"data.<store_data_type>\" <operator> <value> and key <key>",
                    &walk.wish))
        return COMMAND_DONE;
    if (walk.wish.has_key && !find_wished(&walk, &source))
        return COMMAND_DONE; /* without the head, as in HAProxy */
    return walk_begin(e, &walk, call);
}

/* ---- clear table ---- */

static void on_clear(struct walk *walk, const struct source *source)
{
    if (!matches(&walk->wish, source))
        return;
    bool forgotten = sources_forget(walk->listener->sources, source, walk->now_ms);
    (void)forgotten; /* who has connections stays, as in HAProxy without a word */
}

static enum command_outcome clear_one(const struct walk *walk, struct command_call *call)
{
    struct source source;
    if (find_wished(walk, &source) && !sources_forget(walk->listener->sources, &source, walk->now_ms))
        return command_fail(call, "Entry currently in use, cannot remove");
    return COMMAND_DONE;
}

enum command_outcome tables_clear(void *owner, struct command_call *call)
{
    static const char usage[] =
        "Required arguments: <table> \"data.<store_data_type>\" <operator> <value> or <table> key <key>";
    struct walk walk = {.now_ms = clock_mono_ms(), .on_source = on_clear, .on_end = on_shown};
    if (call->argc == 0)
        return command_fail(call, "%s", usage);
    walk.listener = find_table(owner, call);
    if (walk.listener == NULL || !parse_wish(call, usage, &walk.wish))
        return COMMAND_DONE;
    return walk.wish.has_key ? clear_one(&walk, call) : walk_begin(owner, &walk, call);
}
