#include "tls/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/slab.h"
#include "tls/certificate.h"
#include "tls/live.h"
#include "tls/names.h"
#include "tls/reason.h"
#include "tls/session.h"

/* ---- plain ---- */

static bool is_transient(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static enum io plain_read(int fd, uint8_t *to, size_t cap, size_t *n)
{
    ssize_t got = recv(fd, to, cap, 0);
    if (got > 0) {
        *n = (size_t)got;
        return IO_OK;
    }
    if (got == 0)
        return IO_EOF;
    return is_transient(errno) ? IO_WANT_READ : IO_RESET;
}

static enum io plain_write(int fd, struct slice bytes, int flags, size_t *n)
{
    ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | flags);
    if (sent >= 0) {
        *n = (size_t)sent;
        return IO_OK;
    }
    return is_transient(errno) ? IO_WANT_WRITE : IO_RESET;
}

/* ---- what OpenSSL's results mean ---- */

enum io session_break(struct tls_session *t, enum io how)
{
    t->broken = how;
    errno = t->wire.error;
    return how;
}

/* libssl says only "certificate verify failed"; the verifier knows why. */
static enum io session_fail(struct tls_session *t)
{
    bool no_memory;
    bool unverified = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    t->failure = reason_take(&no_memory);
    if (unverified)
        t->failure = X509_verify_cert_error_string(SSL_get_verify_result(t->ssl));
    return session_break(t, no_memory ? IO_NO_MEMORY : IO_FAILED);
}

/* What an SSL_*() call that returned ret means. */
static enum io session_outcome(struct tls_session *t, int ret)
{
    switch (SSL_get_error(t->ssl, ret)) {
    case SSL_ERROR_WANT_READ:
        return t->wire.receives_left > 0 ? IO_WANT_READ : IO_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        return IO_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return IO_EOF;
    case SSL_ERROR_SYSCALL:
        if (t->wire.error != 0)
            return session_break(t, IO_RESET);
        /* After our close_notify libssl drops what is no application data, a late session ticket say, and returns
         * without a reason. There may be more behind it. */
        return t->notified ? IO_AGAIN : session_fail(t);
    default:
        return session_fail(t);
    }
}

/* Before each call that works on the connection. False: the connection is over, and *how says in which way. */
static bool session_ready(struct tls_session *t, enum io *how)
{
    if (t->broken != IO_OK) {
        *how = session_break(t, t->broken);
        return false;
    }
    if (t->detached != NULL)
        return true;
    ERR_clear_error();
    wire_allow(&t->wire);
    return true;
}

/* ---- begin and end ---- */

static void session_free(struct tls_session *t)
{
    const bool was_moved = t->detached != NULL;
    handover_end(t);
    detached_free(t->detached);
    SSL_free(t->ssl);
    wire_fini(&t->wire);
    if (was_moved)
        slab_give(t);
    else
        free(t);
}

static struct tls_session *session_new(SSL_CTX *ctx, const BIO_METHOD *method, int fd, struct slice seen)
{
    struct tls_session *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->ssl = SSL_new(ctx);
    BIO *bio = bio_new(method, &t->wire);
    if (t->ssl == NULL || bio == NULL || !wire_init(&t->wire, fd, seen)) {
        BIO_free(bio);
        session_free(t);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_bio(t->ssl, bio, bio);
    return t;
}

bool stream_start_server(struct stream *s, const struct tls_server *server, struct slice seen)
{
    s->tls = session_new(server->contexts[0].ctx, server->method, s->fd, seen);
    if (s->tls == NULL)
        return false;
    if (server->detaches && !handover_begin(s->tls)) {
        stream_fini(s);
        return false;
    }
    SSL_set_accept_state(s->tls->ssl);
    return true;
}

/* RFC 6066 section 3: an address is no server name and must not be sent as one. */
static bool expect_peer(SSL *ssl, bool verifies, const char *name)
{
    struct addr ip;
    if (name == NULL || name[0] == '\0')
        return true;
    if (addr_parse_ip(name, &ip))
        return !verifies || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    if (SSL_set_tlsext_host_name(ssl, openssl_text(name)) != 1)
        return false;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return !verifies || SSL_set1_host(ssl, name) == 1;
}

bool stream_start_client(struct stream *s, const struct tls_client *client, const char *sni)
{
    struct tls_session *t = session_new(client->ctx, client->method, s->fd, slice_of(NULL, 0));
    if (t == NULL)
        return false;
    if (!expect_peer(t->ssl, client->verifies, sni)) {
        session_free(t);
        ERR_clear_error();
        return false;
    }
    SSL_set_connect_state(t->ssl);
    s->tls = t;
    return true;
}

void stream_fini(struct stream *s)
{
    if (s->tls == NULL)
        return;
    session_free(s->tls);
    ERR_clear_error();
    s->tls = NULL;
}

/* ---- bytes ---- */

enum io stream_handshake(struct stream *s)
{
    struct tls_session *t = s->tls;
    enum io             how = IO_OK;
    if (t == NULL || !session_ready(t, &how))
        return how;
    int ret = SSL_do_handshake(t->ssl);
    if (ret != 1)
        return session_outcome(t, ret);
    t->established = true;
    return IO_OK;
}

enum io stream_read(struct stream *s, uint8_t *to, size_t cap, size_t *n)
{
    struct tls_session *t = s->tls;
    enum io             how;
    *n = 0;
    if (t == NULL)
        return plain_read(s->fd, to, cap, n);
    if (!session_ready(t, &how))
        return how;
    if (t->detached != NULL)
        return detached_read(t, to, cap, n);
    int ret = SSL_read_ex(t->ssl, to, cap, n);
    return ret == 1 ? IO_OK : session_outcome(t, ret);
}

enum io stream_write(struct stream *s, struct slice bytes, size_t *n)
{
    struct tls_session *t = s->tls;
    enum io             how;
    *n = 0;
    if (t == NULL)
        return plain_write(s->fd, bytes, 0, n);
    if (!session_ready(t, &how))
        return how;
    if (t->detached != NULL)
        return detached_write(t, bytes, n);
    int ret = SSL_write_ex(t->ssl, bytes.ptr, bytes.len, n);
    return ret == 1 ? IO_OK : session_outcome(t, ret);
}

enum io stream_write_more(struct stream *s, struct slice bytes, size_t *n)
{
    *n = 0;
    return s->tls == NULL ? plain_write(s->fd, bytes, MSG_MORE, n) : stream_write(s, bytes, n);
}

/* libssl reads no more than the record that it is asked for, so that what it holds undecrypted is never a whole record
 * and SSL_has_pending(), which counts parts too, would have the caller try again for nothing. */
bool stream_has_pending(const struct stream *s)
{
    const struct tls_session *t = s->tls;
    if (t == NULL)
        return false;
    return t->detached != NULL ? detached_has_pending(t->detached) : SSL_pending(t->ssl) > 0 || t->wire.seen != NULL;
}

bool stream_is_drained(const struct stream *s)
{
    return s->tls != NULL && s->tls->detached != NULL && detached_is_drained(s->tls->detached);
}

static enum io session_notify(struct tls_session *t)
{
    enum io how;
    if (t->notified || !t->established || !session_ready(t, &how))
        return IO_OK; /* there is nobody, or nothing more, to tell */
    if (t->detached != NULL)
        return detached_notify(t);
    int ret = SSL_shutdown(t->ssl);
    how = ret >= 0 ? IO_OK : session_outcome(t, ret);
    t->notified = how != IO_WANT_WRITE;
    return how;
}

enum io stream_notify(struct stream *s)
{
    return s->tls != NULL && session_notify(s->tls) == IO_WANT_WRITE ? IO_WANT_WRITE : IO_OK;
}

enum io stream_shutdown(struct stream *s)
{
    if (stream_notify(s) == IO_WANT_WRITE)
        return IO_WANT_WRITE;
    return shutdown(s->fd, SHUT_WR) == 0 ? IO_OK : IO_RESET;
}

struct slice stream_first_bytes(const struct stream *s)
{
    return s->tls == NULL ? slice_of(NULL, 0) : slice_of(s->tls->wire.first, s->tls->wire.n_first);
}

const char *stream_failure(const struct stream *s)
{
    return s->tls != NULL && s->tls->failure != NULL ? s->tls->failure : "";
}

/* ---- facts ---- */

static void copy_text(char *out, size_t cap, struct slice text)
{
    if (text.len >= cap)
        return;
    if (text.len > 0)
        memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
}

static void facts_of_names(const SSL *ssl, struct tls_facts *out)
{
    const unsigned char *alpn;
    unsigned             alpn_len;
    const char          *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (sni != NULL && name_is_host(slice_str(sni)))
        copy_text(out->sni, sizeof out->sni, slice_str(sni));
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
    copy_text(out->alpn, sizeof out->alpn, slice_of(alpn, alpn_len));
}

static void facts_of_own_certificate(const SSL *ssl, struct tls_facts *out)
{
    X509     *own = SSL_get_certificate(ssl);
    EVP_PKEY *key = own == NULL ? NULL : X509_get0_pubkey(own);
    int       digest = NID_undef;
    if (key == NULL)
        return;
    /* Ed25519 and Ed448 sign without a digest of their own: there the algorithm is the name. */
    if (X509_get_signature_info(own, &digest, NULL, NULL, NULL) != 1 || digest == NID_undef)
        digest = X509_get_signature_nid(own);
    copy_text(out->cert_sig_alg, sizeof out->cert_sig_alg, slice_str(OBJ_nid2sn(digest)));
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:
        (void)snprintf(out->cert_key_alg, sizeof out->cert_key_alg, "EC%d", EVP_PKEY_get_bits(key));
        break;
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        (void)snprintf(out->cert_key_alg, sizeof out->cert_key_alg, "RSA%d", EVP_PKEY_get_bits(key));
        break;
    default:
        copy_text(out->cert_key_alg, sizeof out->cert_key_alg, slice_str(OBJ_nid2sn(EVP_PKEY_get_base_id(key))));
    }
}

static void facts_of_peer(const SSL *ssl, struct tls_facts *out)
{
    const X509 *peer = SSL_get0_peer_certificate(ssl);
    out->resumed = SSL_session_reused(ssl) == 1;
    out->has_peer_cert = peer != NULL;
    out->peer_cert_in_connection = peer != NULL && !out->resumed;
    out->peer_verified =
        peer != NULL && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(ssl) == X509_V_OK;
    if (peer != NULL)
        certificate_common_name(peer, out->peer_cn, sizeof out->peer_cn);
}

void session_facts(const SSL *ssl, struct tls_facts *out)
{
    *out = (struct tls_facts){.version = SSL_get_version(ssl), .cipher = SSL_get_cipher_name(ssl)};
    facts_of_names(ssl, out);
    facts_of_own_certificate(ssl, out);
    facts_of_peer(ssl, out);
    ERR_clear_error();
}

bool stream_facts(const struct stream *s, struct tls_facts *out)
{
    *out = (struct tls_facts){.version = "", .cipher = ""};
    if (s->tls == NULL || !s->tls->established)
        return false;
    if (s->tls->detached != NULL)
        detached_facts(s->tls->detached, out);
    else
        session_facts(s->tls->ssl, out);
    return true;
}
