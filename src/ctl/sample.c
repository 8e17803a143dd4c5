#include "ctl/sample.h"

#include <stdlib.h>

#include "ctl/lines.h"

static void replace(struct text *old, struct text *answer)
{
    text_fini(old);
    *old = *answer;
    *answer = (struct text){.at = NULL};
}

void sample_fini(struct sample *sample)
{
    text_fini(&sample->info);
    text_fini(&sample->stat_answer);
    text_fini(&sample->sess_answer);
    show_stat_fini(&sample->stat);
    free(sample->stat_rates);
    free(sample->sessions);
    sample_forget_rates(sample);
    *sample = (struct sample){.n_sessions = 0};
}

void sample_forget_rates(struct sample *sample)
{
    meter_fini(&sample->stat_meter);
    meter_fini(&sample->sess_meter);
}

void sample_take_info(struct sample *sample, struct text *answer)
{
    replace(&sample->info, answer);
}

/* A name for the meter: type, proxy and server. */
static struct slice row_key(const struct show_stat_row *row, struct text *key)
{
    static const enum stat_column columns[] = {STAT_TYPE, STAT_PXNAME, STAT_SVNAME};
    text_cut(key, 0);
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        text_put(key, (const char *)row->cell[columns[i]].ptr, row->cell[columns[i]].len);
        text_puts(key, ",");
    }
    return slice_of(key->at, key->failed ? 0 : key->len);
}

static void read_row_rates(struct sample *sample, size_t i, struct text *key)
{
    const struct show_stat_row *row = &sample->stat.rows[i];
    uint64_t                    in = 0, out = 0;
    if (!show_stat_number(row, STAT_BIN, &in) || !show_stat_number(row, STAT_BOUT, &out))
        in = out = 0;
    struct meter_rates rates = meter_read(&sample->stat_meter, row_key(row, key), in, out);
    sample->stat_rates[i] = rates;
    if (show_stat_is(row, STAT_FRONTEND)) {
        sample->total.in += rates.in;
        sample->total.out += rates.out;
    }
}

void sample_take_stat(struct sample *sample, struct text *answer, uint64_t now_ms)
{
    struct text key = {.at = NULL};
    show_stat_fini(&sample->stat);
    free(sample->stat_rates);
    sample->stat_rates = NULL;
    sample->total = (struct meter_rates){.in = 0};
    replace(&sample->stat_answer, answer);
    if (!show_stat_parse(&sample->stat, sample->stat_answer.at, sample->stat_answer.len))
        return;
    sample->stat_rates = calloc(sample->stat.n + 1, sizeof *sample->stat_rates);
    if (sample->stat_rates == NULL) {
        show_stat_fini(&sample->stat);
        return;
    }
    meter_begin(&sample->stat_meter, now_ms);
    for (size_t i = 0; i < sample->stat.n; i++)
        read_row_rates(sample, i, &key);
    meter_end(&sample->stat_meter);
    text_fini(&key);
}

static size_t count_lines(const struct text *text)
{
    size_t n = 1;
    for (size_t i = 0; i < text->len; i++)
        n += text->at[i] == '\n';
    return n;
}

void sample_take_sess(struct sample *sample, struct text *answer, uint64_t now_ms)
{
    struct slice rest, line;
    replace(&sample->sess_answer, answer);
    free(sample->sessions);
    sample->n_sessions = 0;
    sample->sessions = calloc(count_lines(&sample->sess_answer), sizeof *sample->sessions);
    if (sample->sessions == NULL)
        return;
    rest = slice_of(sample->sess_answer.at, sample->sess_answer.len);
    sample->has_sessions = true;
    meter_begin(&sample->sess_meter, now_ms);
    while (lines_next(&rest, &line)) {
        struct sample_session *session = &sample->sessions[sample->n_sessions];
        if (!show_sess_parse(line, &session->sess)) {
            sample->has_sessions &= line.len == 0;
            continue;
        }
        struct slice key = slice_of(&session->sess.id, sizeof session->sess.id);
        session->rates = meter_read(&sample->sess_meter, key, session->sess.in, session->sess.out);
        sample->n_sessions++;
    }
    meter_end(&sample->sess_meter);
    sample->has_sessions |= sample->n_sessions > 0;
}
