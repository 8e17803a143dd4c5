#include "proto/ws_head.h"

#include <assert.h>
#include <stdio.h>
#include <strings.h>

#include "proto/writer.h"

/* The only field of that name; NULL when there is none, or more than one. */
static const struct http1_field *only(const struct http1_head *head, const char *name)
{
    const struct http1_field *found = NULL;
    for (size_t i = 0; i < head->n_fields; i++) {
        if (!http1_is(head->fields[i].name, name))
            continue;
        if (found != NULL)
            return NULL;
        found = &head->fields[i];
    }
    return found;
}

static bool consists_of(struct slice text, const char *characters)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\0' || strchr(characters, text.ptr[i]) == NULL)
            return false;
    }
    return true;
}

#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* RFC 9112 section 3.2: exactly one, with what may be in a host and port. HTTP/1.0 knows no Host. */
static bool host_is_good(const struct http1_head *head)
{
    const struct http1_field *host = only(head, "Host");
    if (host == NULL)
        return head->minor == 0 && http1_find(head, "Host") == NULL;
    return host->value.len > 0 && consists_of(host->value, ALPHANUMERIC "-._~%!$&'()*+,;=:[]");
}

/* What follows the head must be frames: nobody may read it as the body of the request, or as another request. */
static bool has_body(const struct http1_head *head)
{
    for (size_t i = 0; i < head->n_fields; i++) {
        const struct http1_field *field = &head->fields[i];
        if (http1_is(field->name, "Transfer-Encoding"))
            return true;
        if (http1_is(field->name, "Content-Length") && (field->value.len == 0 || !consists_of(field->value, "0")))
            return true;
    }
    return false;
}

static struct slice up_to(struct slice text, char c)
{
    const uint8_t *at = text.len > 0 ? memchr(text.ptr, c, text.len) : NULL;
    return slice_of(text.ptr, at != NULL ? (size_t)(at - text.ptr) : text.len);
}

/* RFC 9112 section 3.2: origin-form, or absolute-form, which a server must take, too. */
static struct slice path_of(struct slice target)
{
    struct slice scheme = up_to(target, ':'), path = up_to(target, '?');
    if (scheme.len > 0 && slice_starts(slice_skip(target, scheme.len), slice_str("://"))) {
        struct slice rest = slice_skip(target, scheme.len + 3);
        path = up_to(slice_skip(rest, up_to(rest, '/').len), '?');
    }
    return path;
}

static bool path_is_good(const struct http1_head *head, const char *wanted)
{
    struct slice path = path_of(head->target);
    if (slice_eq(path, slice_str(wanted)))
        return true;
    return path.len > 0 && path.ptr[path.len - 1] == '/' &&
           slice_eq(slice_of(path.ptr, path.len - 1), slice_str(wanted));
}

/* RFC 9110 section 7.8: what HTTP/1.0 asks for is not heard. */
static bool asks_for_upgrade(const struct http1_head *head)
{
    return head->minor > 0 && http1_has_token(head, "Upgrade", "websocket") &&
           http1_has_token(head, "Connection", "Upgrade");
}

static bool version_is_good(const struct http1_head *head)
{
    const struct http1_field *version = only(head, "Sec-WebSocket-Version");
    return version != NULL && slice_eq(version->value, slice_str("13"));
}

/* 16 bytes in base64 are 22 digits and two '='. What the digits leave over is not looked at, as nobody decodes it. */
static bool key_is_good(const struct http1_field *key)
{
    return key != NULL && key->value.len == WS_KEY_LEN &&
           consists_of(slice_of(key->value.ptr, WS_KEY_LEN - 2), ALPHANUMERIC "+/") &&
           slice_eq(slice_skip(key->value, WS_KEY_LEN - 2), slice_str("=="));
}

static bool has_subprotocol(const struct ws_rules *rules, struct slice name)
{
    for (size_t i = 0; i < rules->n_subprotocols; i++) {
        if (slice_eq(name, slice_str(rules->subprotocols[i])))
            return true;
    }
    return false;
}

/* The client's order counts (RFC 6455 section 4.1), over all fields of the name (section 11.3.4). */
static struct slice choose_subprotocol(const struct http1_head *head, const struct ws_rules *rules)
{
    for (size_t i = 0; i < head->n_fields; i++) {
        struct slice list = head->fields[i].value, member;
        if (!http1_is(head->fields[i].name, "Sec-WebSocket-Protocol"))
            continue;
        while (http1_next(&list, &member)) {
            if (has_subprotocol(rules, member))
                return member;
        }
    }
    return slice_of(NULL, 0);
}

enum ws_fault ws_check_request(const struct http1_head *head, const struct ws_rules *rules, struct ws_request *out)
{
    const struct http1_field *key = only(head, "Sec-WebSocket-Key");
    struct slice              subprotocol = choose_subprotocol(head, rules);
    if (!slice_eq(head->method, slice_str("GET")))
        return WS_FAULT_METHOD;
    if (!host_is_good(head))
        return WS_FAULT_HOST;
    if (has_body(head))
        return WS_FAULT_BODY;
    if (!path_is_good(head, rules->path))
        return WS_FAULT_PATH;
    if (!asks_for_upgrade(head))
        return WS_FAULT_UPGRADE;
    if (!version_is_good(head))
        return WS_FAULT_VERSION;
    if (!key_is_good(key))
        return WS_FAULT_KEY;
    if (subprotocol.len == 0)
        return WS_FAULT_SUBPROTOCOL;
    *out = (struct ws_request){.key = key->value, .subprotocol = subprotocol};
    return WS_FAULT_NONE;
}

static void put(struct writer *w, const char *text)
{
    writer_put(w, slice_str(text));
}

static void put_field(struct writer *w, const char *name, struct slice value)
{
    put(w, name);
    put(w, ": ");
    writer_put(w, value);
    put(w, "\r\n");
}

static void put_upgrade(struct writer *w)
{
    put(w, "Upgrade: websocket\r\nConnection: Upgrade\r\n");
}

size_t ws_encode_answer(const struct ws_request *request, struct slice accept, uint8_t *out, size_t cap)
{
    struct writer w = writer_of(out, cap);
    put(&w, "HTTP/1.1 101 Switching Protocols\r\n");
    put_upgrade(&w);
    put_field(&w, "Sec-WebSocket-Accept", accept);
    put_field(&w, "Sec-WebSocket-Protocol", request->subprotocol);
    put(&w, "\r\n");
    return writer_len(&w);
}

/* By fault; the path or the subprotocols of the rules are said behind some. */
static const struct {
    unsigned    status;
    const char *why;
} refusals[] = {
    [WS_FAULT_MALFORMED] = {400, "This is not the head of an HTTP/1.1 request."},
    [WS_FAULT_TOO_LONG] = {400, "The head of the request is too long."},
    [WS_FAULT_METHOD] = {400, "A WebSocket is asked for by GET."},
    [WS_FAULT_HOST] = {400, "A request has one Host field, which names a host."},
    [WS_FAULT_BODY] = {400, "A request for a WebSocket has no body."},
    [WS_FAULT_PATH] = {404, "There is nothing here. MQTT over WebSocket is at "},
    [WS_FAULT_UPGRADE] = {426, "Here is MQTT over WebSocket: \"Upgrade: websocket\" and \"Connection: Upgrade\" are "
                               "missing, or they came by HTTP/1.0."},
    [WS_FAULT_VERSION] = {426, "Sec-WebSocket-Version must be 13."},
    [WS_FAULT_KEY] = {400, "Sec-WebSocket-Key must be there once, and be 16 bytes in base64."},
    [WS_FAULT_SUBPROTOCOL] = {400, "Sec-WebSocket-Protocol offers none of: "},
    [WS_FAULT_NO_SERVER] = {503, "No MQTT server is available. Try again later."},
};

unsigned ws_fault_status(enum ws_fault fault)
{
    assert(fault != WS_FAULT_NONE);
    return refusals[fault].status;
}

static const char *reason_of(unsigned status)
{
    switch (status) {
    case 404:
        return "Not Found";
    case 426:
        return "Upgrade Required";
    case 503:
        return "Service Unavailable";
    default:
        return "Bad Request";
    }
}

static void put_body(struct writer *w, enum ws_fault fault, const struct ws_rules *rules)
{
    put(w, refusals[fault].why);
    if (fault == WS_FAULT_PATH)
        put(w, rules->path);
    for (size_t i = 0; fault == WS_FAULT_SUBPROTOCOL && i < rules->n_subprotocols; i++) {
        put(w, i > 0 ? ", " : "");
        put(w, rules->subprotocols[i]);
    }
    put(w, "\n");
}

size_t ws_encode_refusal(enum ws_fault fault, const struct ws_rules *rules, uint8_t *out, size_t cap)
{
    char          first[160];
    struct writer body = writer_of(out, cap), w = writer_of(out, cap);
    unsigned      status = ws_fault_status(fault);
    put_body(&body, fault, rules); /* overwritten: to learn its length */
    (void)snprintf(first, sizeof first, "HTTP/1.1 %u %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n", status,
                   reason_of(status), writer_len(&body));
    put(&w, first);
    if (status == 426) /* RFC 9110 section 15.5.22, RFC 6455 section 4.4 */
        put(&w, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade, close\r\n\r\n");
    else
        put(&w, "Connection: close\r\n\r\n");
    put_body(&w, fault, rules);
    return writer_len(&w);
}

static bool is_one_of(struct slice name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (http1_is(name, names[i]))
            return true;
    }
    return false;
}

static bool begins(struct slice name, const char *with)
{
    size_t len = strlen(with);
    return name.len >= len && http1_is(slice_of(name.ptr, len), with);
}

static bool is_same(struct slice a, struct slice b)
{
    return a.len == b.len && strncasecmp((const char *)a.ptr, (const char *)b.ptr, a.len) == 0;
}

static_assert(HTTP1_FIELDS_MAX <= 64, "a bit for each field");

/* The fields of this name, as bits. */
static uint64_t fields_named(const struct http1_head *head, struct slice name)
{
    uint64_t fields = 0;
    for (size_t i = 0; i < head->n_fields; i++)
        fields |= (uint64_t)is_same(head->fields[i].name, name) << i;
    return fields;
}

/* The fields that are between the client and us only, since Connection names them. Each of its lists is walked once:
 * they may be long. */
static uint64_t fields_named_by_connection(const struct http1_head *head)
{
    uint64_t fields = 0;
    for (size_t i = 0; i < head->n_fields; i++) {
        struct slice list = head->fields[i].value, member;
        if (!http1_is(head->fields[i].name, "Connection"))
            continue;
        while (http1_next(&list, &member))
            fields |= fields_named(head, member);
    }
    return fields;
}

/* What we say ourselves is not passed on: also X-Forwarded-*, whoever sent it. EMQX takes the leftmost address of
 * X-Forwarded-For for the client's, so that adding ours to the right of a client's own would let it choose. */
static bool is_passed_on(struct slice name, bool named_by_connection, bool forwarded)
{
    static const char *const never[] = {
        /* RFC 9110 section 7.6.1 */
        "Connection",
        "Upgrade",
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
        "Trailer",
        /* asks for a 100 before the 101, and there is no body to wait for */
        "Expect",
        /* the chosen one is said; and extensions make frames something that we could not follow */
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
    };
    if (http1_is(name, "Host") || http1_is(name, "Sec-WebSocket-Key") || http1_is(name, "Sec-WebSocket-Version"))
        return true; /* whatever Connection names: the request is none without */
    if (named_by_connection || is_one_of(name, never, ARRAY_LEN(never)))
        return false;
    return !forwarded || !(http1_is(name, "Forwarded") || begins(name, "X-Forwarded-"));
}

/* The port is the client's, as EMQX reads it (proxy_port_header). */
static void put_forwarded(struct writer *w, const struct ws_forwarded *forwarded)
{
    char ip[ADDR_TEXT_MAX], port[8];
    if (addr_is_set(&forwarded->client)) {
        (void)snprintf(port, sizeof port, "%u", addr_port(&forwarded->client));
        put_field(w, "X-Forwarded-For", slice_str(addr_format_ip(&forwarded->client, ip)));
        put_field(w, "X-Forwarded-Port", slice_str(port));
    }
    put_field(w, "X-Forwarded-Proto", slice_str(forwarded->tls ? "https" : "http"));
}

size_t ws_encode_request(const struct http1_head *head, const struct ws_request *request,
                         const struct ws_forwarded *forwarded, uint8_t *out, size_t cap)
{
    struct writer w = writer_of(out, cap);
    uint64_t      hops = fields_named_by_connection(head);
    writer_put(&w, head->method);
    put(&w, " ");
    writer_put(&w, head->target);
    put(&w, " HTTP/1.1\r\n");
    for (size_t i = 0; i < head->n_fields; i++) {
        const struct http1_field *field = &head->fields[i];
        if (!is_passed_on(field->name, (hops >> i & 1) != 0, forwarded != NULL))
            continue;
        writer_put(&w, field->name);
        put(&w, ": ");
        writer_put(&w, field->value);
        put(&w, "\r\n");
    }
    put_upgrade(&w);
    put_field(&w, "Sec-WebSocket-Protocol", request->subprotocol);
    if (forwarded != NULL)
        put_forwarded(&w, forwarded);
    put(&w, "\r\n");
    return writer_len(&w);
}

enum ws_answer ws_check_response(const struct http1_head *head, const struct ws_request *request, struct slice accept)
{
    const struct http1_field *proof = only(head, "Sec-WebSocket-Accept");
    const struct http1_field *subprotocol = http1_find(head, "Sec-WebSocket-Protocol");
    if (head->status != 101)
        return WS_ANSWER_STATUS;
    if (!http1_has_token(head, "Upgrade", "websocket") || !http1_has_token(head, "Connection", "Upgrade"))
        return WS_ANSWER_UPGRADE;
    if (proof == NULL || !slice_eq(proof->value, accept))
        return WS_ANSWER_ACCEPT;
    if (subprotocol != NULL &&
        (only(head, "Sec-WebSocket-Protocol") == NULL || !slice_eq(subprotocol->value, request->subprotocol)))
        return WS_ANSWER_SUBPROTOCOL;
    return http1_find(head, "Sec-WebSocket-Extensions") != NULL ? WS_ANSWER_EXTENSION : WS_ANSWER_GOOD;
}
