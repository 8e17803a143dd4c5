#include "tls/carry.h"

#include <stdlib.h>
#include <string.h>

#include "tls/detached.h"

/* Without keys, sequence numbers and bytes on their way there is no connection; a version that does not know one of
 * them must not take it over. */
static const struct image_field keys_fields[] = {
    IMAGE_FIELD(1 | IMAGE_MUST, IMAGE_UINT, struct stream_keys_image, seq),
    IMAGE_FIELD(2 | IMAGE_MUST, IMAGE_SLICE, struct stream_keys_image, key),
    IMAGE_FIELD(3 | IMAGE_MUST, IMAGE_SLICE, struct stream_keys_image, iv),
    IMAGE_FIELD(4 | IMAGE_MUST, IMAGE_SLICE, struct stream_keys_image, secret),
};
static const struct image_kind keys_kind = {"stream's keys", 0, keys_fields, ARRAY_LEN(keys_fields)};

static const struct image_field stream_fields[] = {
    IMAGE_FIELD(1 | IMAGE_MUST, IMAGE_BOOL, struct stream_image, is_tls),
    IMAGE_FIELD(2 | IMAGE_MUST, IMAGE_UINT, struct stream_image, version),
    IMAGE_FIELD(3 | IMAGE_MUST, IMAGE_UINT, struct stream_image, cipher),
    IMAGE_FIELD(4 | IMAGE_MUST, IMAGE_UINT, struct stream_image, hash_len),
    IMAGE_FIELD(5 | IMAGE_MUST, IMAGE_UINT, struct stream_image, fragment_max),
    IMAGE_FIELD(6 | IMAGE_MUST, IMAGE_BOOL, struct stream_image, update_due),
    IMAGE_FIELD(7 | IMAGE_MUST, IMAGE_BOOL, struct stream_image, refusal_due),
    IMAGE_FIELD(8 | IMAGE_MUST, IMAGE_BOOL, struct stream_image, ended),
    IMAGE_FIELD(9 | IMAGE_MUST, IMAGE_BOOL, struct stream_image, closed),
    IMAGE_FIELD(10 | IMAGE_MUST, IMAGE_UINT, struct stream_image, skip),
    IMAGE_FIELD(11 | IMAGE_MUST, IMAGE_SLICE, struct stream_image, message),
    IMAGE_FIELD_GROUP(12 | IMAGE_MUST, &keys_kind, struct stream_image, in_keys),
    IMAGE_FIELD_GROUP(13 | IMAGE_MUST, &keys_kind, struct stream_image, out_keys),
    IMAGE_FIELD(14 | IMAGE_MUST, IMAGE_SLICE, struct stream_image, opened),
    IMAGE_FIELD(15 | IMAGE_MUST, IMAGE_SLICE, struct stream_image, in),
    IMAGE_FIELD(16 | IMAGE_MUST, IMAGE_SLICE, struct stream_image, out),
    IMAGE_FIELD(17 | IMAGE_MUST, IMAGE_UINT, struct stream_image, taken),
    IMAGE_FIELD(18 | IMAGE_MUST, IMAGE_BOOL, struct stream_image, notified),
    IMAGE_FIELD(19, IMAGE_BOOL, struct stream_image, has_peer_cert),
    IMAGE_FIELD(20, IMAGE_BOOL, struct stream_image, peer_cert_in_connection),
    IMAGE_FIELD(21, IMAGE_BOOL, struct stream_image, peer_verified),
    IMAGE_FIELD(22, IMAGE_BOOL, struct stream_image, resumed),
    IMAGE_FIELD(23, IMAGE_SLICE, struct stream_image, cipher_name),
    IMAGE_FIELD(24, IMAGE_SLICE, struct stream_image, sni),
    IMAGE_FIELD(25, IMAGE_SLICE, struct stream_image, alpn),
    IMAGE_FIELD(26, IMAGE_SLICE, struct stream_image, peer_cn),
    IMAGE_FIELD(27, IMAGE_SLICE, struct stream_image, cert_sig_alg),
    IMAGE_FIELD(28, IMAGE_SLICE, struct stream_image, cert_key_alg),
};
const struct image_kind stream_image_kind = {"stream", 0, stream_fields, ARRAY_LEN(stream_fields)};

/* Numbers that mean the same in every version; 0 is none of them. Ciphers: RFC 5116 section 6, RFC 8439 section 4. */
static const uint16_t version_numbers[] = {[TLS_VERSION_1_2] = 0x0303, [TLS_VERSION_1_3] = 0x0304};
static const uint16_t cipher_numbers[AEAD_CIPHERS] = {
    [AEAD_AES_128_GCM] = 1, [AEAD_AES_256_GCM] = 2, [AEAD_CHACHA20_POLY1305] = 29};

bool stream_can_be_carried(const struct stream *s)
{
    return s->tls == NULL || (s->tls->detached != NULL && s->tls->broken == IO_OK);
}

/* ---- to facts ---- */

static void carry_keys(const struct record *r, const struct record_half *half, struct stream_keys_image *out)
{
    *out = (struct stream_keys_image){
        .seq = half->seq,
        .key = slice_of(half->key.bytes, aead_key_len(r->cipher)),
        .iv = slice_of(half->iv, sizeof half->iv),
        .secret = slice_of(half->secret, r->version == TLS_VERSION_1_3 ? r->hash_len : 0),
    };
}

static void carry_record(const struct record *r, struct stream_image *out)
{
    out->version = version_numbers[r->version];
    out->cipher = cipher_numbers[r->cipher];
    out->hash_len = r->hash_len;
    out->fragment_max = r->fragment_max;
    out->update_due = r->update_due;
    out->refusal_due = r->refusal_due;
    out->ended = r->ended;
    out->closed = r->closed;
    out->skip = r->skip;
    out->message = slice_of(r->message, r->n_message);
    carry_keys(r, &r->in, &out->in_keys);
    carry_keys(r, &r->out, &out->out_keys);
}

static void carry_facts(const struct detached *d, struct stream_image *out)
{
    out->has_peer_cert = d->has_peer_cert;
    out->peer_cert_in_connection = d->peer_cert_in_connection;
    out->peer_verified = d->peer_verified;
    out->resumed = d->resumed;
    out->cipher_name = slice_str(detached_text(d, KEPT_CIPHER));
    out->sni = slice_str(detached_text(d, KEPT_SNI));
    out->alpn = slice_str(detached_text(d, KEPT_ALPN));
    out->peer_cn = slice_str(detached_text(d, KEPT_CN));
    out->cert_sig_alg = slice_str(detached_text(d, KEPT_SIG_ALG));
    out->cert_key_alg = slice_str(detached_text(d, KEPT_KEY_ALG));
}

void stream_carry(const struct stream *s, struct stream_image *out)
{
    *out = (struct stream_image){.is_tls = s->tls != NULL};
    if (s->tls == NULL)
        return;
    const struct detached *d = s->tls->detached;
    carry_record(&d->record, out);
    carry_facts(d, out);
    if (d->opened > 0)
        out->opened = slice_of(d->in->data + d->opened_at, d->opened);
    out->in = buf_bytes(d->in);
    out->out = buf_bytes(d->out);
    out->taken = d->taken;
    out->notified = s->tls->notified;
}

/* ---- and back ---- */

/* False: it is none of n. */
static bool find_number(const uint16_t *numbers, size_t n, uint16_t number, size_t *index)
{
    *index = 0;
    while (*index < n && numbers[*index] != number)
        ++*index;
    return *index < n;
}

static bool adopt_bytes(uint8_t *to, struct slice from, size_t len)
{
    if (from.len != len)
        return false;
    if (len > 0)
        memcpy(to, from.ptr, len);
    return true;
}

static bool adopt_keys(const struct stream_keys_image *from, const struct record *r, struct record_half *half)
{
    half->seq = from->seq;
    return adopt_bytes(half->key.bytes, from->key, aead_key_len(r->cipher)) &&
           adopt_bytes(half->iv, from->iv, sizeof half->iv) &&
           adopt_bytes(half->secret, from->secret, r->version == TLS_VERSION_1_3 ? r->hash_len : 0);
}

/* In TLS 1.3 a message is whole with its fifth byte, and may ask for new keys; TLS 1.2 looks at no more than its head,
 * and refuses it. */
static bool adopt_message(const struct stream_image *from, struct record *r)
{
    enum { BEGUN_1_3 = 4, BEGUN_1_2 = 3, BODY_MAX = 0xFFFFFF };
    const bool is_1_3 = r->version == TLS_VERSION_1_3;
    if (from->message.len > (size_t)(is_1_3 ? BEGUN_1_3 : BEGUN_1_2) || from->skip > (is_1_3 ? 0 : BODY_MAX) ||
        (is_1_3 ? from->refusal_due : from->update_due))
        return false;
    r->update_due = from->update_due;
    r->refusal_due = from->refusal_due;
    r->skip = from->skip;
    r->n_message = (uint8_t)from->message.len;
    return adopt_bytes(r->message, from->message, from->message.len);
}

static bool adopt_record(const struct stream_image *from, struct record *r)
{
    enum { FRAGMENT_LEAST = 512 }; /* bytes; RFC 6066 section 4 */
    size_t version, cipher;
    if (!find_number(version_numbers, ARRAY_LEN(version_numbers), from->version, &version) ||
        !find_number(cipher_numbers, ARRAY_LEN(cipher_numbers), from->cipher, &cipher) ||
        (from->hash_len != 32 && from->hash_len != 48) || from->fragment_max < FRAGMENT_LEAST ||
        from->fragment_max > RECORD_PLAIN_MAX)
        return false;
    r->version = (enum tls_version)version;
    r->cipher = (enum aead_cipher)cipher;
    r->hash_len = from->hash_len;
    r->fragment_max = from->fragment_max;
    r->ended = from->ended;
    r->closed = from->closed;
    return adopt_message(from, r) && adopt_keys(&from->in_keys, r, &r->in) && adopt_keys(&from->out_keys, r, &r->out);
}

enum { LAST_ALERT = RECORD_OVERHEAD + 2 }; /* bytes */

/* What there can be in a box: behind what is on its way out there is room for the alert that a fault calls for. */
static bool boxes_can_be(const struct stream_image *from)
{
    if (from->opened.len > from->fragment_max || from->in.len > BULK_LEN_MAX - from->opened.len ||
        from->out.len > (size_t)(from->closed ? BULK_LEN_MAX : BULK_LEN_MAX - LAST_ALERT))
        return false;
    if (from->ended && from->opened.len > 0) /* the end is opened after all else has been taken */
        return false;
    return from->taken == 0 || (from->taken <= BULK_LEN_MAX && (from->out.len > 0 || from->closed));
}

/* False: memory is out. */
static bool fill_box(struct tls_worker *worker, struct slice first, struct slice second, struct buf **box)
{
    if (first.len + second.len == 0)
        return true;
    *box = buf_take(first.len + second.len + LAST_ALERT > RECORD_LEN_MAX ? &worker->bulk : &worker->boxes);
    if (*box == NULL)
        return false;
    if (first.len > 0)
        memcpy((*box)->data, first.ptr, first.len);
    if (second.len > 0)
        memcpy((*box)->data + first.len, second.ptr, second.len);
    buf_added(*box, (uint32_t)(first.len + second.len));
    return true;
}

static bool adopt_boxes(const struct stream_image *from, struct detached *d)
{
    const struct slice none = slice_of(NULL, 0);
    if (!boxes_can_be(from) || !fill_box(d->worker, from->opened, from->in, &d->in) ||
        !fill_box(d->worker, from->out, none, &d->out))
        return false;
    d->opened = (uint32_t)from->opened.len; /* and opened_at is 0 */
    if (d->opened > 0)
        buf_consume(d->in, d->opened);
    d->taken = from->taken;
    return true;
}

static bool adopt_text(char *to, size_t cap, struct slice text)
{
    if (text.len >= cap || (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL))
        return false;
    to[text.len] = '\0';
    return adopt_bytes((uint8_t *)to, text, text.len);
}

/* NULL: memory is out, or there are no such facts. */
static struct detached *adopt_facts(const struct stream_image *from, struct tls_worker *worker)
{
    char             cipher[64];
    struct tls_facts facts = {.version = "", .cipher = cipher};
    if (!adopt_text(cipher, sizeof cipher, from->cipher_name) || !adopt_text(facts.sni, sizeof facts.sni, from->sni) ||
        !adopt_text(facts.alpn, sizeof facts.alpn, from->alpn) ||
        !adopt_text(facts.peer_cn, sizeof facts.peer_cn, from->peer_cn) ||
        !adopt_text(facts.cert_sig_alg, sizeof facts.cert_sig_alg, from->cert_sig_alg) ||
        !adopt_text(facts.cert_key_alg, sizeof facts.cert_key_alg, from->cert_key_alg))
        return NULL;
    facts.has_peer_cert = from->has_peer_cert;
    facts.peer_cert_in_connection = from->peer_cert_in_connection;
    facts.peer_verified = from->peer_verified;
    facts.resumed = from->resumed;
    return detached_new(worker, &facts);
}

bool stream_adopt(struct stream *s, int fd, const struct stream_image *image, struct tls_worker *worker)
{
    *s = stream_plain(fd);
    if (!image->is_tls)
        return image->version == 0;
    struct tls_session *t = slab_take(&worker->slab, sizeof *t);
    struct detached    *d = t == NULL ? NULL : adopt_facts(image, worker);
    if (d == NULL || !adopt_record(image, &d->record) || !adopt_boxes(image, d) ||
        !wire_init(&t->wire, fd, slice_of(NULL, 0))) {
        detached_free(d);
        slab_give(t);
        return false;
    }
    t->detached = d;
    t->established = true;
    t->notified = image->notified;
    s->tls = t;
    return true;
}
