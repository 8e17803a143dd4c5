#include "daemon/descriptors.h"

#include <errno.h>
#include <sys/resource.h>

#include "base/macros.h"

enum { A_SESSION = 2 };

static rlim_t raise_limit(struct log *log)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    rlim_t was = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (was != limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        log_warn(log, "descriptor_limit", LOG_STR("err", strerror(errno)), LOG_UINT("limit", was));
        return was;
    }
    return limit.rlim_cur;
}

uint32_t descriptors_carry(uint32_t max_connections, size_t n_fixed, struct log *log)
{
    uint64_t limit = raise_limit(log);
    uint64_t need = (uint64_t)max_connections * A_SESSION + n_fixed;
    if (need <= limit)
        return max_connections;
    uint64_t carried = limit > n_fixed + A_SESSION ? (limit - n_fixed) / A_SESSION : 1;
    log_warn(log, "max_connections_lowered", LOG_UINT("configured", max_connections),
             LOG_UINT("needed_descriptors", need), LOG_UINT("a_session", A_SESSION), LOG_UINT("fixed", n_fixed),
             LOG_UINT("limit", limit), LOG_UINT("effective", carried),
             LOG_STR("hint", "raise the hard limit of open files (LimitNOFILE, ulimit -Hn)"));
    return (uint32_t)carried;
}
