#include "ctl/view.h"

#include <inttypes.h>
#include <stdio.h>

#include "ctl/human.h"
#include "ctl/show_info.h"
#include "ctl/visible.h"

enum { HEAD_LINES = 2, SESSIONS_ONCE = 20 };

void view_init(struct view *view, uint64_t interval_ms)
{
    *view = (struct view){.focus = SECTION_SESSIONS, .interval_ms = interval_ms};
    for (enum section_kind kind = 0; kind < SECTIONS; kind++) {
        section_init(&view->sections[kind], kind);
        view->shown[kind] = true;
    }
}

void view_fini(struct view *view)
{
    for (size_t i = 0; i < SECTIONS; i++)
        section_fini(&view->sections[i]);
}

/* --- drawing --------------------------------------------------------------------------------------------------------
 */

struct canvas {
    view_put put;
    void    *to;
    size_t   line, cols; /* cols: TABLE_WIDTH_ANY for as wide as need be */
};

/* The text may come from elsewhere. Returns the columns used. */
static size_t put_cut(const struct canvas *canvas, size_t col, enum paint paint, const struct text *text)
{
    struct text visible = {.at = NULL};
    size_t      used = 0, room = canvas->cols == TABLE_WIDTH_ANY ? SIZE_MAX : canvas->cols;
    if (col < room && !text->failed) {
        (void)visible_put(&visible, slice_of(text->at, text->len));
        size_t len = visible_cut(slice_of(visible.at, visible.failed ? 0 : visible.len), room - col, &used);
        canvas->put(canvas->to, canvas->line, col, paint, slice_of(visible.at, len));
    }
    text_fini(&visible);
    return used;
}

static void put_line(struct canvas *canvas, enum paint paint, const char *string)
{
    struct text text = {.at = NULL};
    text_puts(&text, string);
    (void)put_cut(canvas, 0, paint, &text);
    text_fini(&text);
    canvas->line++;
}

static void add_info(struct text *text, const char *before, struct slice info, const char *key)
{
    struct slice value = show_info_get(info, key);
    if (value.len > 0) {
        text_puts(text, before);
        text_put(text, (const char *)value.ptr, value.len);
    }
}

static void add_number(struct text *text, const char *before, struct slice info, const char *key, const char *after)
{
    char number[HUMAN_MAX];
    if (show_info_get(info, key).len > 0)
        text_add(text, "%s%s%s", before, human_number(show_info_number(info, key), 100000, number), after);
}

static void add_name(struct text *text, const struct sample *sample)
{
    struct slice info = slice_of(sample->info.at, sample->info.len);
    char         uptime[HUMAN_MAX];
    add_info(text, "", info, "Name");
    add_info(text, " ", info, "Version");
    add_info(text, "  ", info, "node");
    if (show_info_get(info, "Uptime_sec").len > 0)
        text_add(text, "  up %s", human_duration(show_info_number(info, "Uptime_sec"), uptime));
    if (info.len > 0)
        text_puts(text, show_info_number(info, "Stopping") > 0 ? "  stopping" : "  running");
}

static void add_figures(struct text *text, const struct sample *sample)
{
    struct slice info = slice_of(sample->info.at, sample->info.len);
    char         in[HUMAN_MAX], out[HUMAN_MAX];
    add_number(text, "conns ", info, "CurrConns", "");
    add_number(text, "/", info, "Maxconn", "");
    add_number(text, "  conn/s ", info, "ConnRate", "");
    add_number(text, "  sess/s ", info, "SessRate", "");
    add_number(text, "  ssl/s ", info, "SslRate", "");
    text_add(text, "  in %s/s out %s/s", human_number(sample->total.in, 1000, in),
             human_number(sample->total.out, 1000, out));
    add_number(text, "  idle ", info, "Idle_pct", "%");
}

/* What goes on here and not there: a trouble, a pause, the interval. */
static void put_mode(const struct canvas *canvas, const struct view *view, size_t col)
{
    struct text text = {.at = NULL};
    if (view->trouble[0] != '\0')
        text_add(&text, "  %s", view->trouble);
    else if (view->paused)
        text_puts(&text, "  paused");
    else
        text_add(&text, "  every %" PRIu64 ".%" PRIu64 "s", view->interval_ms / 1000, view->interval_ms % 1000 / 100);
    (void)put_cut(canvas, col, view->trouble[0] != '\0' ? PAINT_BAD : view->paused ? PAINT_FOCUS : PAINT_PLAIN, &text);
    text_fini(&text);
}

static void draw_head(struct canvas *canvas, const struct view *view, const struct sample *sample, size_t lines,
                      bool interactive)
{
    struct text text = {.at = NULL};
    add_name(&text, sample);
    size_t used = lines > 0 ? put_cut(canvas, 0, PAINT_HEAD, &text) : 0;
    if (lines > 0 && interactive)
        put_mode(canvas, view, used);
    text_cut(&text, 0);
    add_figures(&text, sample);
    canvas->line++;
    if (lines > 1)
        (void)put_cut(canvas, 0, PAINT_PLAIN, &text);
    canvas->line++;
    text_fini(&text);
}

static void put_table_piece(void *to, size_t col, enum paint paint, struct slice text)
{
    const struct canvas *canvas = to;
    canvas->put(canvas->to, canvas->line, col, paint, text);
}

/* Why there are no sessions, when mqgate said so. */
static bool put_sess_message(struct canvas *canvas, const struct sample *sample)
{
    const struct text *answer = &sample->sess_answer;
    if (sample->has_sessions || answer->len == 0)
        return false;
    const char *end = memchr(answer->at, '\n', answer->len);
    struct text first = {.at = NULL};
    text_put(&first, answer->at, end != NULL ? (size_t)(end - answer->at) : answer->len);
    (void)put_cut(canvas, 0, PAINT_PLAIN, &first);
    text_fini(&first);
    return true;
}

static void draw_section(struct canvas *canvas, struct view *view, enum section_kind kind, const struct sample *sample,
                         size_t lines, bool interactive)
{
    struct section *section = &view->sections[kind];
    size_t          widths[TABLE_COLUMNS_MAX], end = canvas->line + lines;
    view->height[kind] = lines > 0 ? lines - 1 : 0;
    if (view->first[kind] + view->height[kind] > section->n)
        view->first[kind] = section->n > view->height[kind] ? section->n - view->height[kind] : 0;
    section_fill(section, view->first[kind], view->height[kind], interactive && kind == view->focus);
    table_layout(&section->table, canvas->cols, widths);
    if (lines > 0) {
        table_draw_head(&section->table, widths, section->sort, put_table_piece, canvas);
        canvas->line++;
    }
    if (lines > 1 && kind == SECTION_SESSIONS && put_sess_message(canvas, sample))
        canvas->line++;
    for (size_t row = 0; row < table_rows(&section->table) && canvas->line < end; row++) {
        table_draw_row(&section->table, widths, row, put_table_piece, canvas);
        canvas->line++;
    }
}

void view_share(const size_t *needs, size_t n, size_t lines, size_t *shares)
{
    for (size_t i = 0; i < n; i++) {
        size_t share = lines / (n - i), later = 0;
        for (size_t j = i + 1; j < n; j++)
            later += needs[j];
        if (later < lines && lines - later > share)
            share = lines - later; /* the others do not need all of theirs */
        shares[i] = needs[i] < share ? needs[i] : share;
        lines -= shares[i];
    }
}

static void draw_sections(struct canvas *canvas, struct view *view, const struct sample *sample, size_t lines)
{
    enum section_kind kinds[SECTIONS];
    size_t            needs[SECTIONS], shares[SECTIONS], n = 0;
    for (enum section_kind kind = 0; kind < SECTIONS; kind++) {
        if (!view->shown[kind])
            continue;
        section_select(&view->sections[kind], sample, view->filter);
        kinds[n] = kind;
        needs[n++] = view->sections[kind].n + 2; /* its head, and a message or a line that parts it from the next */
    }
    view_share(needs, n, lines, shares);
    for (size_t i = 0; i < n; i++) {
        size_t begin = canvas->line;
        draw_section(canvas, view, kinds[i], sample, shares[i], true);
        canvas->line = begin + shares[i];
    }
}

static void draw_help(struct canvas *canvas, size_t lines)
{
    static const char *const help[] = {
        "q            quit",
        "Tab          the next table; the one marked > is sorted and scrolled",
        "arrows       scroll; PgUp, PgDn, Home, End too",
        "s            sort by the next column; after the last, as mqgate tells it",
        "r            the other way round",
        "/            only names and sources with this text; Esc drops it",
        "l v x        show or hide listeners, servers, sessions",
        "p            pause",
        "+ -          ask more often, less often",
        "?            this; any key leaves it",
        "",
        "Bytes are counted in powers of 1000; IN is from clients, OUT is to them.",
    };
    for (size_t i = 0; i < ARRAY_LEN(help) && i < lines; i++)
        put_line(canvas, PAINT_PLAIN, help[i]);
}

static void draw_foot(struct canvas *canvas, const struct view *view)
{
    char text[VIEW_FILTER_MAX + 32];
    if (view->types_filter)
        snprintf(text, sizeof text, "filter: %s_", view->filter);
    else if (view->filter[0] != '\0')
        snprintf(text, sizeof text, "filter: %s   (/ changes it)", view->filter);
    put_line(canvas, view->types_filter ? PAINT_HEAD : PAINT_PLAIN,
             view->types_filter || view->filter[0] != '\0'
                 ? text
                 : "q quit  ? help  s sort  r reverse  / filter  Tab table  p pause  + - interval");
}

void view_draw(struct view *view, const struct sample *sample, size_t lines, size_t cols, view_put put, void *to)
{
    struct canvas canvas = {.put = put, .to = to, .cols = cols};
    size_t        foot = lines > HEAD_LINES + 2;
    if (cols == 0)
        return;
    draw_head(&canvas, view, sample, lines, true);
    if (lines <= HEAD_LINES)
        return;
    if (view->helps)
        draw_help(&canvas, lines - HEAD_LINES - foot);
    else
        draw_sections(&canvas, view, sample, lines - HEAD_LINES - foot);
    canvas.line = lines - 1;
    if (foot > 0)
        draw_foot(&canvas, view);
}

void view_draw_once(struct view *view, const struct sample *sample, view_put put, void *to)
{
    struct canvas canvas = {.put = put, .to = to, .cols = TABLE_WIDTH_ANY};
    draw_head(&canvas, view, sample, HEAD_LINES, false);
    for (enum section_kind kind = 0; kind < SECTIONS; kind++) {
        section_select(&view->sections[kind], sample, "");
        size_t n = view->sections[kind].n, most = kind == SECTION_SESSIONS && n > SESSIONS_ONCE ? SESSIONS_ONCE : n;
        canvas.line++;
        draw_section(&canvas, view, kind, sample, 1 + (most > 0 ? most : 1), false); /* none: there may be a message */
    }
}

/* --- keys -----------------------------------------------------------------------------------------------------------
 */

static void scroll_up(struct view *view, size_t n)
{
    size_t *first = &view->first[view->focus];
    *first -= n < *first ? n : *first;
}

/* Drawing sees to it that it does not go too far. */
static void scroll_down(struct view *view, size_t n)
{
    view->first[view->focus] += n;
}

/* The next table that is shown; step: 1, or SECTIONS - 1 for the one before. */
static void move_focus(struct view *view, unsigned step)
{
    for (unsigned i = 0; i < SECTIONS; i++) {
        view->focus = (view->focus + step) % SECTIONS;
        if (view->shown[view->focus])
            return;
    }
}

static void toggle(struct view *view, enum section_kind kind)
{
    view->shown[kind] = !view->shown[kind];
    if (!view->shown[view->focus])
        move_focus(view, 1);
}

/* More often with a step of -1, less often with 1; what is not among the steps goes to the nearest. */
static void change_interval(struct view *view, int step)
{
    static const uint64_t steps[] = {VIEW_INTERVAL_MIN_MS, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000};
    size_t                i = 0, n = ARRAY_LEN(steps);
    if (step > 0) {
        while (i < n && steps[i] <= view->interval_ms)
            i++;
        view->interval_ms = i < n ? steps[i] : view->interval_ms;
        return;
    }
    for (i = n; i > 0 && steps[i - 1] >= view->interval_ms; i--)
        ;
    view->interval_ms = i > 0 ? steps[i - 1] : view->interval_ms;
}

static void filter_key(struct view *view, int key)
{
    size_t len = strlen(view->filter);
    if (key == VIEW_KEY_ENTER || key == VIEW_KEY_ESCAPE)
        view->types_filter = false;
    if (key == VIEW_KEY_ESCAPE)
        view->filter[0] = '\0';
    else if (key == VIEW_KEY_BACKSPACE && len > 0)
        view->filter[len - 1] = '\0';
    else if (key >= ' ' && key <= '~' && len + 1 < sizeof view->filter) {
        view->filter[len] = (char)key;
        view->filter[len + 1] = '\0';
    }
}

static void scroll_key(struct view *view, int key)
{
    size_t page = view->height[view->focus] > 1 ? view->height[view->focus] : 1;
    if (key == VIEW_KEY_UP)
        scroll_up(view, 1);
    else if (key == VIEW_KEY_DOWN)
        scroll_down(view, 1);
    else if (key == VIEW_KEY_PAGE_UP)
        scroll_up(view, page);
    else if (key == VIEW_KEY_PAGE_DOWN)
        scroll_down(view, page);
    else if (key == VIEW_KEY_HOME)
        scroll_up(view, SIZE_MAX);
    else if (key == VIEW_KEY_END)
        scroll_down(view, view->sections[view->focus].n);
}

static void command_key(struct view *view, int key)
{
    struct section *focused = &view->sections[view->focus];
    switch (key) {
    case 'q':
        view->quits = true;
        break;
    case 's':
        section_sort_next(focused);
        break;
    case 'r':
        focused->reverse = !focused->reverse;
        break;
    case '/':
        view->types_filter = true;
        break;
    case VIEW_KEY_ESCAPE:
        view->filter[0] = '\0';
        break;
    case 'l':
        toggle(view, SECTION_LISTENERS);
        break;
    case 'v':
        toggle(view, SECTION_SERVERS);
        break;
    case 'x':
        toggle(view, SECTION_SESSIONS);
        break;
    case 'p':
        view->paused = !view->paused;
        break;
    case '+':
        change_interval(view, -1);
        break;
    case '-':
        change_interval(view, 1);
        break;
    case '?':
        view->helps = true;
        break;
    case VIEW_KEY_TAB:
        move_focus(view, 1);
        break;
    case VIEW_KEY_BACK_TAB:
        move_focus(view, SECTIONS - 1);
        break;
    default:
        scroll_key(view, key);
        break;
    }
}

void view_key(struct view *view, int key)
{
    if (view->helps)
        view->helps = false;
    else if (view->types_filter)
        filter_key(view, key);
    else
        command_key(view, key);
}
