/* ctl/import.h: mqgatectl import, which makes an mqgate.conf of an HAProxy configuration. */
#ifndef MQGATE_CTL_IMPORT_H
#define MQGATE_CTL_IMPORT_H

enum import_exit { IMPORT_ALL, IMPORT_PARTLY, IMPORT_BAD_USAGE, IMPORT_FAILED };

/* The words behind "import": [-o FILE] HAPROXY.CFG, "-" for standard input. Returns how the program exits: all lines
 * were carried over; some were not; bad usage; nothing could be read or made. */
int import_run(int argc, char **argv);

#endif
