#include "daemon/options.h"

#include <getopt.h>

enum { PRINT_CONFIG = 256 };

void options_usage(FILE *to)
{
    fputs("usage: mqgate [-f FILE]                  run in the foreground\n"
          "       mqgate -c [-f FILE]               check the configuration\n"
          "       mqgate --print-config [-f FILE]   show it with every default\n"
          "       mqgate -v | -vv                   version; with libraries\n"
          "FILE is " SYSCONFDIR "/mqgate/mqgate.conf unless given. See mqgate(8).\n",
          to);
}

static struct options bad_usage(void)
{
    options_usage(stderr);
    return (struct options){.action = ACTION_BAD_USAGE};
}

struct options options_parse(int argc, char **argv)
{
    static const struct option names[] = {{"file", required_argument, NULL, 'f'},
                                          {"check", no_argument, NULL, 'c'},
                                          {"print-config", no_argument, NULL, PRINT_CONFIG},
                                          {"version", no_argument, NULL, 'v'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct options             options = {.action = ACTION_RUN, .file = SYSCONFDIR "/mqgate/mqgate.conf"};
    int                        c;
    while ((c = getopt_long(argc, argv, "f:cvh", names, NULL)) != -1) {
        switch (c) {
        case 'f':
            options.file = optarg;
            break;
        case 'c':
            options.action = ACTION_CHECK;
            break;
        case PRINT_CONFIG:
            options.action = ACTION_PRINT_CONFIG;
            break;
        case 'v':
            options.action = options.action == ACTION_VERSION ? ACTION_LIBRARIES : ACTION_VERSION;
            break;
        case 'h':
            options.action = ACTION_HELP;
            break;
        default:
            return bad_usage();
        }
    }
    if (optind == argc)
        return options;
    fprintf(stderr, "mqgate: unexpected argument: %s\n", argv[optind]);
    return bad_usage();
}
