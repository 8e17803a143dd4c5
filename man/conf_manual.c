/* Writes the options of mqgate.conf(5) as manual page source: all that the page says of them is the option table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/options.h"

/* troff takes a backslash as the start of a request, a bare hyphen for a dash, and a dot or quote that begins a line
 * for a request. */
static void put(const char *text)
{
    bool begins_line = true;
    for (const char *p = text; *p != '\0'; p++) {
        if (begins_line && (*p == '.' || *p == '\''))
            (void)fputs("\\&", stdout);
        if (*p == '\\')
            (void)fputs("\\e", stdout);
        else if (*p == '-')
            (void)fputs("\\-", stdout);
        else
            (void)putchar(*p);
        begins_line = *p == '\n';
    }
}

/* Nothing when there is no text. */
static void put_between(const char *before, const char *text, const char *after)
{
    if (text[0] == '\0')
        return;
    (void)fputs(before, stdout);
    put(text);
    (void)fputs(after, stdout);
}

static void on_option(void *user, const struct conf_option *option)
{
    bool is_section = strchr(option->path, '.') == NULL;
    bool holds_options = strstr(option->type, "group") != NULL;
    (void)user;
    put_between(is_section ? ".SH " : ".TP\n.B ", option->path, "\n");
    put(option->type);
    put_between(": ", holds_options ? "" : option->allowed, "");
    put_between("; default ", option->default_value, "");
    puts(option->required ? "; required\n.br" : "\n.br");
    put_between("", option->doc, "\n");
}

/* The page around the options comes from the file named on the command line: a line "@options@" stands for them. */
int main(int argc, char **argv)
{
    char  line[1024];
    FILE *page = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (page == NULL) {
        (void)fputs("usage: conf_manual PAGE\n", stderr);
        return EXIT_FAILURE;
    }
    while (fgets(line, sizeof line, page) != NULL) {
        if (strcmp(line, "@options@\n") == 0)
            conf_options_each(on_option, NULL);
        else
            (void)fputs(line, stdout);
    }
    (void)fclose(page);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
