#include "report/view.h"

bool view_is_healthy(const struct view *view)
{
    return view->accepting && snapshot_is_healthy(view->snap);
}
