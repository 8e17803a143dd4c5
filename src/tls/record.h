/* tls/record.h: the record layer of a connection past its handshake of which we are the server: TLS 1.3 (RFC 8446
 * sections 4.6.3, 5, 6) and the AEAD suites of TLS 1.2 (RFC 5246 section 6, RFC 5288, RFC 7905). Pure functions over
 * memory; what a connection is, is in struct record, which holds no pointer and can be written down and read back. */
#ifndef MQGATE_TLS_RECORD_H
#define MQGATE_TLS_RECORD_H

#include "tls/aead.h"
#include "tls/context.h"

enum {                           /* bytes */
       RECORD_HEADER_LEN = 5,    /* type, version, length of what follows */
       RECORD_PLAIN_MAX = 16384, /* of content in one record */
       RECORD_BODY_MAX =
           16384 + 256, /* behind the header; more than any TLS 1.2 AEAD suite makes of RECORD_PLAIN_MAX */
       RECORD_LEN_MAX = RECORD_HEADER_LEN + RECORD_BODY_MAX,
       RECORD_OVERHEAD = 5 + 8 + 16,            /* that sealing adds at most: header, explicit nonce, tag */
       RECORD_ANSWER_MAX = RECORD_OVERHEAD + 5, /* what record_answer() writes at most */
       RECORD_SECRET_MAX = 48
};

/* Records that one key seals in TLS 1.3. RFC 8446 section 5.5: of AES-GCM 2^24.5 full ones. */
enum { RECORD_KEY_USES = 1 << 24 };

/* One direction. */
struct record_half {
    uint64_t        seq; /* of the next record */
    struct aead_key key;
    uint8_t         iv[AEAD_NONCE_LEN];        /* TLS 1.2 AES-GCM: the first 4 bytes, the rest is in each record */
    uint8_t         secret[RECORD_SECRET_MAX]; /* TLS 1.3: what the next key is made of */
};

struct record {
    enum tls_version   version;
    enum aead_cipher   cipher;
    uint8_t            hash_len;    /* of the suite: 32 for SHA-256, 48 for SHA-384 */
    bool               update_due;  /* the peer has asked for new keys, and we have not answered */
    bool               refusal_due; /* or for another handshake */
    bool               ended;       /* the peer sent close_notify: nothing more of it counts */
    bool               closed;      /* we did */
    uint8_t            n_message;   /* bytes of a handshake message that have come, up to its fifth */
    uint8_t            message[5];
    uint16_t           fragment_max; /* content of one record, both ways; RFC 6066 section 4 may lower it */
    uint32_t           skip;         /* bytes of a refused handshake message that are to come */
    struct record_half in, out;
};

/* After TLS 1.3's handshake: in.secret and out.secret are set, as are version, cipher, hash_len, fragment_max and both
 * seq. False when memory is out. */
bool record_derive_1_3(struct record *r) MUST_CHECK;
/* After TLS 1.2's; each random has 32 bytes, master 48. All but secrets are set, as above. */
bool record_derive_1_2(struct record *r, const uint8_t *master, const uint8_t *client_random,
                       const uint8_t *server_random) MUST_CHECK;
/* Wiped; the thread's contexts know the keys no more. */
void record_fini(struct record *r, struct aead *aead);

enum record_got {
    RECORD_MORE,    /* there is no whole record */
    RECORD_DATA,    /* at least one byte for the application */
    RECORD_NOTHING, /* a good record without such */
    RECORD_END,     /* close_notify */
    RECORD_ALERT,   /* the peer gave up; why says what for */
    RECORD_FAULT,   /* the peer is wrong: it is owed the alert, and the connection is over */
    RECORD_NO_MEMORY
};

struct record_opened {
    size_t       used;  /* bytes of in that are done with; 0 for RECORD_MORE, RECORD_ALERT and RECORD_FAULT */
    struct slice data;  /* of RECORD_DATA: in out, or in the record itself */
    uint8_t      alert; /* of RECORD_FAULT */
    const char  *why;   /* of RECORD_ALERT and RECORD_FAULT, one line; static */
};

/* Opens the record that in begins with, of which len bytes are there. It is decrypted into out where that has the
 * room, else in its own place. Not to be called once it has said RECORD_END or what is below. */
enum record_got record_open(struct record *r, struct aead *aead, uint8_t *in, size_t len, uint8_t *out, size_t cap,
                            struct record_opened *opened) MUST_CHECK;

/* Something goes out before the next data: the answer to a peer that asked for new keys or another handshake, or new
 * keys of ours since the old ones are used up. */
bool record_has_answer(const struct record *r);
/* Writes that to out, at most RECORD_ANSWER_MAX bytes, of which there are *len. False when memory is out. */
bool record_answer(struct record *r, struct aead *aead, uint8_t *out, size_t *len) MUST_CHECK;

/* One record of 1 to fragment_max bytes of data; out has room for RECORD_OVERHEAD more. False when memory is out, or
 * in TLS 1.2 the sequence numbers are. */
bool record_seal(struct record *r, struct aead *aead, struct slice data, uint8_t *out, size_t *len) MUST_CHECK;

enum record_alert {
    ALERT_CLOSE_NOTIFY = 0,
    ALERT_UNEXPECTED_MESSAGE = 10,
    ALERT_BAD_RECORD_MAC = 20,
    ALERT_RECORD_OVERFLOW = 22,
    ALERT_ILLEGAL_PARAMETER = 47,
    ALERT_DECODE_ERROR = 50,
    ALERT_PROTOCOL_VERSION = 70,
    ALERT_INTERNAL_ERROR = 80,
    ALERT_USER_CANCELED = 90,
    ALERT_NO_RENEGOTIATION = 100
};

/* An alert that ends our direction; RECORD_OVERHEAD + 2 bytes at most. */
bool record_seal_alert(struct record *r, struct aead *aead, enum record_alert alert, uint8_t *out,
                       size_t *len) MUST_CHECK;

#endif
