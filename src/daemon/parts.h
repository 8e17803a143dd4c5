/* daemon/parts.h: what the running daemon is made of. Private to daemon/. */
#ifndef MQGATE_DAEMON_PARTS_H
#define MQGATE_DAEMON_PARTS_H

#include <ev.h>

#include "admin/httpd.h"
#include "base/log.h"
#include "conf/model.h"
#include "control/control.h"
#include "daemon/log_writer.h"
#include "dns/dns.h"
#include "engine/engine.h"
#include "health/checker.h"
#include "report/view.h"
#include "snapshot/snapshot.h"

struct carried;
struct reload;
struct start;
struct upgrade;

struct process {
    struct log_settings log_settings;
    struct log_writer  *log_writer;
    struct log          log;
    struct tls_tickets *tickets;
    struct stats       *stats;
    struct snapshot    *snap;
    const struct conf  *conf; /* the snapshot's */
    struct ev_loop     *loop;
    struct engine      *engine;
    struct health      *health;
    struct dns         *dns;
    struct admin       *admin;
    struct control     *control; /* NULL: none */
    struct drain       *drain;
    struct view         view;
    int                 admin_fd;     /* until admin takes it over; -1 */
    struct addr         admin_addr;   /* where it really listens */
    char               *pid_file;     /* that was written; owned; NULL: none */
    struct reload      *reload;       /* under way; NULL: none */
    bool                reload_again; /* asked for meanwhile by a signal */
    struct upgrade     *upgrade;      /* under way; NULL: none */
    const struct start *start;
    bool                was_stored;  /* what was carried over came out of the service manager's store */
    uint64_t            begun_ms;    /* monotonic; an upgrade is another beginning */
    struct carried     *carried;     /* what is being taken over; NULL: nothing */
    uint64_t            files_taken; /* files_stamp() of the certificates in force, */
    uint64_t            files_seen;  /* and of those on disk when they were last looked at */
    struct ev_timer     look_at_files;
    uint32_t            max_connections; /* effective */
    struct ev_signal    signals[7];
    struct ev_async     server_failed;
    struct ev_timer     rotate_tickets;
    struct ev_timer     tick;
    bool                is_short_of_workers; /* some have no thread */
    struct ev_timer     start_again;         /* of those, for as long */
};

/* Descriptors that are not sessions'. */
size_t process_fixed_descriptors(const struct snapshot *snap);
/* 0, *fd -1: none is asked for. beside: this process may listen there already. */
int process_open_admin(const struct conf *conf, bool beside, int *fd, struct addr *at, struct err *err);
/* Listening sockets are in the service manager's store, if it has one; nothing else is. */
void process_store_sockets(struct process *p);
/* Lets the workers go on that have sessions; what a thread is not to be had for waits until it is. */
void process_start_workers(struct process *p);
/* The addresses that `before` did not have; NULL: all. */
void                   process_log_listening(struct process *p, const struct conf *before);
struct health_listener process_health_listener(struct process *p);
struct dns_listener    process_dns_listener(struct process *p);

#endif
