/* Version 1, section 2.1: one line of text. */
#include <stdio.h>
#include <sys/socket.h>

#include "proto/proxyhdr.h"
#include "proto/proxyhdr_versions.h"
#include "proto/reader.h"

enum { IP4_TEXT_MAX = 15, IP6_TEXT_MAX = 45 }; /* characters; 45: the end of an IPv6 address may be dotted */

/* Takes the characters of word; BAD at the first other one. */
static void take_word(struct reader *r, const char *word)
{
    for (; *word != '\0'; word++)
        reader_require(r, reader_u8(r) == (uint8_t)*word);
}

static bool is_ip_character(uint8_t c, bool v6)
{
    if ((c >= '0' && c <= '9') || c == '.')
        return true;
    return v6 && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':');
}

/* An address and the space behind it. inet_pton(3) is as strict as the specification: no zeros ahead in dotted form,
 * 128 bits in the other. */
static struct addr take_ip(struct reader *r, bool v6)
{
    char        text[IP6_TEXT_MAX + 1];
    size_t      len = 0, max = v6 ? IP6_TEXT_MAX : IP4_TEXT_MAX;
    struct addr ip = {0};
    for (uint8_t c; (c = reader_u8(r)) != ' ' && reader_ok(r);) {
        reader_require(r, is_ip_character(c, v6) && len < max);
        if (reader_ok(r))
            text[len++] = (char)c;
    }
    text[len] = '\0';
    if (reader_ok(r))
        reader_require(r, addr_parse_ip(text, &ip) && ip.sa.sa_family == (v6 ? AF_INET6 : AF_INET));
    return ip;
}

/* A port and the character that ends it. No zeros ahead of other digits. */
static uint16_t take_port(struct reader *r, char end)
{
    uint32_t port = 0;
    size_t   n = 0;
    for (uint8_t c; (c = reader_u8(r)) != (uint8_t)end && reader_ok(r); n++) {
        reader_require(r, c >= '0' && c <= '9' && (n == 0 || port > 0));
        port = port * 10 + (uint32_t)(c - '0');
        reader_require(r, port <= UINT16_MAX);
    }
    reader_require(r, n > 0);
    return (uint16_t)port;
}

static void take_tcp(struct reader *r, struct proxyhdr *hdr)
{
    uint8_t digit = reader_u8(r);
    bool    v6 = digit == '6';
    reader_require(r, v6 || digit == '4');
    take_word(r, " ");
    hdr->src = take_ip(r, v6);
    hdr->dst = take_ip(r, v6);
    addr_set_port(&hdr->src, take_port(r, ' '));
    addr_set_port(&hdr->dst, take_port(r, '\r'));
    take_word(r, "\n");
    hdr->has_addr = true;
}

/* "the receiver must ignore anything presented before the CRLF is found": a CR or LF alone too. */
static void take_unknown(struct reader *r)
{
    uint8_t before, c = reader_u8(r);
    reader_require(r, c == ' ' || c == '\r');
    if (c == '\r') {
        take_word(r, "\n");
        return;
    }
    do {
        before = c;
        c = reader_u8(r);
        reader_require(r, r->limit > 1 || c == '\r' || before == '\r'); /* room is left for CRLF at most */
    } while (reader_ok(r) && !(before == '\r' && c == '\n'));
}

enum parse proxyhdr_parse_v1(struct slice in, struct proxyhdr *out, size_t *used)
{
    struct reader   r = reader_of(in, PROXYHDR_V1_MAX);
    struct proxyhdr hdr = {.version = 1};
    take_word(&r, "PROXY ");
    uint8_t first = reader_u8(&r);
    reader_require(&r, first == 'T' || first == 'U');
    take_word(&r, first == 'T' ? "CP" : "NKNOWN");
    if (first == 'T')
        take_tcp(&r, &hdr);
    else
        take_unknown(&r);
    if (reader_ok(&r)) {
        *out = hdr;
        *used = PROXYHDR_V1_MAX - r.limit;
    }
    return r.status;
}

size_t proxyhdr_encode_v1(const struct addr *src, const struct addr *dst, uint8_t *out, size_t cap)
{
    char line[PROXYHDR_V1_MAX + 1] = "PROXY UNKNOWN\r\n", ip_src[ADDR_TEXT_MAX], ip_dst[ADDR_TEXT_MAX];
    int  len = 15;
    if (addr_is_set(src) && src->sa.sa_family == dst->sa.sa_family)
        len = snprintf(line, sizeof line, "PROXY TCP%c %.*s %.*s %u %u\r\n", src->sa.sa_family == AF_INET6 ? '6' : '4',
                       IP6_TEXT_MAX, addr_format_ip(src, ip_src), IP6_TEXT_MAX, addr_format_ip(dst, ip_dst),
                       addr_port(src), addr_port(dst));
    if (len < 0 || (size_t)len > cap || (size_t)len > PROXYHDR_V1_MAX)
        return 0;
    memcpy(out, line, (size_t)len);
    return (size_t)len;
}
