/* daemon/notify.h: telling the service manager how far we are (sd_notify(3)); nothing where there is none. */
#ifndef MQGATE_DAEMON_NOTIFY_H
#define MQGATE_DAEMON_NOTIFY_H

void notify_ready(void);
void notify_reloading(void); /* until notify_ready() */
void notify_stopping(void);

#endif
