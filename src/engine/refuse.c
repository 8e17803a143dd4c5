/* A client that is not let in hears why, where its protocol has words for it. */
#include "engine/mqtt.h"
#include "engine/worker.h"

struct answer {
    uint8_t     code_3; /* return code, MQTT 3.1.1 section 3.2.2.3 */
    uint8_t     code_5; /* reason code, MQTT 5.0 section 3.2.2.2 */
    const char *text;   /* Reason String */
};

/* code_3 0: such a client is closed without a word. */
static const struct answer answers[WHY_COUNT] = {
    [WHY_VERSION] = {1, 0x84, "this version of MQTT is not served here"},
    [WHY_MALFORMED] = {0, 0x81, "the CONNECT packet is malformed"},
    [WHY_TOO_LARGE] = {0, 0x95, "the CONNECT packet is too large"},
    [WHY_CLIENT_ID] = {2, 0x85, "a client identifier is required"},
    [WHY_NO_SERVER] = {3, 0x88, "no broker is available"},
    [WHY_QUEUE_TIMEOUT] = {3, 0x88, "the broker is busy for too long"},
    [WHY_CONNECT_FAILED] = {3, 0x88, "the broker cannot be reached"},
    [WHY_SERVER_HANDSHAKE_FAILED] = {3, 0x88, "the broker cannot be reached"},
};

static bool is_told(enum why why, enum mqtt_version version)
{
    return version != 0 && (version == MQTT_5 ? answers[why].code_5 : answers[why].code_3) != 0;
}

static void put_answer(struct buf *b, enum why why, enum mqtt_version version)
{
    uint8_t code = version == MQTT_5 ? answers[why].code_5 : answers[why].code_3;
    buf_added(b, (uint32_t)mqtt_encode_connack(version, code, slice_str(answers[why].text), buf_end(b), buf_room(b)));
}

enum step session_refuse(struct session *s, enum why why, enum mqtt_version version)
{
    if (!is_told(why, version))
        return session_step_fail(s, why);
    struct buf *answer = buf_take(&s->worker->bufs);
    if (answer == NULL)
        return session_step_fail(s, WHY_NO_MEMORY);
    put_answer(answer, why, version);
    session_settle_end(s, why);
    session_side_close(s, SERVER);
    session_drop_bufs(s);
    s->flow[DOWN].buf = answer;
    return session_step_to(s, ST_LINGER);
}

enum step session_step_no_server(struct session *s, enum why why)
{
    return session_refuse(s, why, s->mqtt != NULL ? s->mqtt->version : 0);
}
