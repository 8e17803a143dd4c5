#include "daemon/files.h"

#include <sys/stat.h>

/* FNV-1a (draft-eastlake-fnv): what differs by chance is to be told apart, not what somebody made to look alike. */
static uint64_t add_word(uint64_t stamp, uint64_t word)
{
    for (int i = 0; i < 8; i++)
        stamp = (stamp ^ (word >> (8 * i) & 0xFF)) * UINT64_C(0x100000001b3);
    return stamp;
}

/* stat(2) and not inotify(7): a link in the way to a file may be replaced as well as the file. */
static uint64_t add_file(uint64_t stamp, const char *path)
{
    struct stat st;
    if (path[0] == '\0')
        return stamp;
    if (stat(path, &st) != 0)
        return add_word(stamp, 0);
    const uint64_t facts[] = {(uint64_t)st.st_dev,         (uint64_t)st.st_ino,          (uint64_t)st.st_size,
                              (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec, (uint64_t)st.st_ctim.tv_sec,
                              (uint64_t)st.st_ctim.tv_nsec};
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        stamp = add_word(stamp, facts[i]);
    return stamp;
}

uint64_t files_stamp(const struct conf *conf)
{
    uint64_t stamp = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < conf->n_tls; i++) {
        const struct conf_tls *tls = &conf->tls[i];
        for (size_t n = 0; n < tls->n_certificates; n++)
            stamp = add_file(add_file(stamp, tls->certificates[n].chain), tls->certificates[n].key);
        stamp = add_file(add_file(stamp, tls->client_ca), tls->crl);
    }
    for (size_t i = 0; i < conf->n_tls_clients; i++) {
        const struct conf_tls_client *tls = &conf->tls_clients[i];
        stamp = add_file(add_file(add_file(stamp, tls->ca), tls->chain), tls->key);
    }
    return stamp;
}
