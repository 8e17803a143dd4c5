/* tests/unit/admin/fixture.h: a snapshot made by hand, the admin server on a free port, and HTTP clients, all on one
 * loop. */
#ifndef MQGATE_TESTS_ADMIN_FIXTURE_H
#define MQGATE_TESTS_ADMIN_FIXTURE_H

#include <ev.h>

#include "admin/httpd.h"
#include "report/view.h"

enum { N_SERVERS = 2, REPLY_MAX = 262144 };

struct fixture {
    const char           *users[2];
    struct conf          *conf; /* the snapshot's */
    struct stats         *stats;
    struct tls_tickets   *tickets;
    struct snapshot      *snap;
    struct snap_listener *listener; /* the only one */
    struct snap_server   *servers;  /* N_SERVERS of the only backend */
    struct health        *health;
    struct view           view;
    struct log_settings   log_settings;
    struct log            log;
    struct ev_loop       *loop;
    struct addr           at; /* of the admin server */
    struct admin         *admin;
};

/* Everybody may read the statistics from 127.0.0.0/8, without a password; both servers are up, and have not been
 * checked. */
void fixture_snapshot(struct fixture *f);
void fixture_snapshot_free(struct fixture *f);
/* Both servers have failed one check: nobody listens there. */
void fixture_check(struct fixture *f);

/* The same, and the server runs. */
void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);

/* A connection of a client. */
struct peer {
    struct fixture *fixture;
    int             fd;
    ev_io           io;
    size_t          len;
    bool            eof; /* ended or reset by the server */
    char            in[REPLY_MAX];
};

struct peer *peer_open(struct fixture *f);
void         peer_close(struct peer *peer);
void         peer_send(struct peer *peer, const char *bytes);
/* Turns the loop until the text has come. */
void peer_await_text(struct peer *peer, const char *text);
void peer_await_end(struct peer *peer);
/* Forgets what has come. */
void peer_forget(struct peer *peer);

/* One request on a connection of its own, which the server must end by itself: say "Connection: close". */
struct peer *fixture_ask(struct fixture *f, const char *request);

/* Of a whole reply. */
int         peer_status(const struct peer *peer);
const char *peer_body(const struct peer *peer);
bool        peer_has_header(const struct peer *peer, const char *line); /* name in any case */

#endif
