/* conf/syntax.h: checks of option values that are strings to libconfig but not any string to mqgate. Private to conf/.
 */
#ifndef MQGATE_CONF_SYNTAX_H
#define MQGATE_CONF_SYNTAX_H

#include "conf/table.h"

#define SYNTAX_NAME_ALLOWED "a name of 1 to 64 letters, digits, '-', '_', '.' and ':'"

enum value_result syntax_name(const char *text);
enum value_result syntax_printable(const char *text); /* "" too */
enum value_result syntax_log_target(const char *text);
enum value_result syntax_uri_path(const char *text);       /* without a query */
enum value_result syntax_request_target(const char *text); /* with or without a query */
enum value_result syntax_credentials(const char *text);    /* "user:hash" */
enum value_result syntax_protocol_name(const char *text);
enum value_result syntax_server_address(const char *text); /* IP or host and port, or "srv:" and a name */
enum value_result syntax_percent(const char *text);
enum value_result syntax_mqtt_version(const char *text); /* "3.1", "3.1.1", "5" */
enum value_result syntax_file_mode(const char *text);

#endif
