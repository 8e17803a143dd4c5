/* conf/units.h: the bounds of the option tables in words. Private to the tables. */
#ifndef MQGATE_CONF_UNITS_H
#define MQGATE_CONF_UNITS_H

#define MS        1u
#define SECOND    1000u
#define HOUR      3600000u
#define LONGEST   (720 * HOUR) /* of any duration: 30 days, well inside 32 bits of milliseconds */
#define KIB       1024u
#define MIB       1048576u
#define MILLION   1000000u
#define PATH_LEN  4095u
#define ANY_COUNT (10 * MILLION)

#endif
