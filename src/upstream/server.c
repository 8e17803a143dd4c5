#include "upstream/server.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "upstream/balance.h"

const char *const server_state_names[] = {"UNKNOWN", "UP", "DOWN", "no check"};

/* Where it is, in words that can be read while they are written: the address, then the host's name. */
enum {
    ADDRESS_WORDS = (sizeof(struct addr) + sizeof(uint64_t) - 1) / sizeof(uint64_t),
    HOST_WORDS = SERVER_HOST_MAX / sizeof(uint64_t),
    LOCATION_WORDS = ADDRESS_WORDS + HOST_WORDS,
    LOCATIONS = 4
};

struct location {
    _Atomic uint64_t words[LOCATION_WORDS];
};

struct server {
    _Atomic uint32_t           refs;
    char                      *name; /* owned */
    uint32_t                   initial_weight;
    struct location            locations[LOCATIONS]; /* a ring: one writer, and readers who never wait for it */
    _Atomic uint32_t           n_locations;          /* ever written; the newest is the one before */
    _Atomic bool               has_address;
    _Atomic uint64_t           identity;
    _Atomic bool               backup;
    _Atomic(enum server_state) state;
    _Atomic(enum server_admin) admin;
    _Atomic uint32_t           weight;
    _Atomic uint32_t           max_connections; /* 0: no limit */
    _Atomic uint32_t           max_pending;     /* the same */
    _Atomic uint64_t           places;          /* in flight in the lower half, pending in the upper one */
    struct peak                most_in_flight;
    _Atomic uint32_t           failures; /* connects that failed and that the checker has not heard of */
};

struct server *server_new(const struct server_settings *settings, enum server_state state)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    server->name = strdup(settings->name);
    if (server->name == NULL) {
        free(server);
        return NULL;
    }
    atomic_init(&server->refs, 1);
    server_set_identity(server, settings->name);
    server_set_location(server, &settings->address, settings->host);
    atomic_init(&server->backup, settings->backup);
    server->initial_weight = settings->weight;
    atomic_init(&server->max_pending, settings->max_pending);
    atomic_init(&server->weight, settings->weight);
    atomic_init(&server->max_connections, settings->max_connections);
    atomic_init(&server->state, state);
    return server;
}

struct server *server_ref(struct server *server)
{
    atomic_fetch_add_explicit(&server->refs, 1, memory_order_relaxed);
    return server;
}

void server_unref(struct server *server)
{
    if (server == NULL || atomic_fetch_sub_explicit(&server->refs, 1, memory_order_acq_rel) > 1)
        return;
    free(server->name);
    free(server);
}

const char *server_name(const struct server *server)
{
    return server->name;
}

bool server_is_backup(const struct server *server)
{
    return atomic_load_explicit(&server->backup, memory_order_relaxed);
}

void server_set_backup(struct server *server, bool backup)
{
    atomic_store_explicit(&server->backup, backup, memory_order_relaxed);
}

enum server_state server_state(const struct server *server)
{
    return atomic_load_explicit(&server->state, memory_order_relaxed);
}

void server_set_state(struct server *server, enum server_state state)
{
    atomic_store_explicit(&server->state, state, memory_order_relaxed);
}

enum server_admin server_admin(const struct server *server)
{
    return atomic_load_explicit(&server->admin, memory_order_relaxed);
}

void server_set_admin(struct server *server, enum server_admin admin)
{
    atomic_store_explicit(&server->admin, admin, memory_order_relaxed);
}

uint32_t server_weight(const struct server *server)
{
    return atomic_load_explicit(&server->weight, memory_order_relaxed);
}

uint32_t server_initial_weight(const struct server *server)
{
    return server->initial_weight;
}

void server_set_weight(struct server *server, uint32_t weight)
{
    atomic_store_explicit(&server->weight, weight, memory_order_relaxed);
}

uint32_t server_max_connections(const struct server *server)
{
    return atomic_load_explicit(&server->max_connections, memory_order_relaxed);
}

void server_set_max_connections(struct server *server, uint32_t most)
{
    atomic_store_explicit(&server->max_connections, most, memory_order_relaxed);
}

/* Words first to first + n - 1 of the newest location. Whoever sees a word of a later writing of the same location also
 * sees, since both are acquired and released, that the ring has come round, and reads the newest one again. */
static void read_location(const struct server *server, size_t first, size_t n, uint64_t *out)
{
    uint32_t written;
    do {
        written = atomic_load_explicit(&server->n_locations, memory_order_acquire);
        const struct location *newest = &server->locations[(written - 1) % LOCATIONS];
        for (size_t i = 0; i < n; i++)
            out[i] = atomic_load_explicit(&newest->words[first + i], memory_order_acquire);
    } while (atomic_load_explicit(&server->n_locations, memory_order_relaxed) - written >= LOCATIONS - 1);
}

struct addr server_address(const struct server *server)
{
    uint64_t    words[ADDRESS_WORDS];
    struct addr address;
    read_location(server, 0, ADDRESS_WORDS, words);
    memcpy(&address, words, sizeof address);
    return address;
}

const char *server_host(const struct server *server, char out[SERVER_HOST_MAX])
{
    uint64_t words[HOST_WORDS];
    read_location(server, ADDRESS_WORDS, HOST_WORDS, words);
    memcpy(out, words, SERVER_HOST_MAX);
    return out;
}

bool server_has_address(const struct server *server)
{
    return atomic_load_explicit(&server->has_address, memory_order_relaxed);
}

void server_set_location(struct server *server, const struct addr *address, const char *host)
{
    uint64_t         words[LOCATION_WORDS] = {0};
    uint32_t         written = atomic_load_explicit(&server->n_locations, memory_order_relaxed);
    struct location *next = &server->locations[written % LOCATIONS];
    size_t           len = host != NULL ? strnlen(host, SERVER_HOST_MAX - 1) : 0;
    memcpy(words, address, sizeof *address);
    if (len > 0 && host[len - 1] == '.') /* only DNS writes it */
        len--;
    if (len > 0)
        memcpy(words + ADDRESS_WORDS, host, len);
    for (size_t i = 0; i < LOCATION_WORDS; i++)
        atomic_store_explicit(&next->words[i], words[i], memory_order_release);
    atomic_store_explicit(&server->n_locations, written + 1, memory_order_release);
    atomic_store_explicit(&server->has_address, addr_is_set(address), memory_order_relaxed);
}

void server_set_address(struct server *server, const struct addr *address)
{
    char host[SERVER_HOST_MAX];
    server_set_location(server, address, server_host(server, host));
}

uint64_t server_identity(const struct server *server)
{
    return atomic_load_explicit(&server->identity, memory_order_relaxed);
}

void server_set_identity(struct server *server, const char *text)
{
    atomic_store_explicit(&server->identity, balance_hash(text, strlen(text)), memory_order_relaxed);
}

static bool is_same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

bool server_configure(struct server *server, const struct server_settings *was, const struct server_settings *now)
{
    if (now->weight != was->weight) {
        server->initial_weight = now->weight;
        server_set_weight(server, now->weight);
    }
    if (now->max_connections != was->max_connections)
        server_set_max_connections(server, now->max_connections);
    if (now->backup != was->backup)
        server_set_backup(server, now->backup);
    atomic_store_explicit(&server->max_pending, now->max_pending, memory_order_relaxed);
    if (addr_same(&now->address, &was->address) && is_same_text(now->host, was->host))
        return false;
    const struct addr before = server_address(server);
    server_set_location(server, &now->address, now->host);
    return !addr_same(&now->address, &before);
}

bool server_is_usable(const struct server *server)
{
    return server_has_address(server) && server_state(server) != SERVER_DOWN && server_admin(server) == SERVER_READY &&
           server_weight(server) > 0;
}

bool server_is_healthy(const struct server *server)
{
    enum server_state state = server_state(server);
    return server_is_usable(server) && (state == SERVER_UP || state == SERVER_UNCHECKED);
}

/* Of server->places. The two are one word so that both are taken or none: nobody sees a server full because of a place
 * that is about to be given back for want of the other. */
static const uint64_t IN_FLIGHT = 1, PENDING = 1ull << 32;

static uint32_t in_flight_of(uint64_t places)
{
    return (uint32_t)places;
}

static uint32_t pending_of(uint64_t places)
{
    return (uint32_t)(places >> 32);
}

uint32_t server_in_flight(const struct server *server)
{
    return in_flight_of(atomic_load_explicit(&server->places, memory_order_relaxed));
}

uint32_t server_pending(const struct server *server)
{
    return pending_of(atomic_load_explicit(&server->places, memory_order_relaxed));
}

uint32_t server_max_pending(const struct server *server)
{
    return atomic_load_explicit(&server->max_pending, memory_order_relaxed);
}

uint32_t server_most_in_flight(const struct server *server)
{
    return peak_read(&server->most_in_flight);
}

void server_forget_peak(struct server *server)
{
    atomic_store_explicit(&server->most_in_flight.most, server_in_flight(server), memory_order_relaxed);
}

void server_note_most_in_flight(struct server *server, uint32_t most)
{
    peak_note(&server->most_in_flight, most);
}

static bool is_room_in(const struct server *server, uint64_t places)
{
    uint32_t most = server_max_connections(server), most_pending = server_max_pending(server);
    return (most == 0 || in_flight_of(places) < most) && (most_pending == 0 || pending_of(places) < most_pending);
}

/* Like the gauge of those who wait sequentially consistent, as is all that changes the word: a waiter that saw a full
 * server is seen by whoever frees a place. */
bool server_has_room(const struct server *server)
{
    return is_room_in(server, atomic_load(&server->places));
}

bool server_take_place(struct server *server)
{
    uint64_t places = atomic_load(&server->places);
    do {
        if (!is_room_in(server, places))
            return false;
    } while (!atomic_compare_exchange_weak(&server->places, &places, places + IN_FLIGHT + PENDING));
    peak_note(&server->most_in_flight, in_flight_of(places) + 1);
    return true;
}

void server_adopt_place(struct server *server, bool pending)
{
    uint64_t before = atomic_fetch_add(&server->places, pending ? IN_FLIGHT + PENDING : IN_FLIGHT);
    peak_note(&server->most_in_flight, in_flight_of(before) + 1);
}

void server_answered(struct server *server)
{
    atomic_fetch_sub(&server->places, PENDING);
}

void server_give_place(struct server *server, bool pending)
{
    atomic_fetch_sub(&server->places, pending ? IN_FLIGHT + PENDING : IN_FLIGHT);
}

void server_note_failure(struct server *server)
{
    atomic_fetch_add_explicit(&server->failures, 1, memory_order_relaxed);
}

uint32_t server_take_failures(struct server *server)
{
    return atomic_exchange_explicit(&server->failures, 0, memory_order_relaxed);
}
