/* report/mqtt.h: what is counted of MQTT, as `show mqtt` tells it. */
#ifndef MQGATE_REPORT_MQTT_H
#define MQGATE_REPORT_MQTT_H

#include "base/text.h"
#include "report/view.h"

/* A table for each listener and server that speaks MQTT; of proxy alone unless it is NULL. Zeros are left out, but for
 * sessions. False when there is no such proxy. */
bool report_mqtt(const struct view *view, const char *proxy, struct text *out) MUST_CHECK;

#endif
