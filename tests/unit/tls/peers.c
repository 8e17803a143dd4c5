#include "unit/tls/peers.h"
#include "tls/live.h"

#include <dirent.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DAY_S = 24 * 3600 };

static char yard[32];

static void yard_add(const char *name, struct pki_wish wish)
{
    char                path[64];
    struct pki_identity id = pki_make(&wish);
    (void)snprintf(path, sizeof path, "%s.pem", name);
    pki_write_chain(path, &id, NULL);
    (void)snprintf(path, sizeof path, "%s.key", name);
    pki_write_key(path, &id, NULL);
    if (strcmp(name, "ec") == 0)
        pki_write_key("locked.key", &id, "secret");
    if (strcmp(name, "revoked") == 0)
        pki_write_crl("crl.pem", wish.issuer, &id, 30L * DAY_S);
    pki_free(&id);
}

static void yard_add_servers(const struct pki_identity *ca)
{
    yard_add("ec", (struct pki_wish){.cn = "ec", .san = "DNS:a.example", .issuer = ca});
    yard_add("rsa", (struct pki_wish){.cn = "rsa", .san = "DNS:A.example", .issuer = ca, .rsa = true});
    yard_add("wild",
             (struct pki_wish){.cn = "w", .san = "DNS:*.w.example,DNS:w.example,DNS:f*.x.example", .issuer = ca});
    yard_add("exact", (struct pki_wish){.cn = "cn.ignored", .san = "DNS:m.w.example", .issuer = ca});
    yard_add("cn", (struct pki_wish){.cn = "cn.example", .issuer = ca});
    yard_add("ip", (struct pki_wish){.cn = "ip", .san = "IP:127.0.0.1", .issuer = ca});
    yard_add("expired", (struct pki_wish){"x", "DNS:a.example", ca, -9 * DAY_S, -2 * DAY_S, false, false});
    yard_add("soon", (struct pki_wish){"x", "DNS:a.example", ca, -9 * DAY_S, 5 * DAY_S + 3600, false, false});
    yard_add("future", (struct pki_wish){"x", "DNS:a.example", ca, 2 * DAY_S, 90 * DAY_S, false, false});
}

static void yard_add_clients(const struct pki_identity *ca, const struct pki_identity *other)
{
    yard_add("device", (struct pki_wish){.cn = "g\xC3\xA4rt-7", .issuer = ca});
    yard_add("revoked", (struct pki_wish){.cn = "thief", .issuer = ca});
    yard_add("late", (struct pki_wish){"late", NULL, ca, -9 * DAY_S, -2 * DAY_S, false, false});
    yard_add("brief", (struct pki_wish){"brief", NULL, ca, -3600, 3600, false, false});
    yard_add("stranger", (struct pki_wish){.cn = "stranger", .issuer = other});
    yard_add("control", (struct pki_wish){.cn = "a\nb", .issuer = ca});
}

/* path gets what is in first and then what is in second. */
static void join_files(const char *path, const char *first, const char *second)
{
    const char *const from[] = {first, second};
    FILE             *to = fopen(path, "we");
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(from[i], "re");
        for (int c; to != NULL && f != NULL && (c = getc(f)) != EOF;)
            (void)putc(c, to);
        if (f == NULL || fclose(f) != 0)
            abort();
    }
    if (to == NULL || fclose(to) != 0)
        abort();
}

static void yard_add_fleet(const struct pki_identity *ca)
{
    struct pki_identity below = pki_make(&(struct pki_wish){.cn = "fleet CA", .issuer = ca, .ca = true});
    struct pki_identity client = pki_make(&(struct pki_wish){.cn = "truck", .issuer = &below});
    pki_write_chain("fleet.pem", &client, &below);
    pki_write_key("fleet.key", &client, NULL);
    pki_write_crl("fleet-crl.pem", &below, NULL, 30L * DAY_S);
    pki_write_crl("revoking.pem", ca, &below, 30L * DAY_S);
    join_files("no-fleet-crl.pem", "fleet-crl.pem", "revoking.pem");
    pki_free(&below);
    pki_free(&client);
}

void yard_make(void)
{
    (void)snprintf(yard, sizeof yard, "/tmp/mqgate-tls-XXXXXX");
    if (mkdtemp(yard) == NULL || chdir(yard) != 0)
        abort();
    struct pki_identity ca = pki_make(&(struct pki_wish){.cn = "CA", .ca = true});
    struct pki_identity other = pki_make(&(struct pki_wish){.cn = "other CA", .ca = true});
    pki_write_chain("ca.pem", &ca, NULL);
    pki_write_chain("other-ca.pem", &other, NULL);
    yard_add_servers(&ca);
    yard_add_clients(&ca, &other);
    yard_add_fleet(&ca);
    pki_write_crl("other-crl.pem", &other, NULL, 30L * DAY_S);
    pki_write_crl("old-crl.pem", &ca, NULL, -3600);
    pki_write_text("empty.pem", "");
    pki_write_text("broken.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    pki_free(&ca);
    pki_free(&other);
}

void yard_remove(void)
{
    DIR *dir = opendir(yard);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL)
        (void)closedir(dir);
    if (rmdir(yard) != 0 || chdir("/") != 0)
        abort();
}

struct tls_server_settings server_settings(const char *first, const char *second, const char *third)
{
    static struct tls_certificate_files files[3];
    static char                         paths[6][32];
    const char *const                   names[] = {first, second, third};
    struct tls_server_settings          settings = {
                 .certificates = files, .ciphers = "", .ciphersuites = "", .groups = "X25519:P-256", .client_ca = "", .crl = ""};
    for (; settings.n_certificates < 3 && names[settings.n_certificates] != NULL; settings.n_certificates++) {
        size_t i = settings.n_certificates;
        (void)snprintf(paths[2 * i], sizeof paths[0], "%s.pem", names[i]);
        (void)snprintf(paths[2 * i + 1], sizeof paths[0], "%s.key", names[i]);
        files[i] = (struct tls_certificate_files){paths[2 * i], paths[2 * i + 1]};
    }
    return settings;
}

struct tls_server *server_from(const struct tls_server_settings *settings)
{
    struct err         err = {""};
    struct tls_server *server = tls_server_new(settings, NULL, NULL, &err);
    ck_assert_msg(server != NULL, "%s", err.text);
    return server;
}

struct tls_client *client_from(const struct tls_client_settings *settings)
{
    struct err         err = {""};
    struct tls_client *client = tls_client_new(settings, NULL, NULL, &err);
    ck_assert_msg(client != NULL, "%s", err.text);
    return client;
}

struct peer peer_new(void)
{
    struct peer peer = {.ctx = SSL_CTX_new(TLS_client_method()), .fd = -1, .step = 65536};
    ck_assert_ptr_nonnull(peer.ctx);
    return peer;
}

int peer_connect(struct peer *peer, const char *sni)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    peer->fd = fds[0];
    peer->failure = 0;
    peer->ssl = SSL_new(peer->ctx);
    SSL_set_bio(peer->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(peer->ssl);
    if (sni != NULL)
        ck_assert_int_eq(SSL_set_tlsext_host_name(peer->ssl, openssl_text(sni)), 1);
    return fds[1];
}

void peer_hang_up(struct peer *peer, struct stream *server)
{
    int fd = server->fd;
    stream_fini(server);
    (void)close(fd);
    (void)close(peer->fd);
    SSL_free(peer->ssl);
    peer->ssl = NULL;
}

void peer_free(struct peer *peer)
{
    SSL_CTX_free(peer->ctx);
}

static void pump_out(struct peer *peer)
{
    char  *bytes;
    BIO   *out = SSL_get_wbio(peer->ssl);
    long   len = BIO_get_mem_data(out, &bytes);
    size_t n = (size_t)len < peer->step ? (size_t)len : peer->step;
    if (n == 0)
        return;
    ssize_t sent = send(peer->fd, bytes, n, MSG_NOSIGNAL);
    char    gone[65536];
    if (sent > 0)
        ck_assert_int_eq(BIO_read(out, gone, (int)sent), sent);
}

static void pump_in(struct peer *peer)
{
    char    bytes[65536];
    ssize_t n = recv(peer->fd, bytes, peer->step < sizeof bytes ? peer->step : sizeof bytes, 0);
    if (n > 0)
        ck_assert_int_eq(BIO_write(SSL_get_rbio(peer->ssl), bytes, (int)n), n);
}

void peer_pump(struct peer *peer)
{
    pump_out(peer);
    pump_in(peer);
}

enum io peer_meet(struct peer *peer, struct stream *server)
{
    enum io how = IO_WANT_READ;
    for (int round = 0; round < 20000; round++) {
        ERR_clear_error();
        int done = SSL_do_handshake(peer->ssl);
        if (ERR_peek_last_error() != 0)
            peer->failure = ERR_GET_REASON(ERR_peek_last_error());
        ERR_clear_error();
        peer_pump(peer);
        if (how == IO_WANT_READ || how == IO_WANT_WRITE)
            how = stream_handshake(server);
        else if (how == IO_OK && done == 1)
            break;
        else if (how != IO_OK && round > 10)
            break; /* the alert has arrived by now */
    }
    return how;
}

struct stream peer_join(struct peer *peer, const struct tls_server *server, const char *sni)
{
    struct stream s = stream_plain(peer_connect(peer, sni));
    ck_assert(stream_start_server(&s, server, slice_of(NULL, 0)));
    ck_assert_msg(peer_meet(peer, &s) == IO_OK, "%s", stream_failure(&s));
    return s;
}

void peer_say(struct peer *peer, struct stream *server, const char *text)
{
    char    back[64];
    uint8_t got[64];
    size_t  n;
    peer_pump(peer);
    ck_assert_int_eq(SSL_read(peer->ssl, back, sizeof back), -1);
    ck_assert_int_eq(SSL_write(peer->ssl, text, (int)strlen(text)), (int)strlen(text));
    peer_pump(peer);
    ck_assert_int_eq(stream_read(server, got, sizeof got, &n), IO_OK);
    ck_assert(slice_eq(slice_of(got, n), slice_str(text)));
}

bool peer_saw(const struct peer *peer, const char *path)
{
    FILE *f = fopen(path, "re");
    ck_assert_ptr_nonnull(f);
    X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);
    bool  same = X509_cmp(cert, SSL_get0_peer_certificate(peer->ssl)) == 0;
    X509_free(cert);
    (void)fclose(f);
    return same;
}
