/* report/columns.h: the columns of HAProxy's statistics, in its order (3.5-dev5), and mqgate's own behind the "-" that
 * ends the fixed part. Columns are only ever appended: tools know them by position. */
#ifndef MQGATE_REPORT_COLUMNS_H
#define MQGATE_REPORT_COLUMNS_H

/* Name, and what the typed form says of it: origin (Metric, Status, Key, Config), nature (Gauge, Limit, Min, Max, Rate,
 * Counter, Duration, Age, Name, Output, average), scope (Process, Service). */
#define COLUMNS(X)                                                                                                     \
    X(COLUMN_PXNAME, "pxname", "KNS")                                                                                  \
    X(COLUMN_SVNAME, "svname", "KNS")                                                                                  \
    X(COLUMN_QCUR, "qcur", "MGP")                                                                                      \
    X(COLUMN_QMAX, "qmax", "MMP")                                                                                      \
    X(COLUMN_SCUR, "scur", "MGP")                                                                                      \
    X(COLUMN_SMAX, "smax", "MMP")                                                                                      \
    X(COLUMN_SLIM, "slim", "CLP")                                                                                      \
    X(COLUMN_STOT, "stot", "MCP")                                                                                      \
    X(COLUMN_BIN, "bin", "MCP")                                                                                        \
    X(COLUMN_BOUT, "bout", "MCP")                                                                                      \
    X(COLUMN_DREQ, "dreq", "MCP")                                                                                      \
    X(COLUMN_DRESP, "dresp", "MCP")                                                                                    \
    X(COLUMN_EREQ, "ereq", "MCP")                                                                                      \
    X(COLUMN_ECON, "econ", "MCP")                                                                                      \
    X(COLUMN_ERESP, "eresp", "MCP")                                                                                    \
    X(COLUMN_WRETR, "wretr", "MCP")                                                                                    \
    X(COLUMN_WREDIS, "wredis", "MCP")                                                                                  \
    X(COLUMN_STATUS, "status", "SGP")                                                                                  \
    X(COLUMN_WEIGHT, "weight", "MaP")                                                                                  \
    X(COLUMN_ACT, "act", "SGP")                                                                                        \
    X(COLUMN_BCK, "bck", "SGP")                                                                                        \
    X(COLUMN_CHKFAIL, "chkfail", "MCP")                                                                                \
    X(COLUMN_CHKDOWN, "chkdown", "MCP")                                                                                \
    X(COLUMN_LASTCHG, "lastchg", "MAP")                                                                                \
    X(COLUMN_DOWNTIME, "downtime", "MCP")                                                                              \
    X(COLUMN_QLIMIT, "qlimit", "CLS")                                                                                  \
    X(COLUMN_PID, "pid", "KGP")                                                                                        \
    X(COLUMN_IID, "iid", "KGS")                                                                                        \
    X(COLUMN_SID, "sid", "KGS")                                                                                        \
    X(COLUMN_THROTTLE, "throttle", "MaP")                                                                              \
    X(COLUMN_LBTOT, "lbtot", "MCP")                                                                                    \
    X(COLUMN_TRACKED, "tracked", "CNS")                                                                                \
    X(COLUMN_TYPE, "type", "CGS")                                                                                      \
    X(COLUMN_RATE, "rate", "MRP")                                                                                      \
    X(COLUMN_RATE_LIM, "rate_lim", "CLP")                                                                              \
    X(COLUMN_RATE_MAX, "rate_max", "MMP")                                                                              \
    X(COLUMN_CHECK_STATUS, "check_status", "MOP")                                                                      \
    X(COLUMN_CHECK_CODE, "check_code", "MOP")                                                                          \
    X(COLUMN_CHECK_DURATION, "check_duration", "MDP")                                                                  \
    X(COLUMN_HRSP_1XX, "hrsp_1xx", "MCP")                                                                              \
    X(COLUMN_HRSP_2XX, "hrsp_2xx", "MCP")                                                                              \
    X(COLUMN_HRSP_3XX, "hrsp_3xx", "MCP")                                                                              \
    X(COLUMN_HRSP_4XX, "hrsp_4xx", "MCP")                                                                              \
    X(COLUMN_HRSP_5XX, "hrsp_5xx", "MCP")                                                                              \
    X(COLUMN_HRSP_OTHER, "hrsp_other", "MCP")                                                                          \
    X(COLUMN_HANAFAIL, "hanafail", "MCP")                                                                              \
    X(COLUMN_REQ_RATE, "req_rate", "MRP")                                                                              \
    X(COLUMN_REQ_RATE_MAX, "req_rate_max", "MMP")                                                                      \
    X(COLUMN_REQ_TOT, "req_tot", "MCP")                                                                                \
    X(COLUMN_CLI_ABRT, "cli_abrt", "MCP")                                                                              \
    X(COLUMN_SRV_ABRT, "srv_abrt", "MCP")                                                                              \
    X(COLUMN_COMP_IN, "comp_in", "MCP")                                                                                \
    X(COLUMN_COMP_OUT, "comp_out", "MCP")                                                                              \
    X(COLUMN_COMP_BYP, "comp_byp", "MCP")                                                                              \
    X(COLUMN_COMP_RSP, "comp_rsp", "MCP")                                                                              \
    X(COLUMN_LASTSESS, "lastsess", "MAP")                                                                              \
    X(COLUMN_LAST_CHK, "last_chk", "MOP")                                                                              \
    X(COLUMN_LAST_AGT, "last_agt", "MOP")                                                                              \
    X(COLUMN_QTIME, "qtime", "MaP")                                                                                    \
    X(COLUMN_CTIME, "ctime", "MaP")                                                                                    \
    X(COLUMN_RTIME, "rtime", "MaP")                                                                                    \
    X(COLUMN_TTIME, "ttime", "MaP")                                                                                    \
    X(COLUMN_AGENT_STATUS, "agent_status", "MOP")                                                                      \
    X(COLUMN_AGENT_CODE, "agent_code", "MOP")                                                                          \
    X(COLUMN_AGENT_DURATION, "agent_duration", "MDP")                                                                  \
    X(COLUMN_CHECK_DESC, "check_desc", "MOP")                                                                          \
    X(COLUMN_AGENT_DESC, "agent_desc", "MOP")                                                                          \
    X(COLUMN_CHECK_RISE, "check_rise", "CGS")                                                                          \
    X(COLUMN_CHECK_FALL, "check_fall", "CGS")                                                                          \
    X(COLUMN_CHECK_HEALTH, "check_health", "CGS")                                                                      \
    X(COLUMN_AGENT_RISE, "agent_rise", "CGS")                                                                          \
    X(COLUMN_AGENT_FALL, "agent_fall", "CGS")                                                                          \
    X(COLUMN_AGENT_HEALTH, "agent_health", "CGS")                                                                      \
    X(COLUMN_ADDR, "addr", "CGS")                                                                                      \
    X(COLUMN_COOKIE, "cookie", "CNS")                                                                                  \
    X(COLUMN_MODE, "mode", "CGS")                                                                                      \
    X(COLUMN_ALGO, "algo", "CGS")                                                                                      \
    X(COLUMN_CONN_RATE, "conn_rate", "MRP")                                                                            \
    X(COLUMN_CONN_RATE_MAX, "conn_rate_max", "MMP")                                                                    \
    X(COLUMN_CONN_TOT, "conn_tot", "MCP")                                                                              \
    X(COLUMN_INTERCEPTED, "intercepted", "MCP")                                                                        \
    X(COLUMN_DCON, "dcon", "MCP")                                                                                      \
    X(COLUMN_DSES, "dses", "MCP")                                                                                      \
    X(COLUMN_WREW, "wrew", "MCP")                                                                                      \
    X(COLUMN_CONNECT, "connect", "MCP")                                                                                \
    X(COLUMN_REUSE, "reuse", "MCP")                                                                                    \
    X(COLUMN_CACHE_LOOKUPS, "cache_lookups", "MCP")                                                                    \
    X(COLUMN_CACHE_HITS, "cache_hits", "MCP")                                                                          \
    X(COLUMN_SRV_ICUR, "srv_icur", "MGP")                                                                              \
    X(COLUMN_SRC_ILIM, "src_ilim", "CLP")                                                                              \
    X(COLUMN_QTIME_MAX, "qtime_max", "MMP")                                                                            \
    X(COLUMN_CTIME_MAX, "ctime_max", "MMP")                                                                            \
    X(COLUMN_RTIME_MAX, "rtime_max", "MMP")                                                                            \
    X(COLUMN_TTIME_MAX, "ttime_max", "MMP")                                                                            \
    X(COLUMN_EINT, "eint", "MCP")                                                                                      \
    X(COLUMN_IDLE_CONN_CUR, "idle_conn_cur", "MGP")                                                                    \
    X(COLUMN_SAFE_CONN_CUR, "safe_conn_cur", "MGP")                                                                    \
    X(COLUMN_USED_CONN_CUR, "used_conn_cur", "MGP")                                                                    \
    X(COLUMN_NEED_CONN_EST, "need_conn_est", "MGP")                                                                    \
    X(COLUMN_UWEIGHT, "uweight", "MaP")                                                                                \
    X(COLUMN_AGG_SERVER_STATUS, "agg_server_status", "MGP")                                                            \
    X(COLUMN_AGG_SERVER_CHECK_STATUS, "agg_server_check_status", "MGP")                                                \
    X(COLUMN_AGG_CHECK_STATUS, "agg_check_status", "MGP")                                                              \
    X(COLUMN_SRID, "srid", "KGS")                                                                                      \
    X(COLUMN_SESS_OTHER, "sess_other", "MCP")                                                                          \
    X(COLUMN_H1SESS, "h1sess", "MCP")                                                                                  \
    X(COLUMN_H2SESS, "h2sess", "MCP")                                                                                  \
    X(COLUMN_H3SESS, "h3sess", "MCP")                                                                                  \
    X(COLUMN_REQ_OTHER, "req_other", "MCP")                                                                            \
    X(COLUMN_H1REQ, "h1req", "MCP")                                                                                    \
    X(COLUMN_H2REQ, "h2req", "MCP")                                                                                    \
    X(COLUMN_H3REQ, "h3req", "MCP")                                                                                    \
    X(COLUMN_PROTO, "proto", "SGP")                                                                                    \
    X(COLUMN_PRIV_IDLE_CUR, "priv_idle_cur", "MGP")                                                                    \
    X(COLUMN_REQBIN, "reqbin", "MCP")                                                                                  \
    X(COLUMN_REQBOUT, "reqbout", "MCP")                                                                                \
    X(COLUMN_RESBIN, "resbin", "MCP")                                                                                  \
    X(COLUMN_RESBOUT, "resbout", "MCP")                                                                                \
    X(COLUMN_CACHE_HINT_HITS, "cache_hint_hits", "MCP")                                                                \
    X(COLUMN_DASH, "-", "KNS")                                                                                         \
    X(COLUMN_SSL_SESS, "ssl_sess", "MCP")                                                                              \
    X(COLUMN_SSL_REUSED_SESS, "ssl_reused_sess", "MCP")                                                                \
    X(COLUMN_SSL_FAILED_HANDSHAKE, "ssl_failed_handshake", "MCP")                                                      \
    X(COLUMN_MQGATE_SSL_CUR, "mqgate_ssl_cur", "MGP")                                                                  \
    X(COLUMN_MQGATE_TLS12_CUR, "mqgate_tls12_cur", "MGP")                                                              \
    X(COLUMN_MQGATE_TLS13_CUR, "mqgate_tls13_cur", "MGP")                                                              \
    X(COLUMN_MQGATE_DENIED_LIMIT, "mqgate_denied_limit", "MCP")                                                        \
    X(COLUMN_MQGATE_PROXY_ERRORS, "mqgate_proxy_errors", "MCP")                                                        \
    X(COLUMN_MQGATE_NO_SERVER, "mqgate_no_server", "MCP")                                                              \
    X(COLUMN_MQGATE_CARRIED, "mqgate_carried", "MCP")                                                                  \
    X(COLUMN_MQGATE_DENIED_SOURCE, "mqgate_denied_source", "MCP")                                                      \
    X(COLUMN_MQGATE_SOURCES_UNTRACKED, "mqgate_sources_untracked", "MCP")                                              \
    X(COLUMN_MQGATE_WAITING, "mqgate_waiting", "MGP")                                                                  \
    X(COLUMN_MQGATE_PENDING, "mqgate_pending", "MGP")                                                                  \
    X(COLUMN_MQGATE_MQTT_PACKETS_IN, "mqgate_mqtt_packets_in", "MCP")                                                  \
    X(COLUMN_MQGATE_MQTT_PACKETS_OUT, "mqgate_mqtt_packets_out", "MCP")                                                \
    X(COLUMN_MQGATE_MQTT_PUBLISH_IN, "mqgate_mqtt_publish_in", "MCP")                                                  \
    X(COLUMN_MQGATE_MQTT_PUBLISH_OUT, "mqgate_mqtt_publish_out", "MCP")                                                \
    X(COLUMN_MQGATE_MQTT31_CUR, "mqgate_mqtt31_cur", "MGP")                                                            \
    X(COLUMN_MQGATE_MQTT311_CUR, "mqgate_mqtt311_cur", "MGP")                                                          \
    X(COLUMN_MQGATE_MQTT5_CUR, "mqgate_mqtt5_cur", "MGP")                                                              \
    X(COLUMN_MQGATE_MQTT_CONNACK_ERRORS, "mqgate_mqtt_connack_errors", "MCP")                                          \
    X(COLUMN_MQGATE_MQTT_BROKEN, "mqgate_mqtt_broken", "MCP")                                                          \
    X(COLUMN_MQGATE_MQTT_LOOSE, "mqgate_mqtt_loose", "MCP")                                                            \
    X(COLUMN_MQGATE_REFUSED, "mqgate_refused", "MCP")                                                                  \
    X(COLUMN_MQGATE_PACED, "mqgate_paced", "MCP")                                                                      \
    X(COLUMN_MQGATE_KEEP_ALIVE_ENDED, "mqgate_keep_alive_ended", "MCP")                                                \
    X(COLUMN_MQGATE_MAX_AGE_ENDED, "mqgate_max_age_ended", "MCP")                                                      \
    X(COLUMN_MQGATE_SHED, "mqgate_shed", "MCP")

#define COLUMN_ENUM(id, name, tags) id,
enum column { COLUMNS(COLUMN_ENUM) COLUMNS_N };
#undef COLUMN_ENUM

struct column_info {
    const char *name;
    const char *tags; /* three letters */
};

extern const struct column_info columns[COLUMNS_N];

#endif
