#include "stats/carry.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "stats/registry.h"

/* ---- numbers ---- */

/* enum count by the numbers that it has in images, which last. One that is several is a block of them: its n-th always
 * means the same, or the block gets another number. */
static const struct {
    uint16_t   number; /* of the first */
    uint16_t   n;
    enum count first;
} blocks[] = {
    {1, 1, COUNT_REQUEST_IN},
    {2, 1, COUNT_REQUEST_OUT},
    {3, 1, COUNT_RESPONSE_IN},
    {4, 1, COUNT_RESPONSE_OUT},
    {5, 1, COUNT_CONNECTIONS},
    {6, 1, COUNT_SESSIONS},
    {7, 1, COUNT_CLOSED},
    {8, 1, COUNT_INTERNAL_ERRORS},
    {9, 1, COUNT_DENIED_CONNECTIONS},
    {10, 1, COUNT_DENIED_SESSIONS},
    {11, 1, COUNT_DENIED_LIMIT},
    {12, 1, COUNT_DENIED_SOURCE_CONNECTIONS},
    {13, 1, COUNT_DENIED_SOURCE_RATE},
    {14, 1, COUNT_SOURCES_UNTRACKED},
    {15, 1, COUNT_PROXY_ERRORS},
    {16, 1, COUNT_HANDSHAKES},
    {17, 1, COUNT_HANDSHAKES_RESUMED},
    {18, 1, COUNT_HANDSHAKES_FAILED},
    {19, 1, COUNT_TLS_1_2},
    {20, 1, COUNT_TLS_CLOSED},
    {21, 1, COUNT_TLS_1_2_CLOSED},
    {22, 1, COUNT_REQUEST_ERRORS},
    {23, 1, COUNT_NO_SERVER},
    {24, 1, COUNT_PACED},
    {25, 1, COUNT_REFUSED_PACE},
    {26, 1, COUNT_REFUSED_NOT_MQTT},
    {27, 1, COUNT_REFUSED_VERSION},
    {28, 1, COUNT_REFUSED_MALFORMED},
    {29, 1, COUNT_REFUSED_TOO_LARGE},
    {30, 1, COUNT_REFUSED_CLIENT_ID},
    {31, 1, COUNT_REFUSED_HTTP},
    {32, 1, COUNT_KEEP_ALIVE_ENDED},
    {33, 1, COUNT_MAX_AGE_ENDED},
    {34, 1, COUNT_SHED},
    {35, 1, COUNT_PICKS},
    {36, 1, COUNT_CONNECTS},
    {37, 1, COUNT_CONNECTS_BEGUN},
    {38, 1, COUNT_CONNECTS_FAILED},
    {39, 1, COUNT_RETRIES},
    {40, 1, COUNT_REDISPATCHES},
    {41, 1, COUNT_CARRIED},
    {42, 1, COUNT_CLIENT_ABORTS},
    {43, 1, COUNT_SERVER_ABORTS},
    {44, 1, COUNT_MQTT_BROKEN},
    {45, 1, COUNT_MQTT_LOOSE},
    {0x400, TLS_CARRIERS, COUNT_TLS_CARRIED},
    {0x420, TLS_CARRIERS, COUNT_TLS_CARRIED_CLOSED},
    {0x440, MQTT_TYPES, COUNT_MQTT_UP},
    {0x460, MQTT_TYPES, COUNT_MQTT_DOWN},
    {0x480, MQTT_QOS, COUNT_MQTT_PUBLISH_UP},
    {0x490, MQTT_QOS, COUNT_MQTT_PUBLISH_DOWN},
    {0x4A0, MQTT_VERSIONS, COUNT_MQTT_SESSIONS},
    {0x4B0, MQTT_VERSIONS, COUNT_MQTT_CLOSED},
    {0x4C0, MQTT_RETURNS, COUNT_MQTT_CONNACK_3},
    {0x500, MQTT_REASONS, COUNT_MQTT_CONNACK_5},
    {0x540, MQTT_REASONS, COUNT_MQTT_DISCONNECT_UP},
    {0x580, MQTT_REASONS, COUNT_MQTT_DISCONNECT_DOWN},
    {0x5C0, MQTT_REASONS, COUNT_MQTT_DISCONNECT_GATE},
};

struct counts {
    uint64_t of[COUNTS];
};

static struct image_field counts_fields[COUNTS];
static struct image_kind  counts_kind = {"counts", 0, counts_fields, 0};

/* Once. */
static void know_counts(void)
{
    if (counts_kind.n > 0)
        return;
    for (size_t b = 0; b < ARRAY_LEN(blocks); b++) {
        for (uint16_t i = 0; i < blocks[b].n; i++) {
            assert(counts_kind.n < COUNTS);
            counts_fields[counts_kind.n++] =
                (struct image_field){(uint16_t)(blocks[b].number + i), IMAGE_UINT,
                                     (blocks[b].first + i) * sizeof(uint64_t), sizeof(uint64_t), NULL};
        }
    }
    assert(counts_kind.n == COUNTS);
}

static void add_counts(uint64_t to[COUNTS], const struct counts *from)
{
    for (enum count i = 0; i < COUNTS; i++)
        to[i] += from->of[i];
}

/* ---- rows ---- */

struct carried_row {
    uint32_t       kind;  /* enum row_kind */
    struct slice   proxy; /* of a server or listener */
    struct slice   name;
    uint32_t       iid, sid;
    bool           is_admin;
    struct rate    connection_rate, session_rate;
    struct average queue_ms, connect_ms, total_ms;
    uint64_t       last_session_ms;
    uint32_t       most_sessions;
    struct counts  counted, cleared, gone;
};

static const struct image_field row_fields[] = {
    IMAGE_FIELD(1, IMAGE_UINT, struct carried_row, kind),
    IMAGE_FIELD(2, IMAGE_SLICE, struct carried_row, proxy),
    IMAGE_FIELD(3, IMAGE_SLICE, struct carried_row, name),
    IMAGE_FIELD(4, IMAGE_UINT, struct carried_row, iid),
    IMAGE_FIELD(5, IMAGE_UINT, struct carried_row, sid),
    IMAGE_FIELD(6, IMAGE_BOOL, struct carried_row, is_admin),
    IMAGE_FIELD_GROUP(7, &rate_kind, struct carried_row, connection_rate),
    IMAGE_FIELD_GROUP(8, &rate_kind, struct carried_row, session_rate),
    IMAGE_FIELD_GROUP(9, &average_kind, struct carried_row, queue_ms),
    IMAGE_FIELD_GROUP(10, &average_kind, struct carried_row, connect_ms),
    IMAGE_FIELD_GROUP(11, &average_kind, struct carried_row, total_ms),
    IMAGE_FIELD(12, IMAGE_UINT, struct carried_row, last_session_ms),
    IMAGE_FIELD(13, IMAGE_UINT, struct carried_row, most_sessions),
    IMAGE_FIELD_GROUP(14, &counts_kind, struct carried_row, counted),
    IMAGE_FIELD_GROUP(15, &counts_kind, struct carried_row, cleared),
    IMAGE_FIELD_GROUP(16, &counts_kind, struct carried_row, gone),
};
static const struct image_kind row_kind = {"row", IMAGE_ROW, row_fields, ARRAY_LEN(row_fields)};

static void carry_row(const struct entry *e, struct image_writer *w)
{
    struct carried_row c = {
        .kind = e->row.kind,
        .proxy = e->proxy != NULL ? slice_str(e->proxy->name) : slice_of(NULL, 0),
        .name = slice_str(e->name),
        .iid = e->row.iid,
        .sid = e->row.sid,
        .is_admin = e->row.is_admin,
        .connection_rate = e->row.connection_rate,
        .session_rate = e->row.session_rate,
        .queue_ms = e->row.queue_ms,
        .connect_ms = e->row.connect_ms,
        .total_ms = e->row.total_ms,
        .last_session_ms = e->row.last_session_ms,
        .most_sessions = peak_read(&e->row.sessions.peak),
    };
    for (enum count i = 0; i < COUNTS; i++) {
        c.counted.of[i] = counters_sum(e->row.counters, i);
        c.cleared.of[i] = e->row.cleared[i];
        c.gone.of[i] = e->gone[i];
    }
    image_put(w, &row_kind, &c);
}

static struct entry *entry_by_slice(struct stats *stats, struct entry *proxy, enum row_kind kind, struct slice name)
{
    char         *text = strndup(name.ptr != NULL ? (const char *)name.ptr : "", name.len);
    struct entry *e = text != NULL ? registry_entry(stats, proxy, kind, text) : NULL;
    free(text);
    return e;
}

/* NULL when memory is out. */
static struct entry *entry_of(struct stats *stats, const struct carried_row *c)
{
    struct entry *proxy = NULL;
    bool          is_child = c->kind == ROW_SERVER || c->kind == ROW_LISTENER;
    if (is_child) {
        proxy = entry_by_slice(stats, NULL, c->kind == ROW_SERVER ? ROW_BACKEND : ROW_FRONTEND, c->proxy);
        if (proxy == NULL)
            return NULL;
    }
    return entry_by_slice(stats, proxy, (enum row_kind)c->kind, c->name);
}

/* Ids of before stay, and none of them is given to another row. */
static void take_ids(struct stats *stats, struct entry *e, const struct carried_row *c)
{
    e->row.iid = c->iid;
    e->row.sid = c->sid;
    if (stats->next_iid <= c->iid)
        stats->next_iid = c->iid + 1;
    if (e->proxy != NULL && e->proxy->next_sid <= c->sid)
        e->proxy->next_sid = c->sid + 1;
}

static bool adopt_row(struct stats *stats, const struct image_record *record, struct err *err)
{
    struct carried_row c;
    if (!image_take(record, &row_kind, &c, err))
        return false;
    if (c.kind > ROW_LISTENER)
        return true;
    struct entry *e = entry_of(stats, &c);
    if (e == NULL) {
        err_set(err, "out of memory");
        return false;
    }
    counter *slot = counters_slot(e->row.counters, 0);
    take_ids(stats, e, &c);
    e->row.is_admin = c.is_admin;
    e->row.connection_rate = c.connection_rate;
    e->row.session_rate = c.session_rate;
    e->row.queue_ms = c.queue_ms;
    e->row.connect_ms = c.connect_ms;
    e->row.total_ms = c.total_ms;
    e->row.last_session_ms = c.last_session_ms;
    peak_note(&e->row.sessions.peak, c.most_sessions);
    for (enum count i = 0; i < COUNTS; i++)
        counter_add(&slot[i], c.counted.of[i]);
    add_counts(e->row.cleared, &c.cleared);
    add_counts(e->gone, &c.gone);
    return true;
}

/* ---- the process ---- */

struct carried_totals {
    struct totals rates;
    uint32_t      next_iid;
    struct counts gone;
};

static const struct image_field totals_fields[] = {
    IMAGE_FIELD_GROUP(1, &rate_kind, struct carried_totals, rates.connection_rate),
    IMAGE_FIELD_GROUP(2, &rate_kind, struct carried_totals, rates.session_rate),
    IMAGE_FIELD_GROUP(3, &rate_kind, struct carried_totals, rates.handshake_rate),
    IMAGE_FIELD_GROUP(4, &rate_kind, struct carried_totals, rates.key_rate),
    IMAGE_FIELD_GROUP(5, &rate_kind, struct carried_totals, rates.resumed_rate),
    IMAGE_FIELD(6, IMAGE_UINT, struct carried_totals, next_iid),
    IMAGE_FIELD_GROUP(7, &counts_kind, struct carried_totals, gone),
};
static const struct image_kind totals_kind = {"totals", IMAGE_TOTALS, totals_fields, ARRAY_LEN(totals_fields)};

static void carry_totals(const struct stats *stats, struct image_writer *w)
{
    struct carried_totals c = {.rates = stats->totals, .next_iid = stats->next_iid};
    memcpy(c.gone.of, stats->gone, sizeof c.gone.of);
    image_put(w, &totals_kind, &c);
}

static bool adopt_totals(struct stats *stats, const struct image_record *record, struct err *err)
{
    struct carried_totals c;
    if (!image_take(record, &totals_kind, &c, err))
        return false;
    stats->totals = c.rates;
    if (stats->next_iid < c.next_iid)
        stats->next_iid = c.next_iid;
    add_counts(stats->gone, &c.gone);
    return true;
}

struct carried_worker {
    uint32_t worker;
    uint64_t of[WORKER_COUNTERS];
};

static const struct image_field worker_fields[] = {
    IMAGE_FIELD(1, IMAGE_UINT, struct carried_worker, worker),
    IMAGE_FIELD(2, IMAGE_UINT, struct carried_worker, of[WORKER_ACCEPT_PAUSES_FDS]),
    IMAGE_FIELD(3, IMAGE_UINT, struct carried_worker, of[WORKER_ACCEPT_PAUSES_LIMIT]),
    IMAGE_FIELD(4, IMAGE_UINT, struct carried_worker, of[WORKER_ACCEPT_PAUSES_RATE]),
    IMAGE_FIELD(5, IMAGE_UINT, struct carried_worker, of[WORKER_OUT_OF_MEMORY]),
    IMAGE_FIELD(6, IMAGE_UINT, struct carried_worker, of[WORKER_TURNS]),
    IMAGE_FIELD(7, IMAGE_UINT, struct carried_worker, of[WORKER_EVENTS]),
    IMAGE_FIELD(8, IMAGE_UINT, struct carried_worker, of[WORKER_ACCEPTED]),
};
static const struct image_kind worker_kind = {"worker's counters", IMAGE_COUNTER, worker_fields,
                                              ARRAY_LEN(worker_fields)};

static void carry_worker(const struct stats *stats, uint32_t worker, struct image_writer *w)
{
    struct carried_worker c = {.worker = worker};
    for (size_t i = 0; i < WORKER_COUNTERS; i++)
        c.of[i] = counters_of(stats->workers, worker, i);
    image_put(w, &worker_kind, &c);
}

static bool adopt_worker(struct stats *stats, const struct image_record *record, struct err *err)
{
    struct carried_worker c;
    if (!image_take(record, &worker_kind, &c, err))
        return false;
    counter *slot = counters_slot(stats->workers, c.worker < stats->n_workers ? c.worker : 0);
    for (size_t i = 0; i < WORKER_COUNTERS; i++)
        counter_add(&slot[i], c.of[i]);
    return true;
}

/* ---- all ---- */

void stats_carry(const struct stats *stats, struct image_writer *w)
{
    const struct entry *e;
    know_counts();
    for (uint32_t worker = 0; worker < stats->n_workers; worker++)
        carry_worker(stats, worker, w);
    DL_FOREACH (stats->entries, e)
        carry_row(e, w);
    carry_totals(stats, w); /* after the rows, so that those made for them take no ids that are still free */
}

bool stats_adopt(struct stats *stats, const struct image_record *record, struct err *err)
{
    know_counts();
    if (image_is(record, &row_kind))
        return adopt_row(stats, record, err);
    if (image_is(record, &totals_kind))
        return adopt_totals(stats, record, err);
    return !image_is(record, &worker_kind) || adopt_worker(stats, record, err);
}
