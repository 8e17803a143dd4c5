#include "daemon/daemon.h"

#include <stdio.h>

#include "conf/load.h"
#include "conf/print.h"
#include "daemon/carried.h"
#include "daemon/options.h"
#include "daemon/privileges.h"
#include "daemon/process.h"
#include "daemon/upgrade.h"
#include "daemon/version.h"
#include "snapshot/snapshot.h"

static void print_errors(const struct conf_errors *errors)
{
    for (const struct conf_error *e = errors->list; e != NULL; e = e->next)
        fprintf(stderr, "mqgate: %s\n", e->text);
    if (errors->out_of_memory)
        fprintf(stderr, "mqgate: out of memory\n");
    fprintf(stderr, "mqgate: %zu error%s in the configuration\n", errors->n, errors->n == 1 ? "" : "s");
}

/* NULL when it is bad; then everything has been said. */
static struct conf *load(const char *file)
{
    struct conf_errors errors = {0};
    struct conf       *conf = conf_load(file, &errors);
    if (conf == NULL)
        print_errors(&errors);
    conf_errors_free(&errors);
    return conf;
}

static int print_config(struct conf *conf)
{
    int answer = conf_print(conf, stdout);
    conf_unref(conf);
    if (answer == 0 && fflush(stdout) == 0)
        return EXIT_OK;
    perror("mqgate: standard output");
    return EXIT_NOT_STARTED;
}

/* The image of a process that wants to be upgraded, if there is one: it is read into what nobody uses. */
static int check_carried(struct tls_tickets *tickets, struct stats *stats, struct snapshot *snap)
{
    uint32_t        n;
    struct err      err;
    struct carried *c = carried_find(NULL, &err);
    bool            good = err.text[0] == '\0';
    if (c != NULL)
        good = carried_is_understood(c, &n, &err) && carried_each(c, carried_tickets, tickets, &err) &&
               carried_each(c, carried_stats, stats, &err) && carried_each(c, carried_snapshot, snap, &err) &&
               carried_can_listen(c, snap->conf, &err) && carried_can_make(c, snap->conf, &err) &&
               privileges_allow(snap->conf->global.user, snap->conf->global.group, &err);
    if (!good)
        fprintf(stderr, "mqgate: the sessions cannot be taken over: %s\n", err.text);
    else if (c != NULL)
        printf(CARRIED_READ "%u sessions\n", n);
    carried_free(c);
    return good ? EXIT_OK : EXIT_NOT_STARTED;
}

/* All that a start would find wrong short of opening sockets: certificates are read too. */
static int check(struct conf *conf, const char *file)
{
    struct log_settings settings = {.level = LEVEL_WARN, .format = FORMAT_LOGFMT, .wake_fd = -1};
    struct log          log = {.settings = &settings};
    struct err          err = {.text = "out of memory"};
    struct tls_tickets *tickets = tls_tickets_new(&err);
    struct stats       *stats = stats_new(conf->global.workers);
    bool                ready = tickets != NULL && stats != NULL;
    struct snapshot    *snap = ready ? snapshot_build(conf, NULL, stats, tickets, &log, &err) : NULL;
    if (snap == NULL) {
        fprintf(stderr, "mqgate: %s: %s\n", file, err.text);
    } else {
        printf("%s: the configuration is valid\n", file);
    }
    int status = snap == NULL ? EXIT_BAD_CONFIG : check_carried(tickets, stats, snap);
    snapshot_unref(snap);
    conf_unref(conf);
    stats_free(stats);
    tls_tickets_free(tickets);
    return status;
}

static int run(const char *file, char **argv)
{
    struct start start;
    struct err   err = {0};
    start_note(&start, argv);
    struct conf *conf = load(file);
    if (conf == NULL) {
        carried_try_again(NULL, &start, &err);
        return EXIT_BAD_CONFIG;
    }
    struct carried *carried = carried_find(&start, &err);
    if (carried != NULL || err.text[0] == '\0')
        return process_run(conf, &start, carried);
    fprintf(stderr, "mqgate: the sessions cannot be taken over: %s\n", err.text);
    conf_unref(conf);
    return EXIT_NOT_STARTED;
}

int daemon_run(int argc, char **argv)
{
    struct options options = options_parse(argc, argv);
    switch (options.action) {
    case ACTION_BAD_USAGE:
        return EXIT_BAD_USAGE;
    case ACTION_HELP:
        options_usage(stdout);
        return EXIT_OK;
    case ACTION_VERSION:
    case ACTION_LIBRARIES:
        version_print(options.action == ACTION_LIBRARIES);
        return EXIT_OK;
    default:
        break;
    }
    if (options.action == ACTION_RUN)
        return run(options.file, argv);
    struct conf *conf = load(options.file);
    if (conf == NULL)
        return EXIT_BAD_CONFIG;
    if (options.action == ACTION_PRINT_CONFIG)
        return print_config(conf);
    return check(conf, options.file);
}
