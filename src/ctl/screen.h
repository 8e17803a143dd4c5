/* ctl/screen.h: the terminal. The only file that knows curses. One at a time. */
#ifndef MQGATE_CTL_SCREEN_H
#define MQGATE_CTL_SCREEN_H

#include "ctl/view.h"

/* Takes the terminal over; false when it is of no known kind. */
bool screen_open(void) MUST_CHECK;
/* Gives the terminal back as it was. */
void screen_close(void);
void screen_draw(struct view *view, const struct sample *sample);
/* Every key that waits goes to the view; true when there was one, or the size changed. */
bool screen_keys(struct view *view);

#endif
