/* ctl/show_sess.h: one line of the answer to "show sess": "0x<id>: key=value ...". */
#ifndef MQGATE_CTL_SHOW_SESS_H
#define MQGATE_CTL_SHOW_SESS_H

#include "base/macros.h"
#include "base/slice.h"
#include "base/text.h"

struct show_sess {
    uint64_t     id;
    struct slice src, fe, be, srv; /* empty when the line does not have it; all of them point into the line */
    uint64_t     age_s;
    uint64_t     in, out;   /* bytes from and to the client */
    bool         has_bytes; /* HAProxy does not tell them */
    struct slice words;     /* all of the key=value words */
};

/* False: not such a line. Keys that are not known and words that are no key=value are passed over. */
bool show_sess_parse(struct slice line, struct show_sess *out) MUST_CHECK;

/* The next "key=value" of words; a value in double quotes, where \ keeps a quote, may have blanks in it. False when
 * there is no more. */
bool show_sess_word(struct slice *words, struct slice *key, struct slice *value);
/* Appends the words that tell of the client, such as tls=TLSv1.3, and behind them its state: not those that have a
 * field above, nor what only concerns the proxy itself. Not made fit for a terminal. */
void show_sess_details(const struct show_sess *sess, struct text *out);

#endif
