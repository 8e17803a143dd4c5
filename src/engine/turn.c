/* Waiting for the listener's rate_limit, twice. Before any work is done for the client: no handshake, nothing read; the
 * session then takes no more than itself and its descriptor, and the bytes that came in one piece with its PROXY
 * header. And before its server is told anything, as some take longer from here to there than others and a server is to
 * see no more in a second than the limit says, whatever its clients do. */
#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"
#include "engine/count.h"
#include "engine/mqtt.h"
#include "net/sock.h"

enum { TURNS_AT_ONCE = 8 }; /* of a lane, so that live sessions get their share of the worker */

struct early {
    uint32_t n;
    uint8_t  bytes[];
};

/* In which it stands in that state. */
static struct pace_lane *lane_of(const struct session *s, enum session_state in)
{
    return pace_lane(in == ST_OFFER ? s->listener->offers : s->listener->pace, s->worker->index);
}

/* A whole buffer is too much for a few bytes that wait. False when memory is out. */
static bool put_early_aside(struct session *s)
{
    struct flow *up = &s->flow[UP];
    struct slice bytes = buf_bytes(up->buf);
    if (bytes.len > 0) {
        s->early = malloc(sizeof *s->early + bytes.len);
        if (s->early == NULL)
            return false;
        s->early->n = (uint32_t)bytes.len;
        memcpy(s->early->bytes, bytes.ptr, bytes.len);
    }
    buf_give(up->buf);
    up->buf = NULL;
    return true;
}

struct slice turn_early_bytes(const struct session *s)
{
    return s->early == NULL ? slice_of(NULL, 0) : slice_of(s->early->bytes, s->early->n);
}

static bool take_early_back(struct session *s)
{
    struct flow *up = &s->flow[UP];
    if (s->early == NULL)
        return true;
    up->buf = buf_take(&s->worker->bufs);
    if (up->buf == NULL)
        return false;
    memcpy(buf_end(up->buf), s->early->bytes, s->early->n);
    buf_added(up->buf, s->early->n);
    free(s->early);
    s->early = NULL;
    return true;
}

/* Nobody waits in that state, and it need not either. */
static bool has_turn_now(const struct session *s, enum session_state in)
{
    if (s->listener->pace == NULL)
        return true;
    struct pace_lane *lane = lane_of(s, in);
    return lane->first == NULL && pace_take(lane, clock_mono_ns());
}

static void join(struct session *s, enum session_state to)
{
    struct pace_lane *lane = lane_of(s, to);
    session_enter(s, to);
    if (lane->first == NULL)
        DL_APPEND(s->worker->lanes, lane);
    pace_wait(lane, &s->turn, to == ST_TURN_AGAIN);
}

enum step turn_await(struct session *s)
{
    if (has_turn_now(s, ST_TURN))
        return session_let_in(s);
    if (!put_early_aside(s))
        return session_step_fail(s, WHY_NO_MEMORY);
    count_client(s, COUNT_PACED, 1);
    join(s, ST_TURN);
    return STEP_NEXT;
}

void turn_await_again(struct session *s)
{
    if (has_turn_now(s, ST_TURN_AGAIN))
        session_enter(s, ST_PICK);
    else
        join(s, ST_TURN_AGAIN);
    session_advance(s);
}

enum step turn_await_offer(struct session *s)
{
    if (has_turn_now(s, ST_OFFER))
        return connect_carry(s);
    join(s, ST_OFFER);
    return STEP_NEXT;
}

void turn_left(struct session *s)
{
    struct pace_lane *lane = lane_of(s, s->state);
    pace_leave(lane, &s->turn);
    if (lane->first == NULL)
        DL_DELETE(s->worker->lanes, lane);
}

/* Who has ended his half with something said before is still there, unless he would have to answer in a handshake. */
static bool has_gone(const struct session *s, enum sock_pending pending)
{
    bool said_something = pending == SOCK_BYTES_AND_END || s->early != NULL;
    bool ended = pending == SOCK_BYTES_AND_END || pending == SOCK_END || s->flow[UP].eof;
    return pending == SOCK_LOST || (ended && (!said_something || s->tls != NULL));
}

static enum step close_gone(struct session *s, enum sock_pending pending)
{
    return session_step_fail(s, pending == SOCK_LOST ? WHY_CLIENT_RESET : WHY_CLIENT_CLOSED);
}

/* Once the client has said something it is no longer watched (`readable` stays true): its bytes stay in the kernel and
 * would make events all the time. That it has left is then seen when its turn comes. */
enum step step_turn(struct session *s)
{
    struct side *client = &s->side[CLIENT];
    if (!client->readable && !s->flow[UP].eof)
        return STEP_WAIT;
    enum sock_pending pending = sock_pending(client->stream.fd);
    if (has_gone(s, pending))
        return close_gone(s, pending);
    client->readable = pending != SOCK_NOTHING;
    return STEP_WAIT;
}

/* In its own version, if its CONNECT has come already; a TLS client has not come so far. */
enum step turn_refuse(struct session *s, enum why why)
{
    if (s->mqtt != NULL)
        return session_refuse(s, why, s->mqtt->version);
    if (s->protocol != PROTOCOL_MQTT || s->tls != NULL || !take_early_back(s))
        return session_step_fail(s, why);
    return intake_refuse(s, why);
}

void turn_refused(struct session *s)
{
    if (turn_refuse(s, WHY_RATE_LIMIT) == STEP_NEXT)
        session_advance(s);
}

static void begin(struct session *s)
{
    enum step step;
    if (s->state == ST_TURN_AGAIN)
        step = session_step_to(s, ST_PICK);
    else if (s->state == ST_OFFER)
        step = connect_carry(s);
    else if (take_early_back(s))
        step = session_let_in(s);
    else
        step = session_step_fail(s, WHY_NO_MEMORY);
    if (step == STEP_NEXT)
        session_advance(s);
}

static void serve(struct pace_lane *lane)
{
    for (int n = 0; n < TURNS_AT_ONCE && lane->first != NULL; n++) {
        struct session   *s = CONTAINER_OF(lane->first, struct session, turn);
        enum sock_pending pending = sock_pending(s->side[CLIENT].stream.fd);
        if (s->state == ST_TURN && has_gone(s, pending))
            (void)close_gone(s, pending); /* no turn is spent on it */
        else if (pace_take(lane, clock_mono_ns()))
            begin(s);
        else
            return;
    }
}

void turns_serve(struct worker *w)
{
    struct pace_lane *lane, *next;
    DL_FOREACH_SAFE (w->lanes, lane, next)
        serve(lane);
}

uint64_t turns_next_ms(const struct worker *w)
{
    const uint64_t          ns_a_ms = 1000000;
    uint64_t                first_ms = UINT64_MAX;
    const struct pace_lane *lane;
    DL_FOREACH (w->lanes, lane) {
        uint64_t at_ms = lane->holds ? (lane->at_ns + ns_a_ms - 1) / ns_a_ms : 0;
        first_ms = at_ms < first_ms ? at_ms : first_ms;
    }
    return first_ms;
}
