#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_u16(const char *text, uint16_t *out)
{
    unsigned long port = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        port = port * 10 + (unsigned long)(*text - '0');
        if (port > UINT16_MAX)
            return false;
    }
    *out = (uint16_t)port;
    return true;
}

bool addr_parse_ip(const char *text, struct addr *out)
{
    struct addr a;
    memset(&a, 0, sizeof a);
    if (inet_pton(AF_INET, text, &a.in.sin_addr) == 1)
        a.in.sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &a.in6.sin6_addr) == 1)
        a.in6.sin6_family = AF_INET6;
    else
        return false;
    *out = a;
    return true;
}

bool addr_parse(const char *text, struct addr *out)
{
    char        host[INET6_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    bool        bracketed = text[0] == '[';
    if (colon == NULL || (bracketed && (colon == text || colon[-1] != ']')))
        return false;
    const char *begin = bracketed ? text + 1 : text;
    size_t      len = (size_t)(colon - begin) - (bracketed ? 1 : 0);
    if (len >= sizeof host)
        return false;
    memcpy(host, begin, len);
    host[len] = '\0';
    struct addr a;
    uint16_t    port;
    if (!addr_parse_ip(host, &a) || !parse_u16(colon + 1, &port))
        return false;
    if ((a.sa.sa_family == AF_INET6) != bracketed)
        return false;
    addr_set_port(&a, port);
    *out = a;
    return true;
}

struct addr addr_from_ip4(const uint8_t ip[4], uint16_t port)
{
    struct addr a;
    memset(&a, 0, sizeof a);
    a.in.sin_family = AF_INET;
    a.in.sin_port = htons(port);
    memcpy(&a.in.sin_addr, ip, 4);
    return a;
}

struct addr addr_from_ip6(const uint8_t ip[16], uint16_t port)
{
    struct addr a;
    memset(&a, 0, sizeof a);
    a.in6.sin6_family = AF_INET6;
    a.in6.sin6_port = htons(port);
    memcpy(&a.in6.sin6_addr, ip, 16);
    return a;
}

struct addr addr_from_sockaddr(const struct sockaddr *sa)
{
    struct addr a;
    memset(&a, 0, sizeof a);
    if (sa->sa_family == AF_INET) {
        memcpy(&a.in, sa, sizeof a.in);
    } else if (sa->sa_family == AF_INET6) {
        memcpy(&a.in6, sa, sizeof a.in6);
        if (IN6_IS_ADDR_V4MAPPED(&a.in6.sin6_addr))
            a = addr_from_ip4(&a.in6.sin6_addr.s6_addr[12], ntohs(a.in6.sin6_port));
    }
    return a;
}

const char *addr_format_ip(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    const void *ip = a->sa.sa_family == AF_INET6 ? (const void *)&a->in6.sin6_addr : (const void *)&a->in.sin_addr;
    if (!addr_is_set(a) || inet_ntop(a->sa.sa_family, ip, out, ADDR_TEXT_MAX) == NULL)
        memcpy(out, "-", 2);
    return out;
}

const char *addr_format(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    char ip[ADDR_TEXT_MAX];
    if (!addr_is_set(a)) {
        memcpy(out, "-", 2);
        return out;
    }
    bool v6 = a->sa.sa_family == AF_INET6;
    (void)snprintf(out, ADDR_TEXT_MAX, "%s%.*s%s:%u", v6 ? "[" : "", INET6_ADDRSTRLEN, addr_format_ip(a, ip),
                   v6 ? "]" : "", addr_port(a));
    return out;
}

socklen_t addr_socklen(const struct addr *a)
{
    return a->sa.sa_family == AF_INET6 ? sizeof a->in6 : sizeof a->in;
}

uint16_t addr_port(const struct addr *a)
{
    return ntohs(a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port);
}

void addr_set_port(struct addr *a, uint16_t port)
{
    if (a->sa.sa_family == AF_INET6)
        a->in6.sin6_port = htons(port);
    else
        a->in.sin_port = htons(port);
}

bool addr_is_set(const struct addr *a)
{
    return a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6;
}

static const uint8_t *ip_bytes(const struct addr *a, unsigned *n_bits)
{
    if (a->sa.sa_family == AF_INET6) {
        *n_bits = 128;
        return a->in6.sin6_addr.s6_addr;
    }
    *n_bits = 32;
    return (const uint8_t *)&a->in.sin_addr;
}

bool addr_is_loopback(const struct addr *a)
{
    if (a->sa.sa_family == AF_INET)
        return (ntohl(a->in.sin_addr.s_addr) >> 24) == 127;
    return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
    unsigned bits, bits_b;
    if (!addr_is_set(a) || a->sa.sa_family != b->sa.sa_family)
        return false;
    const uint8_t *ip = ip_bytes(a, &bits);
    return same_bits(ip, ip_bytes(b, &bits_b), bits);
}

bool addr_same(const struct addr *a, const struct addr *b)
{
    if (!addr_is_set(a) || !addr_is_set(b))
        return addr_is_set(a) == addr_is_set(b);
    return addr_same_ip(a, b) && addr_port(a) == addr_port(b);
}

bool addr_is_wildcard(const struct addr *a)
{
    return a->sa.sa_family == AF_INET6 ? IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr)
                                       : a->sa.sa_family == AF_INET && a->in.sin_addr.s_addr == htonl(INADDR_ANY);
}

bool addr_overlaps(const struct addr *a, const struct addr *b)
{
    if (!addr_is_set(a) || a->sa.sa_family != b->sa.sa_family || addr_port(a) == 0 || addr_port(a) != addr_port(b))
        return false;
    return addr_is_wildcard(a) || addr_is_wildcard(b) || addr_same_ip(a, b);
}

static bool host_bits_are_zero(const struct network *net)
{
    unsigned       n_bits;
    const uint8_t *ip = ip_bytes(&net->base, &n_bits);
    for (unsigned bit = net->bits; bit < n_bits; bit++) {
        if (ip[bit / 8] & (0x80u >> (bit % 8)))
            return false;
    }
    return true;
}

bool network_parse(const char *text, struct network *out)
{
    char           ip[INET6_ADDRSTRLEN];
    const char    *slash = strchr(text, '/');
    size_t         len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    struct network net;
    if (len >= sizeof ip)
        return false;
    memcpy(ip, text, len);
    ip[len] = '\0';
    if (!addr_parse_ip(ip, &net.base))
        return false;
    uint16_t bits = net.base.sa.sa_family == AF_INET6 ? 128 : 32, most = bits;
    if (slash != NULL && (!parse_u16(slash + 1, &bits) || bits > most))
        return false;
    net.bits = (uint8_t)bits;
    if (!host_bits_are_zero(&net))
        return false;
    if (bits >= 96 && most == 128 && IN6_IS_ADDR_V4MAPPED(&net.base.in6.sin6_addr)) {
        net.base = addr_from_sockaddr(&net.base.sa);
        net.bits = (uint8_t)(bits - 96);
    }
    *out = net;
    return true;
}

static bool network_has_form(const struct network *net, const struct addr *a)
{
    unsigned n_bits, n_bits_a;
    if (net->base.sa.sa_family != a->sa.sa_family)
        return false;
    const uint8_t *base = ip_bytes(&net->base, &n_bits);
    return same_bits(base, ip_bytes(a, &n_bits_a), net->bits);
}

bool network_has(const struct network *net, const struct addr *a)
{
    struct addr plain = addr_from_sockaddr(&a->sa);
    return network_has_form(net, a) || network_has_form(net, &plain);
}

bool networks_have(const struct network *nets, size_t n, const struct addr *a)
{
    for (size_t i = 0; i < n; i++) {
        if (network_has(&nets[i], a))
            return true;
    }
    return false;
}
