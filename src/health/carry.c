/* What checks have found, from one process to the next. */
#include <stdlib.h>

#include "base/clock.h"
#include "health/checked.h"

/* A server, or where that has no name the backend as a whole: of that there is only its history. */
struct carried_check {
    struct slice      backend, server;
    struct check_past past;
    bool              is_up, is_known; /* of a backend */
};

static const struct image_field history_fields[] = {
    IMAGE_FIELD(1, IMAGE_BOOL, struct health_history, down),
    IMAGE_FIELD(2, IMAGE_UINT, struct health_history, downs),
    IMAGE_FIELD(3, IMAGE_UINT, struct health_history, last_change_ms),
    IMAGE_FIELD(4, IMAGE_UINT, struct health_history, down_ms),
};
static const struct image_kind history_kind = {"history", 0, history_fields, ARRAY_LEN(history_fields)};

static const struct image_field result_fields[] = {
    IMAGE_FIELD(1, IMAGE_UINT, struct probe_result, status),
    IMAGE_FIELD(2, IMAGE_UINT, struct probe_result, code),
    IMAGE_FIELD(3, IMAGE_UINT, struct probe_result, duration_ms),
    IMAGE_FIELD(4, IMAGE_TEXT, struct probe_result, detail),
};
static const struct image_kind result_kind = {"result", 0, result_fields, ARRAY_LEN(result_fields)};

static const struct image_field check_fields[] = {
    IMAGE_FIELD(1, IMAGE_SLICE, struct carried_check, backend),
    IMAGE_FIELD(2, IMAGE_SLICE, struct carried_check, server),
    IMAGE_FIELD_GROUP(3, &result_kind, struct carried_check, past.report.last),
    IMAGE_FIELD(4, IMAGE_BOOL, struct carried_check, past.report.running),
    IMAGE_FIELD(5, IMAGE_BOOL, struct carried_check, past.report.checked),
    IMAGE_FIELD(6, IMAGE_BOOL, struct carried_check, past.report.disabled),
    IMAGE_FIELD(7, IMAGE_UINT, struct carried_check, past.report.level),
    IMAGE_FIELD(8, IMAGE_UINT, struct carried_check, past.report.passed),
    IMAGE_FIELD(9, IMAGE_UINT, struct carried_check, past.report.failed),
    IMAGE_FIELD(10, IMAGE_UINT, struct carried_check, past.report.checks),
    IMAGE_FIELD(11, IMAGE_UINT, struct carried_check, past.report.failures),
    IMAGE_FIELD(12, IMAGE_UINT, struct carried_check, past.report.failed_up),
    IMAGE_FIELD_GROUP(13, &history_kind, struct carried_check, past.report.history),
    IMAGE_FIELD(14, IMAGE_UINT, struct carried_check, past.started_ms),
    IMAGE_FIELD(15, IMAGE_UINT, struct carried_check, past.due_ms),
    IMAGE_FIELD(16, IMAGE_BOOL, struct carried_check, past.is_spread),
    IMAGE_FIELD(17, IMAGE_BOOL, struct carried_check, past.doubted),
    IMAGE_FIELD(18, IMAGE_ADDR, struct carried_check, past.at),
    IMAGE_FIELD(19, IMAGE_UINT, struct carried_check, past.type),
    IMAGE_FIELD(20, IMAGE_UINT, struct carried_check, past.rise),
    IMAGE_FIELD(21, IMAGE_UINT, struct carried_check, past.fall),
    IMAGE_FIELD(22, IMAGE_ADDR, struct carried_check, past.address),
    IMAGE_FIELD(23, IMAGE_BOOL, struct carried_check, is_up),
    IMAGE_FIELD(24, IMAGE_BOOL, struct carried_check, is_known),
};
static const struct image_kind check_kind = {"check", IMAGE_CHECK, check_fields, ARRAY_LEN(check_fields)};

static void carry_backend(const struct checked_backend *b, struct image_writer *w)
{
    struct carried_check c = {.backend = slice_str(b->conf->name), .is_up = b->is_up, .is_known = b->is_known};
    c.past.report.history = b->history;
    image_put(w, &check_kind, &c);
}

static void carry_server(const struct checked_server *s, struct image_writer *w)
{
    struct carried_check c = {
        .backend = slice_str(s->backend->conf->name), .server = slice_str(s->conf->name), .past = checked_past(s)};
    image_put(w, &check_kind, &c);
}

void health_carry(const struct health *h, struct image_writer *w)
{
    for (size_t i = 0; i < h->n_backends; i++)
        carry_backend(&h->backends[i], w);
    for (size_t i = 0; i < h->n_servers; i++)
        carry_server(&h->servers[i], w);
}

static struct checked_backend *find_backend(const struct health *h, struct slice name)
{
    for (size_t i = 0; i < h->n_backends; i++) {
        if (slice_eq(slice_str(h->backends[i].conf->name), name))
            return &h->backends[i];
    }
    return NULL;
}

static struct checked_server *find_server(const struct checked_backend *b, struct slice name)
{
    for (size_t i = 0; i < b->conf->n_servers; i++) {
        if (slice_eq(slice_str(b->servers[i].conf->name), name))
            return &b->servers[i];
    }
    return NULL;
}

/* Nothing that was is later than now. */
static void keep_sane(struct check_past *past)
{
    const uint64_t now_ms = clock_mono_ms();
    if (past->report.history.last_change_ms > now_ms)
        past->report.history.last_change_ms = now_ms;
    if (past->started_ms > now_ms)
        past->started_ms = now_ms;
    if (past->report.last.status >= PROBE_STATUSES)
        past->report.last.status = PROBE_UNK;
}

bool health_adopt(struct health *h, const struct image_record *record, struct err *err)
{
    struct carried_check c;
    if (!image_is(record, &check_kind))
        return true;
    if (!image_take(record, &check_kind, &c, err))
        return false;
    keep_sane(&c.past);
    h->is_adopted = true;
    struct checked_backend *b = find_backend(h, c.backend);
    if (b != NULL && c.server.len == 0) {
        b->history = c.past.report.history;
        b->is_up = c.is_up;
        b->is_known = c.is_known;
    }
    struct checked_server *s = b != NULL ? find_server(b, c.server) : NULL;
    if (s == NULL)
        return true;
    if (s->past == NULL)
        s->past = malloc(sizeof *s->past);
    if (s->past == NULL) {
        err_set(err, "out of memory");
        return false;
    }
    *s->past = c.past;
    return true;
}
