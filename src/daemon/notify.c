#include "daemon/notify.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "config.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

static void tell(const char *state)
{
    (void)sd_notify(0, state);
}
#else
static void tell(const char *state)
{
    (void)state;
}
#endif

void notify_ready(void)
{
    tell("READY=1");
}

/* sd_notify(3): the service manager wants to know which of its requests this answers. */
void notify_reloading(void)
{
    char state[64];
    (void)snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_mono_ns() / 1000);
    tell(state);
}

void notify_stopping(void)
{
    tell("STOPPING=1");
}
