/* engine/session.h: one client connection from accept to close, as plain facts.
 *
 * Private to engine/. A session belongs to one worker and is touched by that worker's thread only. Its state has one
 * writer, session_enter(); events become facts in struct side, and session_advance() walks the states from them. */
#ifndef MQGATE_ENGINE_SESSION_H
#define MQGATE_ENGINE_SESSION_H

#include "base/buf.h"
#include "engine/deadline.h"
#include "engine/loop.h"
#include "engine/why.h"
#include "proto/tell.h"
#include "snapshot/snapshot.h"
#include "tls/stream.h"

struct mqtt_facts;
struct ws_facts;
struct era;
struct worker;

enum session_state {
    ST_TELL,             /* the first bytes are awaited that tell what the client speaks */
    ST_PROXY_HEADER,     /* the PROXY header is read */
    ST_TURN,             /* rate_limit lets it wait */
    ST_HANDSHAKE,        /* TLS with the client */
    ST_UPGRADE,          /* the head of the client's HTTP request is read */
    ST_ANSWER,           /* 101 goes out to it */
    ST_CONNECT_PACKET,   /* the MQTT CONNECT is read */
    ST_PICK,             /* a server is chosen */
    ST_QUEUE,            /* all servers are full */
    ST_PAUSE,            /* all servers have been tried; a moment until the next round */
    ST_TURN_AGAIN,       /* and rate_limit lets it wait for that */
    ST_CONNECT,          /* to the server */
    ST_GREET,            /* the PROXY header goes out */
    ST_SERVER_HANDSHAKE, /* TLS with the server */
    ST_SERVER_HEAD,      /* the head goes to the server, and its answer is read */
    ST_OFFER,            /* the server is there, and rate_limit lets the session wait before it says anything */
    ST_RELAY,
    ST_LINGER, /* what the client has to hear goes out, and its end is awaited */
    ST_CLOSED,
    ST_COUNT
};

extern const char *const session_state_names[ST_COUNT];

enum { SESSION_PAUSE_MS = 1000 };  /* ST_PAUSE, as HAProxy waits before it tries the same server again */
enum { SESSION_LINGER_MS = 2000 }; /* ST_LINGER: for the client to go once it has heard why */
enum { CLIENT, SERVER };
enum direction { UP, DOWN }; /* to the server, to the client */

/* One of the two connections. */
struct side {
    struct loop_io io; /* edge-triggered: an event is told once, and what it said stays here until it is used up */
    struct stream  stream;
    uint8_t        read_wants; /* EPOLLIN, or what TLS asked for instead */
    uint8_t        write_wants;
    bool           readable; /* as far as is known */
    bool           writable;
    bool           urgent; /* urgent data has come: a read may end before it, and the socket is not empty */
    bool           ended;  /* its end has come: behind what is to be read nothing will make an event any more */
};

/* Bytes going one way. */
struct flow {
    struct buf *buf;   /* read from one side, not yet taken by the other; NULL: none */
    uint64_t    bytes; /* up: received from the client; down: delivered to it */
    bool        bulk;  /* at the last read there was as much as a buffer takes, or more */
    bool        eof;   /* the sender ended */
    bool        shut;  /* and the receiver was told, or is gone */
};

/* What a PROXY header brought. */
struct via {
    struct addr peer; /* who sent the header */
    struct addr dst;  /* where the client wanted to go; not set: unknown */
    uint16_t    tlvs_len;
    uint8_t     tlvs[]; /* to be passed on */
};

struct early;

struct session {
    struct side           side[2];
    struct flow           flow[2];
    enum session_state    state;
    enum session_state    ended_in;      /* where why came up */
    enum why              why;           /* why it is about to end, or has ended */
    enum tls_carrier      carrier;       /* of TLS with the client, once is_tls */
    const char           *detail;        /* what more there is to say of it; NULL: nothing. Static */
    bool                  ends;          /* why is settled: later causes do not replace it */
    bool                  sheds;         /* mqgate ends the relaying, see relay_shed() */
    bool                  farewell_said; /* and its client has been told, where there are words for it */
    bool                  shed;          /* counted among those that are asked to go and are not over */
    bool                  again;         /* in the worker's list of sessions with work left over */
    bool                  in_backend;    /* counted there */
    bool                  has_header;    /* it began with a PROXY header */
    bool                  is_tls;        /* the handshake with the client is done */
    bool                  is_tls_1_2;
    bool                  has_server; /* lease.index names the one that it is at, or was at to the end */
    struct lease          lease;      /* of a server of the backend */
    uint8_t               n_tries;
    bool                  redispatched; /* a later try went to another server */
    int                   error;        /* errno of the last try to reach a server */
    uint64_t              id;
    struct addr           client;  /* the real one, as far as known */
    uint32_t              source;  /* its place in the listener's table of sources; 0: none */
    uint32_t              look_at; /* bytes that must be there before the CONNECT, or what it is, is looked at again */
    uint32_t              packet_max; /* bytes of an MQTT packet that the client takes; 0: any */
    struct mqtt_facts    *mqtt;       /* NULL: no CONNECT was let in; owned */
    struct ws_facts      *ws;         /* NULL: no WebSocket; owned */
    struct via           *via;        /* NULL: no PROXY header, or one without addresses; owned */
    struct early         *early;      /* in ST_TURN: what came with the PROXY header; owned */
    struct buf           *greeting;   /* PROXY header on its way to the server */
    struct worker        *worker;
    struct era           *era; /* it began in, whose snapshot is its own */
    struct snap_listener *listener;
    struct snap_bind     *bind;     /* of listener */
    struct snap_backend  *backend;  /* where it goes; NULL: that is not known yet */
    struct tls_server    *tls;      /* what its TLS is ended by; NULL: it speaks plain, or has not been told apart */
    enum conf_protocol    protocol; /* what the client speaks; PROTOCOL_AUTO: it has not been told */
    struct deadline       deadline;
    struct pool_waiter    waiter;      /* which servers it has tried, too */
    uint64_t              begun_ms;    /* monotonic */
    uint32_t              greet_ms;    /* from accept until it came to the backend */
    uint32_t              wait_ms;     /* from accept until a server was chosen */
    uint32_t              connect_ms;  /* until the server was ready, then */
    uint32_t              queue_place; /* when it joined the queue, from 1; 0: it never waited */
    struct session       *prev, *next; /* the worker's live sessions, or its graveyard */
    struct session       *again_prev, *again_next;
    struct pace_waiter    turn; /* in ST_TURN, ST_TURN_AGAIN and ST_OFFER */
};

/* Takes fd over, and the place in the listener's table of sources; gives both back when there is no memory. */
void session_begin(struct worker *w, struct snap_bind *bind, int fd, const struct addr *peer, uint32_t source);
/* Does all that can be done now. */
void session_advance(struct session *s);
/* The deadline of the state it is in has passed. */
void session_timed_out(struct session *s);
/* Of allow and deny, deny first. */
bool session_allows(const struct conf_listener *conf, const struct addr *client);
/* Of per_source: a place for client in the table of sources. COUNTS, or, when a limit forbids it, as what that is to be
 * counted. The place may be 0: there is no table, or no room in it. */
enum count session_take_source(struct worker *w, const struct snap_bind *bind, const struct addr *client,
                               uint32_t *place) MUST_CHECK;
/* A place may be free: the session waits in ST_QUEUE. */
void session_retry_queue(struct session *s);
/* Idempotent; s stays readable until the loop turns. */
void session_close(struct session *s, enum why why);
/* At the end of a loop turn. */
void session_free(struct session *s);

static inline const struct conf_timeouts *session_timeouts(const struct session *s)
{
    return &s->listener->conf->timeouts;
}

static inline struct snap_server *session_server(const struct session *s)
{
    return &s->backend->servers[s->lease.index];
}

/* What holds for whoever is asked to go, as configured now. */
const struct conf_drain *session_drain(const struct session *s);

/* A step's verdict. */
enum step { STEP_NEXT, STEP_WAIT, STEP_CLOSED };

/* The only writer of s->state. */
void      session_enter(struct session *s, enum session_state to);
enum step session_step_to(struct session *s, enum session_state to); /* STEP_NEXT */
enum step session_step_fail(struct session *s, enum why why);        /* STEP_CLOSED */
/* How long it may be in the state that it is in; 0: that is not limited, or by an earlier state's limit. */
uint32_t session_timeout_ms(const struct session *s);
/* Settles why the session is to end once all is delivered; the first cause stays. */
void session_ends(struct session *s, enum why why);
/* What the end says of the session is settled now, as of the state that it is in. */
void session_settle_end(struct session *s, enum why why);

/* Of a session that begins: as session_side_reset(), and what happens to the connection is the session's to know. */
void session_side_init(struct session *s, int which, int fd);
/* A new plain connection on this side; nothing is known of it but that it may be written to. fd -1: none. */
void session_side_reset(struct side *d, int fd);
/* This side has no more to read, or takes no more, until the event that io, IO_WANT_READ or IO_WANT_WRITE, asks for;
 * after a read that said IO_AGAIN, or before what no event will tell of again, until the session's next turn. */
void session_side_unreadable(struct session *s, int which, enum io io);
void session_side_unwritable(struct side *d, enum io io);
/* The bytes in hand are gone. */
void session_drop_bufs(struct session *s);
/* Its TLS state and descriptor are gone. */
void session_side_close(struct session *s, int which);
/* EPOLLIN, EPOLLOUT: what has to happen there before the session goes on. */
uint32_t session_side_wanted(const struct session *s, int which);

/* tell.c */
enum step step_tell(struct session *s);
/* What a plain connection says is looked at but not read. IO_OK: *told is not TELL_MORE, and the socket is as it was.
 * IO_WANT_READ: it becomes readable when there is more; *look_at, 0 at first, is kept for the next call. IO_EOF,
 * IO_RESET: it has ended. */
enum io tell_peek(int fd, const char *ws_path, uint32_t *look_at, enum tell *told) MUST_CHECK;
/* greet.c: from the first byte to a session that knows its client. */
/* It has been told that the client speaks s->protocol, or begins with s->tls. */
enum step greet_told(struct session *s);
/* Whether the client's address may send PROXY headers. */
bool greet_trusts(const struct session *s);
/* Reads once more what may not be payload. STEP_NEXT: there are new bytes, or the end. */
enum step greet_read(struct session *s);
enum step step_proxy_header(struct session *s);
enum step step_handshake(struct session *s);
/* The work for a known client begins: TLS, or a server for its payload. */
enum step session_let_in(struct session *s);
void      proxy_header_timed_out(struct session *s);
/* turn.c: between knowing the client and working for it. */
enum step turn_await(struct session *s); /* at once where rate_limit allows it */
enum step step_turn(struct session *s);
/* In ST_TURN: what came with the PROXY header. */
struct slice turn_early_bytes(const struct session *s);
/* It does not come to its turn: it hears why, if its CONNECT has come. */
enum step turn_refuse(struct session *s, enum why why);
/* Each round of tries takes a turn, so that no server is rushed at when it comes back. */
void turn_await_again(struct session *s);
/* Sessions begin at the limit's pace and come to their servers at any: what servers are told is paced once more. */
enum step turn_await_offer(struct session *s);
void      turn_left(struct session *s); /* called as it leaves any of the three states, whatever for */
void      turn_refused(struct session *s);
/* intake.c: from there to one that may go to a server. */
enum step step_connect_packet(struct session *s);
/* Reads once more from the client. STEP_NEXT: there are new bytes, or the end. */
enum step intake_read(struct session *s);
/* upgrade.c */
enum step step_upgrade(struct session *s);
/* The client is answered 503 before its head has come whole. */
enum step upgrade_refuse(struct session *s, enum why why);
enum step step_answer(struct session *s);
enum step step_server_head(struct session *s);
/* linger.c */
/* The server's side is over; what waits for the client goes out, and its end is awaited. */
enum step session_linger(struct session *s);
enum step step_linger(struct session *s);
/* What waits for the client, outside ST_RELAY. STEP_NEXT: it is out. */
enum step session_say(struct session *s);
/* The session is over but for answer, which is handed over and goes out to the client. */
enum step session_step_linger(struct session *s, enum why why, struct buf *answer);
/* refuse.c */
/* A server that the session needs cannot be had: the client hears so where its protocol has words for it. */
enum step session_step_no_server(struct session *s, enum why why);
/* connect.c: from there to a server that takes bytes. */
enum step step_pick(struct session *s);
enum step step_connect(struct session *s);
enum step step_greet(struct session *s);
enum step step_server_handshake(struct session *s);
void      connect_timed_out(struct session *s);
/* One try is lost; another server, or the same after a pause, while tries are left. error: errno; 0: see
 * stream_failure() */
enum step connect_try_failed(struct session *s, int error, enum why why);
/* The server can take what the client says. */
enum step connect_done(struct session *s);
/* And may: the session relays. */
enum step connect_carry(struct session *s);
/* Reads what the client sends meanwhile, up to a buffer; notices when it goes away. */
enum step watch_waiting_client(struct session *s);
/* Gives the server's place back and tells those who wait for one; the server is still the session's. */
void session_leave_server(struct session *s);
/* The server has answered what it was asked first: the session is pending there no more. */
void session_server_answered(struct session *s);
/* relay.c */
enum step step_relay(struct session *s);
void      relay_received(struct session *s, enum direction dir, size_t n); /* counts bytes that a side sent */
enum why  relay_why(int which, enum io io); /* what a failed read or write on CLIENT or SERVER means */
uint32_t  relay_timeout_ms(const struct session *s);
void      relay_timed_out(struct session *s);
/* The duration of the deadline has changed. */
void relay_restart_deadline(struct session *s);
/* mqgate ends the session, in order: what is in hand is delivered, both ways; a client of MQTT 5 is told why between
 * two packets. Call session_advance() afterwards, unless in a step of s. Nothing happens to one that is ending. */
void relay_shed(struct session *s, enum why why);
/* access_log.c */
/* What the side that failed says of s->why; NULL: nothing. Static. */
const char *access_log_detail(const struct session *s);
void        access_log_start(struct session *s);
void        access_log_end(struct session *s);
/* access_tcplog.c */
void access_tcplog_start(struct session *s);
void access_tcplog_end(struct session *s);
/* termination.c: of why, state and what led there; returns out. */
const char *termination_code(const struct session *s, char out[3]);

#endif
