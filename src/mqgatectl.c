/* mqgatectl(1): asks a running mqgate. Which words are its own; everything else goes to mqgate. */
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "ctl/ask.h"
#include "ctl/dial.h"
#include "ctl/health.h"
#include "ctl/import.h"
#include "ctl/tables.h"
#include "ctl/top.h"

enum { PRINT_VERSION = 256 };

static void usage(FILE *to)
{
    fputs(
        "usage: mqgatectl [-s SOCKET] COMMAND...      a command of mqgate's, such as: show info\n"
        "       mqgatectl [-s SOCKET] <COMMANDS       one a line\n"
        "       mqgatectl [-s SOCKET] stat [PROXY]    listeners, servers and backends as a table\n"
        "       mqgatectl [-s SOCKET] info            the process as a table\n"
        "       mqgatectl [-s SOCKET] top [-d SECONDS]   the same and the heaviest sessions, live\n"
        "       mqgatectl [-s SOCKET] drain [WORDS...] [--wait]   ends mqgate in order; --wait: and waits for it\n"
        "       mqgatectl [-s SOCKET] upgrade [PATH]   goes over to another binary with all sessions\n"
        "       mqgatectl check-health [ADDRESS:PORT [URI]]   is http://127.0.0.1:8080/haproxy_health content?\n"
        "       mqgatectl import [-o FILE] HAPROXY.CFG        an mqgate.conf of an HAProxy configuration\n"
        "       mqgatectl --help | --version\n"
        "SOCKET is that of MQGATE_SOCKET, or else /run/mqgate/mqgate.sock. 'mqgatectl help' lists mqgate's commands.\n"
        "Exit status: 0 done, 1 failed, 2 bad usage, 3 the socket cannot be reached. See mqgatectl(1).\n",
        to);
}

static bool is(const char *word, const char *name)
{
    return strcmp(word, name) == 0;
}

static enum ctl_status run(const char *socket, int argc, char **argv)
{
    const char *word = argv[0];
    if (is(word, "check-health"))
        return health_run(argc - 1, argv + 1);
    if (is(word, "drain"))
        return ask_drain(socket, argv, argc);
    if (is(word, "import"))
        return (enum ctl_status)import_run(argc - 1, argv + 1);
    if (is(word, "info"))
        return tables_info(socket, argc - 1, argv + 1);
    if (is(word, "stat"))
        return tables_stat(socket, argc - 1, argv + 1);
    if (is(word, "top"))
        return top_run(socket, argc - 1, argv + 1);
    if (is(word, "upgrade"))
        return ask_upgrade(socket, argv, argc);
    return ask_words(socket, argv, argc);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {{"socket", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, PRINT_VERSION},
                                          {NULL, 0, NULL, 0}};
    const char                *socket = NULL;
    int                        c;
    (void)setlocale(LC_CTYPE, "");
    while ((c = getopt_long(argc, argv, "+s:h", names, NULL)) != -1) {
        switch (c) {
        case 's':
            socket = optarg;
            break;
        case 'h':
            usage(stdout);
            return CTL_OK;
        case PRINT_VERSION:
            printf("mqgatectl %s\n", PACKAGE_VERSION);
            return CTL_OK;
        default:
            usage(stderr);
            return CTL_BAD_USAGE;
        }
    }
    socket = dial_path(socket);
    if (optind < argc)
        return (int)run(socket, argc - optind, argv + optind);
    if (!isatty(STDIN_FILENO))
        return (int)ask_input(socket);
    usage(stderr);
    return CTL_BAD_USAGE;
}
