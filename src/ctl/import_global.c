/* The global section, and where the log goes. */
#include <stddef.h>
#include <string.h>

#include "ctl/import_translate.h"

/* --- log --- */

/* "127.0.0.1", "host:514", "/dev/log", "stdout", "fd@1". NULL: the line is lost. */
static const char *log_target(struct import *im, struct line *line, const char *word)
{
    if (strcmp(word, "stdout") == 0 || strcmp(word, "fd@1") == 0)
        return "stdout";
    if (strcmp(word, "stderr") == 0 || strcmp(word, "fd@2") == 0)
        return "stderr";
    if (strncmp(word, "unix@", 5) == 0)
        word += 5;
    if (word[0] == '/')
        return import_format(im->arena, "syslog:%s", word);
    if (strncmp(word, "ring@", 5) == 0 || strncmp(word, "backend@", 8) == 0 || strncmp(word, "tcp@", 4) == 0) {
        line_lose(im->arena, line, "global.log.to has no such target; syslog over UDP or a local socket is next to it");
        return NULL;
    }
    if (strncmp(word, "udp@", 4) == 0)
        word += 4;
    if (strncmp(word, "udp4@", 5) == 0 || strncmp(word, "udp6@", 5) == 0)
        word += 5;
    bool        has_port = strchr(word, ':') != NULL, any;
    const char *address =
        import_bind_address(im, line, has_port ? word : import_format(im->arena, "%s:514", word), &any);
    return address != NULL ? import_format(im->arena, "syslog:udp://%s", address) : NULL;
}

/* What mqgate calls a level, and how much it lets through. HAProxy tells of sessions at "info". */
static const struct {
    const char *theirs, *ours;
    unsigned    rank;
} levels[] = {{"emerg", "error", 0},  {"alert", "error", 0}, {"crit", "error", 0}, {"err", "error", 0},
              {"warning", "warn", 1}, {"notice", "warn", 1}, {"info", "info", 2},  {"debug", "info", 2}};

/* Of several targets the most talkative one decides. */
static void set_level(struct import *im, struct line *line, const char *level)
{
    const char **at = &im->target.global.log_level;
    unsigned     before = 0;
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (*at != NULL && strcmp(levels[i].ours, *at) == 0)
            before = levels[i].rank;
    }
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (strcmp(levels[i].theirs, level) != 0)
            continue;
        if (*at != NULL && strcmp(*at, levels[i].ours) != 0)
            line_note(im->arena, line,
                      "global.log.level is one for all targets, and the one that lets most through holds");
        if (*at == NULL || levels[i].rank > before)
            *at = levels[i].ours;
        return;
    }
    line_lose(im->arena, line, "\"%s\" is no level", level);
}

void import_log(struct import *im, struct line *line)
{
    struct strings *to = &im->target.global.log_to;
    size_t          n = 2;
    const char     *target = log_target(im, line, line_word(line, 1));
    while (strcmp(line_word(line, n), "len") == 0 || strcmp(line_word(line, n), "format") == 0 ||
           strcmp(line_word(line, n), "sample") == 0 || strcmp(line_word(line, n), "profile") == 0) {
        if (strcmp(line_word(line, n), "sample") == 0)
            line_lose(im->arena, line, "sample: mqgate leaves out no lines");
        n += 2;
    }
    if (target == NULL || import_fit(im, line, "global.log.to", target) == NULL)
        return;
    if (n < line->words.n && strcmp(line_word(line, n), "daemon") != 0 && target[1] == 'y')
        line_note(im->arena, line, "mqgate's facility is daemon, not %s", line_word(line, n));
    set_level(im, line, n + 1 < line->words.n ? line_word(line, n + 1) : "debug");
    if (strings_have(to, target))
        line_note(im->arena, line, "a line is written once to each target, and this one is there already");
    else if (import_has_room(im, line, "global.log.to", to->n))
        strings_add(im->arena, to, target);
}

/* --- the control socket --- */

static void set_mode(struct import *im, struct line *line, const char *mode)
{
    const char *four = strlen(mode) == 3 ? import_format(im->arena, "0%s", mode) : mode;
    im->target.global.control_mode = import_fit(im, line, "global.control_mode", four);
}

static void socket_params(struct import *im, struct line *line)
{
    struct target_global *g = &im->target.global;
    const char           *level = "operator";
    for (size_t n = 3; n < line->words.n; n += 2) {
        const char *word = line_word(line, n), *value = line_word(line, n + 1);
        if (strcmp(word, "mode") == 0)
            set_mode(im, line, value);
        else if (strcmp(word, "level") == 0)
            level = value;
        else if (strcmp(word, "user") == 0 || strcmp(word, "group") == 0 || strcmp(word, "uid") == 0 ||
                 strcmp(word, "gid") == 0)
            line_lose(im->arena, line, "%s: the control socket belongs to global.user and global.group", word);
        else if (strcmp(word, "expose-fd") != 0 && strcmp(word, "process") != 0 && strcmp(word, "thread") != 0 &&
                 strcmp(word, "name") != 0 && strcmp(word, "severity-output") != 0)
            line_lose(im->arena, line, "%s: the control socket has no such option", word);
    }
    g->control_level = import_fit(im, line, "global.control_level", level);
}

static void take_stats_socket(struct import *im, void *at, struct line *line)
{
    const char *path = line_word(line, 2);
    (void)at;
    if (strncmp(path, "unix@", 5) == 0)
        path += 5;
    if (im->target.global.control_socket != NULL) {
        line_lose(im->arena, line, "mqgate has one control socket");
        return;
    }
    if (path[0] != '/') {
        line_lose(im->arena, line, "the control socket is a Unix socket, global.control_socket, with a path");
        return;
    }
    im->target.global.control_socket = import_fit(im, line, "global.control_socket", path);
    if (im->target.global.control_socket != NULL)
        socket_params(im, line);
}

/* --- the rest --- */

static void take_maxconn(struct import *im, void *at, struct line *line)
{
    (void)at;
    im->target.global.max_connections = import_number(im, line, "global.max_connections", line_word(line, 1));
}

static void take_nbthread(struct import *im, void *at, struct line *line)
{
    (void)at;
    im->target.global.workers = import_number(im, line, "global.workers", line_word(line, 1));
}

static void take_nbproc(struct import *im, void *at, struct line *line)
{
    (void)at;
    if (strcmp(line_word(line, 1), "1") != 0)
        line_lose(im->arena, line, "mqgate is one process; global.workers are its threads");
}

static void take_user(struct import *im, void *at, struct line *line)
{
    (void)at;
    im->target.global.user = import_fit(im, line, "global.user", line_word(line, 1));
}

static void take_group(struct import *im, void *at, struct line *line)
{
    (void)at;
    im->target.global.group = import_fit(im, line, "global.group", line_word(line, 1));
}

static void take_node(struct import *im, void *at, struct line *line)
{
    (void)at;
    im->target.global.node = import_fit(im, line, "global.node", line_word(line, 1));
}

static void take_pidfile(struct import *im, void *at, struct line *line)
{
    (void)at;
    im->target.global.pid_file = import_fit(im, line, "global.pid_file", line_word(line, 1));
}

static void take_log(struct import *im, void *at, struct line *line)
{
    (void)at;
    import_log(im, line);
}

static void take_hard_stop(struct import *im, void *at, struct line *line)
{
    (void)at;
    const char *ms = import_duration(im, line, line_word(line, 1), 1);
    im->target.global.drain_deadline = import_ms(im, line, "global.drain.deadline", ms);
}

static void take_grace(struct import *im, void *at, struct line *line)
{
    (void)at;
    const char *ms = import_duration(im, line, line_word(line, 1), 1);
    im->target.global.drain_notice = import_ms(im, line, "global.drain.notice", ms);
}

static void take_ca_base(struct import *im, void *at, struct line *line)
{
    (void)at;
    im->ca_base = line_word(line, 1);
}

static void take_crt_base(struct import *im, void *at, struct line *line)
{
    (void)at;
    im->crt_base = line_word(line, 1);
}

static void take_bind_ciphers(struct import *im, void *at, struct line *line)
{
    (void)at;
    im->bind_defaults.ciphers = (struct given){line_word(line, 1), line};
}

static void take_bind_ciphersuites(struct import *im, void *at, struct line *line)
{
    (void)at;
    im->bind_defaults.ciphersuites = (struct given){line_word(line, 1), line};
}

static void take_bind_curves(struct import *im, void *at, struct line *line)
{
    (void)at;
    im->bind_defaults.groups = (struct given){line_word(line, 1), line};
}

static void take_bind_options(struct import *im, void *at, struct line *line)
{
    (void)at;
    params_read(im, line, 1, bind_table, &im->bind_defaults);
}

static void take_server_options(struct import *im, void *at, struct line *line)
{
    (void)at;
    params_read(im, line, 1, server_table, &im->server_defaults);
}

static void take_server_verify(struct import *im, void *at, struct line *line)
{
    (void)at;
    im->server_defaults.verify = (struct given){line_word(line, 1), line};
}

#define SUPERVISED "mqgate runs in the foreground, and systemd or another supervisor keeps it"
#define TUNING     "mqgate has no such thing to tune"
#define ENVIRON    "set it in the environment that mqgate is started in"
#define DH         "mqgate agrees on keys over elliptic curves; tls.groups has them"
#define RATES      "mqgate limits each listener: listeners.rate_limit, listeners.max_connections"

static const struct keyword keywords[] = {
    TAKE("maxconn", take_maxconn),
    TAKE("nbthread", take_nbthread),
    TAKE("nbproc", take_nbproc),
    TAKE("user", take_user),
    TAKE("group", take_group),
    TAKE("node", take_node),
    TAKE("pidfile", take_pidfile),
    TAKE("log", take_log),
    TAKE("stats socket", take_stats_socket),
    TAKE("hard-stop-after", take_hard_stop),
    TAKE("grace", take_grace),
    TAKE("ca-base", take_ca_base),
    TAKE("crt-base", take_crt_base),
    TAKE("ssl-default-bind-ciphers", take_bind_ciphers),
    TAKE("ssl-default-bind-ciphersuites", take_bind_ciphersuites),
    TAKE("ssl-default-bind-curves", take_bind_curves),
    TAKE("ssl-default-bind-options", take_bind_options),
    TAKE("ssl-default-server-options", take_server_options),
    TAKE("ssl-server-verify", take_server_verify),
    SAME("quiet"),
    SAME("zero-warning"),
    SAME("master-worker no-exit-on-failure"),
    SAME("tune.ssl.default-dh-param"),
    SAME("ssl-mode-async"),
    SAME("no strict-limits"),
    SAME("strict-limits"),
    SAME("nosplice"),
    SAME("noepoll"),
    SAME("spread-checks"),
    SAME("default-path config"),
    LOSE("daemon", SUPERVISED),
    LOSE("master-worker", SUPERVISED),
    LOSE("expose-experimental-directives", TUNING),
    LOSE("chroot", "mqgate has no chroot; the service of systemd confines it (ProtectSystem=)"),
    LOSE("uid", "write the name of the user as global.user"),
    LOSE("gid", "write the name of the group as global.group"),
    LOSE("ulimit-n", "mqgate takes what LimitNOFILE= of its service allows"),
    LOSE("fd-hard-limit", "mqgate takes what LimitNOFILE= of its service allows"),
    LOSE("cpu-map", "the service of systemd says on which CPUs mqgate runs (CPUAffinity=)"),
    LOSE("description", "mqgate has no descriptions; write a comment"),
    LOSE("stats timeout", "the control socket has a timeout of its own"),
    LOSE("stats maxconn", "the control socket has a limit of its own"),
    LOSE("ssl-default-server-ciphers", "towards servers OpenSSL's own choice of ciphers holds"),
    LOSE("ssl-default-server-ciphersuites", "towards servers OpenSSL's own choice of ciphers holds"),
    LOSE("ssl-dh-param-file", DH),
    LOSE("maxconnrate", RATES),
    LOSE("maxsessrate", RATES),
    LOSE("maxsslrate", RATES),
    LOSE("maxsslconn", RATES),
    LOSE("setenv", ENVIRON),
    LOSE("presetenv", ENVIRON),
    LOSE("unsetenv", ENVIRON),
    LOSE("resetenv", ENVIRON),
    LOSE("log-tag", "mqgate calls itself mqgate in syslog"),
    LOSE("log-send-hostname", "global.node is the name of this node"),
    LOSE("server-state-base", "mqgate has no file of server states"),
    LOSE("server-state-file", "mqgate has no file of server states"),
    LOSE("default-path", "relative names of files are below the directory that mqgate is started in"),
    LOSE("close-spread-time", "global.drain.rate says how fast sessions are closed"),
    LOSE("external-check", "mqgate starts no programs"),
    LOSE("insecure-fork-wanted", "mqgate starts no programs"),
    LOSE("lua-load", "mqgate has no scripts"),
    LOSE("lua-load-per-thread", "mqgate has no scripts"),
    LOSE("lua-prepend-path", "mqgate has no scripts"),
    LOSE("localpeer", "mqgate has no peers"),
    LOSE("set-dumpable", "LimitCORE= of its service says whether mqgate may write a core file"),
    {NULL, KEYWORD_IGNORE, NULL, NULL}};

void import_global(struct import *im, const struct section_lines *section)
{
    for (size_t i = 0; i < section->n; i++) {
        struct line *line = section->lines[i];
        if (strncmp(line_word(line, 0), "tune.", 5) == 0 &&
            strcmp(line_word(line, 0), "tune.ssl.default-dh-param") != 0)
            line_lose(im->arena, line, TUNING);
        else
            keywords_apply(im, keywords, NULL, line);
    }
}
