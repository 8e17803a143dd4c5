/* Room conf/. */
#include "conf/load.h"
#include "torture/scenario.h"

static const char good[] = "listeners = ({ name = \"l\"; bind = \"1.1.1.1:1\"; protocol = \"tcp\"; backend = \"b\"; "
                           "allow = [ \"::/0\" ]; });\n"
                           "backends = ({ name = \"b\"; servers = ({ name = \"s\"; address = \"1.1.1.1:2\"; }); });\n"
                           "global: { user = \"${CONF_NOT_THERE:-nobody}\"; };\n";

/* One of each kind of error that is kept in a way of its own. */
static const char bad[] = "listeners = ({ name = \"l\"; bind = \"1.1.1.1:1\"; protocol = \"no\"; backend = \"b\"; });\n"
                          "admin: { bind = \"1.1.1.1:1\"; stats = 5; };\n"
                          "global: { user = \"${CONF_NOT_THERE}\"; };\n";

/* n_errors: what a run that could keep them all finds. */
static bool load(const char *text, size_t n_errors)
{
    struct conf_errors errors = {0};
    struct conf       *conf = conf_load_text("t", text, &errors);
    bool               done = !errors.out_of_memory;
    (void)EXPECT((conf == NULL) == (errors.n > 0 || errors.out_of_memory));
    (void)EXPECT(!done || errors.n == n_errors);
    conf_errors_free(&errors);
    conf_free(conf);
    return done;
}

static bool load_good(void)
{
    return load(good, 0);
}

static bool load_bad(void)
{
    return load(bad, 6);
}

static bool load_file(void)
{
    struct conf_errors errors = {0};
    struct conf       *conf = conf_load("/dev/null", &errors);
    bool               done = !errors.out_of_memory;
    (void)EXPECT(conf == NULL && (!done || errors.n == 2));
    conf_errors_free(&errors);
    return done;
}

const struct scenario conf_scenarios[] = {{"a good configuration loads", load_good},
                                          {"every error of a bad configuration is told", load_bad},
                                          {"an empty file lacks what is required", load_file},
                                          {0}};
