/* ctl/status.h: how mqgatectl exits. */
#ifndef MQGATE_CTL_STATUS_H
#define MQGATE_CTL_STATUS_H

enum ctl_status {
    CTL_OK = 0,
    CTL_FAILED = 1, /* the command failed; not healthy */
    CTL_BAD_USAGE = 2,
    CTL_NOT_REACHED = 3 /* the control socket */
};

#endif
