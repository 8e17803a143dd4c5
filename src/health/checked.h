/* health/checked.h: what the checker keeps. Private to health/. */
#ifndef MQGATE_HEALTH_CHECKED_H
#define MQGATE_HEALTH_CHECKED_H

#include "health/checker.h"

/* What is known of a server when another checker begins: after a reload, or in the next process. */
struct check_past {
    struct health_report report;
    uint64_t             started_ms, due_ms; /* as below */
    bool                 is_spread;          /* the wait between the first two checks is over */
    bool                 doubted;
    struct addr          at;   /* where the server was */
    enum conf_check_type type; /* what was asked, and what was made of it */
    uint32_t             rise, fall;
    struct addr          address; /* of the check */
};

struct checked_backend;

struct checked_server {
    struct health            *health;
    struct checked_backend   *backend;
    struct server            *live;
    const struct conf_server *conf;
    struct probe             *probe;                 /* owned; NULL: checks are off */
    char                      host[SERVER_HOST_MAX]; /* the name that the probe expects */
    ev_timer                  next;
    uint64_t                  started_ms; /* the last check */
    uint64_t                  due_ms;     /* the next check, unless one is running */
    double                    first_wait; /* between the first two checks, as a share of the interval */
    bool                      doubted;    /* sessions' failures have counted since the last check */
    struct health_report      report;
    struct check_past        *past; /* as another process left it, until the checks begin; owned; NULL: it did not */
};

struct checked_backend {
    const struct conf_backend *conf;
    struct pool               *pool;
    struct checked_server     *servers; /* conf->n_servers of them, inside health->servers */
    bool                       is_up, is_known;
    struct health_history      history;
};

struct health {
    struct ev_loop         *loop;
    struct snapshot        *snap; /* one reference */
    struct log             *log;
    struct health_listener  listener;
    size_t                  n_backends, n_servers;
    struct checked_backend *backends;   /* owned */
    struct checked_server  *servers;    /* owned; of all backends */
    bool                    is_adopted; /* another process has left something */
};

struct check_past checked_past(const struct checked_server *s);

#endif
