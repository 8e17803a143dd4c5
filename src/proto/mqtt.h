/* proto/mqtt.h: MQTT 3.1, 3.1.1 and 5: fixed header, CONNECT, CONNACK, DISCONNECT.
 * Sources: MQTT 3.1 (2010), OASIS MQTT 3.1.1 and 5.0; section numbers below are those of 5.0 unless said. */
#ifndef MQGATE_PROTO_MQTT_H
#define MQGATE_PROTO_MQTT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/slice.h"
#include "proto/parse.h"

enum mqtt_type { /* section 2.1.2 */
                 MQTT_CONNECT = 1,
                 MQTT_CONNACK,
                 MQTT_PUBLISH,
                 MQTT_PUBACK,
                 MQTT_PUBREC,
                 MQTT_PUBREL,
                 MQTT_PUBCOMP,
                 MQTT_SUBSCRIBE,
                 MQTT_SUBACK,
                 MQTT_UNSUBSCRIBE,
                 MQTT_UNSUBACK,
                 MQTT_PINGREQ,
                 MQTT_PINGRESP,
                 MQTT_DISCONNECT,
                 MQTT_AUTH
};

/* "CONNECT", "PUBLISH", as the specification has it; "" for a number that is no type. */
const char *mqtt_type_name(enum mqtt_type type);
/* Of a return code of 3.1 and 3.1.1, of a reason code of 5 (section 2.4); "" for one without. */
const char *mqtt_return_name(uint8_t code);
const char *mqtt_reason_name(uint8_t code);

enum mqtt_version { MQTT_3_1 = 3, MQTT_3_1_1 = 4, MQTT_5 = 5 }; /* the protocol level byte, section 3.1.2.2 */

/* "3.1", "3.1.1", "5". */
const char *mqtt_version_name(enum mqtt_version version);

/* What the gate says in a CONNACK of 3.x, in 3.1.1 section 3.2.2.3, */
enum mqtt_return {
    MQTT_RETURN_VERSION = 1, /* unacceptable protocol version */
    MQTT_RETURN_CLIENT_ID = 2,
    MQTT_RETURN_SERVER_UNAVAILABLE = 3
};

/* and in a CONNACK or DISCONNECT of 5, section 2.4. */
enum mqtt_reason {
    MQTT_REASON_NORMAL = 0x00,
    MQTT_REASON_UNSPECIFIED = 0x80,
    MQTT_REASON_MALFORMED = 0x81,
    MQTT_REASON_VERSION = 0x84,
    MQTT_REASON_CLIENT_ID = 0x85,
    MQTT_REASON_SERVER_UNAVAILABLE = 0x88,
    MQTT_REASON_SHUTTING_DOWN = 0x8B,
    MQTT_REASON_KEEP_ALIVE = 0x8D,
    MQTT_REASON_TOO_LARGE = 0x95,
    MQTT_REASON_USE_ANOTHER_SERVER = 0x9C,
    MQTT_REASON_RATE_EXCEEDED = 0x9F
};

/* Section 2.1: at most 5 bytes. */
struct mqtt_header {
    enum mqtt_type type;
    uint8_t        flags;     /* low nibble */
    uint32_t       remaining; /* bytes behind the header, at most 268,435,455 */
    bool           padded;    /* the length took more bytes than it needs: malformed in 5 (section 1.5.5) */
};

/* Checks type, the flags that the specification fixes (section 2.1.3), and the length encoding. Its shortest form is
 * a rule of 5 only: some clients of 3.1.1 always send four bytes, and that is told by padded. */
enum parse mqtt_parse_header(struct slice in, struct mqtt_header *out, size_t *used);

/* A whole CONNECT. Slices point into the input. */
struct mqtt_connect {
    enum mqtt_version version;
    bool              clean; /* Clean Session, in 5 Clean Start */
    uint16_t          keep_alive_s;
    uint32_t          maximum_packet_size; /* that it takes, in 5, section 3.1.2.11.4; 0: any */
    struct slice      client_id;           /* may be empty */
    bool              has_will, has_user, has_password;
    struct slice      user;
};

/* Why a CONNECT is refused: what the gate answers depends on it. */
enum mqtt_fault {
    MQTT_FAULT_NONE,
    MQTT_FAULT_NOT_CONNECT,   /* the first byte is none of CONNECT, or its flags are not 0 */
    MQTT_FAULT_NOT_MQTT,      /* the protocol name is another */
    MQTT_FAULT_LEVEL,         /* the name is right, the level unknown */
    MQTT_FAULT_MALFORMED,     /* in 3.1 or 3.1.1, or before the version was read */
    MQTT_FAULT_MALFORMED_5,   /* in 5 */
    MQTT_FAULT_TOO_LARGE,     /* larger than max_size, in 3.1 or 3.1.1 */
    MQTT_FAULT_TOO_LARGE_5,   /* larger than max_size, in 5 */
    MQTT_FAULT_EMPTY_ID_3_1,  /* 3.1 asks for 1 to 23 characters */
    MQTT_FAULT_EMPTY_ID_3_1_1 /* without clean session */
};

/* in: from the first byte of a connection. OK: *used = length of the whole packet. MORE: nothing wrong so far. BAD:
 * *fault says why, as soon as a field is there that cannot be good; else *fault is untouched. max_size: bytes of the
 * whole packet; a larger one is refused once its version is read, at most 14 bytes into it.
 * Checked: sections 3.1.1 to 3.1.3 whole: flags against payload, UTF-8 (1.5.4), properties, their types and their
 * repetition, will, and that the lengths add up. */
enum parse mqtt_parse_connect(struct slice in, size_t max_size, struct mqtt_connect *out, size_t *used,
                              enum mqtt_fault *fault);

struct mqtt_connack {
    bool     session_present;
    uint8_t  code; /* return code in 3.x, reason code in 5 */
    bool     has_server_keep_alive;
    uint16_t server_keep_alive_s; /* 5, section 3.2.2.3.14 */
};

/* A whole CONNACK of the version that CONNECT asked for; to 5 also a refusal in the form of 3.1.1 ("unacceptable
 * protocol version"), from a server that does not know 5. The caller bounds the length of in. */
enum parse mqtt_parse_connack(struct slice in, enum mqtt_version version, struct mqtt_connack *out, size_t *used);

/* A CONNECT of 3.1.1, clean session, with this client id (at most 23 bytes) and keep-alive, no user. Returns its
 * length; 0 when cap is too small or the id too long. */
size_t mqtt_encode_connect(struct slice client_id, uint16_t keep_alive_s, uint8_t *out, size_t cap) MUST_CHECK;
/* A CONNACK that refuses: in 3.x with an enum mqtt_return, in 5 with an enum mqtt_reason and, when they are not empty,
 * this Reason String and Server Reference. Returns its length; 0 when cap is too small or a string longer than 65,535
 * bytes. */
size_t mqtt_encode_connack(enum mqtt_version version, uint8_t code, struct slice reason, struct slice server_reference,
                           uint8_t *out, size_t cap) MUST_CHECK;
/* The two-byte DISCONNECT of 3.1.1; also a valid one of 5 (reason 0x00). Returns 2; 0 when cap is too small. */
size_t mqtt_encode_disconnect(uint8_t *out, size_t cap) MUST_CHECK;
/* A DISCONNECT of 5 with this Reason String, in any case: without a property some clients do not see the code; and with
 * this Server Reference, when it is not empty. Returns its length; 0 when cap is too small or a string longer than
 * 65,535 bytes. */
size_t mqtt_encode_disconnect_5(enum mqtt_reason code, struct slice reason, struct slice server_reference, uint8_t *out,
                                size_t cap) MUST_CHECK;

#endif
