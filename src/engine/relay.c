/* Moving bytes both ways. A flow borrows a buffer while it has bytes in hand; what the receiver does not take stays in
 * it, and until it is gone the sender is not read: that is all the memory a session can take. */
#include "engine/count.h"
#include "engine/mqtt.h"

/* What a flow may move before other sessions get their turn: reads, and bytes. */
enum { READS_A_TURN = 4, BYTES_A_TURN = READS_A_TURN * BUF_CAPACITY };
enum { BULK_LENT_MAX = 8 }; /* large buffers a worker: streams beyond that, or behind slow receivers, have usual ones */

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

/* The client's keep-alive is what holds, not timeouts.idle. */
static bool by_keep_alive(const struct session *s)
{
    return s->mqtt != NULL && s->mqtt->silence_ms != 0 && !s->sheds && !s->flow[UP].eof && !s->flow[DOWN].eof;
}

uint32_t relay_timeout_ms(const struct session *s)
{
    const struct conf_timeouts *t = session_timeouts(s);
    if (by_keep_alive(s))
        return s->mqtt->silence_ms;
    if (s->sheds || s->flow[UP].eof || s->flow[DOWN].eof)
        return t->half_closed_ms;
    return t->idle_ms;
}

void relay_restart_deadline(struct session *s)
{
    deadline_set(&s->worker->deadlines, &s->deadline, relay_timeout_ms(s), s->worker->now_ms);
}

/* The server's last packet is whole, likewise the client's: nothing more of it is wanted. */
static bool is_shed(const struct session *s, enum direction dir)
{
    return s->sheds && follow_to_boundary(s, dir) == 0;
}

/* The client does not finish what it says: that is no reason not to tell it. */
static void give_up_client(struct session *s)
{
    s->flow[UP].eof = true;
    relay_restart_deadline(s);
    session_advance(s);
}

void relay_timed_out(struct session *s)
{
    if (s->sheds && !s->farewell_said && !s->flow[UP].eof && is_shed(s, DOWN)) {
        give_up_client(s);
    } else if (s->sheds) {
        session_close(s, s->why);
    } else if (!by_keep_alive(s)) {
        session_close(s, s->flow[UP].eof || s->flow[DOWN].eof ? WHY_HALF_CLOSED : WHY_IDLE);
    } else if (s->flow[UP].buf != NULL) {
        relay_restart_deadline(s); /* it may well have spoken: the server does not take what it said before */
    } else {
        count_client(s, COUNT_KEEP_ALIVE_ENDED, 1);
        relay_shed(s, WHY_KEEP_ALIVE);
        session_advance(s);
    }
}

/* Something has moved. What the server does is no sign of life of a client that has a keep-alive; and the last packet
 * of a session that is to go has its time, however slowly it moves. */
static void touch(struct session *s, bool by_client)
{
    if (s->sheds && !s->farewell_said)
        return;
    if (by_client || !by_keep_alive(s))
        deadline_touch(&s->deadline, s->worker->now_ms);
}

/* n bytes came from the sender of this direction. */
void relay_received(struct session *s, enum direction dir, size_t n)
{
    if (dir == UP) {
        s->flow[UP].bytes += n;
        count_client(s, COUNT_REQUEST_IN, n);
        if (s->state == ST_RELAY)
            count_server(s, COUNT_REQUEST_IN, n);
    } else {
        if (s->lease.pending && (s->mqtt == NULL || s->mqtt->loose)) /* of MQTT it is the CONNACK that counts */
            session_server_answered(s);
        count_server(s, COUNT_RESPONSE_IN, n);
        count_client(s, COUNT_RESPONSE_IN, n);
    }
    if (s->state == ST_RELAY)
        touch(s, dir == UP);
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
    touch(s, false);
}

static void drop_buf(struct flow *f)
{
    buf_give(f->buf);
    f->buf = NULL;
}

/* A connection is gone. Nothing can be delivered to it any more; what it sent before is still delivered. */
static void side_died(struct session *s, int which, enum why why)
{
    struct flow *to = &s->flow[which == CLIENT ? DOWN : UP];
    session_ends(s, why);
    drop_buf(to);
    to->eof = to->shut = true;
    s->side[which].readable = true; /* the kernel may still hold bytes of it; reading finds its end too */
    relay_restart_deadline(s);
}

static void sender_ended(struct session *s, enum direction dir)
{
    session_ends(s, dir == UP ? WHY_CLIENT_CLOSED : WHY_SERVER_CLOSED);
    s->flow[dir].eof = true;
    relay_restart_deadline(s);
}

/* Something is still to be said before either connection ends: a server that sees the client end would not finish what
 * it is sending. */
static bool has_to_hear(const struct session *s)
{
    return s->sheds && !s->farewell_said;
}

/* The end follows at once, see pass_end(): it fits into the same segment. */
static bool ends_with_it(const struct session *s, enum direction dir)
{
    return s->flow[dir].eof && !has_to_hear(s);
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
        enum io io = ends_with_it(s, dir) ? stream_write_more(&to->stream, buf_bytes(f->buf), &n)
                                          : stream_write(&to->stream, buf_bytes(f->buf), &n);
        if (io == IO_WANT_READ || io == IO_WANT_WRITE) {
            session_side_unwritable(to, io);
            return false;
        }
        if (io != IO_OK) {
            side_died(s, receiver(dir), relay_why(receiver(dir), io));
            return false;
        }
        delivered(s, dir, n);
        buf_consume(f->buf, (uint32_t)n);
        buf_give_empty(&f->buf);
    }
    return true;
}

/* The sender's end, passed on once all its bytes are through. The later one of the two needs no shutdown(2): with it
 * the session is over, and both sockets are closed. */
static void pass_end(struct session *s, enum direction dir)
{
    struct side *to = &s->side[receiver(dir)];
    bool         is_last = s->flow[dir == UP ? DOWN : UP].shut;
    if (s->flow[dir].shut || !to->writable)
        return;
    enum io io = is_last ? stream_notify(&to->stream) : stream_shutdown(&to->stream);
    if (io == IO_WANT_WRITE || io == IO_WANT_READ)
        session_side_unwritable(to, io);
    else
        s->flow[dir].shut = true;
}

void relay_shed(struct session *s, enum why why)
{
    if (s->ends)
        return;
    session_ends(s, why);
    s->sheds = true;
    s->flow[UP].eof |= !why_asks_to_go(why);
    relay_restart_deadline(s);
}

/* Bytes that may be read at once: of a session that is to end, not past the packet that the sender is in. */
static size_t readable_room(const struct session *s, enum direction dir)
{
    size_t room = buf_room(s->flow[dir].buf), left = s->sheds ? follow_to_boundary(s, dir) : room;
    return left < room ? left : room;
}

/* Behind a DISCONNECT the client's end mostly is there already. */
static bool leaves(const struct session *s, enum direction dir)
{
    return dir == UP && s->mqtt != NULL && s->mqtt->leaves;
}

/* Where much is coming a larger buffer saves system calls. */
static struct buf *take_buf(struct session *s, enum direction dir)
{
    struct worker *w = s->worker;
    return buf_take(s->flow[dir].bulk && w->bulk.n_lent < BULK_LENT_MAX ? &w->bulk : &w->bufs);
}

/* One read. False when there is nothing to read for now, or never again. */
static bool fill(struct session *s, enum direction dir)
{
    struct flow *f = &s->flow[dir];
    struct side *from = &s->side[sender(dir)];
    size_t       n = 0;
    if (f->buf == NULL)
        f->buf = take_buf(s, dir);
    size_t  room = f->buf == NULL ? 0 : readable_room(s, dir);
    enum io io = f->buf == NULL ? IO_NO_MEMORY : stream_read(&from->stream, buf_end(f->buf), room, &n);
    if (io == IO_OK) {
        f->bulk = n >= BUF_CAPACITY;
        buf_added(f->buf, (uint32_t)n);
        relay_received(s, dir, n);
        follow_received(s, dir, n);
        /* An empty socket is not asked again: that would only cost a system call. */
        if (n < room && !from->ended && !leaves(s, dir) &&
            (from->stream.tls == NULL || stream_is_drained(&from->stream)))
            session_side_unreadable(s, sender(dir), IO_WANT_READ);
        return true;
    }
    buf_give_empty(&f->buf);
    if (io == IO_WANT_READ || io == IO_WANT_WRITE || io == IO_AGAIN) {
        session_side_unreadable(s, sender(dir), io);
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
    size_t       moved = 0;
    while (flush(s, dir) && !f->eof && !is_shed(s, dir) && s->side[sender(dir)].readable) {
        if (reads++ == READS_A_TURN || moved >= BYTES_A_TURN) {
            worker_run_again(s->worker, s);
            return;
        }
        if (!fill(s, dir))
            break;
        /* Its last words and its end go on in one segment. */
        if (leaves(s, dir) && f->buf != NULL && readable_room(s, dir) > 0 && !f->eof)
            (void)fill(s, dir);
        moved += buf_len(f->buf);
    }
    if (f->eof && f->buf == NULL && !has_to_hear(s))
        pass_end(s, dir);
}

/* What is in flight is whole. */
static bool may_part(const struct session *s)
{
    if (!s->flow[DOWN].eof && !is_shed(s, DOWN))
        return false;
    return !refuse_cleans_will(s) || is_shed(s, UP);
}

/* The client hears that it has to go once what it was being told is whole, and what it said before is delivered. */
static enum step shed(struct session *s)
{
    if (!s->farewell_said && !may_part(s))
        return STEP_WAIT;
    if (!s->farewell_said && (!refuse_farewell(s) || !refuse_clean_will(s)))
        return session_step_fail(s, WHY_NO_MEMORY);
    s->farewell_said = true;
    s->flow[UP].eof = s->flow[DOWN].eof = true;
    pump(s, UP);
    if (!s->flow[UP].shut) {
        pump(s, DOWN);
        return STEP_WAIT;
    }
    session_settle_end(s, s->why);
    return session_linger(s);
}

enum step step_relay(struct session *s)
{
    pump(s, UP);
    pump(s, DOWN);
    /* A failed write down shows the client's end, which may leave bytes to send up; and the other way round. */
    if (s->flow[DOWN].shut && !s->flow[UP].shut)
        pump(s, UP);
    if (s->sheds)
        return shed(s);
    return s->flow[UP].shut && s->flow[DOWN].shut ? session_step_fail(s, s->why) : STEP_WAIT;
}
