/* ctl/tables.h: "mqgatectl stat" and "mqgatectl info": answers set as tables. */
#ifndef MQGATE_CTL_TABLES_H
#define MQGATE_CTL_TABLES_H

#include "ctl/status.h"

/* argv: the words behind the command's own. */
enum ctl_status tables_stat(const char *socket, int argc, char **argv);
enum ctl_status tables_info(const char *socket, int argc, char **argv);

#endif
