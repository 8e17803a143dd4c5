#include "tls/context.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "tls/bio.h"
#include "tls/live.h"
#include "tls/reason.h"
#include "tls/session.h"
#include "tls/trust.h"

/* What a server context is made of beyond its certificates; lives while contexts are built. */
struct recipe {
    const struct tls_server_settings *settings;
    struct trust                      trust; /* store NULL: clients are not asked for a certificate */
    uint8_t                           session_id_context[SSL_MAX_SID_CTX_LENGTH];
};

static int protocol_of(enum tls_version version)
{
    return version == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

const char *tls_library_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

/* What both directions want. Devices often close without close_notify: for them that is an end like any other. */
static bool set_common(SSL_CTX *ctx, enum tls_version min_version)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(ctx, protocol_of(min_version)) == 1;
}

/* ---- callbacks of a handshake ---- */

static int on_server_name(SSL *ssl, int *alert, void *user)
{
    const struct tls_server *server = user;
    const char              *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const struct name_entry *entry = name == NULL ? NULL : name_table_find(&server->names, name);
    if (entry == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    if (SSL_set_SSL_CTX(ssl, entry->ctx) != NULL)
        return SSL_TLSEXT_ERR_OK;
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Both lists as on the wire; OpenSSL has checked the shape of the client's. */
static const uint8_t *find_protocol(struct slice list, const uint8_t *name)
{
    for (size_t at = 0; at < list.len; at += 1u + list.ptr[at])
        if (list.ptr[at] == name[0] && memcmp(list.ptr + at + 1, name + 1, name[0]) == 0)
            return list.ptr + at;
    return NULL;
}

/* RFC 7301 section 3.2: without a protocol in common the handshake ends with no_application_protocol. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
                   unsigned offered_len, void *user)
{
    const struct tls_server *server = user;
    (void)ssl;
    for (size_t at = 0; at < server->alpn_len; at += 1u + server->alpn[at]) {
        const uint8_t *ours = server->alpn + at;
        if (find_protocol(slice_of(offered, offered_len), ours) == NULL)
            continue;
        *out = ours + 1;
        *out_len = ours[0];
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A resumed session is not verified again: at least the client's certificate must not have expired since. */
static SSL_TICKET_RETURN on_ticket_opened(SSL *ssl, SSL_SESSION *session, const unsigned char *key_name,
                                          size_t key_name_len, SSL_TICKET_STATUS status, void *user)
{
    (void)ssl;
    (void)key_name;
    (void)key_name_len;
    (void)user;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    const X509 *peer = SSL_SESSION_get0_peer(session);
    if (peer != NULL && X509_cmp_current_time(X509_get0_notAfter(peer)) <= 0)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

/* ---- one server context ---- */

/* AES-128 is first, as in Mozilla's recommendations: it is as strong as the 256-bit curves in the same handshake, and
 * comes with SHA-256, which most processors have instructions for. */
static int set_algorithms(SSL_CTX *ctx, const struct tls_server_settings *s, struct err *err)
{
    static const char aead_with_forward_secrecy[] = "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20:!PSK:!aNULL";
    static const char all_suites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
    const char       *ciphers = s->ciphers[0] != '\0' ? s->ciphers : aead_with_forward_secrecy;
    const char       *suites = s->ciphersuites[0] != '\0' ? s->ciphersuites : all_suites;
    if (SSL_CTX_set_cipher_list(ctx, ciphers) != 1) {
        err_openssl(err, "ciphers \"%s\"", ciphers);
        return -1;
    }
    if (SSL_CTX_set_ciphersuites(ctx, suites) != 1) {
        err_openssl(err, "ciphersuites \"%s\"", suites);
        return -1;
    }
    if (s->groups[0] != '\0' && SSL_CTX_set1_groups_list(ctx, openssl_text(s->groups)) != 1) {
        err_openssl(err, "groups \"%s\"", s->groups);
        return -1;
    }
    return 0;
}

/* A ticket lives as long as the key that sealed it is sure to be kept. One is sent in TLS 1.3: a second costs each
 * handshake time and serves clients that open connections side by side, which devices do not. */
static bool set_tickets(SSL_CTX *ctx, bool enabled)
{
    if (!enabled) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        return SSL_CTX_set_num_tickets(ctx, 0) == 1;
    }
    (void)SSL_CTX_set_timeout(ctx, (TICKET_KEYS_KEPT - 1L) * (TICKET_ROTATE_MS / 1000));
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, tickets_on_key) == 1 &&
           SSL_CTX_set_session_ticket_cb(ctx, NULL, on_ticket_opened, NULL) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 1) == 1;
}

static int set_verify(SSL_CTX *ctx, const struct recipe *recipe, struct err *err)
{
    if (recipe->trust.store == NULL)
        return 0;
    bool required = recipe->settings->verify == TLS_VERIFY_REQUIRED;
    int  mode = SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    return trust_use(&recipe->trust, ctx, mode, err);
}

static int set_certificates(SSL_CTX *ctx, const struct certificate_set *set, struct err *err)
{
    for (int i = 0; i < CERTIFICATE_KINDS; i++)
        if (set->of_kind[i] != NULL && certificate_use(set->of_kind[i], ctx, err) != 0)
            return -1;
    return 0;
}

static SSL_CTX *context_new(struct tls_server *server, const struct recipe *recipe, const struct certificate_set *set,
                            struct err *err)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || !set_common(ctx, recipe->settings->min_version) || SSL_CTX_set_app_data(ctx, server) != 1 ||
        !set_tickets(ctx, server->tickets != NULL) ||
        SSL_CTX_set_session_id_context(ctx, recipe->session_id_context, sizeof recipe->session_id_context) != 1) {
        err_openssl(err, "TLS context");
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    (void)SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    (void)SSL_CTX_set_tlsext_servername_arg(ctx, server);
    if (server->detaches)
        SSL_CTX_set_keylog_callback(ctx, handover_on_secret);
    if (server->alpn_len > 0)
        SSL_CTX_set_alpn_select_cb(ctx, on_alpn, server);
    if (set_algorithms(ctx, recipe->settings, err) != 0 || set_verify(ctx, recipe, err) != 0 ||
        set_certificates(ctx, set, err) != 0) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

/* ---- a server ---- */

/* The context for set, made when there is none yet. */
static SSL_CTX *context_for(struct tls_server *server, const struct recipe *recipe, const struct certificate_set *set,
                            struct err *err)
{
    for (size_t i = 0; i < server->n_contexts; i++)
        if (memcmp(&server->contexts[i].set, set, sizeof *set) == 0)
            return server->contexts[i].ctx;
    SSL_CTX *ctx = context_new(server, recipe, set, err);
    if (ctx != NULL)
        server->contexts[server->n_contexts++] = (struct server_context){*set, ctx};
    return ctx;
}

static int make_contexts(struct tls_server *server, const struct recipe *recipe, struct err *err)
{
    const struct certificate_set set = certificate_set_default(server->certificates, server->n_certificates);
    if (!name_table_init(&server->names, server->certificates, server->n_certificates) ||
        (server->contexts = calloc(server->names.n + 1, sizeof *server->contexts)) == NULL) {
        err_set(err, "certificates: out of memory");
        return -1;
    }
    if (context_for(server, recipe, &set, err) == NULL)
        return -1;
    for (size_t i = 0; i < server->names.n; i++) {
        struct name_entry *entry = &server->names.entries[i];
        entry->ctx = context_for(server, recipe, &entry->set, err);
        if (entry->ctx == NULL)
            return -1;
    }
    return 0;
}

static int load_certificates(struct tls_server *server, const struct tls_server_settings *settings, struct warn_to to,
                             struct err *err)
{
    if (settings->n_certificates == 0) {
        err_set(err, "certificates: there is none");
        return -1;
    }
    server->certificates = calloc(settings->n_certificates, sizeof *server->certificates);
    if (server->certificates == NULL) {
        err_set(err, "certificates: out of memory");
        return -1;
    }
    for (size_t i = 0; i < settings->n_certificates; i++) {
        if (certificate_init(&server->certificates[i], &settings->certificates[i], to, err) != 0)
            return -1;
        server->n_certificates++;
    }
    return 0;
}

static int encode_alpn(struct tls_server *server, const struct tls_server_settings *settings, struct err *err)
{
    enum { NAME_MAX_BYTES = 255 };
    if (settings->n_alpn == 0)
        return 0;
    server->alpn = malloc(settings->n_alpn * (1 + NAME_MAX_BYTES));
    if (server->alpn == NULL) {
        err_set(err, "alpn: out of memory");
        return -1;
    }
    for (size_t i = 0; i < settings->n_alpn; i++) {
        size_t len = strlen(settings->alpn[i]);
        if (len == 0 || len > NAME_MAX_BYTES) {
            err_set(err, "alpn: a name has 1 to %d bytes, this one %zu", NAME_MAX_BYTES, len);
            return -1;
        }
        server->alpn[server->alpn_len] = (uint8_t)len;
        memcpy(server->alpn + server->alpn_len + 1, settings->alpn[i], len);
        server->alpn_len += 1 + len;
    }
    return 0;
}

static bool hash_text(EVP_MD_CTX *hash, const char *text)
{
    return EVP_DigestUpdate(hash, text, strlen(text) + 1) == 1;
}

static bool hash_trust(EVP_MD_CTX *hash, EVP_MD_CTX *trust)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned      len = 0;
    return EVP_DigestFinal_ex(trust, md, &len) == 1 && EVP_DigestUpdate(hash, md, len) == 1;
}

/* A session may only be resumed where a full handshake would have ended the same: under the same trust and the same
 * floor. The keys are shared by all servers and survive a reload, so the context of a session must say it. */
static bool find_session_id_context(struct recipe *recipe)
{
    const struct tls_server_settings *s = recipe->settings;
    const unsigned char               modes[] = {(unsigned char)s->min_version, (unsigned char)s->verify};
    unsigned char                     md[EVP_MAX_MD_SIZE];
    unsigned                          len = 0;
    EVP_MD_CTX                       *hash = EVP_MD_CTX_new();
    bool                              done = hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(hash, modes, sizeof modes) == 1 && hash_text(hash, s->ciphers) &&
                hash_text(hash, s->ciphersuites) &&
                (recipe->trust.store == NULL || hash_trust(hash, recipe->trust.digest)) &&
                EVP_DigestFinal_ex(hash, md, &len) == 1 && len == sizeof recipe->session_id_context;
    EVP_MD_CTX_free(hash);
    if (done)
        memcpy(recipe->session_id_context, md, len);
    return done;
}

static int recipe_init(struct recipe *recipe, const struct tls_server_settings *settings, struct warn_to to,
                       struct err *err)
{
    *recipe = (struct recipe){.settings = settings};
    if (settings->verify != TLS_VERIFY_NONE) {
        if (settings->client_ca[0] == '\0') {
            err_set(err, "client_ca: is needed to verify clients");
            return -1;
        }
        if (trust_init(&recipe->trust, (struct pem_file){"client_ca", settings->client_ca}, settings->crl, to, err) !=
            0)
            return -1;
    }
    if (!find_session_id_context(recipe)) {
        err_openssl(err, "TLS context");
        trust_fini(&recipe->trust);
        return -1;
    }
    return 0;
}

struct tls_server *tls_server_new(const struct tls_server_settings *settings, tls_warn_fn *warn, void *user,
                                  struct err *err)
{
    const struct warn_to to = {warn, user};
    struct recipe        recipe;
    if (recipe_init(&recipe, settings, to, err) != 0)
        return NULL;
    struct tls_server *server = calloc(1, sizeof *server);
    if (server != NULL) {
        server->tickets = settings->tickets;
        server->detaches = settings->detach;
        server->method = bio_method_new();
    }
    if (server == NULL || server->method == NULL) {
        err_set(err, "TLS context: out of memory");
        goto fail;
    }
    if (load_certificates(server, settings, to, err) != 0 || encode_alpn(server, settings, err) != 0 ||
        make_contexts(server, &recipe, err) != 0)
        goto fail;
    trust_fini(&recipe.trust);
    return server;
fail:
    trust_fini(&recipe.trust);
    tls_server_free(server);
    return NULL;
}

void tls_server_free(struct tls_server *server)
{
    if (server == NULL)
        return;
    for (size_t i = 0; i < server->n_contexts; i++)
        SSL_CTX_free(server->contexts[i].ctx);
    for (size_t i = 0; i < server->n_certificates; i++)
        certificate_fini(&server->certificates[i]);
    name_table_fini(&server->names);
    free(server->contexts);
    free(server->certificates);
    free(server->alpn);
    BIO_meth_free(server->method);
    free(server);
    ERR_clear_error();
}

/* ---- a client ---- */

static int client_set_trust(struct tls_client *client, const struct tls_client_settings *settings, struct warn_to to,
                            struct err *err)
{
    if (settings->verify == TLS_VERIFY_NONE)
        return 0;
    client->verifies = true;
    if (settings->ca[0] == '\0') {
        SSL_CTX_set_verify(client->ctx, SSL_VERIFY_PEER, NULL);
        if (SSL_CTX_set_default_verify_paths(client->ctx) == 1)
            return 0;
        err_openssl(err, "the system's certificates");
        return -1;
    }
    struct trust trust;
    if (trust_init(&trust, (struct pem_file){"ca", settings->ca}, "", to, err) != 0)
        return -1;
    SSL_CTX_set1_cert_store(client->ctx, trust.store);
    SSL_CTX_set_verify(client->ctx, SSL_VERIFY_PEER, NULL);
    trust_fini(&trust);
    return 0;
}

static int client_set_certificate(struct tls_client *client, const struct tls_client_settings *settings,
                                  struct warn_to to, struct err *err)
{
    struct certificate own;
    if (settings->chain[0] == '\0' && settings->key[0] == '\0')
        return 0;
    const struct tls_certificate_files files = {settings->chain, settings->key};
    if (certificate_init(&own, &files, to, err) != 0)
        return -1;
    int used = certificate_use(&own, client->ctx, err);
    certificate_fini(&own);
    return used;
}

struct tls_client *tls_client_new(const struct tls_client_settings *settings, tls_warn_fn *warn, void *user,
                                  struct err *err)
{
    const struct warn_to to = {warn, user};
    ERR_clear_error();
    struct tls_client *client = calloc(1, sizeof *client);
    if (client != NULL) {
        client->method = bio_method_new();
        client->ctx = SSL_CTX_new(TLS_client_method());
    }
    if (client == NULL || client->method == NULL || client->ctx == NULL ||
        !set_common(client->ctx, settings->min_version)) {
        err_openssl(err, "TLS context");
        tls_client_free(client);
        return NULL;
    }
    if (client_set_trust(client, settings, to, err) != 0 || client_set_certificate(client, settings, to, err) != 0) {
        tls_client_free(client);
        return NULL;
    }
    return client;
}

void tls_client_free(struct tls_client *client)
{
    if (client == NULL)
        return;
    SSL_CTX_free(client->ctx);
    BIO_meth_free(client->method);
    free(client);
    ERR_clear_error();
}
