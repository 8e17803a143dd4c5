#include "base/addr.h"
#include "health/dialogue.h"
#include "proto/mqtt.h"

#include <inttypes.h>
#include <stdio.h>

enum { CLIENT_ID_MAX = 23, KEEP_ALIVE_S = 10, CONNECT_MAX = 64, ANSWER_MAX = 256 };

/* FNV-1a, with the terminating NUL as a separator. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    do {
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    } while (*text++ != '\0');
    return hash;
}

/* Two checks with one client id would throw each other off a broker cluster, and 23 bytes (MQTT 3.1.1 section 3.1.3.1)
 * do not hold the names that tell them apart: "emqx-node-1" and "emqx-node-2" begin alike. So a hash of all names. */
static void make_client_id(const struct probe_target *target, char out[CLIENT_ID_MAX + 1])
{
    uint64_t hash = hash_text(UINT64_C(0xcbf29ce484222325), target->node);
    hash = hash_text(hash_text(hash, target->backend), target->server);
    (void)snprintf(out, CLIENT_ID_MAX + 1, "mqgate-check-%010" PRIx64, hash >> 24);
}

static size_t connect_room(const struct probe_target *target)
{
    (void)target;
    return CONNECT_MAX;
}

static size_t encode_connect(const struct probe_target *target, uint8_t *out, size_t cap)
{
    char client_id[CLIENT_ID_MAX + 1];
    make_client_id(target, client_id);
    return mqtt_encode_connect(slice_str(client_id), KEEP_ALIVE_S, out, cap);
}

/* Any return code will do: a broker that refuses a stranger by the rules is alive. */
static bool judge_connack(const struct conf_check *check, struct slice heard, struct probe_result *result)
{
    struct mqtt_connack connack;
    size_t              used;
    (void)check;
    switch (mqtt_parse_connack(heard, MQTT_3_1_1, &connack, &used)) {
    case PARSE_MORE:
        return false;
    case PARSE_OK:
        probe_result_set(result, PROBE_L7OK, "CONNACK return code %u", connack.code);
        result->code = connack.code;
        return true;
    case PARSE_BAD:
        break;
    }
    probe_result_set(result, PROBE_L7RSP, "the answer is no CONNACK");
    return true;
}

const struct dialogue dialogue_mqtt = {
    .request_room = connect_room,
    .encode_request = encode_connect,
    .judge = judge_connack,
    .answer_max = ANSWER_MAX,
    .encode_farewell = mqtt_encode_disconnect,
};
