#include "ctl/show_sess.h"

#include "ctl/human.h"

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* "0x1f:" off the beginning of the line. */
static bool take_id(struct slice *line, uint64_t *id)
{
    enum { PREFIX = 2, DIGITS_MAX = 16 };
    size_t n = 0;
    if (!slice_starts(*line, slice_str("0x")))
        return false;
    struct slice rest = slice_skip(*line, PREFIX);
    for (*id = 0; n < rest.len && hex_digit(rest.ptr[n]) >= 0; n++)
        *id = *id << 4 | (uint64_t)hex_digit(rest.ptr[n]);
    if (n == 0 || n > DIGITS_MAX || n == rest.len || rest.ptr[n] != ':')
        return false;
    *line = slice_skip(rest, n + 1);
    return true;
}

/* Bytes of the word that text begins with, up to a blank outside quotes. */
static size_t word_len(struct slice text)
{
    bool   quoted = false;
    size_t n = 0;
    for (; n < text.len && (quoted || text.ptr[n] != ' '); n++) {
        if (text.ptr[n] == '"' && (quoted || (n > 0 && text.ptr[n - 1] == '=')))
            quoted = !quoted;
        else if (quoted && text.ptr[n] == '\\' && n + 1 < text.len)
            n++;
    }
    return n;
}

/* Of a key: HAProxy also writes things such as rq[f=c48202h,...]. */
static bool is_key_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool show_sess_word(struct slice *words, struct slice *key, struct slice *value)
{
    while (words->len > 0) {
        size_t       len = word_len(*words), n = 0;
        struct slice word = slice_of(words->ptr, len);
        *words = slice_skip(*words, len < words->len ? len + 1 : len);
        while (n < len && is_key_char(word.ptr[n]))
            n++;
        if (n == 0 || n == len || word.ptr[n] != '=')
            continue;
        *key = slice_of(word.ptr, n);
        *value = slice_skip(word, n + 1);
        return true;
    }
    return false;
}

static bool is(struct slice key, const char *name)
{
    return slice_eq(key, slice_str(name));
}

static void take_word(struct show_sess *sess, struct slice key, struct slice value)
{
    if (is(key, "src"))
        sess->src = value;
    else if (is(key, "fe"))
        sess->fe = value;
    else if (is(key, "be"))
        sess->be = value;
    else if (is(key, "srv"))
        sess->srv = value;
    else if (is(key, "age") && !human_parse_duration(value, &sess->age_s))
        sess->age_s = 0;
    else if (is(key, "in") && human_parse_number(value, &sess->in))
        sess->has_bytes = true;
    else if (is(key, "out") && human_parse_number(value, &sess->out))
        sess->has_bytes = true;
}

bool show_sess_parse(struct slice line, struct show_sess *out)
{
    struct slice key, value;
    *out = (struct show_sess){.id = 0};
    if (!take_id(&line, &out->id))
        return false;
    if (slice_starts(line, slice_str(" ")))
        line = slice_skip(line, 1);
    out->words = line;
    while (show_sess_word(&line, &key, &value))
        take_word(out, key, value);
    return true;
}

enum rank { TELLS_CLIENT, TELLS_STATE, TOLD_ELSEWHERE };

static enum rank rank_of(struct slice key)
{
    static const struct {
        const char *name;
        enum rank   rank;
    } keys[] = {
        {"state", TELLS_STATE},    {"idle", TELLS_STATE},    {"proto", TOLD_ELSEWHERE}, {"src", TOLD_ELSEWHERE},
        {"fe", TOLD_ELSEWHERE},    {"be", TOLD_ELSEWHERE},   {"srv", TOLD_ELSEWHERE},   {"age", TOLD_ELSEWHERE},
        {"in", TOLD_ELSEWHERE},    {"out", TOLD_ELSEWHERE},  {"ts", TOLD_ELSEWHERE},    {"epoch", TOLD_ELSEWHERE},
        {"calls", TOLD_ELSEWHERE}, {"rate", TOLD_ELSEWHERE}, {"cpu", TOLD_ELSEWHERE},   {"lat", TOLD_ELSEWHERE},
        {"scf", TOLD_ELSEWHERE},   {"scb", TOLD_ELSEWHERE},  {"exp", TOLD_ELSEWHERE},   {"rc", TOLD_ELSEWHERE},
        {"c_exp", TOLD_ELSEWHERE},
    };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (is(key, keys[i].name))
            return keys[i].rank;
    }
    return TELLS_CLIENT;
}

void show_sess_details(const struct show_sess *sess, struct text *out)
{
    size_t begin = out->len;
    for (enum rank rank = TELLS_CLIENT; rank < TOLD_ELSEWHERE; rank++) {
        struct slice words = sess->words, key, value;
        while (show_sess_word(&words, &key, &value)) {
            if (rank_of(key) != rank)
                continue;
            text_add(out, "%s%.*s=", out->len > begin ? " " : "", (int)key.len, (const char *)key.ptr);
            text_put(out, (const char *)value.ptr, value.len);
        }
    }
}
