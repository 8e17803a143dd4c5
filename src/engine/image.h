/* engine/image.h: a session and a listening socket as facts that another process reads back. Private to engine/.
 *
 * What is here is written down between versions: see base/image.h. Whatever is enumerated goes by its name. */
#ifndef MQGATE_ENGINE_IMAGE_H
#define MQGATE_ENGINE_IMAGE_H

#include "base/addr.h"
#include "base/image.h"
#include "tls/carry.h"

enum { IMAGE_NAME_MAX = 32 };

struct flow_image {
    uint64_t     bytes;
    bool         eof, shut;
    struct slice in_hand;
};

/* struct mqtt_follow. */
struct follow_image {
    uint32_t left;
    uint8_t  header[5];
    uint8_t  header_len;
    uint8_t  code;
    uint8_t  strings;
    uint16_t skip;
    uint16_t number;
    bool     has_server_keep_alive;
    bool     greeted;
    uint8_t  look;
};

/* struct ws_frames. */
struct frames_image {
    uint64_t left;
    uint8_t  mask[4];
    uint16_t close_code;
    uint8_t  header_read;
    uint8_t  header_len;
    uint8_t  first;
    uint8_t  passed;
    bool     masked, in_message, closed;
};

/* struct mqtt_facts. */
struct mqtt_image {
    bool                is; /* there is one */
    uint8_t             version;
    bool                clean, has_connack, disconnected, loose;
    uint8_t             connack;
    uint16_t            keep_alive_s;
    uint32_t            silence_ms;
    uint32_t            connect_left;
    bool                has_user;
    struct slice        client_id, user;
    struct follow_image up, down;
};

/* struct ws_facts, and its opening. */
struct ws_image {
    bool                is;
    struct frames_image up, down;
    uint16_t            fault;
    bool                cut;
    bool                opens;
    struct frames_image opening;
    uint32_t            fed;
    struct slice        packet, request, subprotocol, accept;
};

struct via_image {
    bool         is;
    struct addr  peer, dst;
    struct slice tlvs;
};

/* How it goes on. */
enum session_phase {
    PHASE_LOST,      /* it does not: its end is told and counted */
    PHASE_TURN,      /* from where it is let in, known and with nothing done for it */
    PHASE_PICK,      /* from the choice of a server on */
    PHASE_AS_IT_WAS, /* in the state that it was in */
    PHASES
};

struct session_image {
    enum session_phase  phase;
    uint64_t            id;
    uint32_t            worker;
    struct slice        listener, backend, server;    /* names; "": none */
    uint32_t            bind;                         /* of the listener's addresses */
    int                 client_fd, server_fd;         /* -1: none */
    uint64_t            client_cookie, server_cookie; /* sock_cookie(), where descriptors get other numbers; else 0 */
    struct stream_image client_tls;
    char                state[IMAGE_NAME_MAX], ended_in[IMAGE_NAME_MAX], why[IMAGE_NAME_MAX], protocol[IMAGE_NAME_MAX],
        carrier[IMAGE_NAME_MAX];
    bool              ends, sheds, farewell_said, shed, in_backend, has_header, is_tls, is_tls_1_2;
    bool              held, pending; /* of its place at the server */
    bool              redispatched, has_source, tls_is_due;
    uint8_t           n_tries;
    uint32_t          error;
    struct addr       address; /* the client's */
    uint32_t          packet_max;
    struct flow_image up, down;
    struct mqtt_image mqtt;
    struct ws_image   ws;
    struct via_image  via;
    uint64_t          age_ms;
    uint32_t          left_ms; /* until its deadline; 0: it has none */
    uint32_t          greet_ms, wait_ms, connect_ms, queue_place;
};

extern const struct image_kind session_image_kind;

struct socket_image {
    struct slice listener; /* name */
    uint32_t     bind;     /* of its addresses */
    struct addr  asked;    /* what the configuration says */
    int          fd;
    uint64_t     cookie; /* as above */
    bool         paused;
};

extern const struct image_kind socket_image_kind;

struct engine_image {
    uint16_t boot_id;
    uint64_t next_id;
    uint32_t max_connections; /* set by an operator; 0: not */
    uint32_t connection_limit, session_limit, ssl_session_limit;
};

extern const struct image_kind engine_image_kind;

#endif
