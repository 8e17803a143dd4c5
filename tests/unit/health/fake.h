/* tests/unit/health/fake.h: a server on 127.0.0.1 that does to a probe what a test wants, on the probe's own loop. */
#ifndef MQGATE_TESTS_HEALTH_FAKE_H
#define MQGATE_TESTS_HEALTH_FAKE_H

#include <ev.h>

#include "base/addr.h"
#include "tls/stream.h"

enum { FAKE_PEERS = 4, FAKE_HEARD = 1024 };

struct fake;

struct fake_peer {
    struct fake  *fake;
    ev_io         io;
    ev_timer      dribble; /* one byte of the answer each turn of the loop */
    struct stream stream;
    bool          is_begun; /* past header and handshake */
    size_t        n_sent;
};

struct fake {
    struct ev_loop          *loop;
    ev_io                    listener;
    struct addr              at;
    const struct tls_server *tls;        /* NULL: plain */
    size_t                   header_len; /* bytes that come in the clear before the handshake; into heard, too */

    /* What a test sets, at any time. */
    struct slice answer;        /* said as soon as the client has said anything; empty: silent */
    bool         one_by_one;    /* the answer, a byte a turn */
    bool         closes;        /* right after accept */
    bool         closes_behind; /* after the answer */

    /* What a test sees. */
    unsigned         accepted;
    unsigned         ended; /* connections that the client ended in good order */
    unsigned         reset;
    uint8_t          heard[FAKE_HEARD]; /* from the newest connection */
    size_t           n_heard;
    struct fake_peer peers[FAKE_PEERS];
};

/* Listens on a port of the kernel's choice. */
void fake_open(struct fake *fake, struct ev_loop *loop);
/* Stops to listen: who connects is refused. fake_open() again takes the same port. */
void fake_close(struct fake *fake);

#endif
