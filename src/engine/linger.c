/* The end of a session that mqgate ends: the client's connection stays for a moment, so that what it has to hear
 * arrives. Closed with bytes unread, a connection is reset, and a reset may overtake what was sent (RFC 9293
 * section 3.10.7.4).
 */
#include "engine/count.h"
#include "engine/worker.h"

enum { READS_A_TURN = 4 }; /* buffers of the client that are thrown away before other sessions get their turn */

/* STEP_NEXT: all is said. */
static enum step say(struct session *s)
{
    struct side *client = &s->side[CLIENT];
    struct flow *down = &s->flow[DOWN];
    enum io      io = IO_OK;
    while (down->buf != NULL && io == IO_OK) {
        size_t n;
        io = stream_write(&client->stream, buf_bytes(down->buf), &n);
        if (io != IO_OK)
            break;
        down->bytes += n;
        count_client(s, COUNT_RESPONSE_OUT, n);
        buf_consume(down->buf, (uint32_t)n);
        if (buf_len(down->buf) == 0) {
            buf_give(&s->worker->bufs, down->buf);
            down->buf = NULL;
        }
    }
    if (io == IO_OK && !down->shut)
        io = stream_shutdown(&client->stream);
    if (io == IO_WANT_READ || io == IO_WANT_WRITE) {
        client->writable = false;
        client->write_wants = io == IO_WANT_READ ? EV_READ : EV_WRITE;
        return STEP_WAIT;
    }
    if (io != IO_OK)
        return session_step_fail(s, s->why);
    down->shut = true;
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
    buf_give(&s->worker->bufs, b);
    if (io == IO_OK) {
        worker_run_again(s->worker, s);
        return STEP_WAIT;
    }
    if (io != IO_WANT_READ && io != IO_WANT_WRITE)
        return session_step_fail(s, s->why);
    client->readable = false;
    client->read_wants = io == IO_WANT_READ ? EV_READ : EV_WRITE;
    return STEP_WAIT;
}

enum step step_linger(struct session *s)
{
    enum step step = say(s);
    return step == STEP_NEXT ? hear_out(s) : step;
}
