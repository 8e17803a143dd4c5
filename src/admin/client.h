/* admin/client.h: a connection to the admin server, and the server itself. Private to admin/. */
#ifndef MQGATE_ADMIN_CLIENT_H
#define MQGATE_ADMIN_CLIENT_H

#include <ev.h>
#include <microhttpd.h>

#include "admin/auth.h"
#include "admin/httpd.h"
#include "admin/uri.h"
#include "base/text.h"

enum verdict { VERDICT_NONE, VERDICT_WAITING, VERDICT_IN, VERDICT_OUT };

/* One connection, and the request on it: HTTP/1 has one at a time. */
struct client {
    struct client         *prev, *next; /* in admin's unused or due list */
    struct admin          *admin;
    struct MHD_Connection *connection;
    uint64_t               due_ms; /* clock_mono_ms() when it is cut; 0: not in the due list */
    struct addr            peer;
    struct asked           asked;
    bool                   head_only;   /* HEAD: the answer's body is not sent */
    bool                   begun;       /* the handler has seen the head of the request */
    bool                   adopted;     /* by admin_adopt() */
    bool                   health_only; /* nothing else is told to it */
    size_t                 body_len;    /* bytes that came */
    struct text            body;        /* of them, kept for statistics: at most FORM_BYTES_MAX; owned */
    enum verdict           verdict;     /* of password and user */
    struct auth_job        job;
};

struct admin {
    struct ev_loop    *loop;
    const struct view *view;
    struct log        *log;
    struct MHD_Daemon *mhd;
    struct auth       *auth;
    int                listen_fd; /* -1: none */
    bool               adopts;    /* what is about to be said of the connection that MHD is given: */
    bool               adopts_health_only;
    unsigned           n_adopted;
    bool               starved; /* accepting failed for want of descriptors or memory; told once */
    bool               closing; /* no watcher is started any more */
    ev_io              acceptable;
    ev_timer           accept_again;
    ev_io              mhd_io;    /* MHD's epoll descriptor */
    ev_timer           mhd_again; /* MHD has work that no descriptor tells of */
    ev_timer           cut;
    struct client     *due; /* soonest first: all get the same time */
    struct client     *unused;
    struct client      clients[ADMIN_CONNECTIONS_MAX];
};

/* A connection's time, ADMIN_REQUEST_MS, begins anew; past it, it is cut. Not while it is stopped. */
void client_restart_clock(struct client *client);
void client_stop_clock(struct client *client);
/* Counts in the row of the admin server, where there is one. */
void client_count(struct client *client, enum count which, uint64_t n);
/* A request of an operator who is let in. */
void client_count_session(struct client *client);
/* Cuts the one that has been at its request, or idle, for longest; none of those that wait for us. */
void client_cut_oldest(struct admin *admin, bool adopted_only);
/* Callback of admin->cut. */
void client_on_cut(struct ev_loop *loop, ev_timer *w, int revents);

/* The whole request is here: answers it, or suspends the connection until its password is checked and MHD calls the
 * handler once more. MHD_NO: the connection is to be ended. */
enum MHD_Result client_answer(struct client *client, const char *method);
/* Callback of admin->auth. */
void client_on_auth_done(struct auth_job *job);

#endif
