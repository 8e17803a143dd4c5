#include "conf/load.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "conf/load_walk.h"
#include "conf/report.h"
#include "conf/servers.h"

static uint32_t usable_cpus(uint32_t most)
{
    cpu_set_t set;
    long      n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > (long)most ? most : (uint32_t)n;
}

static const char *host_name(struct arena *arena)
{
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0')
        return arena_strdup(arena, "localhost");
    return arena_strdup(arena, name);
}

static uint32_t most_workers(void)
{
    const struct option *global = section_find(&conf_section_root, "global");
    return section_find(global->section, "workers")->max;
}

/* What cannot stand in a table: values that this machine gives, and what is kept as text too. */
static bool complete(struct conf *conf)
{
    if (conf->global.workers == 0)
        conf->global.workers = usable_cpus(most_workers());
    if (conf->global.node[0] == '\0')
        conf->global.node = host_name(conf->arena);
    conf->global.control_mode = (mode_t)strtoul(conf->global.control_mode_text, NULL, 8);
    for (size_t i = 0; i < conf->n_listeners; i++) {
        struct conf_max_age *max_age = &conf->listeners[i].max_age;
        max_age->jitter_percent = (uint32_t)strtoul(max_age->jitter_text, NULL, 10);
    }
    for (size_t i = 0; i < conf->n_backends; i++) {
        if (!servers_expand(&conf->backends[i], conf->arena))
            return false;
    }
    return conf->global.node != NULL;
}

static const char *syntax_text(const config_t *config)
{
    const char *text = config_error_text(config);
    if (text == NULL)
        return "syntax error";
    if (strcmp(text, "duplicate setting name") == 0)
        return "a key that its group has already; each key stands once";
    if (strcmp(text, "mismatched element type in array") == 0)
        return "an array [ ... ] with elements of different types; all are of one type";
    return text;
}

static void read_source(struct loader *l)
{
    config_t config;
    config_init(&config);
    /* No file may be opened behind source.c's back: nothing is below /dev/null. */
    config_set_include_dir(&config, "/dev/null");
    if (config_read_string(&config, l->source->text) == CONFIG_TRUE)
        walk_root(l, config_root_setting(&config));
    else
        complain(l, (unsigned)config_error_line(&config), "", "%s", syntax_text(&config));
    config_destroy(&config);
}

static struct conf *conf_new(const char *name)
{
    struct arena *arena = arena_new();
    struct conf  *conf = arena != NULL ? arena_alloc(arena, 1, sizeof *conf) : NULL;
    if (conf != NULL) {
        conf->arena = arena;
        atomic_init(&conf->refs, 1);
        conf->file = arena_strdup(arena, name);
    }
    if (conf == NULL || conf->file == NULL) {
        arena_free(arena);
        return NULL;
    }
    return conf;
}

struct conf *conf_ref(struct conf *conf)
{
    atomic_fetch_add_explicit(&conf->refs, 1, memory_order_relaxed);
    return conf;
}

void conf_unref(struct conf *conf)
{
    if (conf != NULL && atomic_fetch_sub_explicit(&conf->refs, 1, memory_order_acq_rel) == 1)
        arena_free(conf->arena);
}

/* text is NULL for a file. */
static struct conf *load(const char *name, const char *text, struct conf_errors *errors)
{
    struct source source;
    struct err    err = {0};
    struct conf  *conf = conf_new(name);
    struct loader l = {.conf = conf, .source = &source, .errors = errors};
    if (conf == NULL) {
        errors->out_of_memory = true;
        return NULL;
    }
    source_init(&source, conf->arena);
    if (text != NULL ? source_read_text(&source, name, text, &err) : source_read_file(&source, name, &err))
        read_source(&l);
    else if (err.text[0] != '\0')
        report_add(errors, 0, err.text);
    else
        errors->out_of_memory = true;
    source_fini(&source);
    if (errors->n == 0 && !errors->out_of_memory && !complete(conf))
        errors->out_of_memory = true;
    if (errors->n == 0 && !errors->out_of_memory)
        return conf;
    conf_unref(conf);
    return NULL;
}

struct conf *conf_load(const char *path, struct conf_errors *errors)
{
    return load(path, NULL, errors);
}

struct conf *conf_load_text(const char *name, const char *text, struct conf_errors *errors)
{
    return load(name, text, errors);
}

#define TEXT_OF(number)                      #number
#define VERSION_TEXT(major, minor, revision) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(revision)

const char *conf_library_version(void)
{
    return VERSION_TEXT(LIBCONFIG_VER_MAJOR, LIBCONFIG_VER_MINOR, LIBCONFIG_VER_REVISION);
}
