/* What is told by the first bytes stays told, needs no more than TELL_MAX of them, and is what the readers of each
 * protocol find. */
#include "fuzz.h"
#include "proto/mqtt.h"
#include "proto/proxyhdr.h"
#include "proto/tell.h"
#include "proto/ws_head.h"

static const char path[] = "/mqtt";

static void check_cuts(struct slice in, enum tell told)
{
    enum tell before = TELL_MORE;
    for (size_t n = 0; n <= in.len && n <= TELL_MAX; n++) {
        enum tell now = tell(slice_of(in.ptr, n), path);
        FUZZ_CHECK(before == TELL_MORE || now == before);
        before = now;
    }
    FUZZ_CHECK(told == before && (told != TELL_MORE || in.len < TELL_MAX));
}

/* A head that the reader of WebSocket takes is never told to be anything else, and no other path is told to be its. */
static void check_http(struct slice in, enum tell told)
{
    static const char *const mqtt[] = {"mqtt"};
    struct http1_head        head;
    struct ws_request        request;
    size_t                   used;
    if (in.len > TELL_MAX || http1_parse_request(in, &head, &used) != PARSE_OK)
        return;
    enum ws_fault fault = ws_check_request(&head, &(struct ws_rules){path, mqtt, 1}, &request);
    FUZZ_CHECK(fault != WS_FAULT_NONE || told == TELL_WS);
    FUZZ_CHECK(fault != WS_FAULT_PATH || told != TELL_WS);
}

static void check_others(struct slice in, enum tell told)
{
    struct proxyhdr     hdr;
    struct mqtt_connect connect;
    enum mqtt_fault     fault;
    size_t              used;
    FUZZ_CHECK(proxyhdr_parse(in, &hdr, &used) != PARSE_OK || told == TELL_PROXY);
    FUZZ_CHECK(mqtt_parse_connect(in, 65536, &connect, &used, &fault) != PARSE_OK || told == TELL_MQTT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size);
    enum tell    told = tell(in, path);
    check_cuts(in, told);
    check_http(in, told);
    check_others(in, told);
    return 0;
}
