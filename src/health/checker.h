/* health/checker.h: asks every server of a snapshot whether it lives, and sets its state. Main thread's loop only. */
#ifndef MQGATE_HEALTH_CHECKER_H
#define MQGATE_HEALTH_CHECKER_H

#include <ev.h>

#include "base/command.h"
#include "base/image.h"
#include "base/log.h"
#include "health/probe.h"
#include "snapshot/snapshot.h"

/* What became of a server, or of a backend as a whole. Times are clock_mono_ms(). */
struct health_history {
    bool     down;           /* now */
    uint64_t downs;          /* moves from up to down */
    uint64_t last_change_ms; /* at first: when the checks began */
    uint64_t down_ms;        /* down times that are over; health_down_ms() adds the one that lasts */
};

struct health_report {
    struct probe_result   last;      /* of the last check, or INI, or UNK where checks are off */
    bool                  running;   /* the next one is under way */
    bool                  checked;   /* checks are configured */
    bool                  disabled;  /* and an operator has turned them off */
    uint32_t              level;     /* HAProxy's check_health: 0..rise + fall - 1, up from rise on */
    uint32_t              passed;    /* in a row, by the last check */
    uint32_t              failed;    /* in a row, by the last check */
    uint64_t              checks;    /* done; failures of sessions that counted as one, too */
    uint64_t              failures;  /* of these, failed */
    uint64_t              failed_up; /* of these, while the server was not down: HAProxy's chkfail */
    struct health_history history;
};

struct health;

/* Called when a server went up or down. NULL call: nobody wants to know. */
struct health_listener {
    void (*call)(void *user);
    void *user;
};

/* Nothing is checked yet. Holds a reference of snap. NULL when memory is out. loop and log must outlive it. */
struct health *health_new(struct ev_loop *loop, struct snapshot *snap, struct log *log,
                          struct health_listener listener);
/* The first check of every server begins as soon as the loop runs. before: of the snapshot before, which is asked for
 * nothing any more but health_free(); NULL: there is none. A server that it knew goes on as it was: what its checks
 * found, and when the next one is due. */
void health_begin(struct health *h, struct health *before);
/* Servers stay in the state they are in. NULL is fine. */
void health_free(struct health *h);

/* What checks have found, and when the next one is due, for an upgrade; backends' histories too. */
void health_carry(const struct health *h, struct image_writer *w);
/* Between health_new() and health_begin(), whose `before` is NULL then; servers are in the state that they were carried
 * with already. One that is known goes on as on reload; records of other rooms and of names that are not there are left
 * alone. False: the record is not to be understood; *err says why. */
bool health_adopt(struct health *h, const struct image_record *record, struct err *err) MUST_CHECK;

/* Sessions could not connect (server_note_failure()). For their server that is one failed check, however many they were
 * until the next check has answered, and that comes at once, but not within fast_interval of the one before. So a storm
 * of sessions makes no storm of checks, and no server goes down on the word of sessions alone, unless fall is 1 or no
 * check has answered yet. Where checks are off nothing changes. */
void health_note_failures(struct health *h);

/* Indices as in the snapshot. Valid until health_free(), changes as the loop runs. */
const struct health_report  *health_report(const struct health *h, size_t backend, size_t server);
const struct health_history *health_backend_history(const struct health *h, size_t backend);

/* What an operator may want of a server beside its weight and limit (upstream/server.h). Everything is logged, and the
 * listener is called. */
enum health_action {
    HEALTH_READY, /* takes sessions again, as its checks say; from maintenance it comes back unknown, checked at once */
    HEALTH_DRAIN,
    HEALTH_MAINT,
    HEALTH_CHECKS_ON,
    HEALTH_CHECKS_OFF, /* it stays in the state it is in */
    HEALTH_UP,         /* until the next check says otherwise, for good where there is none */
    HEALTH_DOWN
};
void health_act(struct health *h, size_t backend, size_t server, enum health_action action);
/* For new connections and checks; the old connections stay. */
void health_set_address(struct health *h, size_t backend, size_t server, const struct addr *address);
/* Somebody has set or taken away the server's address, which was another one: it is checked there at once, or not at
 * all where there is none. From none it begins unknown; else it stays what it was until that check has answered. by:
 * who, for the log. */
void health_address_changed(struct health *h, size_t backend, size_t server, const struct addr *was, const char *by);
/* The weight or limit of a server has been changed: sessions that wait look again. */
void health_server_changed(struct health *h, size_t backend, size_t server);

/* Numbers of checks, of moves and of time down begin anew. */
void health_forget_counts(struct health *h);

/* Runtime commands about servers and backends; their owner is the struct health. */
extern const struct command health_commands[];

struct snapshot *health_snapshot(const struct health *h);

/* All down time, with that which lasts. */
static inline uint64_t health_down_ms(const struct health_history *history, uint64_t now_ms)
{
    return history->down_ms + (history->down ? now_ms - history->last_change_ms : 0);
}

#endif
