/* tls/stream.h: bytes over one connected, non-blocking socket, plain or TLS; callers need not know which.
 *
 * A stream starts plain with stream_plain(). stream_start_server() or stream_start_client() turns it into TLS, then
 * stream_handshake() is called until it says IO_OK. The descriptor belongs to the caller throughout. */
#ifndef MQGATE_TLS_STREAM_H
#define MQGATE_TLS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "tls/context.h"

enum io {
    IO_OK,         /* done; for read and write *n >= 1 bytes moved */
    IO_WANT_READ,  /* all that had come was read: wait until the socket is readable, then call again */
    IO_WANT_WRITE, /* wait until it is writable, then call again */
    IO_AGAIN,      /* read: more waits inside, and others have their turn first: call again, whatever the socket does */
    IO_EOF,        /* read: the peer ended its direction (FIN, or close_notify; many devices send FIN alone) */
    IO_RESET,      /* the peer or the network is gone; errno tells */
    IO_FAILED,     /* TLS: the peer broke the protocol or could not be trusted; stream_failure() tells */
    IO_NO_MEMORY
};

struct tls_session; /* the TLS half of a stream */

struct stream {
    int                 fd;
    struct tls_session *tls; /* NULL: plain; owned */
};

static inline struct stream stream_plain(int fd)
{
    return (struct stream){.fd = fd, .tls = 0};
}

/* Bytes of the ClientHello that were read before are given in `seen` and copied. False when memory is out: then the
 * stream is still plain. */
bool stream_start_server(struct stream *s, const struct tls_server *server, struct slice seen) MUST_CHECK;
/* sni: the name to send and to check the certificate against, at most 255 bytes; an IP address is only checked against.
 * NULL or "": the chain alone is checked. False when memory is out, as above. */
bool stream_start_client(struct stream *s, const struct tls_client *client, const char *sni) MUST_CHECK;
/* IO_OK when the handshake is complete; IO_EOF when the peer closed before it was. */
enum io stream_handshake(struct stream *s) MUST_CHECK;

/* Detaching: the connection goes on without OpenSSL's object, which takes twenty times the memory of what is needed. */
struct tls_worker; /* what detached streams of one thread share: cipher contexts, buffers for records */
/* NULL when memory is out. */
struct tls_worker *tls_worker_new(void);
/* After the last stream that was detached with it. NULL is fine. */
void tls_worker_free(struct tls_worker *worker);
/* As buf_pool_has_spare() and buf_pool_shrink(), of its buffers and of the cipher contexts of those that were busy.
 * How many of these went back to the heap. */
bool   tls_worker_has_spare(const struct tls_worker *worker);
size_t tls_worker_shrink(struct tls_worker *worker);

enum tls_carrier {
    TLS_DETACHED,
    TLS_KEPT_OPTION, /* the settings do not want it, or it is a client's stream */
    TLS_KEPT_SUITE,  /* a suite that the record layer does not know */
    TLS_KEPT_STATE,  /* OpenSSL holds what cannot be taken out of it */
    TLS_KEPT_MEMORY,
    TLS_CARRIERS
};
extern const char *const tls_carrier_names[TLS_CARRIERS]; /* "detached", "kept_option" ... */

/* Once, right after stream_handshake() has said IO_OK. Whatever it says, the stream can be used as before: by the
 * worker's thread only, when it is detached. */
enum tls_carrier stream_detach(struct stream *s, struct tls_worker *worker);

/* IO_RESET, IO_FAILED and IO_NO_MEMORY are final on a TLS stream: later calls say the same again. */
/* Reads at most cap bytes into to; cap >= 1. */
enum io stream_read(struct stream *s, uint8_t *to, size_t cap, size_t *n) MUST_CHECK;
/* Writes some of bytes, of which there is at least one; *n may be less than bytes.len. After IO_WANT_* call again with
 * the same bytes first (they may have moved in memory, and more may stand behind them). */
enum io stream_write(struct stream *s, struct slice bytes, size_t *n) MUST_CHECK;
/* The same of bytes that others follow: they may wait for those, up to 200 ms, to go out in one segment (MSG_MORE). */
enum io stream_write_more(struct stream *s, struct slice bytes, size_t *n) MUST_CHECK;
/* Decrypted or undecrypted bytes wait inside the stream: the socket need not become readable for stream_read() to
 * return something. Always false on a plain stream. */
bool stream_has_pending(const struct stream *s);
/* The socket was empty when it was last read, and nothing waits inside, nor an end: the next byte makes an event. May
 * be false although it is so; always false on a plain stream. */
bool stream_is_drained(const struct stream *s);
/* Ends our direction: close_notify when TLS, then shutdown(2) for writing. IO_OK, or IO_WANT_WRITE, or IO_RESET. The
 * peer may go on sending. Every stream_write() must have ended. */
enum io stream_shutdown(struct stream *s) MUST_CHECK;
/* The first half of that, for a socket that is closed right afterwards: close(2) does the rest. IO_OK, IO_WANT_WRITE.
 */
enum io stream_notify(struct stream *s) MUST_CHECK;
/* Frees the TLS half, wiping secrets; fd stays open and is the caller's to close. */
void stream_fini(struct stream *s);

enum { TLS_FIRST_BYTES = 32 };
/* The first bytes that came over a TLS stream, at most TLS_FIRST_BYTES, as they came; none of a plain one. */
struct slice stream_first_bytes(const struct stream *s);

/* Why stream_handshake(), stream_read() or stream_write() said IO_FAILED: short, one line, as OpenSSL says it. "" when
 * nothing failed. Static. */
const char *stream_failure(const struct stream *s);

enum { TLS_NAME_MAX = 256 }; /* bytes, NUL included; a DNS name has at most 255 */

/* What the handshake settled, for PROXY headers, logs and statistics. Strings are "" where there is nothing. */
struct tls_facts {
    const char *version;           /* "TLSv1.3"; static */
    const char *cipher;            /* OpenSSL's name; the stream's */
    char        sni[TLS_NAME_MAX]; /* only what is a valid host name */
    char        alpn[TLS_NAME_MAX];
    char        peer_cn[TLS_NAME_MAX];   /* subject CN of the client's certificate, UTF-8; "" if it holds controls */
    char        cert_sig_alg[32];        /* of our own certificate that was used: "SHA256" */
    char        cert_key_alg[32];        /* "EC256", "RSA2048" as HAProxy writes ssl_f_key_alg */
    bool        has_peer_cert;           /* presented in this connection or in the session resumed */
    bool        peer_cert_in_connection; /* presented in this connection, not in an earlier one of the session */
    bool        peer_verified;           /* and the chain is good */
    bool        resumed;
};

/* False, and out empty, on a plain stream or before the handshake is complete. Still there when the connection ended.
 */
bool stream_facts(const struct stream *s, struct tls_facts *out);

#endif
