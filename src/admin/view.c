#include "admin/view.h"

bool admin_view_is_healthy(const struct admin_view *view)
{
    return view->accepting && snapshot_is_healthy(view->snap);
}
