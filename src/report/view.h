/* report/view.h: what statistics tell of. daemon/ fills it, and may change it between two turns of the main loop: every
 * answer is made from what stands here at that moment. */
#ifndef MQGATE_REPORT_VIEW_H
#define MQGATE_REPORT_VIEW_H

#include "dns/dns.h"
#include "engine/engine.h"
#include "health/checker.h"
#include "snapshot/snapshot.h"

struct history;

/* How far the end of the process has come. */
enum drain_phase {
    DRAIN_NONE,
    DRAIN_NOTICE, /* health says so, and clients are still taken */
    DRAIN_SHED,   /* the listeners are closed, and sessions are asked to go */
    DRAIN_WAIT,   /* the listeners are closed, and the sessions' own ends are awaited */
    DRAIN_OVER
};

extern const char *const drain_phase_names[];

/* Plain facts, times monotonic. */
struct drain_facts {
    enum drain_phase phase;
    bool             by_signal;  /* and not, or not only, by an operator's command */
    bool             taken_back; /* the last one was */
    uint32_t         rate;       /* sessions a second; 0: all at once */
    uint32_t         notice_ms;
    uint32_t         deadline_ms; /* from the end of notice */
    uint32_t         sessions;    /* when it began */
    uint64_t         begun_ms;
    uint64_t         closed_ms; /* the listeners were closed; 0: they are not */
};

enum upgrade_phase {
    UPGRADE_NONE,
    UPGRADE_CHECK, /* the other binary looks at the configuration */
    UPGRADE_WAIT   /* nobody is accepted, and handshakes are awaited */
};

extern const char *const upgrade_phase_names[];

/* What there is to tell of upgrades; times of the wall clock are 0 when there was none, texts cut when longer. */
struct upgrade_facts {
    /* The one that is under way; nothing of this holds in UPGRADE_NONE. */
    enum upgrade_phase phase;
    const char        *by; /* who asked for it */
    const char        *binary;
    uint32_t           awaited;  /* handshakes */
    uint64_t           until_ms; /* monotonic: the phase takes no longer */

    /* The last one, which made this process. */
    uint32_t sessions; /* that were carried over */
    uint32_t lost;     /* that could not be */
    uint64_t pause_us; /* while no byte moved */
    uint64_t wall_ms;
    char     last_from[32]; /* version */
    char     last_by[32];

    /* The last one that failed, in this process or one before it. */
    uint64_t failed_wall_ms;
    char     failed_why[512];
};

struct view {
    struct snapshot *snap;            /* the current one */
    struct health   *health;          /* of snap; NULL: nothing is told of checks */
    struct dns      *dns;             /* of snap; NULL: nothing is told of names */
    struct engine   *engine;          /* NULL before it is there */
    struct history  *history;         /* of the last minutes */
    struct row      *admin;           /* the frontend that HTTP requests of operators are counted in; NULL: none */
    uint32_t         admin_limit;     /* its connections at a time */
    struct log      *log;             /* the main thread's */
    uint64_t         started_mono_ms; /* clock_mono_ms() when the daemon began */
    uint64_t         started_wall_ms;
    uint32_t         boot_ms;         /* from then until it was ready */
    const char      *state;           /* "running", "draining" or "stopping" */
    uint32_t         max_connections; /* what the descriptor limit carries of the configured number */
    uint32_t         max_descriptors; /* the limit of open files */
    uint32_t         reloads;         /* that took effect */
    uint32_t         reloads_failed;
    uint64_t         reload_wall_ms; /* when the last one was tried; 0: never */
    bool             reload_failed;  /* and that it came to nothing */
    uint32_t         upgrades;       /* that took effect */
    uint32_t         upgrades_failed;
    bool             accepting; /* the listeners take new clients; health is 503 when they do not */

    struct drain_facts   drain;
    struct upgrade_facts upgrade;
};

/* How a drain, or shed, goes on. */
struct progress {
    const char *phase; /* "none", "notice", "shed", "wait", "over"; of a drain */
    bool        is_on; /* somebody is, or is going to be, asked to go, or has been and is not over */
    uint32_t    left;  /* sessions: in a drain all that there are, else those that shed is still to ask or waits for */
    uint32_t    total; /* of them when it began, at least left */
    uint32_t    rate;  /* that is set, a second; 0: all at once */
    uint32_t    asked_a_second;
    uint64_t    to_go_ms; /* until the last is asked at that rate, or is cut; 0 in phase "wait": nobody knows */
    uint64_t    cut_ms;   /* until what is left is cut; 0: that is not on */
};

struct progress view_progress(const struct view *view, uint64_t now_ms);

/* Whether the last upgrade that was tried came to nothing, and when that was, wall clock; 0: none was. */
bool     view_upgrade_failed(const struct view *view);
uint64_t view_upgrade_wall_ms(const struct view *view);

/* What the health endpoint says. */
bool view_is_healthy(const struct view *view);

#endif
