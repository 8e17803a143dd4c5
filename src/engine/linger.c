/* The end of a session that mqgate ends: the client's connection stays for a moment, so that what it has to hear
 * arrives. Closed with bytes unread, a connection is reset, and a reset may overtake what was sent (RFC 9293
 * section 3.10.7.4).
 */
#include "engine/count.h"
#include "engine/worker.h"

enum { READS_A_TURN = 4 }; /* buffers of the client that are thrown away before other sessions get their turn */

enum step session_linger(struct session *s)
{
    session_side_close(s, SERVER);
    session_leave_server(s);
    return session_step_to(s, ST_LINGER);
}

static enum step wait_for_client(struct session *s, enum io io)
{
    session_side_unwritable(&s->side[CLIENT], io);
    return STEP_WAIT;
}

enum step session_say(struct session *s)
{
    struct flow *down = &s->flow[DOWN];
    while (down->buf != NULL) {
        size_t  n;
        enum io io = stream_write(&s->side[CLIENT].stream, buf_bytes(down->buf), &n);
        if (io == IO_WANT_READ || io == IO_WANT_WRITE)
            return wait_for_client(s, io);
        if (io != IO_OK)
            return session_step_fail(s, relay_why(CLIENT, io));
        down->bytes += n;
        count_client(s, COUNT_RESPONSE_OUT, n);
        if (s->state == ST_LINGER)
            deadline_touch(&s->deadline, s->worker->now_ms);
        buf_consume(down->buf, (uint32_t)n);
        buf_give_empty(&down->buf);
    }
    return STEP_NEXT;
}

static enum step end_direction(struct session *s)
{
    struct flow *down = &s->flow[DOWN];
    if (down->shut)
        return STEP_NEXT;
    enum io io = stream_shutdown(&s->side[CLIENT].stream);
    if (io == IO_WANT_READ || io == IO_WANT_WRITE)
        return wait_for_client(s, io);
    if (io != IO_OK)
        return session_step_fail(s, s->why);
    down->shut = true;
    deadline_set(&s->worker->deadlines, &s->deadline, SESSION_LINGER_MS, s->worker->now_ms);
    return STEP_NEXT;
}

/* Unread bytes would turn the end into a reset, which may overtake the answer. */
static enum step hear_out(struct session *s)
{
    struct side *client = &s->side[CLIENT];
    struct buf  *b = buf_take(&s->worker->bufs);
    enum io      io = b == NULL ? IO_NO_MEMORY : IO_OK;
    for (int i = 0; i < READS_A_TURN && io == IO_OK; i++) {
        size_t n;
        io = stream_read(&client->stream, buf_end(b), buf_room(b), &n);
    }
    buf_give(b);
    if (io == IO_OK) {
        worker_run_again(s->worker, s);
        return STEP_WAIT;
    }
    if (io != IO_WANT_READ && io != IO_WANT_WRITE && io != IO_AGAIN)
        return session_step_fail(s, s->why);
    session_side_unreadable(s, CLIENT, io);
    return STEP_WAIT;
}

enum step step_linger(struct session *s)
{
    enum step step = session_say(s);
    if (step == STEP_NEXT)
        step = end_direction(s);
    return step == STEP_NEXT ? hear_out(s) : step;
}
