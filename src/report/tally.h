/* report/tally.h: counters that come in groups, such as packets by type: each with words for what it counts. */
#ifndef MQGATE_REPORT_TALLY_H
#define MQGATE_REPORT_TALLY_H

#include "report/lines.h"

enum tally_group {
    TALLY_PACKETS,     /* whole control packets, of the types that may go that way */
    TALLY_PUBLISHES,   /* of these, PUBLISH by QoS */
    TALLY_SESSIONS,    /* open now */
    TALLY_CONNECTS,    /* CONNECTs let in */
    TALLY_CONNACKS,    /* of servers */
    TALLY_DISCONNECTS, /* of 5, by who sent them */
    TALLY_REFUSED,     /* sessions, by what was wrong; of frontends alone, whatever they speak */
    TALLY_GROUPS
};

enum { TALLY_LABELS = 3 };

/* What the labels of a group are called; NULL behind the last. Directions are "in", from clients, and "out". */
extern const char *const tally_labels[TALLY_GROUPS][TALLY_LABELS];

struct tally {
    const char *value[TALLY_LABELS]; /* of the labels; lives as long as the call */
    uint64_t    n;                   /* since the counters were cleared, or now */
    int         code;                /* CONNACK, DISCONNECT: as it goes over the wire; -1: one without a name */
    bool        is_kept; /* a reader that keeps what it sees needs it: each number but those of codes never seen */
};

/* Calls fn for each number of the group. */
void tally_each(const struct row *row, enum tally_group group, void (*fn)(void *user, const struct tally *tally),
                void *user);
/* Of all that n counters from this one on count, since they were cleared. */
uint64_t tally_sum(const struct row *row, enum count from, unsigned n);

/* The listener, or one that leads to the server, speaks MQTT: what is counted of it means something. */
bool tally_is_mqtt(const struct view *view, const struct line *line);

#endif
