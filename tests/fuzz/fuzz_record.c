#include "fuzz.h"
#include "support/client_record.h"
#include "tls/record.h"

/* The input is a script of what a client sends: records with genuine seals around any content, and bytes that are no
 * record at all. */
enum { WIRE_MAX = 3 * RECORD_LEN_MAX, DATA = 23 };

struct play {
    struct aead  *aead;
    struct record server, client;
    uint8_t       wire[WIRE_MAX], out[RECORD_LEN_MAX];
    size_t        len;
    struct slice  sealed;  /* content of the last record, if it was data; else empty */
    bool          genuine; /* all that came was sealed by the client */
};

static void begin(struct play *p, uint8_t kind)
{
    static const uint8_t none[48];
    struct record       *r = &p->server;
    r->version = (kind & 1) != 0 ? TLS_VERSION_1_2 : TLS_VERSION_1_3;
    r->cipher = (enum aead_cipher)((kind >> 1) % AEAD_CIPHERS);
    r->hash_len = r->cipher == AEAD_AES_256_GCM ? 48 : 32;
    r->fragment_max = (kind & 64) != 0 ? 512 : RECORD_PLAIN_MAX;
    FUZZ_CHECK(r->version == TLS_VERSION_1_3 ? record_derive_1_3(r) : record_derive_1_2(r, none, none, none));
    p->client = p->server;
    p->client.in = p->server.out;
    p->client.out = p->server.in;
    p->genuine = true;
}

/* As a client may seal anything: with record_seal() only data could be. */
static void seal(struct play *p, uint8_t type, struct slice content, size_t padding)
{
    size_t n = client_record(&p->client, p->aead, type, content, padding, p->wire + p->len);
    FUZZ_CHECK(n > 0);
    p->len += n;
    p->sealed = type == DATA ? content : slice_of(NULL, 0);
}

/* The client understands what it is told, and goes on with new keys when the server does. */
static void answer(struct play *p)
{
    struct record_opened opened;
    uint8_t              told[RECORD_ANSWER_MAX];
    size_t               len;
    while (record_has_answer(&p->server)) {
        FUZZ_CHECK(record_answer(&p->server, p->aead, told, &len) && len > 0 && len <= sizeof told);
        FUZZ_CHECK(record_open(&p->client, p->aead, told, len, NULL, 0, &opened) == RECORD_NOTHING);
        FUZZ_CHECK(opened.used == len && !p->client.update_due);
    }
    FUZZ_CHECK(record_answer(&p->server, p->aead, told, &len) && len == 0);
}

static bool is_same(const struct record *a, const struct record *b)
{
    return a->in.seq == b->in.seq && a->out.seq == b->out.seq && a->n_message == b->n_message && a->skip == b->skip &&
           a->update_due == b->update_due && a->refusal_due == b->refusal_due && a->ended == b->ended &&
           a->closed == b->closed && memcmp(a->in.key.bytes, b->in.key.bytes, sizeof a->in.key.bytes) == 0;
}

/* Opens all that is there. False: the connection is over. */
static bool listen(struct play *p, size_t cap)
{
    struct record_opened opened;
    for (;;) {
        struct record   before = p->server;
        uint64_t        seq = p->server.in.seq;
        enum record_got got = record_open(&p->server, p->aead, p->wire, p->len, p->out, cap, &opened);
        FUZZ_CHECK(opened.used <= p->len);
        if (got == RECORD_MORE) {
            FUZZ_CHECK(opened.used == 0 && is_same(&before, &p->server));
            return true;
        }
        if (got == RECORD_FAULT || got == RECORD_ALERT) {
            FUZZ_CHECK(opened.used == 0 && opened.why[0] != '\0' && (got == RECORD_ALERT || opened.alert != 0));
            return false;
        }
        FUZZ_CHECK(opened.used > RECORD_HEADER_LEN && (p->server.in.seq == seq + 1 || p->server.in.seq == 0));
        if (p->server.in.seq == 0 && p->genuine) { /* the client's key update: it has new keys, too */
            p->client.out = p->server.in;
            p->client.out.key.id = 0;
        }
        if (got == RECORD_DATA) {
            FUZZ_CHECK(fuzz_inside(opened.data, slice_of(p->out, cap)) ||
                       fuzz_inside(opened.data, slice_of(p->wire, opened.used)));
            FUZZ_CHECK(opened.data.len > 0 && slice_eq(opened.data, p->sealed));
        }
        if (got == RECORD_END)
            return false;
        memmove(p->wire, p->wire + opened.used, p->len - opened.used);
        p->len -= opened.used;
        answer(p);
    }
}

/* One step of the script: what, type, length, padding, and that many bytes. */
static size_t step(struct play *p, const uint8_t *data, size_t size, bool *over)
{
    enum { HEAD = 5 };
    size_t len = (size_t)data[2] << 8 | data[3];
    if (len > size - HEAD)
        len = size - HEAD;
    if ((data[0] & 1) != 0 && p->len == 0) {
        len = len < RECORD_PLAIN_MAX ? len : RECORD_PLAIN_MAX;
        /* A type of 0 would be padding, and the content's own end the type. */
        seal(p, data[1] == 0 ? DATA : data[1], slice_of(data + HEAD, len), data[4]);
        if ((data[0] & 2) != 0) /* and not quite genuine */
            p->wire[data[1] % p->len] ^= 1;
    } else {
        len = len < WIRE_MAX - p->len ? len : WIRE_MAX - p->len;
        memcpy(p->wire + p->len, data + HEAD, len);
        p->len += len;
        p->genuine = len == 0 && p->genuine;
    }
    *over = !listen(p, (data[0] & 4) != 0 ? sizeof p->out : data[4]);
    return HEAD + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct play  p;
    static struct aead *aead;
    bool                over = false;
    if (size == 0)
        return 0;
    if (aead == NULL)
        aead = aead_new();
    memset(&p, 0, sizeof p);
    p.aead = aead;
    begin(&p, data[0]);
    for (size_t at = 1; at + 5 <= size && !over;)
        at += step(&p, data + at, size - at, &over);
    record_fini(&p.server, aead);
    record_fini(&p.client, aead);
    return 0;
}
