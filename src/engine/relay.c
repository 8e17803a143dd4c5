/* Moving bytes both ways. A flow borrows a buffer while it has bytes in hand; what the receiver does not take stays in
 * it, and until it is gone the sender is not read: that is all the memory a session can take. */
#include "engine/count.h"

enum { READS_A_TURN = 4 }; /* buffers a flow may move before other sessions get their turn */

static int sender(enum direction dir)
{
    return dir == UP ? CLIENT : SERVER;
}

static int receiver(enum direction dir)
{
    return dir == UP ? SERVER : CLIENT;
}

enum why relay_why(int which, enum io io)
{
    if (io == IO_NO_MEMORY)
        return WHY_NO_MEMORY;
    if (io == IO_FAILED)
        return which == CLIENT ? WHY_CLIENT_TLS : WHY_SERVER_TLS;
    return which == CLIENT ? WHY_CLIENT_RESET : WHY_SERVER_RESET;
}

uint32_t relay_timeout_ms(const struct session *s)
{
    const struct conf_timeouts *t = session_timeouts(s);
    if (s->flow[UP].eof || s->flow[DOWN].eof)
        return t->half_closed_ms;
    bool client_speaks_first = s->protocol != PROTOCOL_TCP;
    return client_speaks_first && s->flow[UP].bytes == 0 ? t->connect_packet_ms : t->idle_ms;
}

enum why relay_timeout_why(const struct session *s)
{
    if (s->flow[UP].eof || s->flow[DOWN].eof)
        return WHY_HALF_CLOSED;
    bool client_speaks_first = s->protocol != PROTOCOL_TCP;
    return client_speaks_first && s->flow[UP].bytes == 0 ? WHY_FIRST_BYTE_TIMEOUT : WHY_IDLE;
}

/* The deadline's duration follows from facts that have just changed. */
static void restart_deadline(struct session *s)
{
    deadline_set(&s->worker->deadlines, &s->deadline, relay_timeout_ms(s), s->worker->now_ms);
}

/* n bytes came from the sender of this direction. */
void relay_received(struct session *s, enum direction dir, size_t n)
{
    if (dir == UP) {
        bool first = s->flow[UP].bytes == 0;
        s->flow[UP].bytes += n;
        count_client(s, COUNT_REQUEST_IN, n);
        if (s->state == ST_RELAY)
            count_server(s, COUNT_REQUEST_IN, n);
        if (first && s->state == ST_RELAY)
            restart_deadline(s);
    } else {
        count_server(s, COUNT_RESPONSE_IN, n);
        count_client(s, COUNT_RESPONSE_IN, n);
    }
    if (s->state == ST_RELAY)
        deadline_touch(&s->deadline, s->worker->now_ms);
}

static void delivered(struct session *s, enum direction dir, size_t n)
{
    if (dir == DOWN) {
        s->flow[DOWN].bytes += n;
        count_client(s, COUNT_RESPONSE_OUT, n);
        count_server(s, COUNT_RESPONSE_OUT, n);
    } else {
        count_client(s, COUNT_REQUEST_OUT, n);
        count_server(s, COUNT_REQUEST_OUT, n);
    }
    deadline_touch(&s->deadline, s->worker->now_ms);
}

static void drop_buf(struct session *s, struct flow *f)
{
    buf_give(&s->worker->bufs, f->buf);
    f->buf = NULL;
}

/* A connection is gone. Nothing can be delivered to it any more; what it sent before is still delivered. */
static void side_died(struct session *s, int which, enum why why)
{
    struct flow *to = &s->flow[which == CLIENT ? DOWN : UP];
    session_ends(s, why);
    drop_buf(s, to);
    to->eof = to->shut = true;
    s->side[which].readable = true; /* the kernel may still hold bytes of it; reading finds its end too */
    restart_deadline(s);
}

static void sender_ended(struct session *s, enum direction dir)
{
    session_ends(s, dir == UP ? WHY_CLIENT_CLOSED : WHY_SERVER_CLOSED);
    s->flow[dir].eof = true;
    restart_deadline(s);
}

/* The receiver takes nothing more until the event that io asks for. */
static void receiver_blocked(struct side *to, enum io io)
{
    to->writable = false;
    to->write_wants = io == IO_WANT_READ ? EV_READ : EV_WRITE;
}

/* True when nothing is left in the buffer. */
static bool flush(struct session *s, enum direction dir)
{
    struct flow *f = &s->flow[dir];
    struct side *to = &s->side[receiver(dir)];
    while (f->buf != NULL) {
        size_t n;
        if (!to->writable)
            return false;
        enum io io = stream_write(&to->stream, buf_bytes(f->buf), &n);
        if (io == IO_WANT_READ || io == IO_WANT_WRITE) {
            receiver_blocked(to, io);
            return false;
        }
        if (io != IO_OK) {
            side_died(s, receiver(dir), relay_why(receiver(dir), io));
            return false;
        }
        delivered(s, dir, n);
        buf_consume(f->buf, (uint32_t)n);
        if (buf_len(f->buf) == 0)
            drop_buf(s, f);
    }
    return true;
}

/* The sender's end, passed on once all its bytes are through. */
static void pass_end(struct session *s, enum direction dir)
{
    struct side *to = &s->side[receiver(dir)];
    if (s->flow[dir].shut || !to->writable)
        return;
    enum io io = stream_shutdown(&to->stream);
    if (io == IO_WANT_WRITE || io == IO_WANT_READ)
        receiver_blocked(to, io);
    else
        s->flow[dir].shut = true;
}

/* One read. False when there is nothing to read for now, or never again. */
static bool fill(struct session *s, enum direction dir)
{
    struct flow *f = &s->flow[dir];
    struct side *from = &s->side[sender(dir)];
    size_t       n;
    f->buf = buf_take(&s->worker->bufs);
    enum io io = f->buf == NULL ? IO_NO_MEMORY : stream_read(&from->stream, buf_end(f->buf), buf_room(f->buf), &n);
    if (io == IO_OK) {
        buf_added(f->buf, (uint32_t)n);
        /* A short read has emptied a plain socket; asking it again would only cost a system call. */
        if (buf_room(f->buf) > 0 && from->stream.tls == NULL)
            from->readable = false;
        relay_received(s, dir, n);
        return true;
    }
    drop_buf(s, f);
    if (io == IO_WANT_READ || io == IO_WANT_WRITE) {
        from->readable = false;
        from->read_wants = io == IO_WANT_READ ? EV_READ : EV_WRITE;
        return false;
    }
    if (io != IO_EOF)
        side_died(s, sender(dir), relay_why(sender(dir), io));
    sender_ended(s, dir);
    return false;
}

static void pump(struct session *s, enum direction dir)
{
    struct flow *f = &s->flow[dir];
    int          reads = 0;
    while (flush(s, dir) && !f->eof && s->side[sender(dir)].readable) {
        if (reads++ == READS_A_TURN) {
            worker_run_again(s->worker, s);
            return;
        }
        if (!fill(s, dir))
            break;
    }
    if (f->eof && f->buf == NULL)
        pass_end(s, dir);
}

enum step step_relay(struct session *s)
{
    pump(s, UP);
    pump(s, DOWN);
    /* A failed write down shows the client's end, which may leave bytes to send up; and the other way round. */
    if (s->flow[DOWN].shut && !s->flow[UP].shut)
        pump(s, UP);
    if (s->flow[UP].shut && s->flow[DOWN].shut)
        return session_step_fail(s, s->why);
    return STEP_WAIT;
}
