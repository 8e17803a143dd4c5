/* dns/kept.h: what is kept of names. Private to dns/. */
#ifndef MQGATE_DNS_KEPT_H
#define MQGATE_DNS_KEPT_H

#include "dns/answer.h"
#include "dns/dns.h"
#include "dns/slots.h"

/* A name that is asked for again and again. */
struct lookup {
    struct dns              *dns;
    const char              *name; /* in memory that outlives the lookup */
    ev_timer                 next;
    bool                     is_service;
    bool                     is_wanted;
    bool                     is_asking;
    bool                     is_outdated; /* the answer that is awaited is about another name */
    struct standing          standing;
    struct resolver_question question;
    void (*answered)(struct lookup *lookup, const struct resolver_answer *answer, bool lost);
};

/* A server whose address DNS knows. */
struct site {
    struct lookup  lookup; /* of its host; a target whose address comes with the SRV record needs none */
    struct server *live;
    size_t         backend, server;    /* indices in the snapshot */
    char           host[DNS_NAME_MAX]; /* "": an SRV record's slot without a target */
    uint16_t       port;
    struct addr    at;         /* as DNS last gave it; not set: it did not */
    uint32_t       weight;     /* as DNS last gave it; 0: it did not */
    bool           is_adopted; /* another process has left what is known of it */
};

/* An SRV record, and the servers that it stands for. */
struct service {
    struct lookup             lookup;
    const struct conf_server *conf; /* of the first slot */
    struct slot               slots[CONF_SRV_SLOTS];
    struct site              *sites; /* CONF_SRV_SLOTS of them, inside dns->sites */
    uint64_t                  n_answers;
    bool                      is_overfull;
};

struct dns {
    struct ev_loop     *loop;
    struct snapshot    *snap; /* one reference */
    struct log         *log;
    struct dns_listener listener;
    struct resolver    *resolver; /* owned; NULL: there are no names */
    struct site        *sites;    /* owned; those of services too */
    size_t              n_sites;
    struct service     *services; /* owned */
    size_t              n_services;
};

/* Who it is for those who draw lots: the target of its slot. */
void site_identify(const struct site *site);

#endif
