#include "fuzz.h"
#include "proto/clienthello.h"

static void check_hello(const struct clienthello *hello)
{
    size_t n = 0;
    FUZZ_CHECK(memchr(hello->sni, '\0', sizeof hello->sni) != NULL);
    FUZZ_CHECK(hello->alpn_len <= sizeof hello->alpn);
    while (n < hello->alpn_len) {
        FUZZ_CHECK(hello->alpn[n] > 0);
        n += 1 + (size_t)hello->alpn[n];
    }
    FUZZ_CHECK(n == hello->alpn_len);
}

static enum parse ask(struct slice in, size_t *used)
{
    struct clienthello hello;
    enum parse         answer = clienthello_peek(in, &hello);
    if (answer == PARSE_OK)
        check_hello(&hello);
    (void)used; /* a look takes no bytes */
    return answer;
}

/* The same message in records of one byte each tells the same. Only for input that is one record. */
static void check_split(struct slice in)
{
    static uint8_t     split[6 * (CLIENTHELLO_MAX + 1)];
    struct clienthello whole, parts;
    size_t             len = 0;
    memset(&whole, 0, sizeof whole);
    memset(&parts, 0, sizeof parts);
    if (in.len < 6 || in.len - 5 > CLIENTHELLO_MAX || ((size_t)in.ptr[3] << 8 | in.ptr[4]) != in.len - 5)
        return;
    for (size_t i = 5; i < in.len; i++) {
        const uint8_t record[] = {in.ptr[0], in.ptr[1], in.ptr[2], 0, 1, in.ptr[i]};
        memcpy(split + len, record, sizeof record);
        len += sizeof record;
    }
    enum parse answer = clienthello_peek(in, &whole);
    FUZZ_CHECK(clienthello_peek(slice_of(split, len), &parts) == answer);
    FUZZ_CHECK(memcmp(&whole, &parts, sizeof whole) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size);
    fuzz_cuts(ask, in);
    check_split(in);
    return 0;
}
