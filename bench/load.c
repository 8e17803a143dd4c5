/* bench/load: the clients of a measurement.
 *
 *   load [OPTION...] talk|pull|push|churn|hold ADDRESS:PORT
 *
 *   talk    64 bytes go over each connection and back: -r of them a second in all, each when it is due, however late
 *           the others are; or, without -r, again as soon as they are back
 *   pull    the broker sends as fast as it can over each connection
 *   push    the clients do
 *   churn   -c at a time connect, say CONNECT, hear CONNACK, say DISCONNECT, close, and begin anew
 *   hold    connections are opened and held until standard input ends; see hold.h for what may be asked of them there
 *
 *   -c N    connections (default 1)
 *   -i N    so many more that are idle
 *   -r N    messages a second
 *   -s N    source addresses (default: the kernel's choice)
 *   -T V    tls1.2 or tls1.3 (default: plain)
 *   -R      sessions of TLS are resumed
 *   -w S    seconds before it counts (default 0.5)
 *   -t S    seconds that it counts (default 3)
 *   -n N    talk and churn: so many messages or connections from the first on, however long that takes
 *
 * Says "held" once all connections are there; "begin" and "end" when counting does; then how many times it was done
 * (bytes, of pull and push), the seconds, and the 50th, 90th, 99th, 99.9th percentile and the greatest of latencies in
 * microseconds. The latency of a message counts from when it was due, not from when it was sent.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "ends.h"
#include "hold.h"

enum { MESSAGE_LEN = 64 };

struct load {
    struct target target;
    unsigned      n, idle;
    double        rate; /* 0: as fast as it goes */
    bool          resumes;
    double        warm_up_s, counts_s;
};

/* ---- what is measured ---- */

static struct {
    pthread_mutex_t lock;
    uint64_t        from_ns; /* counting has begun; 0: not yet */
    uint32_t       *took_ns;
    size_t          n, room;
    size_t          most; /* 0: any number */
} samples = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int by_size(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double percentile_us(double part)
{
    size_t at = (size_t)((double)samples.n * part);
    return samples.n == 0 ? 0. : samples.took_ns[at < samples.n ? at : samples.n - 1] / 1e3;
}

static void sleep_s(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    (void)nanosleep(&t, NULL);
}

/* bytes: 0: what counts are the samples. */
_Noreturn static void end(uint64_t bytes)
{
    double seconds = (double)(now_ns() - samples.from_ns) / 1e9;
    pthread_mutex_lock(&samples.lock);
    say("end");
    sleep_s(.05); /* whoever measures looks at what this process took */
    if (samples.n > 0)
        qsort(samples.took_ns, samples.n, sizeof *samples.took_ns, by_size);
    printf("%llu %.6f %.1f %.1f %.1f %.1f %.1f\n", (unsigned long long)(bytes > 0 ? bytes : samples.n), seconds,
           percentile_us(.5), percentile_us(.9), percentile_us(.99), percentile_us(.999), percentile_us(1.));
    fflush(stdout);
    _exit(EXIT_SUCCESS); /* whoever is still sending need not come to an end */
}

static void sample(uint64_t from_ns, uint64_t to_ns)
{
    pthread_mutex_lock(&samples.lock);
    bool is_last = samples.most != 0 && samples.n + 1 >= samples.most;
    if (samples.from_ns != 0 && to_ns >= samples.from_ns) {
        if (samples.n == samples.room) {
            samples.room = samples.room * 2 + 65536;
            samples.took_ns = reallocarray(samples.took_ns, samples.room, sizeof *samples.took_ns);
            if (samples.took_ns == NULL)
                die("out of memory");
        }
        uint64_t took = to_ns - from_ns;
        samples.took_ns[samples.n++] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
    }
    pthread_mutex_unlock(&samples.lock);
    if (is_last)
        end(0);
}

static void begin(void)
{
    pthread_mutex_lock(&samples.lock);
    samples.from_ns = now_ns();
    pthread_mutex_unlock(&samples.lock);
    say("begin");
}

/* ---- talk ---- */

struct talker {
    struct client c;
    unsigned char in[MESSAGE_LEN];
    size_t        have; /* of the message that is coming */
};

static void send_message(const struct client *c, uint64_t due_ns)
{
    unsigned char message[MESSAGE_LEN];
    publish(message, sizeof message);
    memcpy(message + MESSAGE_TEXT, &due_ns, sizeof due_ns);
    client_send(c, message, sizeof message);
}

/* Whether a message is whole. */
static bool hear(struct talker *t)
{
    uint64_t due_ns;
    t->have += client_receive(&t->c, t->in + t->have, MESSAGE_LEN - t->have);
    if (t->have < MESSAGE_LEN)
        return false;
    t->have = 0;
    memcpy(&due_ns, t->in + MESSAGE_TEXT, sizeof due_ns);
    sample(due_ns, now_ns());
    return true;
}

static void hear_all(int epoll, bool answers, uint64_t most_ns)
{
    struct epoll_event    events[EVENTS];
    const struct timespec most = {.tv_sec = (time_t)(most_ns / 1000000000), .tv_nsec = (long)(most_ns % 1000000000)};
    int                   n = epoll_pwait2(epoll, events, EVENTS, &most, NULL);
    for (int i = 0; i < n; i++) {
        struct talker *t = events[i].data.ptr;
        if (hear(t) && answers)
            send_message(&t->c, now_ns());
    }
}

_Noreturn static void talk(const struct load *l)
{
    const int      epoll = epoll_create1(EPOLL_CLOEXEC);
    const double   every_ns = l->rate > 0 ? 1e9 / l->rate : 0.;
    struct talker *talkers = calloc(l->n, sizeof *talkers);
    unsigned long  k = 0;
    if (talkers == NULL)
        die("out of memory");
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    for (unsigned i = 0; i < l->n; i++) {
        client_join(&talkers[i].c, &l->target, i, NULL);
        watch(epoll, talkers[i].c.fd, EPOLLIN, &talkers[i]);
    }
    say("held");
    const uint64_t from_ns = now_ns(), counts_ns = from_ns + (uint64_t)(l->warm_up_s * 1e9),
                   until_ns = counts_ns + (uint64_t)(l->counts_s * 1e9);
    for (unsigned i = 0; l->rate <= 0 && i < l->n; i++)
        send_message(&talkers[i].c, now_ns());
    for (bool counts = false;;) {
        uint64_t now = now_ns(), next = until_ns;
        while (l->rate > 0 && (next = from_ns + (uint64_t)((double)k * every_ns)) <= now)
            send_message(&talkers[k++ % l->n].c, next);
        if (!counts && now >= counts_ns) {
            counts = true;
            begin();
        }
        if (now >= until_ns)
            end(0);
        hear_all(epoll, l->rate <= 0, next > now ? next - now : 0);
    }
}

/* ---- pull, push, churn: a thread for each connection ---- */

struct worker {
    const struct load *load;
    unsigned           number;
    void (*work)(struct worker *, struct client *);
};

static _Atomic uint64_t moved; /* bytes */

static void pull(struct worker *w, struct client *c)
{
    char bytes[PIECE_LEN];
    (void)w;
    for (;;)
        atomic_fetch_add(&moved, client_receive(c, bytes, sizeof bytes));
}

static void push(struct worker *w, struct client *c)
{
    unsigned char piece[PIECE_LEN];
    publish(piece, sizeof piece);
    (void)w;
    for (;;) {
        client_send(c, piece, PIECE_LEN);
        atomic_fetch_add(&moved, PIECE_LEN);
    }
}

static void churn(struct worker *w, struct client *c)
{
    const struct load *l = w->load;
    SSL_SESSION       *session = l->resumes ? client_session(c) : NULL;
    if (l->resumes && session == NULL)
        die("no session to resume");
    client_leave(c);
    for (unsigned number = w->number;; number += l->n) {
        uint64_t from_ns = now_ns();
        client_join(c, &l->target, number, session);
        sample(from_ns, now_ns());
        if (l->resumes) {
            SSL_SESSION *newer = client_session(c);
            SSL_SESSION_free(session);
            session = newer;
        }
        client_leave(c);
    }
}

static void *run(void *arg)
{
    struct worker *w = arg;
    struct client  c;
    client_join(&c, &w->load->target, w->number, NULL);
    w->work(w, &c);
    return NULL;
}

_Noreturn static void work(const struct load *l, void (*how)(struct worker *, struct client *))
{
    struct worker *workers = calloc(l->n, sizeof *workers);
    pthread_t      thread;
    if (workers == NULL)
        die("out of memory");
    for (unsigned i = 0; i < l->n; i++) {
        workers[i] = (struct worker){.load = l, .number = i, .work = how};
        if (pthread_create(&thread, NULL, run, &workers[i]) != 0)
            die("thread");
    }
    say("held");
    sleep_s(l->warm_up_s);
    uint64_t before = moved;
    begin();
    sleep_s(l->counts_s);
    end(moved - before);
}

/* ---- options ---- */

static int usage(void)
{
    fputs("usage: load [-c N] [-i N] [-r N] [-s N] [-T tls1.2|tls1.3] [-R] [-w S] [-t S] [-n N]"
          " talk|pull|push|churn|hold ADDRESS:PORT\n",
          stderr);
    return 2;
}

static bool parse(struct load *l, int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "c:i:r:s:T:Rw:t:n:")) != -1) {
        switch (option) {
        case 'c':
            l->n = (unsigned)atoi(optarg);
            break;
        case 'i':
            l->idle = (unsigned)atoi(optarg);
            break;
        case 'r':
            l->rate = atof(optarg);
            break;
        case 's':
            l->target.sources = (unsigned)atoi(optarg);
            break;
        case 'T':
            l->target.tls = client_tls(optarg);
            break;
        case 'R':
            l->resumes = true;
            break;
        case 'w':
            l->warm_up_s = atof(optarg);
            break;
        case 't':
            l->counts_s = atof(optarg);
            break;
        case 'n':
            samples.most = (size_t)atol(optarg);
            l->warm_up_s = 0;
            l->counts_s = 1e6;
            break;
        default:
            return false;
        }
    }
    return argc - optind == 2 && l->n > 0 && addr_parse(argv[optind + 1], &l->target.at);
}

int main(int argc, char **argv)
{
    struct load l = {.target.role = 'e', .n = 1, .warm_up_s = .5, .counts_s = 3.};
    if (!parse(&l, argc, argv))
        return usage();
    raise_limit();
    (void)hold(&l.target, l.idle);
    const char *what = argv[optind];
    if (strcmp(what, "talk") == 0)
        talk(&l);
    if (strcmp(what, "pull") == 0) {
        l.target.role = 'p';
        work(&l, pull);
    }
    if (strcmp(what, "push") == 0) {
        l.target.role = 's';
        work(&l, push);
    }
    if (strcmp(what, "churn") == 0)
        work(&l, churn);
    if (strcmp(what, "hold") != 0)
        return usage();
    hold_and_listen(&l.target, l.n);
    return 0;
}
