/* The numbers of all that an engine writes down. One that was ever given stays. */
#include "engine/image.h"

#define FLOW(number, type, member) IMAGE_FIELD(number, type, struct flow_image, member)
static const struct image_field flow_fields[] = {
    FLOW(1 | IMAGE_MUST, IMAGE_SLICE, in_hand),
    FLOW(2, IMAGE_UINT, bytes),
    FLOW(3 | IMAGE_MUST, IMAGE_BOOL, eof),
    FLOW(4 | IMAGE_MUST, IMAGE_BOOL, shut),
};
static const struct image_kind flow_kind = {"flow", 0, flow_fields, ARRAY_LEN(flow_fields)};

#define FOLLOW(number, type, member) IMAGE_FIELD((number) | IMAGE_MUST, type, struct follow_image, member)
static const struct image_field follow_fields[] = {
    FOLLOW(1, IMAGE_UINT, left),       FOLLOW(2, IMAGE_BYTES, header),
    FOLLOW(3, IMAGE_UINT, header_len), FOLLOW(4, IMAGE_UINT, code),
    FOLLOW(5, IMAGE_UINT, strings),    FOLLOW(6, IMAGE_UINT, skip),
    FOLLOW(7, IMAGE_UINT, number),     FOLLOW(8, IMAGE_BOOL, has_server_keep_alive),
    FOLLOW(9, IMAGE_BOOL, greeted),    FOLLOW(10, IMAGE_UINT, look),
};
static const struct image_kind follow_kind = {"packet position", 0, follow_fields, ARRAY_LEN(follow_fields)};

#define FRAMES(number, type, member) IMAGE_FIELD((number) | IMAGE_MUST, type, struct frames_image, member)
static const struct image_field frames_fields[] = {
    FRAMES(1, IMAGE_UINT, left),        FRAMES(2, IMAGE_BYTES, mask),      FRAMES(3, IMAGE_UINT, close_code),
    FRAMES(4, IMAGE_UINT, header_read), FRAMES(5, IMAGE_UINT, header_len), FRAMES(6, IMAGE_UINT, first),
    FRAMES(7, IMAGE_UINT, passed),      FRAMES(8, IMAGE_BOOL, masked),     FRAMES(9, IMAGE_BOOL, in_message),
    FRAMES(10, IMAGE_BOOL, closed),
};
static const struct image_kind frames_kind = {"frame position", 0, frames_fields, ARRAY_LEN(frames_fields)};

#define MQTT(number, type, member) IMAGE_FIELD(number, type, struct mqtt_image, member)
static const struct image_field mqtt_fields[] = {
    MQTT(1 | IMAGE_MUST, IMAGE_BOOL, is),
    MQTT(2 | IMAGE_MUST, IMAGE_UINT, version),
    MQTT(3, IMAGE_BOOL, clean),
    MQTT(4 | IMAGE_MUST, IMAGE_BOOL, has_connack),
    MQTT(5 | IMAGE_MUST, IMAGE_UINT, connack),
    MQTT(6 | IMAGE_MUST, IMAGE_BOOL, disconnected),
    MQTT(7 | IMAGE_MUST, IMAGE_BOOL, loose),
    MQTT(8, IMAGE_UINT, keep_alive_s),
    MQTT(9, IMAGE_UINT, silence_ms),
    MQTT(10 | IMAGE_MUST, IMAGE_UINT, connect_left),
    MQTT(11, IMAGE_SLICE, client_id),
    MQTT(12, IMAGE_BOOL, has_user),
    MQTT(13, IMAGE_SLICE, user),
    IMAGE_FIELD_GROUP(14 | IMAGE_MUST, &follow_kind, struct mqtt_image, up),
    IMAGE_FIELD_GROUP(15 | IMAGE_MUST, &follow_kind, struct mqtt_image, down),
};
static const struct image_kind mqtt_kind = {"MQTT client", 0, mqtt_fields, ARRAY_LEN(mqtt_fields)};

#define WS(number, type, member)  IMAGE_FIELD((number) | IMAGE_MUST, type, struct ws_image, member)
#define WS_FRAMES(number, member) IMAGE_FIELD_GROUP((number) | IMAGE_MUST, &frames_kind, struct ws_image, member)
static const struct image_field ws_fields[] = {
    WS(1, IMAGE_BOOL, is),
    WS_FRAMES(2, up),
    WS_FRAMES(3, down),
    WS(4, IMAGE_UINT, fault),
    WS(5, IMAGE_BOOL, cut),
    WS(6, IMAGE_BOOL, opens),
    WS_FRAMES(7, opening),
    WS(8, IMAGE_UINT, fed),
    WS(9, IMAGE_SLICE, packet),
    WS(10, IMAGE_SLICE, request),
    WS(11, IMAGE_SLICE, subprotocol),
    WS(12, IMAGE_SLICE, accept),
};
static const struct image_kind ws_kind = {"WebSocket client", 0, ws_fields, ARRAY_LEN(ws_fields)};

#define VIA(number, type, member) IMAGE_FIELD(number, type, struct via_image, member)
static const struct image_field via_fields[] = {
    VIA(1, IMAGE_BOOL, is),
    VIA(2, IMAGE_ADDR, peer),
    VIA(3, IMAGE_ADDR, dst),
    VIA(4, IMAGE_SLICE, tlvs),
};
static const struct image_kind via_kind = {"PROXY header", 0, via_fields, ARRAY_LEN(via_fields)};

#define SESSION(number, type, member)       IMAGE_FIELD(number, type, struct session_image, member)
#define SESSION_GROUP(number, kind, member) IMAGE_FIELD_GROUP((number) | IMAGE_MUST, kind, struct session_image, member)
static const struct image_field session_fields[] = {
    SESSION(1 | IMAGE_MUST, IMAGE_UINT, phase),
    SESSION(2, IMAGE_UINT, id),
    SESSION(3, IMAGE_UINT, worker),
    SESSION(4 | IMAGE_MUST, IMAGE_SLICE, listener),
    SESSION(5, IMAGE_UINT, bind),
    SESSION(6 | IMAGE_MUST, IMAGE_SLICE, backend),
    SESSION(7 | IMAGE_MUST, IMAGE_SLICE, server),
    SESSION(8 | IMAGE_MUST, IMAGE_UINT, client_fd),
    SESSION(9 | IMAGE_MUST, IMAGE_UINT, server_fd),
    SESSION_GROUP(10, &stream_image_kind, client_tls),
    SESSION(11, IMAGE_TEXT, state),
    SESSION(12, IMAGE_TEXT, why),
    SESSION(13 | IMAGE_MUST, IMAGE_TEXT, protocol),
    SESSION(14, IMAGE_TEXT, carrier),
    SESSION(15 | IMAGE_MUST, IMAGE_BOOL, ends),
    SESSION(16 | IMAGE_MUST, IMAGE_BOOL, sheds),
    SESSION(17 | IMAGE_MUST, IMAGE_BOOL, farewell_said),
    SESSION(18, IMAGE_BOOL, shed),
    SESSION(19, IMAGE_BOOL, in_backend),
    SESSION(20, IMAGE_BOOL, has_header),
    SESSION(21, IMAGE_BOOL, is_tls),
    SESSION(22, IMAGE_BOOL, is_tls_1_2),
    SESSION(23, IMAGE_BOOL, held),
    SESSION(24, IMAGE_BOOL, pending),
    SESSION(25, IMAGE_BOOL, redispatched),
    SESSION(26, IMAGE_BOOL, has_source),
    SESSION(27, IMAGE_UINT, n_tries),
    SESSION(28, IMAGE_UINT, error),
    SESSION(29, IMAGE_ADDR, address),
    SESSION(30, IMAGE_UINT, packet_max),
    SESSION_GROUP(31, &flow_kind, up),
    SESSION_GROUP(32, &flow_kind, down),
    SESSION_GROUP(33, &mqtt_kind, mqtt),
    SESSION_GROUP(34, &ws_kind, ws),
    IMAGE_FIELD_GROUP(35, &via_kind, struct session_image, via),
    SESSION(36, IMAGE_UINT, age_ms),
    SESSION(37, IMAGE_UINT, left_ms),
    SESSION(38, IMAGE_UINT, greet_ms),
    SESSION(39, IMAGE_UINT, wait_ms),
    SESSION(40, IMAGE_UINT, connect_ms),
    SESSION(41, IMAGE_UINT, queue_place),
    SESSION(42, IMAGE_TEXT, ended_in),
    SESSION(43 | IMAGE_MUST, IMAGE_BOOL, tls_is_due),
    SESSION(44, IMAGE_UINT, client_cookie),
    SESSION(45, IMAGE_UINT, server_cookie),
};
const struct image_kind session_image_kind = {"session", IMAGE_SESSION | IMAGE_MUST, session_fields,
                                              ARRAY_LEN(session_fields)};

#define SOCKET(number, type, member) IMAGE_FIELD(number, type, struct socket_image, member)
static const struct image_field socket_fields[] = {
    SOCKET(1 | IMAGE_MUST, IMAGE_SLICE, listener),
    SOCKET(2, IMAGE_UINT, bind),
    SOCKET(3 | IMAGE_MUST, IMAGE_ADDR, asked),
    SOCKET(5 | IMAGE_MUST, IMAGE_UINT, fd),
    SOCKET(6, IMAGE_BOOL, paused),
    SOCKET(7, IMAGE_UINT, cookie),
};
const struct image_kind socket_image_kind = {"listening socket", IMAGE_SOCKET | IMAGE_MUST, socket_fields,
                                             ARRAY_LEN(socket_fields)};

#define ENGINE(number, type, member) IMAGE_FIELD(number, type, struct engine_image, member)
static const struct image_field engine_fields[] = {
    ENGINE(1, IMAGE_UINT, boot_id),         ENGINE(2, IMAGE_UINT, next_id),
    ENGINE(3, IMAGE_UINT, max_connections), ENGINE(4, IMAGE_UINT, connection_limit),
    ENGINE(5, IMAGE_UINT, session_limit),   ENGINE(6, IMAGE_UINT, ssl_session_limit),
};
const struct image_kind engine_image_kind = {"engine", IMAGE_ENGINE, engine_fields, ARRAY_LEN(engine_fields)};
