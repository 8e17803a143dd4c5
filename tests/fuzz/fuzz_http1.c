#include "fuzz.h"
#include "proto/http1.h"

static bool has_byte(struct slice s, uint8_t byte)
{
    return s.len > 0 && memchr(s.ptr, byte, s.len) != NULL;
}

/* Nobody who reads these bytes again may see another head in them. */
static void check_head(const struct http1_head *head, struct slice bytes)
{
    FUZZ_CHECK(head->minor == 0 || head->minor == 1);
    FUZZ_CHECK(head->n_fields <= HTTP1_FIELDS_MAX);
    FUZZ_CHECK(fuzz_inside(head->method, bytes) && fuzz_inside(head->target, bytes));
    for (size_t i = 0; i < head->n_fields; i++) {
        struct slice name = head->fields[i].name, value = head->fields[i].value;
        FUZZ_CHECK(fuzz_inside(name, bytes) && fuzz_inside(value, bytes));
        FUZZ_CHECK(name.len > 0 && !has_byte(name, ' ') && !has_byte(name, ':') && !has_byte(name, '\n'));
        FUZZ_CHECK(!has_byte(value, '\0') && !has_byte(value, '\r') && !has_byte(value, '\n'));
        FUZZ_CHECK(value.len == 0 || (value.ptr[0] != ' ' && value.ptr[value.len - 1] != ' '));
    }
    (void)http1_has_token(head, "connection", "upgrade");
}

static enum parse ask_request(struct slice in, size_t *used)
{
    struct http1_head head;
    enum parse        answer = http1_parse_request(in, &head, used);
    if (answer == PARSE_OK) {
        check_head(&head, slice_of(in.ptr, *used));
        FUZZ_CHECK(head.method.len > 0 && head.target.len > 0 && head.status == 0);
    }
    return answer;
}

static enum parse ask_response(struct slice in, size_t *used)
{
    struct http1_head head;
    enum parse        answer = http1_parse_response(in, &head, used);
    if (answer == PARSE_OK) {
        check_head(&head, slice_of(in.ptr, *used));
        FUZZ_CHECK(head.status >= 100 && head.status <= 599);
    }
    return answer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_cuts(ask_request, slice_of(data, size));
    fuzz_cuts(ask_response, slice_of(data, size));
    return 0;
}
