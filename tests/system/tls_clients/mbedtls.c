/* A client with mbed TLS, which speaks TLS 1.2. */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>

#include "talk.h"

static mbedtls_ssl_context ssl;

void put_all(const unsigned char *bytes, int len)
{
    for (int n; len > 0; bytes += n, len -= n) {
        n = mbedtls_ssl_write(&ssl, bytes, (size_t)len);
        must(n > 0, "write");
    }
}

void get_all(unsigned char *bytes, int len)
{
    for (int n; len > 0; bytes += n, len -= n) {
        n = mbedtls_ssl_read(&ssl, bytes, (size_t)len);
        must(n > 0, "read");
    }
}

int main(int argc, char **argv)
{
    mbedtls_entropy_context  entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_config       config;
    mbedtls_x509_crt         ca;
    mbedtls_net_context      net;
    unsigned char            more;
    must(argc == 7, "six arguments");
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    mbedtls_ssl_init(&ssl);
    mbedtls_ssl_config_init(&config);
    mbedtls_x509_crt_init(&ca);
    mbedtls_net_init(&net);
    must(mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0) == 0, "random");
    must(mbedtls_x509_crt_parse_file(&ca, argv[3]) == 0, "CA");
    must(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                     MBEDTLS_SSL_PRESET_DEFAULT) == 0,
         "defaults");
    mbedtls_ssl_conf_ca_chain(&config, &ca, NULL);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
    must(mbedtls_ssl_setup(&ssl, &config) == 0 && mbedtls_ssl_set_hostname(&ssl, argv[4]) == 0, "set up");
    must(mbedtls_net_connect(&net, argv[1], argv[2], MBEDTLS_NET_PROTO_TCP) == 0, "connect");
    mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
    must(mbedtls_ssl_handshake(&ssl) == 0, "handshake");
    must(strcmp(mbedtls_ssl_get_version(&ssl), "TLSv1.2") == 0 && strcmp(argv[5], "1.2") == 0, "version");
    talk(atoi(argv[6]));
    must(mbedtls_ssl_close_notify(&ssl) == 0, "close_notify");
    must(mbedtls_ssl_read(&ssl, &more, 1) == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY, "the other end's close_notify");
    (void)puts("the same");
    return 0;
}
