/* Addresses of HAProxy's as addresses of mqgate's. */
#include <stdlib.h>
#include <string.h>

#include "ctl/import_translate.h"
#include "ctl/import_words.h"

/* host is without brackets, "" when there is none. */
struct parts {
    const char *host, *port;
    bool        brackets;
};

/* What mqgate has no sockets of. */
static bool is_other_family(const char *word)
{
    static const char *const prefixes[] = {"unix@",  "abns@",  "abnsz@",  "fd@",    "sockpair@", "quic4@",
                                           "quic6@", "quic@",  "udp@",    "udp4@",  "udp6@",     "rhttp@",
                                           "rev@",   "mptcp@", "mptcp4@", "mptcp6@"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (strncmp(word, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return word[0] == '/';
}

static const char *without_family(const char *word)
{
    static const char *const prefixes[] = {"ipv4@", "ipv6@", "tcp@", "tcp4@", "tcp6@", "stream+ipv4@", "stream+ipv6@"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (strncmp(word, prefixes[i], strlen(prefixes[i])) == 0)
            return word + strlen(prefixes[i]);
    }
    return word;
}

/* The colon in front of the port; not one inside of ${NAME:-default} or [::1]. */
static const char *last_colon(const char *word)
{
    const char *colon = NULL;
    unsigned    depth = 0;
    for (; *word != '\0'; word++) {
        depth += *word == '{' || *word == '[';
        depth -= depth > 0 && (*word == '}' || *word == ']');
        colon = *word == ':' && depth == 0 ? word : colon;
    }
    return colon;
}

static struct parts parts_of(struct import *im, const char *word)
{
    const char  *colon = last_colon(word);
    size_t       len = colon != NULL ? (size_t)(colon - word) : strlen(word);
    struct parts p = {.port = colon != NULL ? colon + 1 : "", .brackets = word[0] == '['};
    if (p.brackets && len >= 2 && word[len - 1] == ']')
        p.host = import_copy(im->arena, word + 1, len - 2);
    else
        p.host = import_copy(im->arena, word, len);
    return p;
}

static bool port_is_good(struct import *im, struct line *line, const char *port)
{
    size_t digits = strspn(port, "0123456789");
    if (import_has_variable(port))
        return true;
    if (digits > 0 && port[digits] == '-')
        line_lose(im->arena, line, "a range of ports; write each address, at most 16 a listener");
    else if (port[0] == '+' || port[0] == '-' || port[0] == '\0')
        line_lose(im->arena, line, "no port of its own; write one");
    else if (digits > 5 || port[digits] != '\0' || strtoul(port, NULL, 10) > 65535 || strtoul(port, NULL, 10) == 0)
        line_lose(im->arena, line, "\"%s\" is no port", port);
    else
        return true;
    return false;
}

static const char *join(struct import *im, const char *host, const char *port)
{
    return import_format(im->arena, strchr(host, ':') != NULL && !import_has_variable(host) ? "[%s]:%s" : "%s:%s", host,
                         port);
}

/* NULL: it has none; the line is lost. */
static const char *resolved(struct import *im, struct line *line, const char *host)
{
    char        text[ADDR_TEXT_MAX];
    struct addr addr;
    if (addr_parse_ip(host, &addr) || import_has_variable(host))
        return host;
    if (!im->ops->resolve(host, text)) {
        line_lose(im->arena, line, "mqgate listens on addresses, and \"%s\" has none here; write one", host);
        return NULL;
    }
    line_note(im->arena, line, "mqgate listens on addresses: %s is the address of \"%s\" now", text, host);
    return import_copy(im->arena, text, strlen(text));
}

/* The parts of an address of a socket that mqgate can have. */
static bool address_parts(struct import *im, struct line *line, const char *word, struct parts *parts)
{
    word = import_address_word(im->arena, word);
    if (is_other_family(word)) {
        line_lose(im->arena, line, "\"%s\": mqgate knows TCP over IP; write an IP address and a port", word);
        return false;
    }
    *parts = parts_of(im, without_family(word));
    return port_is_good(im, line, parts->port);
}

const char *import_bind_address(struct import *im, struct line *line, const char *word, bool *any)
{
    struct parts parts;
    *any = false;
    if (!address_parts(im, line, word, &parts))
        return NULL;
    if (parts.host[0] == '\0' && !parts.brackets)
        parts.host = "0.0.0.0";
    if (strcmp(parts.host, "*") == 0)
        parts.host = "0.0.0.0";
    if (parts.host[0] == '\0')
        parts.host = "::";
    *any = strcmp(parts.host, "::") == 0;
    const char *host = resolved(im, line, parts.host);
    return host != NULL ? import_fit(im, line, "listeners.bind", join(im, host, parts.port)) : NULL;
}

const char *import_server_address(struct import *im, struct line *line, const char *word)
{
    struct parts parts;
    if (!address_parts(im, line, word, &parts))
        return NULL;
    if (parts.host[0] == '\0' || strcmp(parts.host, "*") == 0) {
        line_lose(im->arena, line, "it has no address of its own; write one");
        return NULL;
    }
    return import_fit(im, line, "backends.servers.address", join(im, parts.host, parts.port));
}

const char *import_ip(struct import *im, struct line *line, const char *word)
{
    word = without_family(import_address_word(im->arena, word));
    struct addr addr;
    size_t      len = strlen(word);
    if (len >= 2 && word[0] == '[' && word[len - 1] == ']')
        word = import_copy(im->arena, word + 1, len - 2);
    if (addr_parse_ip(word, &addr))
        return word;
    const char *colon = last_colon(word);
    if (colon != NULL && strspn(colon, ":0") == strlen(colon))
        return import_ip(im, line, import_copy(im->arena, word, (size_t)(colon - word)));
    line_lose(im->arena, line, "\"%s\": mqgate takes an IP address there, without ports", word);
    return NULL;
}

/* Bits of "255.0.0.0"; -1: it is no mask. */
static int mask_bits(const char *text)
{
    struct addr mask;
    if (!addr_parse_ip(text, &mask) || mask.sa.sa_family != AF_INET)
        return -1;
    uint32_t m = ntohl(mask.in.sin_addr.s_addr);
    int      bits = __builtin_popcount(m);
    return bits == 0 || m == UINT32_MAX << (32 - bits) ? bits : -1;
}

const char *import_network(struct import *im, const char *word)
{
    struct addr addr;
    char        host[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX];
    size_t      len = strcspn(word, "/");
    if (len >= sizeof host)
        return NULL;
    memcpy(host, word, len);
    host[len] = '\0';
    if (!addr_parse_ip(host, &addr))
        return NULL;
    bool     v6 = addr.sa.sa_family == AF_INET6;
    int      most = v6 ? 128 : 32, bits = most;
    uint8_t *bytes = v6 ? addr.in6.sin6_addr.s6_addr : (uint8_t *)&addr.in.sin_addr;
    if (word[len] == '/') {
        const char *mask = word + len + 1;
        bool        plain = mask[0] != '\0' && strlen(mask) <= 3 && mask[strspn(mask, "0123456789")] == '\0';
        bits = plain ? (int)strtol(mask, NULL, 10) : v6 ? -1 : mask_bits(mask);
    }
    if (bits < 0 || bits > most)
        return NULL;
    for (int i = bits; i < most; i++)
        bytes[i / 8] &= (uint8_t) ~(0x80u >> (i % 8));
    const char *network = import_format(im->arena, "%s/%d", addr_format_ip(&addr, text), bits);
    return import_can("listeners.allow", network) ? network : NULL;
}

static bool is_any(const struct addr *a)
{
    static const struct in6_addr any6 = IN6ADDR_ANY_INIT;
    return a->sa.sa_family == AF_INET6 ? memcmp(&a->in6.sin6_addr, &any6, sizeof any6) == 0
                                       : a->in.sin_addr.s_addr == htonl(INADDR_ANY);
}

/* Whether one socket can listen where another does. */
static bool overlap(const char *a_text, const char *b_text)
{
    struct addr a, b;
    if (!addr_parse(a_text, &a) || !addr_parse(b_text, &b))
        return strcmp(a_text, b_text) == 0;
    return addr_port(&a) == addr_port(&b) && a.sa.sa_family == b.sa.sa_family &&
           (is_any(&a) || is_any(&b) || addr_same_ip(&a, &b));
}

bool import_bind(struct import *im, const char *address)
{
    for (size_t i = 0; i < im->bound.n; i++) {
        if (overlap(im->bound.at[i], address))
            return false;
    }
    strings_add(im->arena, &im->bound, address);
    return true;
}

const char *import_with_port(struct import *im, const char *address, const char *port)
{
    const char *colon = last_colon(address);
    return colon != NULL ? import_format(im->arena, "%.*s:%s", (int)(colon - address), address, port) : NULL;
}

const char *import_port_text(const char *address)
{
    const char *colon = last_colon(address);
    return colon != NULL ? colon + 1 : "";
}

unsigned import_port(const char *address)
{
    return (unsigned)strtoul(import_port_text(address), NULL, 10);
}
