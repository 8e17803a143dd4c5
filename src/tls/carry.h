/* tls/carry.h: a stream as facts, for an image (base/image.h) from which another version makes the same stream again
 * over the same socket. */
#ifndef MQGATE_TLS_CARRY_H
#define MQGATE_TLS_CARRY_H

#include "base/image.h"
#include "tls/stream.h"

/* The keys of one direction. */
struct stream_keys_image {
    uint64_t     seq; /* of the next record */
    struct slice key, iv, secret;
};

/* All zero: a plain stream. Slices hold secrets and bytes of clients; they are the stream's or the image's. */
struct stream_image {
    bool     is_tls;
    uint16_t version; /* as on the wire: 0x0303 is TLS 1.2 */
    uint16_t cipher;  /* by its number in RFC 5116's registry */

    /* As in struct record. */
    uint8_t                  hash_len;
    uint16_t                 fragment_max;
    bool                     update_due, refusal_due, ended, closed;
    uint32_t                 skip;
    struct slice             message;
    struct stream_keys_image in_keys, out_keys;

    struct slice opened;   /* and not taken yet */
    struct slice in;       /* received behind that and not opened yet */
    struct slice out;      /* sealed and not sent yet */
    uint32_t     taken;    /* bytes of the caller's that are in out, and that it has not been told of */
    bool         notified; /* close_notify is on its way */

    /* As in struct tls_facts. */
    bool         has_peer_cert, peer_cert_in_connection, peer_verified, resumed;
    struct slice cipher_name, sni, alpn, peer_cn, cert_sig_alg, cert_key_alg;
};

extern const struct image_kind stream_image_kind; /* a group */

/* A plain stream, or one that is detached and not over. */
bool stream_can_be_carried(const struct stream *s);
/* Of one that can; *out is good while s is neither used nor freed. */
void stream_carry(const struct stream *s, struct stream_image *out);
/* *s becomes that stream over fd, which is not touched; of *image nothing is needed any more. False, and *s is a plain
 * stream: memory is out, or no stream can be like this. */
bool stream_adopt(struct stream *s, int fd, const struct stream_image *image, struct tls_worker *worker) MUST_CHECK;

#endif
