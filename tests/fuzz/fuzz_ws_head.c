#include "base/macros.h"
#include "fuzz.h"
#include "proto/ws_head.h"

enum { OUT_MAX = 1 << 16 }; /* bytes */

static const char *const     subprotocols[] = {"mqtt", "mqttv3.1"};
static const struct ws_rules rules = {"/mqtt", subprotocols, ARRAY_LEN(subprotocols)};

static size_t count(const struct http1_head *head, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < head->n_fields; i++)
        n += http1_is(head->fields[i].name, name);
    return n;
}

static bool is_field(const struct http1_head *head, const char *name, const char *value)
{
    return count(head, name) == 1 && slice_eq(http1_find(head, name)->value, slice_str(value));
}

static void check_forwarded(const struct http1_head *head)
{
    FUZZ_CHECK(is_field(head, "X-Forwarded-For", "192.0.2.7"));
    FUZZ_CHECK(is_field(head, "X-Forwarded-Port", "51000"));
    FUZZ_CHECK(is_field(head, "X-Forwarded-Proto", "https"));
    FUZZ_CHECK(count(head, "Forwarded") == 0 && count(head, "X-Forwarded-Host") == 0);
}

/* What a server is asked is as good as what the client asked, and is the same to whoever reads it. */
static void check_passed_on(const struct http1_head *head, const struct ws_request *request, size_t len,
                            const struct ws_forwarded *forwarded)
{
    static uint8_t    out[OUT_MAX], anew[OUT_MAX];
    struct http1_head again;
    struct ws_request asked;
    size_t            used, n = ws_encode_request(head, request, forwarded, out, sizeof out);
    FUZZ_CHECK(n > 0 && n < len + WS_REQUEST_GROWTH);
    /* What is ours may be more fields than are read. */
    if (http1_parse_request(slice_of(out, n), &again, &used) != PARSE_OK) {
        FUZZ_CHECK(head->n_fields > HTTP1_FIELDS_MAX - 6);
        return;
    }
    FUZZ_CHECK(used == n && slice_eq(again.method, head->method) && slice_eq(again.target, head->target));
    FUZZ_CHECK(ws_check_request(&again, &rules, &asked) == WS_FAULT_NONE);
    FUZZ_CHECK(slice_eq(asked.key, request->key) && slice_eq(asked.subprotocol, request->subprotocol));
    FUZZ_CHECK(count(&again, "Sec-WebSocket-Extensions") == 0 && count(&again, "Sec-WebSocket-Protocol") == 1);
    FUZZ_CHECK(is_field(&again, "Connection", "Upgrade") && is_field(&again, "Upgrade", "websocket"));
    if (forwarded != NULL)
        check_forwarded(&again);
    FUZZ_CHECK(ws_encode_request(&again, &asked, forwarded, anew, sizeof anew) == n && memcmp(out, anew, n) == 0);
}

static void check_refusal(enum ws_fault fault)
{
    uint8_t           out[512];
    struct http1_head head;
    size_t            used, n = ws_encode_refusal(fault, &rules, out, sizeof out);
    FUZZ_CHECK(http1_parse_response(slice_of(out, n), &head, &used) == PARSE_OK && used < n);
    FUZZ_CHECK(head.status == (int)ws_fault_status(fault) && head.status >= 400);
}

static void check_request(struct slice in)
{
    struct ws_forwarded forwarded = {.tls = true};
    struct http1_head   head;
    struct ws_request   request;
    size_t              used;
    if (http1_parse_request(in, &head, &used) != PARSE_OK || in.len > OUT_MAX - WS_REQUEST_GROWTH)
        return;
    enum ws_fault fault = ws_check_request(&head, &rules, &request);
    if (fault != WS_FAULT_NONE) {
        check_refusal(fault);
        return;
    }
    FUZZ_CHECK(request.key.len == WS_KEY_LEN && fuzz_inside(request.key, slice_of(in.ptr, used)));
    FUZZ_CHECK(request.subprotocol.len > 0 && fuzz_inside(request.subprotocol, slice_of(in.ptr, used)));
    FUZZ_CHECK(addr_parse("192.0.2.7:51000", &forwarded.client));
    check_passed_on(&head, &request, used, NULL);
    check_passed_on(&head, &request, used, &forwarded);
}

static void check_response(struct slice in)
{
    static const char       accept[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    const struct ws_request asked = {slice_str("dGhlIHNhbXBsZSBub25jZQ=="), slice_str("mqtt")};
    struct http1_head       head;
    size_t                  used;
    if (http1_parse_response(in, &head, &used) != PARSE_OK)
        return;
    if (ws_check_response(&head, &asked, slice_str(accept)) != WS_ANSWER_GOOD)
        return;
    FUZZ_CHECK(head.status == 101 && is_field(&head, "Sec-WebSocket-Accept", accept));
    FUZZ_CHECK(count(&head, "Sec-WebSocket-Extensions") == 0);
    FUZZ_CHECK(count(&head, "Sec-WebSocket-Protocol") == 0 || is_field(&head, "Sec-WebSocket-Protocol", "mqtt"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_request(slice_of(data, size));
    check_response(slice_of(data, size));
    return 0;
}
