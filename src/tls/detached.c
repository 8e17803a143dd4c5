/* A TLS connection past its handshake, carried by the record layer alone. While nothing is on its way it holds keys and
 * a few facts; a box for records is borrowed from the thread's while bytes are in hand. */
#include "tls/detached.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { RECEIVES_A_CALL = 4 };
/* Records without data that one call may open, so that a peer that sends only such has no more of the thread than
 * others. */
enum { FRUITLESS_A_CALL = 16 };

struct tls_worker *tls_worker_new(void)
{
    struct tls_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        return NULL;
    slab_init(&worker->slab);
    buf_pool_init(&worker->boxes, RECORD_LEN_MAX, BUF_KEEP);
    buf_pool_init(&worker->bulk, BULK_LEN_MAX, 1);
    worker->aead = aead_new();
    if (worker->aead != NULL)
        return worker;
    free(worker);
    return NULL;
}

void tls_worker_free(struct tls_worker *worker)
{
    if (worker == NULL)
        return;
    slab_fini(&worker->slab);
    buf_pool_fini(&worker->boxes);
    buf_pool_fini(&worker->bulk);
    aead_free(worker->aead);
    free(worker);
}

bool tls_worker_has_spare(const struct tls_worker *worker)
{
    return buf_pool_has_spare(&worker->boxes) || buf_pool_has_spare(&worker->bulk) || aead_has_contexts(worker->aead);
}

size_t tls_worker_shrink(struct tls_worker *worker)
{
    buf_pool_shrink(&worker->boxes);
    buf_pool_shrink(&worker->bulk);
    return aead_age(worker->aead);
}

/* ---- facts ---- */

static_assert(sizeof(struct detached) + 3 * TLS_NAME_MAX + 2 * 32 + 64 <= SLAB_MAX,
              "the slab has no room for all texts");

struct detached *detached_new(struct tls_worker *worker, const struct tls_facts *facts)
{
    const char *const texts[KEPT_TEXTS] = {[KEPT_CIPHER] = facts->cipher,
                                           [KEPT_SNI] = facts->sni,
                                           [KEPT_ALPN] = facts->alpn,
                                           [KEPT_CN] = facts->peer_cn,
                                           [KEPT_SIG_ALG] = facts->cert_sig_alg,
                                           [KEPT_KEY_ALG] = facts->cert_key_alg};
    size_t            len = 0;
    for (int i = 0; i < KEPT_TEXTS; i++)
        len += strlen(texts[i]) + 1;
    struct detached *d = slab_take(&worker->slab, sizeof *d + len);
    if (d == NULL)
        return NULL;
    *d = (struct detached){.worker = worker,
                           .has_peer_cert = facts->has_peer_cert,
                           .peer_cert_in_connection = facts->peer_cert_in_connection,
                           .peer_verified = facts->peer_verified,
                           .resumed = facts->resumed};
    char *at = d->texts;
    for (int i = 0; i < KEPT_TEXTS; i++)
        at = stpcpy(at, texts[i]) + 1;
    return d;
}

const char *detached_text(const struct detached *d, int which)
{
    const char *at = d->texts;
    while (which-- > 0)
        at += strlen(at) + 1;
    return at;
}

void detached_facts(const struct detached *d, struct tls_facts *out)
{
    out->version = d->record.version == TLS_VERSION_1_3 ? "TLSv1.3" : "TLSv1.2";
    out->cipher = detached_text(d, KEPT_CIPHER);
    (void)stpcpy(out->sni, detached_text(d, KEPT_SNI));
    (void)stpcpy(out->alpn, detached_text(d, KEPT_ALPN));
    (void)stpcpy(out->peer_cn, detached_text(d, KEPT_CN));
    (void)stpcpy(out->cert_sig_alg, detached_text(d, KEPT_SIG_ALG));
    (void)stpcpy(out->cert_key_alg, detached_text(d, KEPT_KEY_ALG));
    out->has_peer_cert = d->has_peer_cert;
    out->peer_cert_in_connection = d->peer_cert_in_connection;
    out->peer_verified = d->peer_verified;
    out->resumed = d->resumed;
}

void detached_free(struct detached *d)
{
    if (d == NULL)
        return;
    buf_give(d->in);
    buf_give(d->out);
    record_fini(&d->record, d->worker->aead);
    slab_give(d);
}

/* ---- out ---- */

static bool is_transient(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* IO_OK: nothing is left in out. */
static enum io flush(struct tls_session *t)
{
    struct detached *d = t->detached;
    while (d->out != NULL) {
        struct slice bytes = buf_bytes(d->out);
        ssize_t      sent = send(t->wire.fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent < 0 && is_transient(errno))
            return IO_WANT_WRITE;
        if (sent < 0) {
            t->wire.error = errno;
            return session_break(t, IO_RESET);
        }
        buf_consume(d->out, (uint32_t)sent);
        buf_give_empty(&d->out);
    }
    return IO_OK;
}

/* A box has room for an answer, a record of data, and an alert behind them. */
static_assert((int)RECORD_LEN_MAX >= RECORD_PLAIN_MAX + 3 * RECORD_OVERHEAD + 8, "a box is too small");

/* Where much is to be moved a larger box saves system calls. */
static struct buf *take_box(struct tls_worker *worker, bool for_bulk)
{
    return buf_take(for_bulk && worker->bulk.n_lent < BULK_LENT_MAX ? &worker->bulk : &worker->boxes);
}

static bool has_out(struct detached *d, bool for_bulk)
{
    if (d->out == NULL)
        d->out = take_box(d->worker, for_bulk);
    return d->out != NULL;
}

/* What a key update or a try to renegotiate is owed, behind what is in out. */
static bool put_answers(struct detached *d)
{
    while (record_has_answer(&d->record)) {
        size_t len;
        if (!has_out(d, false) || !record_answer(&d->record, d->worker->aead, buf_end(d->out), &len))
            return false;
        buf_added(d->out, (uint32_t)len);
    }
    return true;
}

/* No later than the next data. While other bytes wait for room that is soon enough: a peer that asks and does not read
 * gets one answer, however often it asks. */
static enum io answer(struct tls_session *t)
{
    struct detached *d = t->detached;
    if (d->out != NULL || !record_has_answer(&d->record))
        return IO_OK;
    if (!put_answers(d))
        return session_break(t, IO_NO_MEMORY);
    enum io how = flush(t);
    return how == IO_WANT_WRITE ? IO_OK : how;
}

/* As many records as the box has room for, each behind what is owed by then. False: memory is out. */
static bool seal(struct detached *d, struct slice bytes)
{
    do {
        size_t len, left = bytes.len - d->taken, part = left < d->record.fragment_max ? left : d->record.fragment_max;
        if (!put_answers(d) ||
            !record_seal(&d->record, d->worker->aead, slice_of(bytes.ptr + d->taken, part), buf_end(d->out), &len))
            return false;
        buf_added(d->out, (uint32_t)len);
        d->taken += (uint32_t)part;
    } while (d->taken < bytes.len && buf_room(d->out) >= RECORD_LEN_MAX);
    return true;
}

enum io detached_write(struct tls_session *t, struct slice bytes, size_t *n)
{
    struct detached *d = t->detached;
    if (d->record.closed || d->taken > bytes.len) {
        t->failure = d->record.closed ? "protocol is shutdown" : "bad write retry";
        return session_break(t, IO_FAILED);
    }
    enum io how = flush(t);
    if (how == IO_OK && d->taken == 0) {
        if (!has_out(d, bytes.len > d->record.fragment_max) || !seal(d, bytes))
            return session_break(t, IO_NO_MEMORY);
        how = flush(t);
    }
    if (how != IO_OK)
        return how;
    *n = d->taken;
    d->taken = 0;
    return IO_OK;
}

static bool put_alert(struct detached *d, enum record_alert alert)
{
    size_t len;
    if (!has_out(d, false) || !record_seal_alert(&d->record, d->worker->aead, alert, buf_end(d->out), &len))
        return false;
    buf_added(d->out, (uint32_t)len);
    return true;
}

enum io detached_notify(struct tls_session *t)
{
    struct detached *d = t->detached;
    if (!d->record.closed && !put_alert(d, ALERT_CLOSE_NOTIFY))
        return IO_OK;
    return flush(t);
}

/* ---- in ---- */

/* The peer is told, if that fits into the socket now. */
static enum io give_up(struct tls_session *t, const struct record_opened *opened)
{
    t->failure = opened->why;
    if (!t->detached->record.closed && put_alert(t->detached, (enum record_alert)opened->alert)) {
        enum io not_waited_for = flush(t);
        (void)not_waited_for;
    }
    return session_break(t, IO_FAILED);
}

static void take_opened(struct detached *d, uint8_t *to, size_t cap, size_t *n)
{
    size_t part = d->opened < cap - *n ? d->opened : cap - *n;
    if (part == 0)
        return;
    memcpy(to + *n, d->in->data + d->opened_at, part);
    d->opened_at += (uint32_t)part;
    d->opened -= (uint32_t)part;
    *n += part;
}

/* Data that one record held: it may be where it belongs already. */
static void take_data(struct detached *d, struct slice data, uint8_t *to, size_t cap, size_t *n)
{
    if (data.ptr == to + *n) {
        *n += data.len;
        return;
    }
    d->opened_at = (uint32_t)(data.ptr - d->in->data);
    d->opened = (uint32_t)data.len;
    take_opened(d, to, cap, n);
}

/* Opens what is in hand. IO_WANT_READ: that is no whole record. */
static enum io open_records(struct tls_session *t, uint8_t *to, size_t cap, size_t *n)
{
    struct detached     *d = t->detached;
    struct record_opened opened;
    int                  fruitless = 0;
    take_opened(d, to, cap, n);
    while (*n < cap && fruitless < FRUITLESS_A_CALL) {
        if (d->in == NULL)
            return IO_WANT_READ;
        enum record_got got = record_open(&d->record, d->worker->aead, d->in->data + d->in->head, buf_len(d->in),
                                          to + *n, cap - *n, &opened);
        buf_consume(d->in, (uint32_t)opened.used);
        switch (got) {
        case RECORD_DATA:
            take_data(d, opened.data, to, cap, n);
            break;
        case RECORD_NOTHING:
            fruitless++;
            break;
        case RECORD_MORE:
            return IO_WANT_READ;
        case RECORD_END:
            return IO_EOF;
        case RECORD_ALERT:
            t->failure = opened.why;
            return session_break(t, IO_FAILED);
        case RECORD_FAULT:
            return give_up(t, &opened);
        case RECORD_NO_MEMORY:
            return session_break(t, IO_NO_MEMORY);
        }
    }
    return *n == cap ? IO_OK : IO_AGAIN;
}

/* A box that bytes can be received into: when the last one was filled, a larger one, and what is in hand moves there.
 */
static bool has_in(struct detached *d)
{
    struct buf *was = d->in;
    if (was == NULL)
        return (d->in = take_box(d->worker, d->bulk)) != NULL;
    if (d->bulk && was->pool == &d->worker->boxes && d->worker->bulk.n_lent < BULK_LENT_MAX &&
        (d->in = buf_take(&d->worker->bulk)) != NULL) {
        memcpy(d->in->data, was->data + was->head, buf_len(was));
        buf_added(d->in, buf_len(was));
        buf_give(was);
        return true;
    }
    d->in = was;
    buf_pack(was);
    return true;
}

/* IO_OK: something came. */
static enum io receive(struct tls_session *t)
{
    struct detached *d = t->detached;
    if (!has_in(d))
        return session_break(t, IO_NO_MEMORY);
    ssize_t got = recv(t->wire.fd, buf_end(d->in), buf_room(d->in), 0);
    d->drained = got < (ssize_t)buf_room(d->in);
    d->bulk = !d->drained;
    if (got > 0) {
        buf_added(d->in, (uint32_t)got);
        return IO_OK;
    }
    if (got == 0)
        return IO_EOF; /* many devices end like this, even in the middle of a record */
    if (is_transient(errno))
        return IO_WANT_READ;
    t->wire.error = errno;
    return session_break(t, IO_RESET);
}

static enum io read_some(struct tls_session *t, uint8_t *to, size_t cap, size_t *n)
{
    struct detached *d = t->detached;
    for (int receives = 0;; receives++) {
        enum io how = open_records(t, to, cap, n);
        /* What a short receive left is no whole record, and the socket has no more of it. */
        if (*n > 0 || how != IO_WANT_READ || (receives > 0 && d->drained))
            return how;
        if (receives == RECEIVES_A_CALL) /* the socket may have more, of which no event tells again */
            return IO_AGAIN;
        how = receive(t);
        if (how != IO_OK)
            return how;
    }
}

enum io detached_read(struct tls_session *t, uint8_t *to, size_t cap, size_t *n)
{
    struct detached *d = t->detached;
    d->drained = false; /* an event since the last receive may have told of more */
    enum io how = d->record.ended ? IO_EOF : read_some(t, to, cap, n);
    if (how == IO_EOF && *n == 0 && d->in != NULL)
        buf_consume(d->in, buf_len(d->in)); /* what is behind the end does not count */
    if (t->broken == IO_OK && answer(t) != IO_OK && *n == 0)
        return t->broken;
    if (d->opened == 0)
        buf_give_empty(&d->in);
    return *n > 0 ? IO_OK : how;
}

bool detached_has_pending(const struct detached *d)
{
    if (d->opened > 0)
        return true;
    struct slice in = buf_bytes(d->in);
    return !d->record.ended && in.len >= RECORD_HEADER_LEN &&
           in.len >= RECORD_HEADER_LEN + ((size_t)in.ptr[3] << 8 | in.ptr[4]);
}

bool detached_is_drained(const struct detached *d)
{
    return d->drained && d->in == NULL && !d->record.ended; /* an end that came with data is still to be told */
}
