/* What the tests of tls/ share: a directory of certificates, and a client that is OpenSSL's own. */
#ifndef MQGATE_TESTS_PEERS_H
#define MQGATE_TESTS_PEERS_H

#include <check.h>
#include <openssl/ssl.h>

#include "support/pki.h"
#include "tls/stream.h"
#include "tls/ticket.h"

/* Makes a directory with the files below and makes it the current one; yard_remove() takes it away.
 *
 *   ca.pem other-ca.pem                     two authorities
 *   ec.pem rsa.pem                          a.example, one EC and one RSA
 *   wild.pem                                *.w.example and w.example
 *   exact.pem                               m.w.example
 *   cn.pem                                  cn.example as its common name alone
 *   ip.pem                                  127.0.0.1
 *   expired.pem soon.pem future.pem         a.example out of its time; ends in five days and a bit
 *   device.pem revoked.pem late.pem         clients: good, revoked by crl.pem, expired
 *   stranger.pem control.pem                client of other-ca; client with a line feed in its name
 *   brief.pem                               client, good for an hour
 *   fleet.pem                               client of an authority below ca, whose certificate stands behind it
 *   X.key                                   the key of each X.pem, no passphrase
 *   locked.key                              ec.key behind a passphrase
 *   crl.pem other-crl.pem old-crl.pem       of ca, of other-ca, of ca and expired
 *   fleet-crl.pem no-fleet-crl.pem          of the authority below ca; that, and one of ca that revokes this authority
 *   empty.pem broken.pem                    no PEM at all, and PEM cut short */
void yard_make(void);
void yard_remove(void);

/* Settings with these certificates, "ec" for ec.pem and ec.key; up to three, NULL ends. */
struct tls_server_settings server_settings(const char *first, const char *second, const char *third);
/* Fails the test when there is an error. */
struct tls_server *server_from(const struct tls_server_settings *settings);
struct tls_client *client_from(const struct tls_client_settings *settings);

/* A client over memory BIOs, so that the test decides which of its bytes arrive when. */
struct peer {
    SSL_CTX *ctx;
    SSL     *ssl;
    int      fd;
    size_t   step;    /* bytes moved each way by a peer_pump() */
    int      failure; /* OpenSSL's reason why peer_meet() failed on this side; 0 */
};

/* ctx for a peer: trusts anybody, offers TLS 1.2 and 1.3. */
struct peer peer_new(void);
/* Starts a connection and returns the other end of it; sni may be NULL. */
int  peer_connect(struct peer *peer, const char *sni);
void peer_hang_up(struct peer *peer, struct stream *server); /* both ends */
void peer_free(struct peer *peer);
/* Moves bytes between the BIOs and the socket, never waiting. */
void peer_pump(struct peer *peer);
/* Runs both sides until both are done or one has failed; what the server said last. */
enum io peer_meet(struct peer *peer, struct stream *server);
/* A whole handshake with server that must go well; to be ended with peer_hang_up(). */
struct stream peer_join(struct peer *peer, const struct tls_server *server, const char *sni);
/* Writes text through to the server and reads what the server has to say, a new ticket for one. */
void peer_say(struct peer *peer, struct stream *server, const char *text);
/* Whether the certificate that the server showed is that of a file of the yard. */
bool peer_saw(const struct peer *peer, const char *path);

#endif
