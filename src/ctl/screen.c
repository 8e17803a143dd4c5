#include "ctl/screen.h"

#include <curses.h>

#include "ctl/paint.h"

static SCREEN *screen;

static const struct {
    short  colour; /* -1: none of its own */
    attr_t look;
} looks[PAINTS] = {
    [PAINT_PLAIN] = {-1, A_NORMAL},
    [PAINT_GOOD] = {COLOR_GREEN, A_NORMAL},
    [PAINT_CHANGING] = {COLOR_YELLOW, A_NORMAL},
    [PAINT_BAD] = {COLOR_RED, A_BOLD},
    [PAINT_SET_ASIDE] = {COLOR_CYAN, A_NORMAL},
    [PAINT_HEAD] = {-1, A_BOLD},
    [PAINT_FOCUS] = {-1, A_BOLD | A_REVERSE},
};
static attr_t attributes[PAINTS];

static void prepare_paints(void)
{
    bool colours = paint_is_wanted() && has_colors() && start_color() == OK && use_default_colors() == OK;
    for (int i = 0; i < PAINTS; i++) {
        attributes[i] = looks[i].look;
        if (colours && looks[i].colour >= 0 && init_pair((short)(i + 1), looks[i].colour, -1) == OK)
            attributes[i] |= (attr_t)COLOR_PAIR(i + 1);
    }
}

bool screen_open(void)
{
    screen = newterm(NULL, stdout, stdin);
    if (screen == NULL)
        return false;
    (void)set_escdelay(25);
    (void)cbreak();
    (void)noecho();
    (void)keypad(stdscr, TRUE);
    (void)nodelay(stdscr, TRUE);
    (void)curs_set(0);
    prepare_paints();
    return true;
}

void screen_close(void)
{
    (void)endwin();
    delscreen(screen);
    screen = NULL;
}

static void put(void *to, size_t line, size_t col, enum paint paint, struct slice text)
{
    (void)to;
    (void)attrset((int)attributes[paint]);
    (void)mvaddnstr((int)line, (int)col, (const char *)text.ptr, (int)text.len);
}

void screen_draw(struct view *view, const struct sample *sample)
{
    int lines = getmaxy(stdscr), cols = getmaxx(stdscr);
    (void)erase();
    if (lines > 0 && cols > 0)
        view_draw(view, sample, (size_t)lines, (size_t)cols, put, NULL);
    (void)refresh();
}

static int translate(int key)
{
    static const struct {
        int curses, view;
    } keys[] = {
        {KEY_UP, VIEW_KEY_UP},       {KEY_DOWN, VIEW_KEY_DOWN},     {KEY_PPAGE, VIEW_KEY_PAGE_UP},
        {KEY_HOME, VIEW_KEY_HOME},   {KEY_END, VIEW_KEY_END},       {KEY_NPAGE, VIEW_KEY_PAGE_DOWN},
        {KEY_ENTER, VIEW_KEY_ENTER}, {KEY_BTAB, VIEW_KEY_BACK_TAB}, {KEY_BACKSPACE, VIEW_KEY_BACKSPACE},
        {'\r', VIEW_KEY_ENTER},      {'\b', VIEW_KEY_BACKSPACE},    {127, VIEW_KEY_BACKSPACE},
    };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (keys[i].curses == key)
            return keys[i].view;
    }
    return key < 0x100 ? key : VIEW_KEY_OTHER;
}

bool screen_keys(struct view *view)
{
    bool any = false;
    for (int key; (key = getch()) != ERR; any = true) {
        if (key != KEY_RESIZE)
            view_key(view, translate(key));
    }
    return any;
}
