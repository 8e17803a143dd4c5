/* ctl/sample.h: what mqgate told in one round, and how fast its counters grew since the round before. */
#ifndef MQGATE_CTL_SAMPLE_H
#define MQGATE_CTL_SAMPLE_H

#include "base/text.h"
#include "ctl/meter.h"
#include "ctl/show_sess.h"
#include "ctl/show_stat.h"

struct sample_session {
    struct show_sess   sess;
    struct meter_rates rates; /* bytes a second, from and to the client */
};

/* All zero: nothing was told yet. */
struct sample {
    struct text            info, stat_answer, sess_answer; /* as they came; what is below points into them */
    struct show_stat       stat;
    struct meter_rates    *stat_rates; /* one for each row of stat; owned */
    struct meter_rates     total;      /* of all frontends */
    struct sample_session *sessions;   /* owned */
    size_t                 n_sessions;
    bool                   has_sessions; /* sess_answer is a list of sessions, and not a message */
    struct meter           stat_meter, sess_meter;
};

void sample_fini(struct sample *sample);
/* Each takes the answer over. now_ms: monotonic. */
void sample_take_info(struct sample *sample, struct text *answer);
void sample_take_stat(struct sample *sample, struct text *answer, uint64_t now_ms);
void sample_take_sess(struct sample *sample, struct text *answer, uint64_t now_ms);
/* What comes next is no sequel to what was told: another process may tell it. */
void sample_forget_rates(struct sample *sample);

#endif
