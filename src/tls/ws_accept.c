#include "tls/ws_accept.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 section 1.3 */

bool ws_accept(struct slice key, char out[WS_ACCEPT_LEN + 1])
{
    uint8_t text[WS_KEY_LEN + sizeof guid - 1], hash[SHA_DIGEST_LENGTH];
    if (key.len != WS_KEY_LEN)
        return false;
    memcpy(text, key.ptr, WS_KEY_LEN);
    memcpy(text + WS_KEY_LEN, guid, sizeof guid - 1);
    if (EVP_Digest(text, sizeof text, hash, NULL, EVP_sha1(), NULL) != 1)
        return false;
    return EVP_EncodeBlock((unsigned char *)out, hash, sizeof hash) == WS_ACCEPT_LEN;
}
