/* A client with OpenSSL that resumes its session and says something before the handshake is over, whatever the server
 * said of that. The server has to skip it (RFC 8446 section 4.2.10). */
#include <openssl/ssl.h>

#include "talk.h"

enum { EARLY_LEN = 8000 };

static SSL         *ssl;
static SSL_SESSION *ticket;

void put_all(const unsigned char *bytes, int len)
{
    must(SSL_write(ssl, bytes, len) == len, "write");
}

void get_all(unsigned char *bytes, int len)
{
    for (int n; len > 0; bytes += n, len -= n) {
        n = SSL_read(ssl, bytes, len);
        must(n > 0, "read");
    }
}

static int on_ticket(SSL *from, SSL_SESSION *session)
{
    (void)from;
    SSL_SESSION_free(ticket);
    ticket = session;
    return 1;
}

static void begin(SSL_CTX *ctx, char **argv)
{
    BIO *wire = BIO_new_connect(argv[1]);
    must(wire != NULL && BIO_set_conn_port(wire, argv[2]) == 1 && BIO_do_connect(wire) == 1, "connect");
    ssl = SSL_new(ctx);
    must(ssl != NULL && SSL_set_tlsext_host_name(ssl, argv[4]) == 1 && SSL_set1_host(ssl, argv[4]) == 1, "name");
    SSL_set_bio(ssl, wire, wire);
}

static void end(void)
{
    unsigned char more;
    must(SSL_shutdown(ssl) >= 0 && SSL_read(ssl, &more, 1) <= 0 && SSL_get_error(ssl, 0) == SSL_ERROR_ZERO_RETURN,
         "the other end's close_notify");
    SSL_free(ssl);
}

int main(int argc, char **argv)
{
    static unsigned char early[EARLY_LEN];
    size_t               n;
    must(argc == 7 && strcmp(argv[5], "1.3") == 0, "six arguments");
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    must(ctx != NULL && SSL_CTX_load_verify_file(ctx, argv[3]) == 1, "CA");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(ctx, on_ticket);
    begin(ctx, argv);
    must(SSL_connect(ssl) == 1, "handshake");
    talk(2);
    end();
    must(ticket != NULL && SSL_SESSION_set_max_early_data(ticket, EARLY_LEN) == 1, "ticket");
    begin(ctx, argv);
    must(SSL_set_session(ssl, ticket) == 1, "session");
    must(SSL_write_early_data(ssl, early, sizeof early, &n) == 1 && n == sizeof early, "early data");
    must(SSL_connect(ssl) == 1 && SSL_session_reused(ssl) == 1, "resumption");
    must(SSL_get_early_data_status(ssl) == SSL_EARLY_DATA_REJECTED, "the server's no");
    talk(atoi(argv[6]));
    end();
    SSL_SESSION_free(ticket);
    SSL_CTX_free(ctx);
    (void)puts("the same");
    return 0;
}
