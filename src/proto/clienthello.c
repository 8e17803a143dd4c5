#include "proto/clienthello.h"

#include <stdbool.h>

#include "proto/reader.h"

enum { /* RFC 8446 sections 4, 4.2 and 5.1; RFC 6066 section 3; RFC 7301 section 3.1 */
       CONTENT_HANDSHAKE = 22,
       HANDSHAKE_CLIENT_HELLO = 1,
       EXTENSION_SERVER_NAME = 0,
       EXTENSION_ALPN = 16,
       NAME_TYPE_HOST = 0,
       HANDSHAKE_HEADER_LEN = 4,
       RECORD_LEN_MAX = 16384,
       RANDOM_LEN = 32,
       SESSION_ID_MAX = 32
};

/* The handshake message so far, out of the records that carry it. */
struct message {
    size_t  len; /* bytes that are there */
    uint8_t bytes[CLIENTHELLO_MAX];
};

/* Length of the whole message once its header is there; until then that of the header. */
static size_t wanted_len(const struct message *m)
{
    if (m->len < HANDSHAKE_HEADER_LEN)
        return HANDSHAKE_HEADER_LEN;
    return HANDSHAKE_HEADER_LEN + ((size_t)m->bytes[1] << 16 | (size_t)m->bytes[2] << 8 | m->bytes[3]);
}

/* Adds what has arrived of a record's content; what lies behind the message is not looked at. */
static void add_content(struct message *m, struct reader *content)
{
    while (content->have > 0 && m->len < wanted_len(m) && wanted_len(m) <= CLIENTHELLO_MAX) {
        size_t missing = wanted_len(m) - m->len;
        size_t n = missing < content->have ? missing : content->have;
        memcpy(m->bytes + m->len, content->at, n);
        (void)reader_take(content, n);
        m->len += n;
    }
}

/* RFC 8446 section 5.1. Every record of a client's first flight is of this kind, in TLS 1.0 to 1.3, and none is empty.
 */
static struct reader enter_record(struct reader *r)
{
    reader_require(r, reader_u8(r) == CONTENT_HANDSHAKE);
    reader_require(r, reader_u8(r) == 3);
    (void)reader_u8(r);
    uint16_t len = reader_u16(r);
    reader_require(r, len > 0 && len <= RECORD_LEN_MAX);
    return reader_enter(r, len);
}

/* OK: the message is whole. */
static enum parse gather(struct slice in, struct message *m)
{
    struct reader r = reader_of(in, SIZE_MAX);
    m->len = 0;
    while (reader_ok(&r) && m->len < wanted_len(m)) {
        struct reader content = enter_record(&r);
        add_content(m, &content);
        reader_require(&r, m->len == 0 || m->bytes[0] == HANDSHAKE_CLIENT_HELLO);
        reader_require(&r, wanted_len(m) <= CLIENTHELLO_MAX);
    }
    return r.status;
}

/* Control characters and spaces are in no host name, and would be trouble in every log and header they reach. */
static bool is_host_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] <= ' ' || name.ptr[i] == 0x7F)
            return false;
    }
    return name.len > 0 && name.len < CLIENTHELLO_SNI_MAX;
}

/* "MUST NOT contain more than one name of the same name_type". */
static void read_server_name(struct reader *r, struct clienthello *hello)
{
    struct reader list = reader_enter(r, reader_u16(r));
    reader_require(&list, list.limit > 0);
    while (reader_goes_on(&list)) {
        uint8_t      type = reader_u8(&list);
        struct slice name = reader_take(&list, reader_u16(&list));
        if (!reader_ok(&list) || type != NAME_TYPE_HOST)
            continue;
        reader_require(&list, hello->sni[0] == '\0' && is_host_name(name));
        if (reader_ok(&list))
            memcpy(hello->sni, name.ptr, name.len);
    }
    reader_leave(r, &list);
}

static void read_alpn(struct reader *r, struct clienthello *hello)
{
    struct reader list = reader_enter(r, reader_u16(r));
    bool          full = false;
    reader_require(&list, list.limit > 0);
    while (reader_goes_on(&list)) {
        const uint8_t *entry = list.at;
        struct slice   name = reader_take(&list, reader_u8(&list));
        reader_require(&list, name.len > 0);
        full = full || 1 + name.len > CLIENTHELLO_ALPN_MAX - hello->alpn_len;
        if (!reader_ok(&list) || full)
            continue;
        memcpy(hello->alpn + hello->alpn_len, entry, 1 + name.len);
        hello->alpn_len += 1 + name.len;
    }
    reader_leave(r, &list);
}

/* "There MUST NOT be more than one extension of the same type": checked for those that we look into. */
static void read_extension(struct reader *r, struct clienthello *hello)
{
    uint16_t      type = reader_u16(r);
    struct reader body = reader_enter(r, reader_u16(r));
    if (type == EXTENSION_SERVER_NAME) {
        reader_require(&body, hello->sni[0] == '\0');
        read_server_name(&body, hello);
    } else if (type == EXTENSION_ALPN) {
        reader_require(&body, hello->alpn_len == 0);
        read_alpn(&body, hello);
    } else {
        (void)reader_take(&body, body.limit);
    }
    reader_leave(r, &body);
}

/* RFC 8446 section 4.1.2. Before 1.3 a hello may end without extensions. */
static void read_hello(struct reader *r, struct clienthello *hello)
{
    reader_require(r, reader_u8(r) == 3);
    (void)reader_take(r, 1 + RANDOM_LEN);
    uint8_t session_id_len = reader_u8(r);
    reader_require(r, session_id_len <= SESSION_ID_MAX);
    (void)reader_take(r, session_id_len);
    uint16_t suites_len = reader_u16(r);
    reader_require(r, suites_len >= 2 && suites_len % 2 == 0);
    (void)reader_take(r, suites_len);
    uint8_t compressions = reader_u8(r);
    reader_require(r, compressions > 0);
    (void)reader_take(r, compressions);
    if (!reader_goes_on(r))
        return;
    struct reader extensions = reader_enter(r, reader_u16(r));
    while (reader_goes_on(&extensions))
        read_extension(&extensions, hello);
    reader_leave(r, &extensions);
    reader_require(r, r->limit == 0);
}

enum parse clienthello_peek(struct slice in, struct clienthello *out)
{
    struct message     m;
    struct clienthello hello = {0};
    enum parse         gathered = gather(in, &m);
    if (gathered == PARSE_BAD || m.len < HANDSHAKE_HEADER_LEN)
        return gathered;
    struct reader r = reader_of(slice_of(m.bytes + HANDSHAKE_HEADER_LEN, m.len - HANDSHAKE_HEADER_LEN),
                                wanted_len(&m) - HANDSHAKE_HEADER_LEN);
    read_hello(&r, &hello);
    if (reader_ok(&r))
        *out = hello;
    return r.status;
}
