#include "support/client_record.h"

#include <assert.h>
#include <string.h>

enum { APPLICATION_DATA = 23 };

/* Explicit nonces are the sender's choice: these are not the sequence numbers that ours are. */
static void make_nonce(const struct record_half *half, bool is_explicit, const uint8_t seq[8], uint8_t nonce[12])
{
    memcpy(nonce, half->iv, AEAD_NONCE_LEN);
    for (int i = 0; i < 8; i++)
        nonce[4 + i] = is_explicit ? (uint8_t)(seq[i] ^ 0xA0) : nonce[4 + i] ^ seq[i];
}

size_t client_record(struct record *client, struct aead *aead, uint8_t type, struct slice content, size_t padding,
                     uint8_t *out)
{
    static uint8_t tail[1 + CLIENT_PADDING_MAX];
    const bool     is_1_3 = client->version == TLS_VERSION_1_3;
    const bool     is_explicit = !is_1_3 && client->cipher != AEAD_CHACHA20_POLY1305;
    const size_t   tail_len = is_1_3 ? 1 + padding : 0, explicit_len = is_explicit ? 8 : 0;
    const size_t   body = explicit_len + content.len + tail_len + AEAD_TAG_LEN;
    const uint8_t  header[] = {is_1_3 ? APPLICATION_DATA : type, 3, 3, (uint8_t)(body >> 8), (uint8_t)body};
    uint8_t        nonce[AEAD_NONCE_LEN], aad[13], seq[8];
    assert(padding <= CLIENT_PADDING_MAX);
    tail[0] = type;
    for (int i = 0; i < 8; i++)
        seq[i] = (uint8_t)(client->out.seq >> (56 - 8 * i));
    make_nonce(&client->out, is_explicit, seq, nonce);
    memcpy(aad, seq, 8);
    memcpy(aad + 8, header, 3);
    aad[11] = (uint8_t)(content.len >> 8);
    aad[12] = (uint8_t)content.len;
    memcpy(out, header, sizeof header);
    if (is_explicit)
        memcpy(out + sizeof header, nonce + 4, 8);
    const struct aead_frame frame = {client->cipher, nonce,
                                     is_1_3 ? slice_of(out, sizeof header) : slice_of(aad, sizeof aad)};
    if (!aead_seal(aead, &client->out.key, &frame, content, slice_of(tail, tail_len),
                   out + sizeof header + explicit_len))
        return 0;
    client->out.seq++;
    return sizeof header + body;
}
