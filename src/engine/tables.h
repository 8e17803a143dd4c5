/* engine/tables.h: the commands about the tables of sources, which HAProxy calls stick tables. Private to engine/. */
#ifndef MQGATE_ENGINE_TABLES_H
#define MQGATE_ENGINE_TABLES_H

#include "base/command.h"

/* "show table" and "clear table"; owner is the engine. */
enum command_outcome tables_show(void *owner, struct command_call *call);
enum command_outcome tables_clear(void *owner, struct command_call *call);

#endif
