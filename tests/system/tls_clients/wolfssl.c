/* A client with wolfSSL. */
#include <wolfssl/options.h>

#include <wolfssl/ssl.h>

#include "connected.h"
#include "talk.h"

static WOLFSSL *ssl;

void put_all(const unsigned char *bytes, int len)
{
    must(wolfSSL_write(ssl, bytes, len) == len, "write");
}

void get_all(unsigned char *bytes, int len)
{
    for (int n; len > 0; bytes += n, len -= n) {
        n = wolfSSL_read(ssl, bytes, len);
        must(n > 0, "read");
    }
}

int main(int argc, char **argv)
{
    unsigned char more;
    must(argc == 7 && wolfSSL_Init() == WOLFSSL_SUCCESS, "six arguments");
    int          is_1_3 = strcmp(argv[5], "1.3") == 0;
    WOLFSSL_CTX *ctx = wolfSSL_CTX_new(is_1_3 ? wolfTLSv1_3_client_method() : wolfTLSv1_2_client_method());
    must(ctx != NULL && wolfSSL_CTX_load_verify_locations(ctx, argv[3], NULL) == WOLFSSL_SUCCESS, "CA");
    ssl = wolfSSL_new(ctx);
    must(ssl != NULL && wolfSSL_check_domain_name(ssl, argv[4]) == WOLFSSL_SUCCESS, "name");
    must(wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, argv[4], (unsigned short)strlen(argv[4])) == WOLFSSL_SUCCESS,
         "SNI");
    must(wolfSSL_set_fd(ssl, connected(argv[1], argv[2])) == WOLFSSL_SUCCESS, "descriptor");
    must(wolfSSL_connect(ssl) == WOLFSSL_SUCCESS, "handshake");
    talk(atoi(argv[6]) / 2);
    if (is_1_3) /* new keys for both directions */
        must(wolfSSL_update_keys(ssl) == WOLFSSL_SUCCESS, "key update");
    talk(atoi(argv[6]) - atoi(argv[6]) / 2);
    (void)wolfSSL_shutdown(ssl);
    must(wolfSSL_read(ssl, &more, 1) <= 0 && wolfSSL_get_error(ssl, 0) == WOLFSSL_ERROR_ZERO_RETURN,
         "the other end's close_notify");
    (void)puts("the same");
    return 0;
}
