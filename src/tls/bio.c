#include "tls/bio.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Two for each record, its head and its body: enough for a few records in a row, or for one in pieces. */
enum { RECEIVES_A_CALL = 16 };

bool wire_init(struct wire *wire, int fd, struct slice seen)
{
    *wire = (struct wire){.fd = fd};
    if (seen.len == 0)
        return true;
    wire->seen = seen.len > UINT32_MAX ? NULL : malloc(seen.len);
    if (wire->seen == NULL)
        return false;
    memcpy(wire->seen, seen.ptr, seen.len);
    wire->seen_len = (uint32_t)seen.len;
    return true;
}

void wire_fini(struct wire *wire)
{
    free(wire->seen);
    wire->seen = NULL;
}

void wire_allow(struct wire *wire)
{
    wire->receives_left = RECEIVES_A_CALL;
}

/* What a peer began with tells what it is, should the handshake fail. */
static void keep_first(struct wire *wire, const char *from, int n)
{
    while (n-- > 0 && wire->n_first < sizeof wire->first)
        wire->first[wire->n_first++] = (uint8_t)*from++;
}

static int take_seen(struct wire *wire, char *to, int cap)
{
    uint32_t n = wire->seen_len - wire->seen_at;
    if (n > (uint32_t)cap)
        n = (uint32_t)cap;
    memcpy(to, wire->seen + wire->seen_at, n);
    wire->seen_at += n;
    if (wire->seen_at == wire->seen_len)
        wire_fini(wire);
    keep_first(wire, to, (int)n);
    return (int)n;
}

static bool is_transient(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static int on_read(BIO *bio, char *to, int cap)
{
    struct wire *wire = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (cap <= 0)
        return 0;
    if (wire->seen != NULL)
        return take_seen(wire, to, cap);
    if (wire->receives_left == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    wire->receives_left--;
    ssize_t n = recv(wire->fd, to, (size_t)cap, 0);
    if (n == 0)
        wire->ended = true;
    else if (n < 0 && is_transient(errno))
        BIO_set_retry_read(bio);
    else if (n < 0)
        wire->error = errno;
    keep_first(wire, to, (int)n);
    return (int)n;
}

static int on_write(BIO *bio, const char *from, int len)
{
    struct wire *wire = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = send(wire->fd, from, (size_t)len, MSG_NOSIGNAL);
    if (n < 0 && is_transient(errno))
        BIO_set_retry_write(bio);
    else if (n < 0)
        wire->error = errno;
    return (int)n;
}

static long on_ctrl(BIO *bio, int command, long number, void *pointer)
{
    const struct wire *wire = BIO_get_data(bio);
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1; /* nothing is held back; libssl asks after each flight */
    case BIO_CTRL_EOF:
        return wire->ended;
    default:
        return 0;
    }
}

BIO_METHOD *bio_method_new(void)
{
    /* The number only tells kinds of BIO apart in BIO_find_type(). BIO_get_new_index() gives out 127 in the life of a
     * process, fewer than it may see reloads. */
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_TYPE_START, "wire");
    if (method == NULL)
        return NULL;
    (void)BIO_meth_set_read(method, on_read);
    (void)BIO_meth_set_write(method, on_write);
    (void)BIO_meth_set_ctrl(method, on_ctrl);
    return method;
}

BIO *bio_new(const BIO_METHOD *method, struct wire *wire)
{
    BIO *bio = BIO_new(method);
    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, wire);
    BIO_set_init(bio, 1);
    return bio;
}
