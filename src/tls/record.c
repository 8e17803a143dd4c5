#include "tls/record.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <string.h>

#include "tls/record_keys.h"

enum content { CHANGE_CIPHER_SPEC = 20, ALERT, HANDSHAKE, APPLICATION_DATA };
enum { CLIENT_HELLO = 1, KEY_UPDATE = 24 };
enum { MESSAGE_HEADER_LEN = 4, KEY_UPDATE_LEN = 5 };
enum { LEVEL_WARNING = 1, LEVEL_FATAL = 2 };
enum { EXPLICIT_NONCE_LEN = 8 };

void record_fini(struct record *r, struct aead *aead)
{
    aead_forget(aead, &r->in.key);
    aead_forget(aead, &r->out.key);
    OPENSSL_cleanse(r, sizeof *r);
}

static enum record_got fault(struct record_opened *opened, enum record_alert alert, const char *why)
{
    opened->used = 0;
    opened->alert = (uint8_t)alert;
    opened->why = why;
    return RECORD_FAULT;
}

static void put_u16(uint8_t *at, size_t n)
{
    at[0] = (uint8_t)(n >> 8);
    at[1] = (uint8_t)n;
}

static void put_u64(uint8_t *at, uint64_t n)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(n >> (56 - 8 * i));
}

/* ---- nonces and what is authenticated beside the content ---- */

static bool has_explicit_nonce(const struct record *r)
{
    return r->version == TLS_VERSION_1_2 && r->cipher != AEAD_CHACHA20_POLY1305;
}

/* The sequence number is the explicit nonce: it never comes twice (RFC 5288 section 3). */
static void make_nonce(const struct record *r, const struct record_half *half, const uint8_t *explicit_nonce,
                       uint8_t nonce[AEAD_NONCE_LEN])
{
    uint8_t seq[8];
    memcpy(nonce, half->iv, AEAD_NONCE_LEN);
    if (has_explicit_nonce(r)) {
        memcpy(nonce + 4, explicit_nonce, EXPLICIT_NONCE_LEN);
        return;
    }
    put_u64(seq, half->seq);
    for (int i = 0; i < 8; i++)
        nonce[4 + i] ^= seq[i];
}

enum { AAD_MAX = 13 };

/* TLS 1.3: the header as it is on the wire. TLS 1.2: the sequence number, and the header with the content's length. */
static struct slice make_aad(const struct record *r, const struct record_half *half, const uint8_t *header,
                             size_t content_len, uint8_t aad[AAD_MAX])
{
    if (r->version == TLS_VERSION_1_3)
        return slice_of(header, RECORD_HEADER_LEN);
    put_u64(aad, half->seq);
    memcpy(aad + 8, header, 3);
    put_u16(aad + 11, content_len);
    return slice_of(aad, AAD_MAX);
}

/* ---- handshake messages: new keys in TLS 1.3, refused renegotiations in TLS 1.2 ---- */

static enum record_got key_update(struct record *r, struct aead *aead, bool at_end, struct record_opened *opened)
{
    r->n_message = 0;
    if (r->message[4] > 1)
        return fault(opened, ALERT_ILLEGAL_PARAMETER, "bad key update");
    if (!at_end) /* what follows would be of the old key still (RFC 8446 section 5.1) */
        return fault(opened, ALERT_UNEXPECTED_MESSAGE, "not on record boundary");
    if (r->message[4] == 1)
        r->update_due = true;
    return record_keys_next(r, aead, &r->in) ? RECORD_NOTHING : RECORD_NO_MEMORY;
}

static size_t message_body_len(const struct record *r)
{
    return (size_t)r->message[1] << 16 | (size_t)r->message[2] << 8 | r->message[3];
}

/* Nothing else may come from a client: we ask for no certificate after the handshake. */
static enum record_got take_handshake_1_3(struct record *r, struct aead *aead, struct slice in,
                                          struct record_opened *opened)
{
    for (size_t i = 0; i < in.len; i++) {
        r->message[r->n_message++] = in.ptr[i];
        if (r->message[0] != KEY_UPDATE)
            return fault(opened, ALERT_UNEXPECTED_MESSAGE, "unexpected message");
        if (r->n_message == MESSAGE_HEADER_LEN && message_body_len(r) != 1)
            return fault(opened, ALERT_DECODE_ERROR, "bad length");
        if (r->n_message == KEY_UPDATE_LEN)
            return key_update(r, aead, i + 1 == in.len, opened);
    }
    return RECORD_NOTHING;
}

static enum record_got take_handshake_1_2(struct record *r, struct slice in, struct record_opened *opened)
{
    while (in.len > 0) {
        size_t n = r->skip < in.len ? r->skip : in.len;
        r->skip -= (uint32_t)n;
        in = slice_skip(in, n);
        if (in.len == 0)
            break;
        r->message[r->n_message++] = in.ptr[0];
        in = slice_skip(in, 1);
        if (r->message[0] != CLIENT_HELLO)
            return fault(opened, ALERT_UNEXPECTED_MESSAGE, "unexpected message");
        if (r->n_message < MESSAGE_HEADER_LEN)
            continue;
        r->n_message = 0;
        r->skip = (uint32_t)message_body_len(r);
        r->refusal_due = true;
    }
    return RECORD_NOTHING;
}

/* ---- alerts ---- */

/* RFC 8446 section 6, RFC 5246 section 7.2: by number, as those two and RFC 6066, 7301 and 7507 name them. */
static const char *alert_name(uint8_t number)
{
    static const struct {
        uint8_t     number;
        const char *name;
    } names[] = {{10, "alert unexpected message"},
                 {20, "alert bad record mac"},
                 {22, "alert record overflow"},
                 {40, "alert handshake failure"},
                 {42, "alert bad certificate"},
                 {43, "alert unsupported certificate"},
                 {44, "alert certificate revoked"},
                 {45, "alert certificate expired"},
                 {46, "alert certificate unknown"},
                 {47, "alert illegal parameter"},
                 {48, "alert unknown ca"},
                 {49, "alert access denied"},
                 {50, "alert decode error"},
                 {51, "alert decrypt error"},
                 {70, "alert protocol version"},
                 {71, "alert insufficient security"},
                 {80, "alert internal error"},
                 {86, "alert inappropriate fallback"},
                 {90, "alert user canceled"},
                 {109, "alert missing extension"},
                 {110, "alert unsupported extension"},
                 {112, "alert unrecognized name"},
                 {113, "alert bad certificate status response"},
                 {115, "alert unknown psk identity"},
                 {116, "alert certificate required"},
                 {120, "alert no application protocol"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].number == number)
            return names[i].name;
    }
    return "alert of an unknown kind";
}

static enum record_got take_alert(struct record *r, struct slice in, struct record_opened *opened)
{
    if (in.len != 2)
        return fault(opened, ALERT_DECODE_ERROR, "invalid alert");
    uint8_t level = in.ptr[0], number = in.ptr[1];
    if (number == ALERT_CLOSE_NOTIFY) {
        r->ended = true;
        return RECORD_END;
    }
    if (r->version == TLS_VERSION_1_2 && level != LEVEL_WARNING && level != LEVEL_FATAL)
        return fault(opened, ALERT_ILLEGAL_PARAMETER, "unknown alert type");
    /* TLS 1.3 knows no warning but this, which says that close_notify follows. */
    if (r->version == TLS_VERSION_1_3 ? number == ALERT_USER_CANCELED : level == LEVEL_WARNING)
        return RECORD_NOTHING;
    opened->used = 0;
    opened->why = alert_name(number);
    return RECORD_ALERT;
}

/* ---- opening ---- */

static enum record_got take_content(struct record *r, struct aead *aead, uint8_t type, struct slice content,
                                    struct record_opened *opened)
{
    if (content.len > r->fragment_max)
        return fault(opened, ALERT_RECORD_OVERFLOW, "data length too long");
    if (r->version == TLS_VERSION_1_3 && type != APPLICATION_DATA && content.len == 0)
        return fault(opened, ALERT_UNEXPECTED_MESSAGE, "empty record"); /* RFC 8446 section 5.4 */
    if (r->version == TLS_VERSION_1_3 && r->n_message > 0 && type != HANDSHAKE)
        return fault(opened, ALERT_UNEXPECTED_MESSAGE, "mixed handshake and non handshake data");
    switch (type) {
    case APPLICATION_DATA:
        opened->data = content;
        return content.len > 0 ? RECORD_DATA : RECORD_NOTHING;
    case ALERT:
        return take_alert(r, content, opened);
    case HANDSHAKE:
        return r->version == TLS_VERSION_1_3 ? take_handshake_1_3(r, aead, content, opened)
                                             : take_handshake_1_2(r, content, opened);
    default:
        return fault(opened, ALERT_UNEXPECTED_MESSAGE, "unexpected record");
    }
}

/* The content's real type is its last byte that is not 0; zeros behind it are padding. */
static enum record_got take_inner(struct record *r, struct aead *aead, struct slice inner, struct record_opened *opened)
{
    if (inner.len > RECORD_PLAIN_MAX + 1)
        return fault(opened, ALERT_RECORD_OVERFLOW, "data length too long");
    while (inner.len > 0 && inner.ptr[inner.len - 1] == 0)
        inner.len--;
    if (inner.len == 0)
        return fault(opened, ALERT_UNEXPECTED_MESSAGE, "bad record type");
    inner.len--;
    return take_content(r, aead, inner.ptr[inner.len], inner, opened);
}

/* TLS 1.3's version field means nothing (RFC 8446 section 5.1). */
static enum record_got check_header(const struct record *r, const uint8_t *header, size_t body_len,
                                    struct record_opened *opened)
{
    if (r->version == TLS_VERSION_1_2 && (header[1] != 3 || header[2] != 3))
        return fault(opened, ALERT_PROTOCOL_VERSION, "wrong version number");
    if (header[0] < CHANGE_CIPHER_SPEC || header[0] > APPLICATION_DATA)
        return fault(opened, ALERT_UNEXPECTED_MESSAGE, "unexpected record");
    if (r->version == TLS_VERSION_1_3 && header[0] != APPLICATION_DATA)
        return fault(opened, ALERT_UNEXPECTED_MESSAGE, "bad record type");
    if (body_len > RECORD_BODY_MAX)
        return fault(opened, ALERT_RECORD_OVERFLOW, "encrypted length too long");
    return RECORD_NOTHING;
}

/* *content is where the content is decrypted. */
static enum record_got unprotect(struct record *r, struct aead *aead, uint8_t *in, size_t body_len, uint8_t *out,
                                 size_t cap, struct slice *content)
{
    uint8_t nonce[AEAD_NONCE_LEN], aad[AAD_MAX], *body = in + RECORD_HEADER_LEN;
    size_t  explicit_len = has_explicit_nonce(r) ? EXPLICIT_NONCE_LEN : 0;
    if (body_len < explicit_len + AEAD_TAG_LEN || r->in.seq == UINT64_MAX)
        return RECORD_FAULT;
    size_t                  len = body_len - explicit_len - AEAD_TAG_LEN;
    uint8_t                *to = cap >= len ? out : body + explicit_len;
    const struct aead_frame frame = {r->cipher, nonce, make_aad(r, &r->in, in, len, aad)};
    make_nonce(r, &r->in, body, nonce);
    switch (aead_open(aead, &r->in.key, &frame, slice_of(body + explicit_len, len + AEAD_TAG_LEN), to)) {
    case AEAD_OK:
        r->in.seq++;
        *content = slice_of(to, len);
        return RECORD_DATA;
    case AEAD_FORGED:
        return RECORD_FAULT;
    default:
        return RECORD_NO_MEMORY;
    }
}

enum record_got record_open(struct record *r, struct aead *aead, uint8_t *in, size_t len, uint8_t *out, size_t cap,
                            struct record_opened *opened)
{
    struct slice content = slice_of(NULL, 0);
    *opened = (struct record_opened){.why = ""};
    if (len < RECORD_HEADER_LEN)
        return RECORD_MORE;
    size_t          body_len = (size_t)in[3] << 8 | in[4];
    enum record_got got = check_header(r, in, body_len, opened);
    if (got == RECORD_FAULT)
        return got;
    if (len < RECORD_HEADER_LEN + body_len)
        return RECORD_MORE;
    got = unprotect(r, aead, in, body_len, out, cap, &content);
    if (got == RECORD_FAULT)
        return fault(opened, ALERT_BAD_RECORD_MAC, "decryption failed or bad record mac");
    if (got == RECORD_NO_MEMORY)
        return got;
    opened->used = RECORD_HEADER_LEN + body_len;
    if (r->version == TLS_VERSION_1_3)
        return take_inner(r, aead, content, opened);
    return take_content(r, aead, in[0], content, opened);
}

/* ---- sealing ---- */

static bool seal(struct record *r, struct aead *aead, uint8_t type, struct slice content, uint8_t *out, size_t *len)
{
    uint8_t            nonce[AEAD_NONCE_LEN], aad[AAD_MAX], *body = out + RECORD_HEADER_LEN;
    const bool         hides_type = r->version == TLS_VERSION_1_3;
    const struct slice inner_type = slice_of(&type, hides_type ? 1 : 0);
    const size_t       explicit_len = has_explicit_nonce(r) ? EXPLICIT_NONCE_LEN : 0;
    const size_t       body_len = explicit_len + content.len + inner_type.len + AEAD_TAG_LEN;
    const uint8_t header[] = {hides_type ? APPLICATION_DATA : type, 3, 3, (uint8_t)(body_len >> 8), (uint8_t)body_len};
    const struct aead_frame frame = {r->cipher, nonce, make_aad(r, &r->out, header, content.len, aad)};
    *len = 0;
    if (r->out.seq == UINT64_MAX)
        return false;
    if (explicit_len > 0)
        put_u64(body, r->out.seq);
    make_nonce(r, &r->out, body, nonce);
    if (!aead_seal(aead, &r->out.key, &frame, content, inner_type, body + explicit_len))
        return false;
    memcpy(out, header, sizeof header);
    r->out.seq++;
    *len = RECORD_HEADER_LEN + body_len;
    return true;
}

bool record_seal(struct record *r, struct aead *aead, struct slice data, uint8_t *out, size_t *len)
{
    assert(data.len > 0 && data.len <= r->fragment_max && !r->closed);
    return seal(r, aead, APPLICATION_DATA, data, out, len);
}

bool record_seal_alert(struct record *r, struct aead *aead, enum record_alert alert, uint8_t *out, size_t *len)
{
    const uint8_t content[] = {alert == ALERT_CLOSE_NOTIFY ? LEVEL_WARNING : LEVEL_FATAL, (uint8_t)alert};
    r->closed = true;
    return seal(r, aead, ALERT, slice_of(content, sizeof content), out, len);
}

static bool is_worn(const struct record *r)
{
    return r->version == TLS_VERSION_1_3 && r->out.seq >= RECORD_KEY_USES;
}

bool record_has_answer(const struct record *r)
{
    return !r->closed && (r->update_due || r->refusal_due || is_worn(r));
}

bool record_answer(struct record *r, struct aead *aead, uint8_t *out, size_t *len)
{
    static const uint8_t update[] = {KEY_UPDATE, 0, 0, 1, 0}; /* without asking for the same */
    static const uint8_t refusal[] = {LEVEL_WARNING, ALERT_NO_RENEGOTIATION};
    *len = 0;
    if (r->closed)
        return true;
    if (r->refusal_due) {
        r->refusal_due = false;
        return seal(r, aead, ALERT, slice_of(refusal, sizeof refusal), out, len);
    }
    if (!r->update_due && !is_worn(r))
        return true;
    r->update_due = false;
    return seal(r, aead, HANDSHAKE, slice_of(update, sizeof update), out, len) && record_keys_next(r, aead, &r->out);
}
