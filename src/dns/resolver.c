#include "dns/resolver.h"

#include <ares.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/macros.h"

/* Each name server in turn, then each again with twice the time. EDNS_BYTES is what gets through any network whole. */
enum { TRY_MS = 1000, TRIES = 2, EDNS_BYTES = 1232 };

struct watch {
    struct watch    *prev, *next;
    struct resolver *resolver;
    ev_io            io;
};

struct resolver {
    struct ev_loop        *loop;
    ares_channel           channel;
    struct watch          *watches; /* a socket each; owned */
    ev_timer               timer;   /* of the query that waits for the shortest time */
    struct resolver_counts counts;
    bool                   ends;
    struct addr            addresses[DNS_ADDRESSES_MAX]; /* of the answer that is being told */
    struct dns_answer      services;
};

/* c-ares knows when it has waited long enough, and for how much longer if not. */
static void set_timer(struct resolver *r)
{
    struct timeval tv;
    ev_timer_stop(r->loop, &r->timer);
    if (r->ends || ares_timeout(r->channel, NULL, &tv) == NULL)
        return;
    double wait_s = (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
    ev_timer_set(&r->timer, wait_s > 1e-3 ? wait_s : 1e-3, 0);
    ev_timer_start(r->loop, &r->timer);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct resolver *r = CONTAINER_OF(timer, struct resolver, timer);
    (void)loop;
    (void)revents;
    ev_now_update(r->loop);
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer(r);
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
    struct watch    *w = CONTAINER_OF(io, struct watch, io);
    struct resolver *r = w->resolver; /* w may be gone afterwards */
    int              fd = io->fd;
    (void)loop;
    ares_process_fd(r->channel, revents & EV_READ ? fd : ARES_SOCKET_BAD, revents & EV_WRITE ? fd : ARES_SOCKET_BAD);
    set_timer(r);
}

static struct watch *watch_of(struct resolver *r, int fd)
{
    struct watch *w;
    DL_FOREACH (r->watches, w) {
        if (w->io.fd == fd)
            return w;
    }
    w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL; /* that query will time out */
    w->resolver = r;
    ev_io_init(&w->io, on_io, fd, EV_NONE);
    DL_APPEND(r->watches, w);
    return w;
}

static void on_socket(void *user, ares_socket_t fd, int readable, int writable)
{
    struct resolver *r = user;
    struct watch    *w = watch_of(r, fd);
    int              wants = (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0);
    if (w == NULL)
        return;
    ev_io_stop(r->loop, &w->io);
    if (wants != 0) {
        ev_io_set(&w->io, fd, wants);
        ev_io_start(r->loop, &w->io);
        return;
    }
    DL_DELETE(r->watches, w);
    free(w);
}

static bool set_servers(struct resolver *r, const struct addr *servers, size_t n)
{
    struct text list = {0};
    char        text[ADDR_TEXT_MAX];
    for (size_t i = 0; i < n; i++)
        text_add(&list, "%s%s", i > 0 ? "," : "", addr_format(&servers[i], text));
    bool good = !list.failed && ares_set_servers_ports_csv(r->channel, list.at) == ARES_SUCCESS;
    text_fini(&list);
    return good;
}

static bool open_channel(struct resolver *r, bool own_servers)
{
    static char         lookups[] = "fb"; /* /etc/hosts, then DNS */
    struct ares_options options = {.flags = ARES_FLAG_EDNS,
                                   .timeout = TRY_MS,
                                   .tries = TRIES,
                                   .lookups = lookups,
                                   .ednspsz = EDNS_BYTES,
                                   .ndomains = 0,
                                   .sock_state_cb = on_socket,
                                   .sock_state_cb_data = r};
    int which = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_EDNSPSZ |
                ARES_OPT_SOCK_STATE_CB | (own_servers ? ARES_OPT_DOMAINS : 0);
    return ares_init_options(&r->channel, &options, which) == ARES_SUCCESS;
}

struct resolver *resolver_new(struct ev_loop *loop, const struct addr *servers, size_t n_servers, struct err *err)
{
    struct resolver *r = calloc(1, sizeof *r);
    err_set(err, "out of memory");
    if (r == NULL || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
        free(r);
        return NULL;
    }
    r->loop = loop;
    ev_init(&r->timer, on_timer);
    if (!open_channel(r, n_servers > 0)) {
        err_set(err, "resolver: the name servers cannot be had");
        ares_library_cleanup();
        free(r);
        return NULL;
    }
    if (n_servers == 0 || set_servers(r, servers, n_servers))
        return r;
    resolver_free(r);
    return NULL;
}

void resolver_free(struct resolver *r)
{
    if (r == NULL)
        return;
    r->ends = true;
    ares_destroy(r->channel); /* closes its sockets, and with them their watches */
    ev_timer_stop(r->loop, &r->timer);
    ares_library_cleanup();
    free(r);
}

static void tell(struct resolver_question *q, struct resolver_answer *answer)
{
    struct resolver_counts *counts = &q->resolver->counts;
    counts->good += answer->kind == ANSWER_GOOD;
    counts->none += answer->kind == ANSWER_NONE;
    counts->failed += answer->kind == ANSWER_FAILED;
    q->answered(q->user, answer);
}

static struct resolver_answer answer_of(int status)
{
    struct resolver_answer answer = {.kind = ANSWER_FAILED, .why = ares_strerror(status)};
    if (status == ARES_ENOTFOUND || status == ARES_ENODATA)
        answer.kind = ANSWER_NONE;
    else if (status == ARES_SUCCESS)
        answer.kind = ANSWER_GOOD;
    return answer;
}

static void shorten(struct resolver_answer *answer, int ttl_s, bool is_first)
{
    uint32_t ttl = ttl_s > 0 ? (uint32_t)ttl_s : 0;
    if (is_first || ttl < answer->ttl_s)
        answer->ttl_s = ttl;
}

static void take_addresses(struct resolver *r, const struct ares_addrinfo *info, struct resolver_answer *answer)
{
    answer->addresses = r->addresses;
    for (const struct ares_addrinfo_node *n = info->nodes; n != NULL; n = n->ai_next) {
        if (answer->n_addresses == ARRAY_LEN(r->addresses))
            break;
        r->addresses[answer->n_addresses++] = addr_from_sockaddr(n->ai_addr);
        shorten(answer, n->ai_ttl, answer->n_addresses == 1);
    }
    for (const struct ares_addrinfo_cname *c = info->cnames; c != NULL; c = c->next)
        shorten(answer, c->ttl, false);
}

static void ask_family(struct resolver_question *q);

static void on_addresses(void *user, int status, int timeouts, struct ares_addrinfo *info)
{
    struct resolver_question *q = user;
    struct resolver          *r = q->resolver;
    struct resolver_answer    answer = answer_of(status);
    if (!r->ends) {
        r->counts.timeouts += (uint64_t)timeouts;
        if (info != NULL && answer.kind == ANSWER_GOOD)
            take_addresses(r, info, &answer);
    }
    ares_freeaddrinfo(info);
    if (r->ends)
        return;
    if (answer.kind == ANSWER_GOOD && answer.n_addresses == 0)
        answer = answer_of(ARES_ENODATA);
    if (status == ARES_ENODATA && q->family == AF_INET) {
        q->family = AF_INET6;
        ask_family(q);
        return;
    }
    tell(q, &answer);
}

static void ask_family(struct resolver_question *q)
{
    const struct ares_addrinfo_hints hints = {.ai_family = q->family, .ai_flags = ARES_AI_NOSORT};
    ares_getaddrinfo(q->resolver->channel, q->name, NULL, &hints, on_addresses, q);
}

static void begin(struct resolver *r, struct resolver_question *q, const char *name, int family)
{
    q->resolver = r;
    q->family = family;
    (void)snprintf(q->name, sizeof q->name, "%s", name);
    r->counts.asked++;
}

void resolver_ask_addresses(struct resolver *r, struct resolver_question *q, const char *name)
{
    begin(r, q, name, AF_INET);
    ask_family(q);
    set_timer(r);
}

static void on_services(void *user, int status, int timeouts, unsigned char *message, int len)
{
    struct resolver_question *q = user;
    struct resolver          *r = q->resolver;
    struct resolver_answer    answer = answer_of(status);
    if (r->ends)
        return;
    r->counts.timeouts += (uint64_t)timeouts;
    if (answer.kind == ANSWER_GOOD) {
        answer.services = &r->services;
        if (!dns_parse(slice_of(message, (size_t)len), &r->services))
            answer = answer_of(ARES_EBADRESP);
        else if (r->services.n_services == 0)
            answer = answer_of(ARES_ENODATA);
        else
            answer.ttl_s = r->services.ttl_s;
    }
    tell(q, &answer);
}

void resolver_ask_services(struct resolver *r, struct resolver_question *q, const char *name)
{
    enum { CLASS_IN = 1, TYPE_SRV = 33 };
    begin(r, q, name, AF_UNSPEC);
    ares_search(r->channel, q->name, CLASS_IN, TYPE_SRV, on_services, q);
    set_timer(r);
}

struct resolver_counts resolver_counts(const struct resolver *r)
{
    return r->counts;
}

void resolver_put_servers(const struct resolver *r, struct text *out)
{
    enum { DNS_PORT = 53 }; /* c-ares writes 0 for it */
    struct ares_addr_port_node *list = NULL;
    char                        text[ADDR_TEXT_MAX];
    if (ares_get_servers_ports(r->channel, &list) != ARES_SUCCESS)
        return;
    for (const struct ares_addr_port_node *n = list; n != NULL; n = n->next) {
        uint16_t    port = (uint16_t)(n->udp_port != 0 ? n->udp_port : DNS_PORT);
        struct addr at = n->family == AF_INET6 ? addr_from_ip6((const uint8_t *)&n->addr, port)
                                               : addr_from_ip4((const uint8_t *)&n->addr, port);
        text_add(out, " %s", addr_format(&at, text));
    }
    ares_free_data(list);
}

const char *resolver_library_version(void)
{
    return ares_version(NULL);
}
