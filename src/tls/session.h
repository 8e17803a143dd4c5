/* tls/session.h: the TLS half of a stream, for the files of this room that make up the stream; no other includes it. */
#ifndef MQGATE_TLS_SESSION_H
#define MQGATE_TLS_SESSION_H

#include <openssl/ssl.h>

#include "tls/bio.h"
#include "tls/stream.h"

struct handover;
struct detached;

struct tls_session {
    SSL             *ssl;      /* NULL: detached; owned */
    struct detached *detached; /* NULL: it is OpenSSL's connection; owned */
    struct handover *handover; /* what the handshake leaves for detaching; NULL: it does not detach; owned */
    struct wire      wire;
    const char      *failure;     /* static text; NULL when nothing failed */
    enum io          broken;      /* IO_OK, or what ended the connection for good */
    bool             established; /* the handshake was completed */
    bool             notified;    /* close_notify is on its way */
};

/* It is over: every later call says how, with errno as wire.error has it. Returns how. */
enum io session_break(struct tls_session *t, enum io how);
/* As stream_facts(), of OpenSSL's connection. */
void session_facts(const SSL *ssl, struct tls_facts *out);

/* handover.c */
/* From now on the handshake's secrets are kept. False when memory is out. */
bool handover_begin(struct tls_session *t) MUST_CHECK;
/* For SSL_CTX_set_keylog_callback(). */
void handover_on_secret(const SSL *ssl, const char *line);
void handover_end(struct tls_session *t); /* wipes them */

/* detached.c: as the calls of stream.h, of a session that is not broken. */
enum io detached_read(struct tls_session *t, uint8_t *to, size_t cap, size_t *n) MUST_CHECK;
enum io detached_write(struct tls_session *t, struct slice bytes, size_t *n) MUST_CHECK;
/* close_notify. IO_OK: it is out, or there is nobody to tell. */
enum io detached_notify(struct tls_session *t) MUST_CHECK;
bool    detached_has_pending(const struct detached *d);
bool    detached_is_drained(const struct detached *d);
void    detached_facts(const struct detached *d, struct tls_facts *out);
void    detached_free(struct detached *d); /* wiped; NULL is fine */

#endif
