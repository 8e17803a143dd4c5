#include "unit/health/fake.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"

static void peer_close(struct fake_peer *peer)
{
    ev_io_stop(peer->fake->loop, &peer->io);
    ev_timer_stop(peer->fake->loop, &peer->dribble);
    stream_fini(&peer->stream);
    ck_assert_int_eq(close(peer->stream.fd), 0);
    peer->stream.fd = -1;
}

static void peer_say(struct fake_peer *peer, size_t most)
{
    struct slice rest = slice_skip(peer->fake->answer, peer->n_sent);
    size_t       n;
    if (rest.len == 0)
        return;
    if (stream_write(&peer->stream, slice_of(rest.ptr, rest.len < most ? rest.len : most), &n) != IO_OK) {
        peer_close(peer);
        return;
    }
    peer->n_sent += n;
    if (peer->n_sent == peer->fake->answer.len && peer->fake->closes_behind)
        peer_close(peer);
}

static void on_dribble(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct fake_peer *peer = CONTAINER_OF(timer, struct fake_peer, dribble);
    (void)revents;
    peer_say(peer, 1);
    if (peer->stream.fd >= 0 && peer->n_sent < peer->fake->answer.len)
        ev_timer_start(loop, timer);
}

static void peer_answer(struct fake_peer *peer)
{
    if (peer->n_sent > 0)
        return;
    if (peer->fake->one_by_one)
        ev_timer_start(peer->fake->loop, &peer->dribble);
    else
        peer_say(peer, SIZE_MAX);
}

/* False when the connection is over. */
static bool peer_hear(struct fake_peer *peer)
{
    struct fake *fake = peer->fake;
    size_t       n;
    ck_assert_uint_lt(fake->n_heard, FAKE_HEARD);
    enum io io = stream_read(&peer->stream, fake->heard + fake->n_heard, FAKE_HEARD - fake->n_heard, &n);
    if (io == IO_OK) {
        fake->n_heard += n;
        return true;
    }
    if (io == IO_WANT_READ)
        return false;
    fake->ended += io == IO_EOF;
    fake->reset += io != IO_EOF;
    peer_close(peer);
    return false;
}

/* True when header and handshake are done; else they go on, or the connection is over. */
static bool peer_begin(struct fake_peer *peer)
{
    struct fake *fake = peer->fake;
    enum io      io = IO_OK;
    if (peer->stream.tls == NULL && fake->tls != NULL) {
        size_t n = 0;
        if (fake->n_heard < fake->header_len)
            io = stream_read(&peer->stream, fake->heard + fake->n_heard, fake->header_len - fake->n_heard, &n);
        fake->n_heard += n;
        if (io == IO_OK && fake->n_heard < fake->header_len)
            return false;
        if (io == IO_OK)
            ck_assert(stream_start_server(&peer->stream, fake->tls, slice_of(NULL, 0)));
    }
    if (io == IO_OK && fake->tls != NULL)
        io = stream_handshake(&peer->stream);
    peer->is_begun = io == IO_OK;
    if (io != IO_OK && io != IO_WANT_READ) {
        fake->reset++;
        peer_close(peer);
    }
    return peer->is_begun;
}

static void on_peer(struct ev_loop *loop, ev_io *io, int revents)
{
    struct fake_peer *peer = CONTAINER_OF(io, struct fake_peer, io);
    (void)loop;
    (void)revents;
    if (!peer->is_begun && !peer_begin(peer))
        return;
    while (peer_hear(peer)) {
        peer_answer(peer);
        if (peer->stream.fd < 0)
            return;
    }
}

static struct fake_peer *free_peer(struct fake *fake)
{
    for (size_t i = 0; i < FAKE_PEERS; i++) {
        if (fake->peers[i].stream.fd < 0)
            return &fake->peers[i];
    }
    ck_abort_msg("more connections than a check makes");
}

static void on_accept(struct ev_loop *loop, ev_io *io, int revents)
{
    struct fake *fake = CONTAINER_OF(io, struct fake, listener);
    int          fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    (void)revents;
    if (fd < 0)
        return;
    struct fake_peer *peer = free_peer(fake);
    fake->accepted++;
    fake->n_heard = 0;
    peer->fake = fake;
    peer->stream = stream_plain(fd);
    peer->n_sent = 0;
    peer->is_begun = false;
    ev_init(&peer->dribble, on_dribble);
    ev_io_init(&peer->io, on_peer, fd, EV_READ);
    ev_io_start(loop, &peer->io);
    if (fake->closes)
        peer_close(peer);
}

void fake_open(struct fake *fake, struct ev_loop *loop)
{
    const int on = 1;
    socklen_t len = sizeof fake->at;
    if (!addr_is_set(&fake->at))
        ck_assert(addr_parse("127.0.0.1:0", &fake->at));
    fake->loop = loop;
    for (size_t i = 0; i < FAKE_PEERS; i++)
        fake->peers[i].stream = stream_plain(-1);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    ck_assert_int_eq(bind(fd, &fake->at.sa, addr_socklen(&fake->at)), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    ck_assert_int_eq(getsockname(fd, &fake->at.sa, &len), 0);
    ev_io_init(&fake->listener, on_accept, fd, EV_READ);
    ev_io_start(loop, &fake->listener);
}

void fake_close(struct fake *fake)
{
    if (fake->loop == NULL || !ev_is_active(&fake->listener))
        return;
    ev_io_stop(fake->loop, &fake->listener);
    ck_assert_int_eq(close(fake->listener.fd), 0);
    for (size_t i = 0; i < FAKE_PEERS; i++) {
        if (fake->peers[i].stream.fd >= 0)
            peer_close(&fake->peers[i]);
    }
}
