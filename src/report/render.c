#include "report/render.h"

#include <inttypes.h>
#include <string.h>

static const char kind_letters[] = {
    [ROW_FRONTEND] = 'F', [ROW_BACKEND] = 'B', [ROW_SERVER] = 'S', [ROW_LISTENER] = 'L'};
static const char *const kind_names[] = {
    [ROW_FRONTEND] = "Frontend", [ROW_BACKEND] = "Backend", [ROW_SERVER] = "Server", [ROW_LISTENER] = "Listener"};
static const char *const value_names[] = {
    [VALUE_NONE] = "", [VALUE_STR] = "str", [VALUE_U32] = "u32", [VALUE_U64] = "u64", [VALUE_S32] = "s32"};

static void put_number(const struct value *v, struct text *out)
{
    if (v->kind == VALUE_S32)
        text_add(out, "%" PRId64, v->s);
    else
        text_add(out, "%" PRIu64, v->u);
}

/* ---- CSV ---- */

/* RFC 4180: quotes only where they are needed, doubled inside. */
static void put_csv_text(const char *text, struct text *out)
{
    bool quoted = strpbrk(text, ",\"") != NULL;
    if (!quoted) {
        text_put_line_part(out, text);
        return;
    }
    text_puts(out, "\"");
    for (const char *at = text; *at != '\0';) {
        size_t n = strcspn(at, "\"");
        char   part[PROBE_DETAIL_MAX];
        n = n < sizeof part ? n : sizeof part - 1;
        memcpy(part, at, n);
        part[n] = '\0';
        text_put_line_part(out, part);
        at += n;
        if (*at == '"') {
            text_puts(out, "\"\"");
            at++;
        }
    }
    text_puts(out, "\"");
}

static void csv_line(void *user, const struct line *line)
{
    struct text *out = user;
    for (size_t i = 0; i < COLUMNS_N; i++) {
        const struct value *v = &line->at[i];
        if (v->kind == VALUE_STR)
            put_csv_text(v->str, out);
        else if (v->kind != VALUE_NONE)
            put_number(v, out);
        text_put(out, ",", 1);
    }
    text_put(out, "\n", 1);
}

bool report_csv(const struct view *view, const struct line_filter *filter, struct text *out)
{
    size_t was = out->len;
    text_puts(out, "# ");
    for (size_t i = 0; i < COLUMNS_N; i++)
        text_add(out, "%s,", columns[i].name);
    text_puts(out, "\n");
    bool ok = lines_each(view, filter, csv_line, out);
    if (!ok)
        text_cut(out, was);
    return ok;
}

/* ---- typed ---- */

/* The fourth letter: counters are Persistent over a reload, all else is Volatile. */
void report_typed_value(const char *tags, const struct value *value, struct text *out)
{
    text_add(out, ":%s%c:%s:", tags, tags[1] == 'C' ? 'P' : 'V', value_names[value->kind]);
    if (value->kind == VALUE_STR)
        text_put_line_part(out, value->str);
    else
        put_number(value, out);
    text_puts(out, "\n");
}

static void typed_line(void *user, const struct line *line)
{
    struct text *out = user;
    for (size_t i = 0; i < COLUMNS_N; i++) {
        if (line->at[i].kind == VALUE_NONE || i == COLUMN_DASH)
            continue;
        text_add(out, "%c.%u.%u.%zu.%s.1", kind_letters[line->kind], line->row->iid, line->row->sid, i,
                 columns[i].name);
        report_typed_value(columns[i].tags, &line->at[i], out);
    }
}

bool report_typed(const struct view *view, const struct line_filter *filter, struct text *out)
{
    return lines_each(view, filter, typed_line, out);
}

/* ---- JSON ---- */

struct word {
    char        letter;
    const char *name;
};

static const struct word origins[] = {{'M', "Metric"}, {'S', "Status"},  {'K', "Key"},
                                      {'C', "Config"}, {'P', "Product"}, {0, ""}};
static const struct word natures[] = {{'G', "Gauge"},   {'L', "Limit"},    {'m', "Min"}, {'M', "Max"},  {'R', "Rate"},
                                      {'C', "Counter"}, {'D', "Duration"}, {'A', "Age"}, {'T', "Time"}, {'N', "Name"},
                                      {'O', "Output"},  {'a', "Avg"},      {0, ""}};
static const struct word scopes[] = {{'C', "Cluster"}, {'P', "Process"}, {'S', "Service"}, {'s', "System"}, {0, ""}};

static const char *word_of(const struct word *words, char letter)
{
    while (words->letter != 0 && words->letter != letter)
        words++;
    return words->name;
}

void report_json_value(size_t pos, const char *name, const char *tags, const struct value *value, struct text *out)
{
    text_add(out, "\"field\":{\"pos\":%zu,\"name\":\"%s\"},\"processNum\":1,\"tags\":{\"origin\":\"%s\",", pos, name,
             word_of(origins, tags[0]));
    text_add(out,
             "\"nature\":\"%s\",\"scope\":\"%s\"},\"value\":{\"type\":\"%s\",\"value\":", word_of(natures, tags[1]),
             word_of(scopes, tags[2]), value_names[value->kind]);
    if (value->kind == VALUE_STR)
        text_put_json(out, value->str);
    else
        put_number(value, out);
    text_puts(out, "}}");
}

static void json_line(void *user, const struct line *line)
{
    struct text *out = user;
    const char  *between = "";
    text_puts(out, out->at[out->len - 1] == '[' ? "[" : ",[");
    for (size_t i = 0; i < COLUMNS_N; i++) {
        if (line->at[i].kind == VALUE_NONE || i == COLUMN_DASH)
            continue;
        text_add(out, "%s{\"objType\":\"%s\",\"proxyId\":%u,\"id\":%u,", between, kind_names[line->kind],
                 line->row->iid, line->row->sid);
        report_json_value(i, columns[i].name, columns[i].tags, &line->at[i], out);
        between = ",";
    }
    text_puts(out, "]");
}

bool report_json(const struct view *view, const struct line_filter *filter, struct text *out)
{
    size_t was = out->len;
    text_puts(out, "[");
    if (out->failed)
        return true;
    bool ok = lines_each(view, filter, json_line, out);
    text_puts(out, "]\n");
    if (!ok)
        text_cut(out, was);
    return ok;
}

void report_json_schema(struct text *out)
{
    text_puts(out,
              "{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"oneOf\":["
              "{\"title\":\"Info\",\"type\":\"array\",\"items\":{\"title\":\"InfoItem\",\"type\":\"object\","
              "\"properties\":{\"field\":{\"$ref\":\"#/definitions/field\"},"
              "\"processNum\":{\"$ref\":\"#/definitions/processNum\"},\"tags\":{\"$ref\":\"#/definitions/tags\"},"
              "\"value\":{\"$ref\":\"#/definitions/typedValue\"}},"
              "\"required\":[\"field\",\"processNum\",\"tags\",\"value\"]}},"
              "{\"title\":\"Stat\",\"type\":\"array\",\"items\":{\"title\":\"InfoItem\",\"type\":\"array\",\"items\":{"
              "\"type\":\"object\",\"properties\":{\"objType\":{\"enum\":"
              "[\"Frontend\",\"Backend\",\"Listener\",\"Server\"]},"
              "\"proxyId\":{\"type\":\"integer\",\"minimum\":0},\"id\":{\"type\":\"integer\",\"minimum\":0},"
              "\"field\":{\"$ref\":\"#/definitions/field\"},\"processNum\":{\"$ref\":\"#/definitions/processNum\"},"
              "\"tags\":{\"$ref\":\"#/definitions/tags\"},\"value\":{\"$ref\":\"#/definitions/typedValue\"}},"
              "\"required\":[\"objType\",\"proxyId\",\"id\",\"field\",\"processNum\",\"tags\",\"value\"]}}},"
              "{\"title\":\"Error\",\"type\":\"object\",\"properties\":{\"errorStr\":{\"type\":\"string\"}},"
              "\"required\":[\"errorStr\"]}],"
              "\"definitions\":{\"field\":{\"type\":\"object\",\"properties\":{\"pos\":{\"type\":\"integer\","
              "\"minimum\":0},\"name\":{\"type\":\"string\"}},\"required\":[\"pos\",\"name\"]},"
              "\"processNum\":{\"type\":\"integer\",\"minimum\":1},"
              "\"tags\":{\"type\":\"object\",\"properties\":{"
              "\"origin\":{\"enum\":[\"Metric\",\"Status\",\"Key\",\"Config\",\"Product\"]},"
              "\"nature\":{\"enum\":[\"Gauge\",\"Limit\",\"Min\",\"Max\",\"Rate\",\"Counter\",\"Duration\",\"Age\","
              "\"Time\",\"Name\",\"Output\",\"Avg\"]},"
              "\"scope\":{\"enum\":[\"Cluster\",\"Process\",\"Service\",\"System\"]}},"
              "\"required\":[\"origin\",\"nature\",\"scope\"]},"
              "\"typedValue\":{\"type\":\"object\",\"properties\":{"
              "\"type\":{\"enum\":[\"s32\",\"u32\",\"s64\",\"u64\",\"str\"]},\"value\":{\"oneOf\":["
              "{\"type\":\"integer\"},{\"type\":\"string\"}]}},\"required\":[\"type\",\"value\"]}}}\n");
}
