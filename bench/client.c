#include "client.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ends.h"

static void bind_source(int fd, const struct target *t, unsigned number)
{
    const int   on = 1;
    unsigned    n = number % t->sources + 1;
    uint8_t     ip[4] = {127, 1, (uint8_t)(n >> 8), (uint8_t)n};
    struct addr from = addr_from_ip4(ip, 0);
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, &from.sa, addr_socklen(&from)) != 0)
        die("bind");
}

SSL_CTX *client_tls(const char *version)
{
    const int number = strcmp(version, "tls1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX  *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, number) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, number) != 1)
        die("TLS");
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    return ctx;
}

static void secure(struct client *c, SSL_CTX *ctx, SSL_SESSION *session)
{
    c->ssl = SSL_new(ctx);
    if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 ||
        (session != NULL && SSL_set_session(c->ssl, session) != 1) || SSL_connect(c->ssl) != 1)
        die("TLS handshake");
    if ((session != NULL) != (SSL_session_reused(c->ssl) == 1))
        die("TLS session: resumed or not, which was not wanted");
}

static void introduce(const struct client *c, char role, unsigned number)
{
    unsigned char packet[] = {0x10, 22, 0,   4,   'M', 'Q', 'T', 'T', 4,   2,   0,   60,
                              0,    10, '-', '0', '0', '0', '0', '0', '0', '0', '0', '0'};
    unsigned char answer[4];
    char          name[12];
    (void)snprintf(name, sizeof name, "%c%09u", role, number % 1000000000);
    memcpy(packet + sizeof packet - 10, name, 10);
    client_send(c, packet, sizeof packet);
    for (size_t n = 0; n < sizeof answer;)
        n += client_receive(c, answer + n, sizeof answer - n);
    if (answer[0] != 0x20 || answer[3] != 0)
        die("CONNACK");
}

void client_join(struct client *c, const struct target *t, unsigned number, SSL_SESSION *session)
{
    const int on = 1;
    *c = (struct client){.fd = socket(t->at.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (c->fd < 0)
        die("socket");
    if (t->sources > 0)
        bind_source(c->fd, t, number);
    if (connect(c->fd, &t->at.sa, addr_socklen(&t->at)) != 0)
        die("connect");
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (t->tls != NULL)
        secure(c, t->tls, session);
    introduce(c, t->role, number);
}

void client_leave(struct client *c)
{
    static const unsigned char disconnect[] = {0xe0, 0};
    client_send(c, disconnect, sizeof disconnect);
    if (c->ssl != NULL)
        (void)SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    close(c->fd);
}

SSL_SESSION *client_session(const struct client *c)
{
    SSL_SESSION *session = SSL_get1_session(c->ssl);
    if (session != NULL && SSL_SESSION_is_resumable(session))
        return session;
    SSL_SESSION_free(session);
    return NULL;
}

void client_send(const struct client *c, const void *bytes, size_t n)
{
    for (const char *at = bytes; n > 0;) {
        ssize_t sent = c->ssl != NULL ? SSL_write(c->ssl, at, (int)n) : send(c->fd, at, n, MSG_NOSIGNAL);
        if (sent <= 0)
            die("send");
        at += sent;
        n -= (size_t)sent;
    }
}

size_t client_receive(const struct client *c, void *bytes, size_t max)
{
    ssize_t n = c->ssl != NULL ? SSL_read(c->ssl, bytes, (int)max) : recv(c->fd, bytes, max, 0);
    if (n <= 0)
        die("receive");
    return (size_t)n;
}
