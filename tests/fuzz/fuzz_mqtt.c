#include "fuzz.h"
#include "proto/mqtt.h"

enum { MAX_SIZE = 2048 }; /* bytes of a CONNECT: both sides of it are tried */

static enum parse ask_header(struct slice in, size_t *used)
{
    struct mqtt_header header;
    enum parse         answer = mqtt_parse_header(in, &header, used);
    FUZZ_CHECK(answer != PARSE_OK || (*used >= 2 && *used <= 5 && header.remaining <= 268435455));
    return answer;
}

static enum parse ask_connect(struct slice in, size_t *used)
{
    struct mqtt_connect connect;
    enum mqtt_fault     fault = MQTT_FAULT_NONE;
    enum parse          answer = mqtt_parse_connect(in, MAX_SIZE, &connect, used, &fault);
    FUZZ_CHECK((answer == PARSE_BAD) == (fault != MQTT_FAULT_NONE));
    if (answer != PARSE_OK)
        return answer;
    FUZZ_CHECK(*used <= MAX_SIZE);
    FUZZ_CHECK(fuzz_inside(connect.client_id, slice_of(in.ptr, *used)));
    FUZZ_CHECK(fuzz_inside(connect.user, slice_of(in.ptr, *used)));
    FUZZ_CHECK(connect.has_user || (connect.user.len == 0 && (connect.version == MQTT_5 || !connect.has_password)));
    FUZZ_CHECK(connect.client_id.len > 0 || connect.version == MQTT_5 || connect.clean);
    return answer;
}

static enum parse ask_connack(struct slice in, enum mqtt_version version, size_t *used)
{
    struct mqtt_connack ack;
    enum parse          answer = mqtt_parse_connack(in, version, &ack, used);
    FUZZ_CHECK(answer != PARSE_OK || ack.code == 0 || !ack.session_present);
    FUZZ_CHECK(answer != PARSE_OK || version == MQTT_5 || (*used <= 7 && !ack.has_server_keep_alive));
    return answer;
}

static enum parse ask_connack_3_1(struct slice in, size_t *used)
{
    return ask_connack(in, MQTT_3_1, used);
}

static enum parse ask_connack_3_1_1(struct slice in, size_t *used)
{
    return ask_connack(in, MQTT_3_1_1, used);
}

static enum parse ask_connack_5(struct slice in, size_t *used)
{
    return ask_connack(in, MQTT_5, used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size);
    fuzz_cuts(ask_header, in);
    fuzz_cuts(ask_connect, in);
    fuzz_cuts(ask_connack_3_1, in);
    fuzz_cuts(ask_connack_3_1_1, in);
    fuzz_cuts(ask_connack_5, in);
    return 0;
}
