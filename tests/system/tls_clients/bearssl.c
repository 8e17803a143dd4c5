/* A client with BearSSL, which speaks TLS 1.2. */
#include <bearssl.h>
#include <unistd.h>

#include "connected.h"
#include "talk.h"

enum { FILE_MAX = 10000 };

static br_sslio_context io;

void put_all(const unsigned char *bytes, int len)
{
    must(br_sslio_write_all(&io, bytes, (size_t)len) == 0 && br_sslio_flush(&io) == 0, "write");
}

void get_all(unsigned char *bytes, int len)
{
    must(br_sslio_read_all(&io, bytes, (size_t)len) == 0, "read");
}

static int receive(void *fd, unsigned char *to, size_t len)
{
    ssize_t n = read(*(int *)fd, to, len);
    return n > 0 ? (int)n : -1;
}

static int transmit(void *fd, const unsigned char *bytes, size_t len)
{
    ssize_t n = write(*(int *)fd, bytes, len);
    return n > 0 ? (int)n : -1;
}

/* ---- what is trusted ---- */

struct bytes {
    unsigned char at[FILE_MAX];
    size_t        len;
};

static void append(void *to, const void *bytes, size_t len)
{
    struct bytes *all = to;
    must(all->len + len <= sizeof all->at, "a small certificate");
    memcpy(all->at + all->len, bytes, len);
    all->len += len;
}

static void certificate_of(const char *file, struct bytes *out)
{
    static unsigned char   pem[FILE_MAX];
    br_pem_decoder_context decoder;
    FILE                  *in = fopen(file, "r");
    must(in != NULL, "CA");
    size_t n = fread(pem, 1, sizeof pem, in);
    (void)fclose(in);
    br_pem_decoder_init(&decoder);
    br_pem_decoder_setdest(&decoder, append, out);
    for (size_t used = 0; used < n && br_pem_decoder_event(&decoder) != BR_PEM_END_OBJ;)
        used += br_pem_decoder_push(&decoder, pem + used, n - used);
}

static br_x509_trust_anchor anchor_of(const char *file)
{
    static struct bytes            certificate, name;
    static br_x509_decoder_context decoder;
    certificate_of(file, &certificate);
    br_x509_decoder_init(&decoder, append, &name);
    br_x509_decoder_push(&decoder, certificate.at, certificate.len);
    const br_x509_pkey *key = br_x509_decoder_get_pkey(&decoder);
    must(key != NULL, "the CA's key");
    return (br_x509_trust_anchor){{name.at, name.len}, BR_X509_TA_CA, *key};
}

int main(int argc, char **argv)
{
    static unsigned char           buffer[BR_SSL_BUFSIZE_BIDI];
    static br_ssl_client_context   client;
    static br_x509_minimal_context verifier;
    must(argc == 7 && strcmp(argv[5], "1.2") == 0, "six arguments");
    br_x509_trust_anchor anchor = anchor_of(argv[3]);
    br_ssl_client_init_full(&client, &verifier, &anchor, 1);
    br_ssl_engine_set_buffer(&client.eng, buffer, sizeof buffer, 1);
    must(br_ssl_client_reset(&client, argv[4], 0), "reset");
    int fd = connected(argv[1], argv[2]);
    br_sslio_init(&io, &client.eng, receive, &fd, transmit, &fd);
    talk(atoi(argv[6]));
    (void)br_sslio_close(&io);
    must(br_ssl_engine_last_error(&client.eng) == BR_ERR_OK, "the other end's close_notify");
    (void)puts("the same");
    return 0;
}
