#include "report/columns.h"

#define COLUMN_INFO(id, name, tags) {name, tags},
const struct column_info columns[COLUMNS_N] = {COLUMNS(COLUMN_INFO)};
