/* Certificates, tickets, and a handshake between two streams of our own. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "support/pki.h"
#include "tls/context.h"
#include "tls/stream.h"
#include "tls/ticket.h"
#include "torture/scenario.h"

static char yard[] = "/tmp/mqgate-torture-XXXXXX";

static void yard_add(const char *chain, const char *key, const struct pki_wish *wish)
{
    struct pki_identity id = pki_make(wish);
    pki_write_chain(chain, &id, wish->issuer);
    pki_write_key(key, &id, NULL);
    pki_free(&id);
}

void torture_yard_make(void)
{
    if (mkdtemp(yard) == NULL || chdir(yard) != 0)
        abort();
    struct pki_identity ca = pki_make(&(struct pki_wish){.cn = "CA", .ca = true});
    pki_write_chain("ca.pem", &ca, NULL);
    pki_write_crl("crl.pem", &ca, NULL, 3600);
    yard_add("a.pem", "a.key", &(struct pki_wish){.cn = "a", .san = "DNS:a.example,DNS:*.a.example", .issuer = &ca});
    yard_add("b.pem", "b.key", &(struct pki_wish){.cn = "b", .san = "DNS:b.example", .issuer = &ca, .rsa = true});
    yard_add("soon.pem", "soon.key", &(struct pki_wish){"soon", "DNS:c.example", &ca, -3600, 3600, false, false});
    yard_add("device.pem", "device.key", &(struct pki_wish){.cn = "device", .issuer = &ca});
    pki_free(&ca);
}

void torture_yard_remove(void)
{
    DIR *dir = opendir(".");
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir != NULL)
        (void)closedir(dir);
    if (rmdir(yard) != 0 || chdir("/") != 0)
        abort();
}

static bool tickets(void)
{
    struct err          err = {0};
    struct tls_tickets *all = tls_tickets_new(&err);
    if (all == NULL)
        return reported(&err);
    bool done = tls_tickets_rotate(all, &err) == 0 || reported(&err);
    tls_tickets_free(all);
    return done;
}

static void on_warning(void *user, const char *text)
{
    ++*(int *)user;
    (void)EXPECT(text[0] != '\0');
}

static struct tls_server *server_new_all(struct tls_tickets *all, int *n_warnings, struct err *err)
{
    static const struct tls_certificate_files files[] = {
        {"a.pem", "a.key"}, {"b.pem", "b.key"}, {"soon.pem", "soon.key"}};
    static const char *const         alpn[] = {"mqtt", "http/1.1"};
    const struct tls_server_settings settings = {
        .certificates = files,
        .n_certificates = ARRAY_LEN(files),
        .ciphers = "ECDHE+AESGCM",
        .ciphersuites = "TLS_AES_128_GCM_SHA256",
        .groups = "X25519:P-256",
        .alpn = alpn,
        .n_alpn = ARRAY_LEN(alpn),
        .client_ca = "ca.pem",
        .verify = TLS_VERIFY_OPTIONAL,
        .crl = "crl.pem",
        .tickets = all,
        .detach = true,
    };
    return tls_server_new(&settings, on_warning, n_warnings, err);
}

static struct tls_client *client_new_all(int *n_warnings, struct err *err)
{
    const struct tls_client_settings settings = {
        .ca = "ca.pem", .verify = TLS_VERIFY_REQUIRED, .chain = "device.pem", .key = "device.key"};
    return tls_client_new(&settings, on_warning, n_warnings, err);
}

static bool server_context(void)
{
    struct err         err = {0};
    int                n_warnings = 0;
    struct tls_server *server = server_new_all(NULL, &n_warnings, &err);
    if (server == NULL)
        return reported(&err);
    (void)EXPECT(n_warnings == 1);
    tls_server_free(server);
    return true;
}

static bool client_context(void)
{
    struct err         err = {0};
    int                n_warnings = 0;
    struct tls_client *client = client_new_all(&n_warnings, &err);
    if (client == NULL)
        return reported(&err);
    tls_client_free(client);
    return true;
}

static bool waits(enum io io)
{
    return io == IO_WANT_READ || io == IO_WANT_WRITE;
}

/* Both ends take turns until both are done, or one of them has failed. */
static bool shake_hands(struct stream *server, struct stream *client)
{
    enum io at_server = IO_WANT_READ, at_client = IO_WANT_READ;
    for (int turn = 0; turn < 1000 && (waits(at_server) || waits(at_client)); turn++) {
        if (waits(at_client))
            at_client = stream_handshake(client);
        if (waits(at_server))
            at_server = stream_handshake(server);
        if (at_client == IO_NO_MEMORY || at_server == IO_NO_MEMORY)
            return false;
    }
    return EXPECT(at_server == IO_OK) && EXPECT(at_client == IO_OK);
}

static bool say(struct stream *from, struct stream *to, const char *text)
{
    uint8_t got[64];
    size_t  n = 0;
    enum io io = stream_write(from, slice_str(text), &n);
    if (io == IO_NO_MEMORY || !EXPECT(io == IO_OK))
        return false;
    io = stream_read(to, got, sizeof got, &n);
    return io != IO_NO_MEMORY && EXPECT(io == IO_OK) && EXPECT(slice_eq(slice_of(got, n), slice_str(text)));
}

/* The ClientHello has arrived in part, and has been read, before the server's side becomes TLS. */
static bool start(struct stream *server, const struct tls_server *server_tls, struct stream *client,
                  const struct tls_client *client_tls)
{
    uint8_t seen[100];
    if (!stream_start_client(client, client_tls, "b.example"))
        return EXPECT(client->tls == NULL) && false;
    enum io io = stream_handshake(client);
    if (io == IO_NO_MEMORY || !EXPECT(io == IO_WANT_READ))
        return false;
    ssize_t n = recv(server->fd, seen, sizeof seen, 0);
    if (!EXPECT(n == sizeof seen))
        return false;
    return stream_start_server(server, server_tls, slice_of(seen, sizeof seen)) ||
           (EXPECT(server->tls == NULL) && false);
}

/* worker NULL: both ends stay with OpenSSL. A stream that finds no memory to detach goes on as it was. */
static bool detach(struct stream *server, struct tls_worker *worker)
{
    return worker == NULL || stream_detach(server, worker) == TLS_DETACHED || (EXPECT(server->tls != NULL) && false);
}

static bool converse(const struct tls_server *server_tls, const struct tls_client *client_tls,
                     struct tls_worker *worker)
{
    struct tls_facts facts;
    int              fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
        abort();
    struct stream server = stream_plain(fds[0]), client = stream_plain(fds[1]);
    bool          done = start(&server, server_tls, &client, client_tls) && shake_hands(&server, &client) &&
                detach(&server, worker) && say(&client, &server, "CONNECT") && say(&server, &client, "CONNACK");
    if (done)
        (void)EXPECT(stream_facts(&server, &facts) && facts.peer_verified && strcmp(facts.sni, "b.example") == 0);
    stream_fini(&server);
    stream_fini(&client);
    (void)close(fds[0]);
    (void)close(fds[1]);
    return done;
}

static bool handshake(void)
{
    struct err          err = {0};
    int                 n_warnings = 0;
    struct tls_tickets *all = tls_tickets_new(&err);
    struct tls_server  *server = all != NULL ? server_new_all(all, &n_warnings, &err) : NULL;
    struct tls_client  *client = server != NULL ? client_new_all(&n_warnings, &err) : NULL;
    bool                done = client != NULL ? converse(server, client, NULL) : reported(&err);
    tls_client_free(client);
    tls_server_free(server);
    tls_tickets_free(all);
    return done;
}

static bool detached(void)
{
    struct err         err = {0};
    int                n_warnings = 0;
    struct tls_server *server = server_new_all(NULL, &n_warnings, &err);
    struct tls_client *client = server != NULL ? client_new_all(&n_warnings, &err) : NULL;
    struct tls_worker *worker = client != NULL ? tls_worker_new() : NULL;
    bool               done = client == NULL ? reported(&err) : worker != NULL && converse(server, client, worker);
    tls_worker_free(worker);
    tls_client_free(client);
    tls_server_free(server);
    return done;
}

const struct scenario tls_scenarios[] = {{"ticket keys rotate", tickets},
                                         {"a server's side with all that it can have", server_context},
                                         {"a client's side with a certificate", client_context},
                                         {"two streams shake hands and talk", handshake},
                                         {"and one of them leaves OpenSSL's object behind", detached},
                                         {0}};
