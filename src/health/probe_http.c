#include "base/addr.h"
#include "health/dialogue.h"
#include "proto/http1.h"

#include <stdio.h>
#include <string.h>

enum { REQUEST_FRAME_MAX = 128 + ADDR_TEXT_MAX }; /* bytes around the path */

static size_t get_room(const struct probe_target *target)
{
    return REQUEST_FRAME_MAX + strlen(target->check->http_path);
}

static size_t encode_get(const struct probe_target *target, uint8_t *out, size_t cap)
{
    char host[ADDR_TEXT_MAX];
    int n = snprintf((char *)out, cap, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: mqgate\r\nConnection: close\r\n\r\n",
                     target->check->http_path, addr_format(&target->to, host));
    return n < 0 || (size_t)n >= cap ? 0 : (size_t)n;
}

static void judge_status(const struct conf_check *check, int status, struct probe_result *result)
{
    if ((uint32_t)status == check->http_expect)
        probe_result_set(result, PROBE_L7OK, "HTTP status %d", status);
    else
        probe_result_set(result, PROBE_L7STS, "HTTP status %d, expected %u", status, check->http_expect);
    result->code = status;
}

/* Interim answers may come first and are passed over (RFC 9110 section 15.2). */
static bool judge_head(const struct conf_check *check, struct slice heard, struct probe_result *result)
{
    struct http1_head head;
    size_t            used;
    for (;; heard = slice_skip(heard, used)) {
        switch (http1_parse_response(heard, &head, &used)) {
        case PARSE_MORE:
            return false;
        case PARSE_BAD:
            probe_result_set(result, PROBE_L7RSP, "the answer is not HTTP/1");
            return true;
        case PARSE_OK:
            break;
        }
        if (head.status >= 200) {
            judge_status(check, head.status, result);
            return true;
        }
    }
}

const struct dialogue dialogue_http = {
    .request_room = get_room,
    .encode_request = encode_get,
    .judge = judge_head,
    .answer_max = DIALOGUE_ANSWER_MAX,
};
